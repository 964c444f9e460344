//! What a leader knows of one peer, and what it sends it next.
//!
//! ```text
//!            accepted                   no log holds what it needs
//!   Probe ─────────────▶ Replicate      ────────────────────────▶ Snapshot
//!     ▲  ◀───────────────    ▲                                    │    │
//!     │  rejected, link      └──── it holds what the log builds on ◀   │
//!     │  broken                                                        │
//!     └───────────────────────────────── the transfer was given up ◀───┘
//! ```
//!
//! *Probe* sends one append and waits: the place where the logs meet is not known. *Replicate*
//! streams optimistically as far as the window (messages and bytes) is open. *Snapshot* streams
//! nothing: the peer needs entries that the log no longer holds, and gets the state (Raft §7).
//! Nothing but what the peer itself accepts ends that happily, so there is no report to lose (etcd
//! #10308): with every heartbeat that it answers it is asked whether it holds the place where this
//! log can go on, however it got there.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::boundary::{Entry, Event, Output};
use super::config::Config;
use super::log::{Log, weight};
use super::message::{Body, Message, Rejection};
use crate::{Index, NodeId, Position, Term, Time};

/// How a peer is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    /// One append at a time.
    Probe {
        /// It has been sent; the next waits for an answer or for a heartbeat's.
        paused: bool,
    },
    /// A stream within the window.
    Replicate,
    /// The state instead of entries.
    Snapshot {
        /// The last index that the snapshot on its way covers; `None` before its first piece.
        through: Option<Index>,
    },
}

/// What every append to every peer says.
pub(super) struct Frame<'a> {
    pub(super) term: Term,
    pub(super) commit: Index,
    pub(super) trim: Index,
    pub(super) config: &'a Config,
    pub(super) log: &'a Log,
}

/// The progress of one peer.
///
/// - `matched < next ≤ last + 1`.
/// - Only in `Replicate` is anything in flight.
/// - In `Snapshot`, `next` is what the peer lacks, as far as known, and cannot be sent.
/// - `told` is the highest commit index that an append has carried.
#[derive(Clone, Debug, Hash)]
pub(super) struct Progress {
    pub(super) matched: Index,
    pub(super) next: Index,
    pub(super) mode: Mode,
    /// The last index and the bytes of each append in flight.
    in_flight: VecDeque<(Index, usize)>,
    in_flight_bytes: usize,
    told: Index,
    /// Entries for it are being fetched from storage.
    fetching: bool,
    /// Something in flight seems lost: ask with an empty append.
    nudged: bool,
    /// `matched` at the last heartbeat that was answered.
    mark: Index,
    /// The first periodic round since the last answer to one.
    pub(super) awaited: Option<u64>,
    /// The operator has been told that it is stranded.
    reported: bool,
    /// The last round that it answered, and when that round was sent.
    pub(super) round: u64,
    pub(super) confirmed: Option<Time>,
}

impl Progress {
    /// A peer of which a new leader knows nothing: it may hold the same log.
    pub(super) const fn new(next: Index) -> Self {
        Self {
            matched: Index(0),
            next,
            mode: Mode::Probe { paused: false },
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            told: Index(0),
            fetching: false,
            nudged: false,
            mark: Index(0),
            awaited: None,
            reported: false,
            round: 0,
            confirmed: None,
        }
    }

    /// The name of the mode, for operators.
    pub(super) const fn name(&self) -> &'static str {
        match self.mode {
            Mode::Probe { .. } => "probe",
            Mode::Replicate => "replicate",
            Mode::Snapshot { .. } => "snapshot",
        }
    }

    /// Where the log can go on once the peer holds it: not before its start, and not before the
    /// entry that could not be read.
    fn landing(&self, log: &Log) -> Index {
        log.base().index.max(self.next)
    }

    /// What to do for `peer` next; call until `None`.
    pub(super) fn step(&mut self, peer: NodeId, frame: &Frame<'_>) -> Option<Output> {
        let has_more = self.next <= frame.log.last().index;
        let wants = match self.mode {
            Mode::Snapshot { .. } => return self.ask(peer, frame),
            Mode::Probe { paused } => !paused,
            Mode::Replicate => {
                let known = frame.commit.min(self.next.previous());
                (has_more && !self.is_full(frame.config)) || self.nudged || self.told < known
            }
        };
        if !wants {
            return None;
        }
        let start = frame.log.base();
        if self.next <= start.index {
            // Trimmed meanwhile. Perhaps the peer holds more than it is known to: ask at the start.
            self.leave(Mode::Probe { paused: false });
            self.next = start.index.next();
        }
        let base = frame.log.position(self.next.previous())?;
        // A full window lets only an empty append through: a question, or the commit index.
        let mut entries = (Vec::new(), 0);
        let doubtful = self.reported && self.mode != Mode::Replicate;
        if has_more && !doubtful && !self.is_full(frame.config) {
            if self.next < frame.log.cached_from() {
                return self.fetch(peer, frame.config);
            }
            entries = frame.log.slice(self.next, frame.config.max_append_bytes);
        }
        Some(self.append(peer, frame, base, entries))
    }

    /// Asks a peer that gets a snapshot whether the log can go on.
    fn ask(&mut self, peer: NodeId, frame: &Frame<'_>) -> Option<Output> {
        if !self.nudged {
            return None;
        }
        let base = frame.log.position(self.landing(frame.log))?;
        Some(self.append(peer, frame, base, (Vec::new(), 0)))
    }

    /// Sends the entries that storage has read.
    pub(super) fn fetched(
        &mut self,
        peer: NodeId,
        frame: &Frame<'_>,
        from: Index,
        entries: Option<Vec<Entry>>,
    ) -> Vec<Output> {
        let open = match self.mode {
            Mode::Probe { paused } => !paused,
            Mode::Replicate => !self.is_full(frame.config),
            Mode::Snapshot { .. } => false,
        };
        if !core::mem::take(&mut self.fetching) || from != self.next || !open {
            return Vec::new();
        }
        let known = |entries: &Vec<Entry>| {
            let mut index = from;
            !entries.is_empty()
                && entries.iter().all(|entry| {
                    let expected = frame.log.position(index);
                    index = index.next();
                    expected == Some(entry.position)
                })
        };
        let base = frame.log.position(from.previous());
        let (Some(base), Some(entries)) = (base, entries.filter(known)) else {
            return self.strand(peer, frame.log);
        };
        let bytes = entries.iter().map(weight).sum();
        Vec::from([self.append(peer, frame, base, (entries, bytes))])
    }

    fn append(
        &mut self,
        peer: NodeId,
        frame: &Frame<'_>,
        base: Position,
        (entries, bytes): (Vec<Entry>, usize),
    ) -> Output {
        let end = entries.last().map_or(base.index, |entry| entry.position.index);
        match self.mode {
            Mode::Probe { .. } => self.mode = Mode::Probe { paused: true },
            Mode::Replicate if !entries.is_empty() => {
                self.next = end.next();
                self.in_flight.push_back((end, bytes));
                self.in_flight_bytes += bytes;
            }
            Mode::Replicate | Mode::Snapshot { .. } => {}
        }
        self.nudged = false;
        self.told = self.told.max(frame.commit.min(end));
        let body = Body::Append { base, entries, commit: frame.commit, trim: frame.trim };
        Output::Send { to: peer, message: Message { term: frame.term, body } }
    }

    fn fetch(&mut self, peer: NodeId, config: &Config) -> Option<Output> {
        if core::mem::replace(&mut self.fetching, true) {
            return None;
        }
        Some(Output::Fetch { peer, from: self.next, max_bytes: config.max_append_bytes })
    }

    /// Nothing here helps it but the state.
    fn strand(&mut self, peer: NodeId, log: &Log) -> Vec<Output> {
        self.leave(Mode::Snapshot { through: None });
        let wanted = Output::SnapshotWanted { peer, next: self.next };
        if core::mem::replace(&mut self.reported, true) {
            return Vec::from([wanted]);
        }
        let first = log.base().index.next();
        Vec::from([Output::Event(Event::Stranded { peer, next: self.next, first }), wanted])
    }

    /// A piece of a snapshot may leave now: notes what the snapshot covers.
    pub(super) fn sends_chunk(&mut self, last: Index) -> bool {
        let needed = self.needs_snapshot();
        if needed {
            self.mode = Mode::Snapshot { through: Some(last) };
        }
        needed
    }

    pub(super) const fn needs_snapshot(&self) -> bool {
        matches!(self.mode, Mode::Snapshot { .. })
    }

    /// The transfer was given up: one question after the next heartbeat tells whether it is still
    /// needed.
    pub(super) fn snapshot_failed(&mut self, log: &Log) {
        if self.needs_snapshot() {
            self.leave(Mode::Probe { paused: true });
            self.next = self.next.max(log.base().index.next());
        }
    }

    /// The peer's log matches durably through `matched`.
    pub(super) fn accepted(&mut self, peer: NodeId, matched: Index, log: &Log) -> Vec<Output> {
        let (news, landing) = (matched > self.matched, self.landing(log));
        if news {
            self.matched = matched;
            self.next = self.next.max(matched.next());
            while self.in_flight.front().is_some_and(|&(end, _)| end <= matched) {
                self.in_flight_bytes -= self.in_flight.pop_front().map_or(0, |(_, bytes)| bytes);
            }
        }
        let mode = self.mode;
        let found = match mode {
            Mode::Probe { .. } => matched == self.matched,
            Mode::Snapshot { .. } => matched >= landing,
            Mode::Replicate => false,
        };
        if found {
            self.leave(Mode::Replicate);
            self.next = self.matched.next();
            self.reported &= !news;
        }
        match mode {
            Mode::Snapshot { .. } if found => Vec::from([Output::SnapshotEnded { peer }]),
            // It has that snapshot, and the log has been trimmed beyond it meanwhile.
            Mode::Snapshot { through: Some(through) } if news && matched >= through => {
                let mut outputs = Vec::from([Output::SnapshotEnded { peer }]);
                outputs.append(&mut self.strand(peer, log));
                outputs
            }
            Mode::Snapshot { .. } | Mode::Probe { .. } | Mode::Replicate => Vec::new(),
        }
    }

    /// The base of an append did not match.
    pub(super) fn rejected(
        &mut self,
        peer: NodeId,
        rejection: &Rejection,
        log: &Log,
    ) -> Vec<Output> {
        match self.mode {
            // Below `matched` it is either old or comes from a peer that restarted and cannot tell
            // any more what it holds; one question settles both.
            Mode::Replicate if rejection.base < self.next => self.probe(),
            Mode::Probe { .. }
                if rejection.base == self.next.previous() && rejection.base > Index(0) =>
            {
                let start = log.base().index;
                let base = meeting_point(rejection, log);
                // A peer that lost entries which it had once acknowledged is filled up again.
                self.matched = self.matched.min(base);
                self.next = base.next();
                if base < start && rejection.base <= start {
                    return self.strand(peer, log);
                }
                self.next = self.next.max(start.next());
                self.mode = Mode::Probe { paused: false };
            }
            Mode::Replicate | Mode::Probe { .. } | Mode::Snapshot { .. } => {}
        }
        Vec::new()
    }

    /// A periodic heartbeat was answered: whatever waited for a lost message goes on.
    pub(super) fn resume(&mut self) {
        match self.mode {
            Mode::Probe { .. } => self.mode = Mode::Probe { paused: false },
            Mode::Replicate => {
                self.nudged = self.next > self.matched.next() && self.matched == self.mark;
            }
            Mode::Snapshot { .. } => self.nudged = true,
        }
        self.mark = self.matched;
    }

    /// What was in flight may be lost.
    pub(super) fn unreachable(&mut self) {
        if self.mode == Mode::Replicate {
            self.probe();
        }
    }

    fn probe(&mut self) {
        self.leave(Mode::Probe { paused: false });
        self.next = self.matched.next();
    }

    fn leave(&mut self, mode: Mode) {
        self.mode = mode;
        self.in_flight.clear();
        self.in_flight_bytes = 0;
        self.nudged = false;
    }

    fn is_full(&self, config: &Config) -> bool {
        self.in_flight.len() >= config.max_inflight_messages.max(1)
            || self.in_flight_bytes >= config.max_inflight_bytes.max(1)
    }

    /// Checks the laws.
    pub(super) fn assert_invariants(&self, last: Index) {
        assert!(self.matched < self.next && self.next.previous() <= last);
        assert!(self.in_flight.is_empty() || self.mode == Mode::Replicate);
        assert_eq!(self.in_flight_bytes, self.in_flight.iter().map(|&(_, bytes)| bytes).sum());
    }
}

/// The last place before a refused base where the logs may meet (Raft §5.3, end): both sides skip
/// whole terms, so that it takes one round trip a term and not one an entry.
fn meeting_point(rejection: &Rejection, log: &Log) -> Index {
    let before = rejection.base.previous();
    let (term, through) = match rejection.conflict {
        Some(conflict) => (conflict.term, before),
        None => (rejection.last.term, before.min(rejection.last.index)),
    };
    let Some(found) = log.last_at_most(term, through) else {
        // They part below the base of this log.
        return through.min(log.base().index.previous());
    };
    match rejection.conflict {
        // This log has nothing of the peer's term: all of that term must go.
        Some(first) if found.term < term => found.index.min(first.index.previous()),
        Some(_) | None => found.index,
    }
}
