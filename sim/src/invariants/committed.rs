//! The committed log: the truth of a run.

use node::codec::Envelope;
use protocol::raft::{Membership, Payload};
use protocol::{Index, Position, Term, Time};
use store::Command;

use super::shadow::{Shadow, Slot};
use crate::history;

/// An entry that some node has known to be committed.
#[derive(Clone, Debug)]
pub struct CommittedEntry {
    /// Term and index.
    pub position: Position,
    /// When the first node knew it to be committed.
    pub at: Time,
    /// What it carries.
    pub payload: Payload,
    /// The chain up to it.
    pub(crate) chain: u64,
    /// How many revisions the log up to it can have made.
    pub(crate) growth: u64,
}

/// A committed entry that cannot be read: written by a broken node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the committed entry {0} holds no command that this version can read")]
pub struct Unreadable(pub Position);

impl CommittedEntry {
    /// The entry as the judge of histories wants it.
    ///
    /// # Errors
    /// When it carries what is no command.
    pub fn decode(&self) -> Result<history::Committed, Unreadable> {
        let command = match &self.payload {
            Payload::Empty | Payload::Membership(_) => None,
            Payload::Command(bytes) => {
                let envelope = Envelope::open(bytes.clone()).ok();
                let command = envelope.and_then(|it| Command::decode(it.command).ok());
                Some(command.ok_or(Unreadable(self.position))?)
            }
        };
        let membership = match &self.payload {
            Payload::Empty | Payload::Command(_) => None,
            Payload::Membership(bytes) => {
                Some(Membership::decode(bytes).map_err(|_| Unreadable(self.position))?)
            }
        };
        Ok(history::Committed { position: self.position, at: self.at, command, membership })
    }

    /// The most revisions that it can make, of which a tick makes at most `expiries`.
    pub(crate) fn most_revisions(payload: &Payload, expiries: u64) -> u64 {
        let Payload::Command(bytes) = payload else { return 0 };
        let envelope = Envelope::open(bytes.clone()).ok();
        let command = envelope.and_then(|it| Command::decode(it.command).ok());
        let command = match command {
            Some(Command::Once { command, .. }) => Some(*command),
            other => other,
        };
        match command {
            Some(
                Command::Put(_)
                | Command::DeleteRange(_)
                | Command::Txn(_)
                | Command::LeaseRevoke { .. },
            ) => 1,
            Some(Command::Tick { .. }) => expiries,
            Some(
                Command::Compact { .. }
                | Command::LeaseGrant { .. }
                | Command::LeaseRenew { .. }
                | Command::Alarm { .. }
                | Command::Publish(_)
                | Command::StateHash { .. }
                | Command::Once { .. }
                | Command::SpaceReport { .. }
                | Command::Recovered(_)
                | Command::Member(_)
                | Command::Settle { .. },
            )
            | None => 0,
        }
    }
}

/// The committed log, as far as any node has known it.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommittedLog {
    pub(crate) entries: Vec<CommittedEntry>,
    /// The term in which each was known to be committed, at the latest: runs by their last index.
    known: Vec<(Index, Term)>,
}

impl CommittedLog {
    /// The highest index that any node has known to be committed.
    pub(crate) fn last(&self) -> Index {
        Index(self.entries.len() as u64)
    }

    pub(crate) fn entry(&self, index: Index) -> Option<&CommittedEntry> {
        self.entries.get(usize::try_from(index.0.checked_sub(1)?).ok()?)
    }

    /// How many revisions the log through `index` can have made.
    pub(crate) fn growth(&self, index: Index) -> u64 {
        self.entry(index).map_or(0, |entry| entry.growth)
    }

    /// The log up to and including `index`; shorter when less is known to be committed.
    pub(crate) fn through(&self, index: Index) -> Shadow {
        let count = usize::try_from(index.0).unwrap_or(usize::MAX).min(self.entries.len());
        let slot = |entry: &CommittedEntry| Slot { term: entry.position.term, chain: entry.chain };
        self.entries[..count].iter().map(slot).collect()
    }

    pub(crate) fn push(&mut self, entry: CommittedEntry, term: Term) {
        let index = entry.position.index;
        self.entries.push(entry);
        match self.known.last_mut() {
            Some(last) if last.1 == term => last.0 = index,
            Some(_) | None => self.known.push((index, term)),
        }
    }

    /// The last entry that was committed in a term before `term`, for certain.
    pub(crate) fn before(&self, term: Term) -> Option<&CommittedEntry> {
        let run = self.known.iter().rev().find(|(_, known)| *known < term)?;
        self.entry(run.0)
    }
}
