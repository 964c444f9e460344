//! RI10: a leader commits by counting only entries of its own term (Raft §5.4.2, figure 8).

use protocol::Index;
use protocol::raft::Role;

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View};

pub(super) const LAW: &str = "RI10 own-term commit";

/// Wherever a leader moves its commit index to, the entry there is of its own term: what earlier
/// terms left is committed by something after it.
#[derive(Clone, Debug)]
pub(super) struct OwnTermCommit {
    /// The commit index of each node when it was last looked at.
    known: Vec<Index>,
}

impl OwnTermCommit {
    pub(super) fn new(nodes: usize) -> Self {
        Self { known: vec![Index(0); nodes] }
    }

    pub(super) fn started(&mut self, ghosts: &Ghosts, at: Place) {
        self.known[at] = ghosts.nodes[at].hard.commit;
    }

    /// A state was installed: what it covers was committed by others.
    pub(super) fn installed(&mut self, at: Place, index: Index) {
        self.known[at] = self.known[at].max(index);
    }

    /// A follower's commit index is its leader's affair. That of a leader grows only by counting,
    /// and counting takes a disk, so never in the turn in which it is elected.
    pub(super) fn turn(&mut self, ghosts: &Ghosts, at: Place, view: &View) -> Verdict {
        let before = std::mem::replace(&mut self.known[at], view.commit);
        if view.role != Role::Leader || view.commit == before {
            return Ok(());
        }
        let entry = ghosts.nodes[at].log.position(view.commit).unwrap_or_default();
        if entry.term == view.term {
            return Ok(());
        }
        broken(LAW, format!("node {at} leads in term {} and commits {entry}", view.term))
    }
}
