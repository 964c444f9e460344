//! RI6, vote durability: a node votes for one candidate a term, in all its lives together
//! (Raft §5.2; figure 2, "votedFor" on stable storage).

use protocol::raft::{HardState, Write};
use protocol::{NodeId, Term};

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::Place;

pub(super) const LAW: &str = "RI6 vote durability";

/// A vote that was told, or is durable, never changes. One that was neither may be forgotten in a
/// crash, but not within a life. A disk that is lost takes along what was durable and was not told;
/// what was told binds its node all the same: on its new disk it may vote for another one, and may
/// tell nobody.
#[derive(Clone, Debug)]
pub(super) struct VoteDurability {
    /// The votes of each node, by ascending term.
    votes: Vec<Vec<(Term, NodeId)>>,
}

impl VoteDurability {
    pub(super) fn new(nodes: usize) -> Self {
        Self { votes: vec![Vec::new(); nodes] }
    }

    /// A vote was told to others, or became durable.
    pub(super) fn cast(&mut self, at: Place, term: Term, to: NodeId) -> Verdict {
        let votes = &mut self.votes[at];
        let place = match votes.last() {
            Some(&last) if last == (term, to) => return Ok(()),
            Some(&(last, _)) if last < term => votes.len(),
            None => 0,
            Some(_) => match votes.binary_search_by_key(&term, |vote| vote.0) {
                Ok(place) if votes[place].1 == to => return Ok(()),
                Ok(place) => {
                    let before = votes[place].1;
                    let what = format!("node {at} votes in term {term} for {to:?}");
                    return broken(LAW, format!("{what}, and has voted for {before:?}"));
                }
                Err(place) => place,
            },
        };
        votes.insert(place, (term, to));
        Ok(())
    }

    /// Whether a node's vote in a term is known, and whose it is.
    pub(super) fn has_voted(&self, at: Place, term: Term, to: NodeId) -> bool {
        let votes = &self.votes[at];
        votes.binary_search_by_key(&term, |vote| vote.0).is_ok_and(|place| votes[place].1 == to)
    }

    /// The vote of a hard state that is durable. One on a disk that was lost and begun anew counts
    /// once it is told.
    pub(super) fn durable(&mut self, ghosts: &Ghosts, at: Place, hard: HardState) -> Verdict {
        match hard.vote {
            Some(to) if !ghosts.nodes[at].replaced => self.cast(at, hard.term, to),
            Some(_) | None => Ok(()),
        }
    }

    /// A write is handed over: within a life not even an untold vote changes. Judged before the
    /// ghost takes the write.
    pub(super) fn handed(ghosts: &Ghosts, at: Place, write: &Write) -> Verdict {
        let (Some(new), old) = (write.hard_state, ghosts.nodes[at].hard) else { return Ok(()) };
        if new.term == old.term && old.vote.is_some() && new.vote != old.vote {
            return broken(LAW, format!("node {at} replaces {old:?} by {new:?}"));
        }
        Ok(())
    }
}
