//! RI13, reads: whoever asks for the present gets at least what anybody knew when it asked
//! (thesis §6.4; Raft §8).

use core::hash::{BuildHasherDefault, Hasher};

use node::{Reply, Request, RequestId};
use protocol::Index;

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View};

pub(super) const LAW: &str = "RI13 linearizable reads";

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Place,
    /// The highest index that any node knew to be committed.
    commit: Index,
    /// The newest revision that any node had shown.
    revision: i64,
}

/// Requests are named by numbers that are never used twice: mixing is enough, and fixed.
#[derive(Clone, Copy, Debug, Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

/// - An answer that claims the present bears at least the newest revision that any node had shown,
///   by its state or by an answer, when the question came.
/// - After the turn in which it was given, its node has applied at least what any node knew to be
///   committed then.
///
/// Writes are held to it as well: an entry that is made after a question stands behind everything
/// that was committed before it.
#[derive(Clone, Debug)]
pub(super) struct Reads {
    asked: hashbrown::HashMap<u64, Asked, BuildHasherDefault<Mix>>,
    revision: i64,
    /// What each node must have applied after this turn.
    owed: Vec<Index>,
}

impl Reads {
    pub(super) fn new(nodes: usize) -> Self {
        Self { asked: hashbrown::HashMap::default(), revision: 0, owed: vec![Index(0); nodes] }
    }

    /// Nothing that this node was asked will be answered.
    pub(super) fn gone(&mut self, at: Place) {
        self.asked.retain(|_, asked| asked.at != at);
        self.owed[at] = Index(0);
    }

    pub(super) fn asked(&mut self, ghosts: &Ghosts, at: Place, id: RequestId, request: &Request) {
        if claims_the_present(request) {
            let commit = ghosts.committed.last();
            self.asked.insert(id.0, Asked { at, commit, revision: self.revision });
        }
    }

    pub(super) fn replied(&mut self, at: Place, id: RequestId, reply: &Reply) -> Verdict {
        let asked = self.asked.remove(&id.0);
        let revision = reply.header.revision;
        self.revision = self.revision.max(revision);
        if reply.body.is_err() {
            return Ok(());
        }
        let Some(asked) = asked else { return Ok(()) };
        if revision < asked.revision {
            let what = format!("node {at} answers {id:?} at revision {revision}");
            let known = asked.revision;
            return broken(LAW, format!("{what}; {known} had been shown before it was asked"));
        }
        self.owed[at] = self.owed[at].max(asked.commit);
        Ok(())
    }

    pub(super) fn turn(&mut self, at: Place, view: &View) -> Verdict {
        self.revision = self.revision.max(view.revision);
        let owed = std::mem::replace(&mut self.owed[at], Index(0));
        if view.applied.index < owed {
            let what = format!("node {at} has answered at {}", view.applied);
            return broken(LAW, format!("{what}; {owed} was committed before it was asked"));
        }
        Ok(())
    }
}

/// Whether an answer is about the present of the cluster, not about one node.
fn claims_the_present(request: &Request) -> bool {
    match request {
        Request::Range { serializable, .. } | Request::ReadTxn { serializable, .. } => {
            !serializable
        }
        Request::Members { linearizable } => *linearizable,
        Request::Write(_)
        | Request::Compact { .. }
        | Request::LeaseRenew(_)
        | Request::LeaseTimeToLive { .. }
        | Request::Leases
        | Request::Alarms
        | Request::Barrier => true,
        // What is repeated is answered as it was the first time.
        Request::Once { .. }
        | Request::HashKv { .. }
        | Request::Status
        | Request::Settle
        | Request::MoveLeader(_) => false,
        Request::MemberChange(_) => true,
    }
}
