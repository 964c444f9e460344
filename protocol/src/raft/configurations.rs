//! The configurations of a log: which one is in force, and which ones may come back.
//!
//! A configuration is in force from the moment its entry is in the log, committed or not (Raft §6):
//! a node cannot know yet whether it is committed, and what is decided under the newest one is
//! safe in either case. When the entry is cut off, the one before is in force again.

use alloc::collections::VecDeque;

use super::boundary::{Entry, Payload};
use super::membership::Membership;
use crate::{Index, NodeId};

/// The newest configuration that is committed, and those after it.
///
/// - There is always one. Indexes ascend; the first is that of a committed entry, or of the state
///   that this node started from.
#[derive(Clone, Debug, Hash)]
pub(super) struct Configurations {
    known: VecDeque<(Index, Membership)>,
}

impl Configurations {
    /// What is in force at `at`.
    pub(super) fn new(at: Index, membership: Membership) -> Self {
        Self { known: VecDeque::from([(at, membership)]) }
    }

    /// The one in force.
    pub(super) fn current(&self) -> &Membership {
        &self.newest().1
    }

    /// The index from which it is in force.
    pub(super) fn since(&self) -> Index {
        self.newest().0
    }

    fn newest(&self) -> &(Index, Membership) {
        self.known.back().expect("invariant: there is always a configuration")
    }

    /// Whether this node votes, or has done so as far as is known to be committed.
    pub(super) fn voted(&self, id: NodeId) -> bool {
        self.known.iter().any(|(_, membership)| membership.votes(id))
    }

    /// An entry was appended. True when it is a configuration: it is in force now.
    ///
    /// # Panics
    /// When the entry holds what is none: that must not get into a log.
    pub(super) fn appended(&mut self, entry: &Entry) -> bool {
        let Payload::Membership(bytes) = &entry.payload else { return false };
        let membership = Membership::decode(bytes);
        let membership = membership.expect("invariant: only configurations that decode are held");
        assert!(entry.position.index > self.since(), "configurations ascend");
        self.known.push_back((entry.position.index, membership));
        true
    }

    /// The entry at `from` and all after it were cut off. True when another one is in force now.
    pub(super) fn truncated(&mut self, from: Index) -> bool {
        let before = self.known.len();
        while self.known.len() > 1 && self.since() >= from {
            self.known.pop_back();
        }
        self.known.len() < before
    }

    /// Everything through `commit` stays: what was replaced before cannot come back.
    pub(super) fn committed(&mut self, commit: Index) {
        while self.known.get(1).is_some_and(|&(index, _)| index <= commit) {
            self.known.pop_front();
        }
    }
}
