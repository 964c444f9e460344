//! Sending: one pinned view of the state for each member that needs it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;
use protocol::mutant::{Mutant, planted};
use protocol::{Index, NodeId, Position, Time, raft};
use store::snapshot::PieceWriter;
use store::{BackendError, Record, Revision};

use super::WINDOW;
use crate::node::Node;
use crate::output::Output;

/// Records read at once, if they are small.
const BATCH: usize = 256;

/// The name of a pinned view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewId(pub u64);

/// A snapshot on its way to one member.
#[derive(Debug)]
pub(crate) struct Sending {
    view: ViewId,
    /// What it stands for; `None` until the view is open.
    last: Option<Position>,
    /// When to open it; `None` once that was done.
    open_at: Option<Time>,
    /// The entry that the member needs.
    needed: Index,
    meta: Vec<(Bytes, Bytes)>,
    writer: PieceWriter,
    /// Made and not yet received there; the first has the number `first`.
    pieces: VecDeque<Bytes>,
    first: u64,
    /// How many of them have been sent.
    sent: usize,
    /// The piece that the member needs next, as far as it was heard. May be ahead of what has been
    /// made, after a beginning anew that it did not need.
    got: u64,
    /// Where to read on; `None` when the last piece has been made.
    from: Option<Revision>,
    reading: bool,
    /// When to send the window again.
    again_at: Time,
    /// When the member was last heard to get on.
    progress_at: Time,
}

/// A member that did not take the state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unwanted {
    /// In a row.
    times: u32,
    /// When to try again.
    until: Time,
}

/// A member that has got the state and goes on from the log.
///
/// What was written while the state was on its way may be more than the log is kept for: were it
/// trimmed now, the member would need the state again, and so on for ever.
#[derive(Debug)]
pub(crate) struct Following {
    /// Where the log ended when it had the state.
    until: Index,
    matched: Index,
    /// When it was last seen to get on.
    progress_at: Time,
}

/// What opening a view gives.
#[derive(Clone, Debug)]
pub struct ViewHead {
    /// The flush that it shows.
    pub applied: Position,
    /// Its metadata.
    pub meta: Vec<(Bytes, Bytes)>,
}

impl Sending {
    fn new(view: ViewId, needed: Index, now: Time) -> Self {
        Self {
            view,
            last: None,
            open_at: None,
            needed,
            meta: Vec::new(),
            writer: PieceWriter::default(),
            pieces: VecDeque::new(),
            first: 0,
            sent: 0,
            got: 0,
            from: None,
            reading: false,
            again_at: now,
            progress_at: now,
        }
    }

    /// Begins with the first piece, for the first time or once more.
    fn begin(&mut self, piece_bytes: usize) {
        self.writer = PieceWriter::default();
        self.pieces = self.writer.meta(&self.meta, piece_bytes).into();
        (self.first, self.sent, self.got) = (0, 0, 0);
        self.from = Some(Revision::default());
        self.reading = false;
    }

    /// Drops the pieces that the member has.
    fn settle(&mut self) {
        let gone = usize::try_from(self.got.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let gone = gone.min(self.pieces.len());
        self.pieces.drain(..gone);
        self.first += gone as u64;
        self.sent = self.sent.saturating_sub(gone);
    }

    /// The log must go on from here.
    pub(crate) fn covers(&self) -> Option<Index> {
        self.last.map(|last| last.index)
    }
}

impl Node {
    /// A member needs the state.
    pub(crate) fn snapshot_wanted(&mut self, peer: NodeId, needed: Index) {
        self.snapshot_ended(peer);
        self.following.remove(&peer);
        let view = ViewId(self.next_view);
        self.next_view += 1;
        let mut sending = Sending::new(view, needed, self.now);
        match self.unwanted.get(&peer) {
            Some(refusal) if self.now < refusal.until => {
                sending.open_at = Some(refusal.until);
                sending.progress_at = refusal.until;
            }
            _ => self.output(Output::ViewOpen { view }),
        }
        self.sending.insert(peer, sending);
    }

    /// A member does not take the state: its disk may be full, and it is not sent all of it over
    /// and over.
    fn snapshot_unwanted(&mut self, peer: NodeId) {
        let longest = *self.config.raft.election_timeout.end();
        let refusal = self.unwanted.entry(peer).or_insert(Unwanted { times: 0, until: self.now });
        refusal.times += 1;
        refusal.until = self.now + longest * (1 << (refusal.times - 1).min(3));
        self.snapshot_failed(peer);
    }

    /// A member needs it no more.
    pub(crate) fn snapshot_ended(&mut self, peer: NodeId) {
        if let Some(sending) = self.sending.remove(&peer) {
            let Sending { view, last, open_at, from, pieces, .. } = sending;
            if last.is_some() && from.is_none() && pieces.is_empty() {
                self.counters.snapshots_sent += 1;
                self.unwanted.remove(&peer);
            }
            if open_at.is_none() {
                self.output(Output::ViewClose { view });
            }
            if let Some(last) = last {
                let (until, matched) = (self.core.last().index, last.index);
                let following = Following { until, matched, progress_at: self.now };
                self.following.insert(peer, following);
            }
        }
    }

    /// Where the log must go on from, for those who get the state and those who have just got it.
    pub(crate) fn needed_log(&mut self) -> Option<Index> {
        let (raft, now) = (&self.core, self.now);
        let patience = *self.config.raft.election_timeout.end() * 10;
        self.following.retain(|peer, it| {
            let Some(matched) = raft.matched(*peer) else { return false };
            if matched > it.matched {
                (it.matched, it.progress_at) = (matched, now);
            }
            it.matched < it.until && now < it.progress_at + patience
        });
        let following = self.following.values().map(|it| it.matched);
        self.sending.values().filter_map(Sending::covers).chain(following).min()
    }

    fn snapshot_failed(&mut self, peer: NodeId) {
        self.snapshot_ended(peer);
        self.following.remove(&peer);
        self.consensus(raft::Input::SnapshotFailed { peer });
    }

    /// A view is open, or could not be.
    pub(crate) fn view_opened(&mut self, view: ViewId, opened: Result<ViewHead, BackendError>) {
        let piece_bytes = self.config.snapshot_piece_bytes;
        let Some((peer, sending)) = self.sending_of(view) else { return };
        match opened {
            Ok(ViewHead { applied, mut meta }) if applied.index >= sending.needed => {
                if planted(Mutant::X1) {
                    meta.retain(|(name, _)| name[0] != b's' || name.len() != 17);
                }
                sending.last = Some(applied);
                sending.meta = meta;
                sending.begin(piece_bytes);
            }
            Ok(_) | Err(_) => self.snapshot_failed(peer),
        }
    }

    /// Records of a view, in the order of revisions.
    pub(crate) fn view_read(
        &mut self,
        view: ViewId,
        from: Revision,
        records: Result<Vec<(Revision, Record)>, BackendError>,
    ) {
        let piece_bytes = self.config.snapshot_piece_bytes;
        let Some((peer, sending)) = self.sending_of(view) else { return };
        let Some(last) = sending.last else { return };
        // A transfer that began anew may wait for another part.
        if !sending.reading || sending.from != Some(from) {
            return;
        }
        sending.reading = false;
        match records {
            Ok(records) => {
                sending.pieces.extend(sending.writer.records(&records, piece_bytes));
                let next = records.last().map(|(at, _)| Revision::new(at.main, at.sub + 1));
                if next.is_none() {
                    sending.pieces.push_back(sending.writer.end(last));
                }
                sending.from = next;
                // Some of it may be there already.
                sending.settle();
            }
            // A part that cannot be read must not look like one that is not there.
            Err(error) => {
                self.snapshot_failed(peer);
                self.damaged(error);
            }
        }
    }

    fn sending_of(&mut self, view: ViewId) -> Option<(NodeId, &mut Sending)> {
        let mut sending = self.sending.iter_mut();
        sending.find(|(_, it)| it.view == view).map(|(peer, it)| (*peer, it))
    }

    /// The member tells how far it has got.
    pub(crate) fn piece_acked(&mut self, peer: NodeId, last: Position, next: Option<u64>) {
        let piece_bytes = self.config.snapshot_piece_bytes;
        let Some(sending) = self.sending.get_mut(&peer).filter(|it| it.last == Some(last)) else {
            return;
        };
        match next {
            None => self.snapshot_unwanted(peer),
            Some(next) if next < sending.first => {
                // It has lost what it had: a restart. What is older than that comes out of order,
                // and is told from it by being nothing to begin with.
                if next == 0 {
                    sending.begin(piece_bytes);
                }
            }
            Some(next) if next > sending.got => {
                sending.got = next;
                sending.settle();
                sending.progress_at = self.now;
                sending.again_at = self.now + self.config.raft.heartbeat * 4;
            }
            Some(_) => {}
        }
    }

    /// Keeps every transfer going.
    pub(crate) fn send_pieces(&mut self) {
        let peers: Vec<NodeId> = self.sending.keys().copied().collect();
        for peer in peers {
            let patience = *self.config.raft.election_timeout.end() * 10;
            let Some(sending) = self.sending.get_mut(&peer) else { continue };
            if self.now >= sending.progress_at + patience {
                self.snapshot_failed(peer);
                continue;
            }
            if sending.open_at.is_some_and(|at| self.now >= at) {
                sending.open_at = None;
                let view = sending.view;
                self.output(Output::ViewOpen { view });
                continue;
            }
            let Some(last) = sending.last else { continue };
            if self.now >= sending.again_at {
                sending.sent = 0;
                sending.again_at = self.now + self.config.raft.heartbeat * 4;
            }
            let ended = sending.from.is_none();
            let mut inputs = Vec::new();
            while sending.sent < sending.pieces.len().min(WINDOW) {
                let data = sending.pieces[sending.sent].clone();
                let number = sending.first + sending.sent as u64;
                sending.sent += 1;
                let done = ended && !sending.reading && sending.sent == sending.pieces.len();
                inputs.push(raft::Input::SendChunk { to: peer, last, number, data, done });
            }
            let room = sending.pieces.len() < WINDOW && !sending.reading;
            if let Some(from) = sending.from.filter(|_| room) {
                sending.reading = true;
                let view = sending.view;
                self.output(Output::ViewRead { view, from, limit: BATCH });
            }
            inputs.into_iter().for_each(|input| self.consensus(input));
        }
    }

    /// When a transfer has to be looked at.
    pub(crate) fn sending_timeout(&self) -> Option<Time> {
        let patience = *self.config.raft.election_timeout.end() * 10;
        let due = |sending: &Sending| {
            let waits = sending.sent > 0;
            let given_up = sending.progress_at + patience;
            let next = if waits { sending.again_at.min(given_up) } else { given_up };
            sending.open_at.map_or(next, |at| at.min(next))
        };
        self.sending.values().map(due).min()
    }
}
