//! One node with its disk: what can happen to it, what it does then, and the laws that can be
//! judged by looking at it alone.
//!
//! A crash and the restart after it are one event: a node that is down differs from one that has
//! just restarted only in that nothing reaches it, and not reaching is what messages may do anyway.
//! A write that becomes durable just before the crash is a write acknowledged before it, whose
//! consequences are lost on the way. What is left for a crash to decide is how much of the oldest
//! write under way reached the disk when it is neither nothing nor all.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use protocol::raft::{
    Body, Config, Entry, HardState, Input, Message, Output, Raft, Restored, Role, Tag, Write,
    WriteId,
};
use protocol::{Index, NodeId, Position, Term, Time};

use super::laws::{Broken, Law, demand};
use super::members::Members;

/// Something that happens to one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Happening {
    /// Its timer fires: a leader's heartbeat, anyone else's election.
    Timeout,
    /// The oldest write under way is durable.
    Persisted,
    /// It is given a command, the n-th of all.
    Propose(u8),
    /// It is asked for other members.
    Change(Members),
    /// It crashes, and starts again from its disk. Of the oldest write under way, `torn - 1`
    /// entries and the hard state had reached the disk; nothing of it when `torn` is 0.
    Crash {
        /// How much of the oldest write under way was durable.
        torn: u8,
    },
    /// A message arrives.
    Receive {
        /// From whom.
        from: NodeId,
        /// Which.
        message: Message,
    },
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("timer fires"),
            Self::Persisted => f.write_str("oldest write is durable"),
            Self::Propose(number) => write!(f, "command {}", command(*number).escape_ascii()),
            Self::Change(members) => write!(f, "is asked for the members {members}"),
            Self::Crash { torn: 0 } => f.write_str("crashes and restarts"),
            Self::Crash { torn } => {
                let entries = torn - 1;
                write!(f, "crashes in a write ({entries} entries of it remain) and restarts")
            }
            Self::Receive { from, message } => write!(f, "receives from {from}: {message}"),
        }
    }
}

fn command(number: u8) -> Bytes {
    Bytes::copy_from_slice(&[b'a' + number])
}

/// What survives a crash.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Disk {
    pub(super) hard_state: HardState,
    pub(super) log: Vec<Entry>,
}

/// One node.
#[derive(Clone, Debug, Hash)]
pub(super) struct Local {
    pub(super) raft: Raft,
    pub(super) disk: Disk,
    /// Handed out and not yet durable, oldest first. The first has the id 1.
    pub(super) pending: VecDeque<Write>,
    /// Heartbeats sent as the leader of this term.
    pub(super) beats: u8,
}

/// What a node did.
pub(super) struct Reaction {
    pub(super) local: Local,
    pub(super) sends: Vec<(NodeId, Message)>,
}

/// Replaces what conflicts: a write's entries on a log.
fn overlay(log: &mut Vec<Entry>, entries: &[Entry]) {
    let Some(first) = entries.first() else { return };
    log.truncate(place(first.position.index));
    log.extend_from_slice(entries);
}

/// Where the entry of this index is in a log that begins with index 1.
fn place(index: Index) -> usize {
    usize::try_from(index.previous().0).expect("invariant: logs fit into memory")
}

/// How many entries lie at or below this index.
fn length(index: Index) -> usize {
    usize::try_from(index.0).expect("invariant: logs fit into memory")
}

fn runs(log: &[Entry]) -> Vec<(Index, Term)> {
    let mut runs: Vec<(Index, Term)> = Vec::new();
    for Position { term, index } in log.iter().map(|entry| entry.position) {
        if runs.last().is_none_or(|&(_, last)| last < term) {
            runs.push((index, term));
        }
    }
    runs
}

impl Local {
    /// A node that starts from its disk, and the clock of which has started.
    pub(super) fn start(config: &Config, disk: Disk) -> Result<Self, Broken> {
        let restored = Restored {
            hard_state: disk.hard_state,
            terms: runs(&disk.log),
            entries: disk.log.clone(),
            ..Restored::default()
        };
        let raft = Raft::new(config.clone(), restored, 0);
        let mut local = Self { raft, disk, pending: VecDeque::new(), beats: 0 };
        let mut sends = Vec::new();
        // Any input starts the clock; this one says nothing.
        local.tell(Input::Applied(Index(0)), &mut sends)?;
        assert!(sends.is_empty(), "invariant: a node that starts says nothing");
        local.raft.forget_history();
        Ok(local)
    }

    /// A node with an empty disk.
    pub(super) fn new(config: &Config) -> Self {
        Self::start(config, Disk::default()).expect("invariant: an empty node breaks no law")
    }

    /// What happens then.
    ///
    /// # Errors
    ///
    /// A law is broken, or the core panicked.
    pub(super) fn react(&self, config: &Config, happening: &Happening) -> Result<Reaction, Broken> {
        let guarded = catch_unwind(AssertUnwindSafe(|| self.react_within(config, happening)));
        guarded.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.into()));
            Err(Broken::new(Law::CoreAssertion, text.unwrap_or_default()))
        })
    }

    fn react_within(&self, config: &Config, happening: &Happening) -> Result<Reaction, Broken> {
        let mut next = self.clone();
        let mut sends = Vec::new();
        let input = match happening {
            Happening::Timeout => {
                next.beats += u8::from(self.raft.role() == Role::Leader);
                Input::Timeout
            }
            Happening::Persisted => {
                let write = next.pending.pop_front().expect("invariant: a write is under way");
                next.write(&write)?;
                Input::Persisted(WriteId(1))
            }
            &Happening::Propose(number) => Input::Propose { tag: Tag(0), command: command(number) },
            Happening::Change(members) => Input::Reconfigure { membership: members.membership() },
            &Happening::Crash { torn } => {
                let local = self.crash(config, usize::from(torn))?;
                return Ok(Reaction { local, sends });
            }
            Happening::Receive { from, message } => {
                Input::Receive { from: *from, message: message.clone() }
            }
        };
        let told = u64::from(matches!(happening, Happening::Persisted));
        next.tell(input, &mut sends)?;
        let counted = next.raft.forget_history();
        demand(counted == told, Law::AckDurable, || {
            format!("{counted} writes are taken for durable, and {told} is")
        })?;
        self.judge(&next)?;
        if next.raft.role() != Role::Leader || next.raft.term() != self.raft.term() {
            next.beats = 0;
        }
        Ok(Reaction { local: next, sends })
    }

    fn crash(&self, config: &Config, torn: usize) -> Result<Self, Broken> {
        let mut disk = self.disk.clone();
        if let Some(entries) = torn.checked_sub(1) {
            let write = self.pending.front().expect("invariant: only a write can be torn");
            disk.hard_state = write.hard_state.unwrap_or(disk.hard_state);
            overlay(&mut disk.log, &write.entries[..entries]);
        }
        Self::start(config, disk)
    }

    /// In how many ways a crash can tear the oldest write under way, as values of `torn`.
    pub(super) fn tears(&self) -> impl Iterator<Item = u8> + use<> {
        let parts = self.pending.front().map_or(0, |write| write.entries.len());
        let bare = self.pending.front().is_some_and(|write| write.hard_state.is_some());
        let parts = u8::try_from(parts).expect("invariant: writes are small");
        (1..=parts).filter(move |&torn| torn > 1 || bare)
    }

    /// The log as handed to storage, durable or not.
    pub(super) fn view(&self) -> Vec<Entry> {
        let mut view = self.disk.log.clone();
        self.pending.iter().for_each(|write| overlay(&mut view, &write.entries));
        view
    }

    fn tell(&mut self, input: Input, sends: &mut Vec<(NodeId, Message)>) -> Result<(), Broken> {
        self.raft.handle(Time(0), input);
        while let Some(output) = self.raft.poll_output() {
            match output {
                Output::Send { to, message } => {
                    self.judge_promise(to, &message)?;
                    sends.push((to, without_trim(message)));
                }
                Output::Persist { write, .. } => {
                    self.judge_write(&write)?;
                    self.pending.push_back(write);
                }
                Output::Commit(entries) => {
                    self.judge_delivery(&entries)?;
                    let last = entries.last().expect("invariant: deliveries are not empty");
                    self.raft.handle(Time(0), Input::Applied(last.position.index));
                }
                Output::Fetch { .. } => unreachable!("invariant: the cache holds every entry"),
                Output::SnapshotWanted { .. }
                | Output::SnapshotEnded { .. }
                | Output::Chunk { .. }
                | Output::ChunkAcked { .. } => unreachable!("invariant: no log is trimmed"),
                Output::ReadReady { .. }
                | Output::ReadRefused { .. }
                | Output::ProposalRefused { .. }
                | Output::ReconfigureRefused { .. }
                | Output::Membership { .. }
                | Output::Event(_) => {}
            }
        }
        Ok(())
    }

    pub(super) fn write(&mut self, write: &Write) -> Result<(), Broken> {
        if let Some(after) = write.hard_state {
            let before = self.disk.hard_state;
            demand(after.term >= before.term, Law::Monotone, || {
                format!("the term on disk falls from {} to {}", before.term, after.term)
            })?;
            let kept =
                after.term > before.term || before.vote.is_none() || after.vote == before.vote;
            demand(kept, Law::VoteDurable, || {
                format!("the vote of term {} changes on disk", after.term)
            })?;
            self.disk.hard_state = after;
        }
        overlay(&mut self.disk.log, &write.entries);
        Ok(())
    }

    pub(super) fn judge_write(&self, write: &Write) -> Result<(), Broken> {
        let Some(first) = write.entries.first() else { return Ok(()) };
        let end = self.view().len();
        demand(length(first.position.index) <= end + 1, Law::LogContiguous, || {
            format!("{first} is written behind a log of {end} entries")
        })?;
        let appends = length(first.position.index) == end + 1;
        demand(appends || self.raft.role() != Role::Leader, Law::LeaderAppendOnly, || {
            format!("a leader writes {first} into its log of {end} entries")
        })
    }

    pub(super) fn judge_delivery(&self, entries: &[Entry]) -> Result<(), Broken> {
        for entry in entries {
            let held = self.disk.log.get(place(entry.position.index));
            demand(held == Some(entry), Law::DeliverDurable, || {
                format!("{entry} is delivered and not on disk")
            })?;
        }
        Ok(())
    }

    /// What a message promises is on disk when it leaves.
    pub(super) fn judge_promise(&self, to: NodeId, message: &Message) -> Result<(), Broken> {
        let HardState { term, vote, .. } = self.disk.hard_state;
        let voted = |whom| term > message.term || (term == message.term && vote == Some(whom));
        match &message.body {
            Body::VoteReply { granted: true } => demand(voted(to), Law::VoteDurable, || {
                format!("{message} to {to}, with term {term} and vote {vote:?} on disk")
            }),
            Body::Vote { .. } => {
                let own = self.raft.status().id;
                demand(voted(own), Law::VoteDurable, || {
                    format!("{message}, with term {term} and vote {vote:?} on disk")
                })
            }
            &Body::AppendAccepted { matched } => {
                let through = length(matched);
                let view = self.view();
                let durable = view.get(..through);
                let durable = durable.is_some() && durable == self.disk.log.get(..through);
                demand(durable && term >= message.term, Law::AckDurable, || {
                    let held = self.disk.log.len();
                    format!("{message}, with term {term} and {held} entries on disk")
                })
            }
            Body::PreVote { .. }
            | Body::PreVoteReply { .. }
            | Body::VoteReply { granted: false }
            | Body::Append { .. }
            | Body::AppendRejected(_)
            | Body::Heartbeat { .. }
            | Body::HeartbeatReply { .. }
            | Body::Propose { .. }
            | Body::ReadIndex { .. }
            | Body::ReadIndexReply { .. }
            | Body::TransferLeadership { .. }
            | Body::TimeoutNow
            | Body::Snapshot { .. }
            | Body::SnapshotReply { .. }
            | Body::Mend(_) => Ok(()),
        }
    }

    /// The laws between a node and what the same process is a step later.
    pub(super) fn judge(&self, next: &Self) -> Result<(), Broken> {
        let (before, after) = (&self.raft, &next.raft);
        demand(after.term() >= before.term(), Law::Monotone, || {
            format!("the term falls from {} to {}", before.term(), after.term())
        })?;
        demand(after.commit() >= before.commit(), Law::Monotone, || {
            format!("the commit index falls from {} to {}", before.commit(), after.commit())
        })?;
        if after.role() == Role::Leader && after.commit() > before.commit() {
            let term = next.view().get(place(after.commit())).map(|entry| entry.position.term);
            demand(term == Some(after.term()), Law::CommitOwnTerm, || {
                format!("a leader of term {} commits an entry of term {term:?}", after.term())
            })?;
        }
        Ok(())
    }
}

/// A message without the trim bound, which flows into nothing but itself.
fn without_trim(mut message: Message) -> Message {
    if let Body::Append { trim, .. } | Body::Heartbeat { trim, .. } = &mut message.body {
        *trim = Index(0);
    }
    message
}
