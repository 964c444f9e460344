//! RI11: a follower commits nothing beyond what its log is known to share with the leader's
//! (Raft figure 2, AppendEntries 5: "min(leaderCommit, index of last new entry)").

use protocol::raft::{Body, Message, Role};
use protocol::{Index, Position, Term};

use super::ghosts::{Ghost, Ghosts};
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View};

pub(super) const LAW: &str = "RI11 verified commit";

/// What the messages that have reached a node let it know.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The term of the leader it hears.
    term: Term,
    /// Its log is that leader's at least through here.
    verified: Index,
    /// It may have appended through here since its last turn.
    appended: Index,
    /// The highest commit index that it may have.
    commit: Index,
}

/// Follows each node's messages: an append whose base fits verifies the log through its end; a
/// commit index counts as far as the log is verified. What a snapshot covers is committed.
#[derive(Clone, Debug)]
pub(super) struct VerifiedCommit {
    known: Vec<Known>,
}

impl VerifiedCommit {
    pub(super) fn new(nodes: usize) -> Self {
        Self { known: vec![Known::default(); nodes] }
    }

    pub(super) fn started(&mut self, ghosts: &Ghosts, at: Place) {
        let ghost = &ghosts.nodes[at];
        self.known[at] =
            Known { term: ghost.hard.term, commit: ghost.hard.commit, ..Known::default() };
    }

    pub(super) fn delivered(&mut self, ghosts: &Ghosts, at: Place, message: &Message) {
        let known = &mut self.known[at];
        match message.body {
            Body::Append { base, ref entries, commit, .. } => {
                if !known.hears(message.term) {
                    return;
                }
                if known.fits(&ghosts.nodes[at], base) {
                    let end = Index(base.index.0 + entries.len() as u64);
                    known.verified = known.verified.max(end);
                    known.appended = known.appended.max(end);
                    known.commit = known.commit.max(commit.min(end));
                }
            }
            Body::Heartbeat { commit, .. } => {
                if known.hears(message.term) {
                    known.commit = known.commit.max(commit.min(known.verified));
                }
            }
            Body::Snapshot { last, .. } => {
                if !known.hears(message.term) {
                    return;
                }
                if known.fits(&ghosts.nodes[at], last) {
                    known.commit = known.commit.max(last.index);
                }
                // What is committed here is in the log of every leader from now on.
                if last.index <= known.commit {
                    known.verified = known.verified.max(known.commit);
                }
            }
            Body::PreVote { .. }
            | Body::PreVoteReply { .. }
            | Body::Vote { .. }
            | Body::VoteReply { .. }
            | Body::AppendAccepted { .. }
            | Body::AppendRejected(_)
            | Body::HeartbeatReply { .. }
            | Body::Propose { .. }
            | Body::ReadIndex { .. }
            | Body::ReadIndexReply { .. }
            | Body::TransferLeadership { .. }
            | Body::TimeoutNow
            | Body::SnapshotReply { .. }
            | Body::Mend(_) => {}
        }
    }

    /// A state was installed: it covers committed entries only.
    pub(super) fn installed(&mut self, at: Place, index: Index) {
        let known = &mut self.known[at];
        known.commit = known.commit.max(index);
        known.verified = known.verified.max(known.commit);
    }

    pub(super) fn turn(&mut self, ghosts: &Ghosts, at: Place, view: &View) -> Verdict {
        let known = &mut self.known[at];
        known.appended = Index(0);
        let counts = |role: Role| role == Role::Leader;
        // A leader counts; it may have done so and stepped down within this turn.
        if counts(view.role) || ghosts.nodes[at].view.is_some_and(|old| counts(old.role)) {
            known.commit = known.commit.max(view.commit);
        }
        if view.commit > known.commit {
            let what = format!(
                "node {at} commits {}, and no message has shown it more than {}",
                view.commit, known.commit
            );
            return broken(LAW, what);
        }
        Ok(())
    }
}

impl Known {
    /// Whether a leader of this term is heard, after it has been heard if it is news.
    fn hears(&mut self, term: Term) -> bool {
        if term > self.term {
            self.term = term;
            self.verified = Index(0);
        }
        term == self.term
    }

    /// Whether a node that holds this log may find that `base` is in it.
    fn fits(&self, ghost: &Ghost, base: Position) -> bool {
        base.index <= self.verified.max(self.appended)
            || ghost.log.position(base.index) == Some(base)
    }
}
