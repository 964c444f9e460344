//! RI1, election safety: at most one leader a term (Raft §5.2, figure 3).

use protocol::Term;

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::Place;

pub(super) const LAW: &str = "RI1 election safety";

/// Who claims to lead in a term is the only one who ever does, in any of its lives.
#[derive(Clone, Debug)]
pub(super) struct ElectionSafety {
    /// The last term in which each node was seen to lead.
    led: Vec<Term>,
}

impl ElectionSafety {
    pub(super) fn new(nodes: usize) -> Self {
        Self { led: vec![Term(0); nodes] }
    }

    /// A node acts as the leader of a term.
    pub(super) fn claim(&mut self, ghosts: &mut Ghosts, at: Place, term: Term) -> Verdict {
        if self.led[at] == term {
            return Ok(());
        }
        let first = ghosts.terms.lead(term, at);
        if first != at {
            let what = format!("node {at} leads in term {term}, which node {first} has led");
            return broken(LAW, what);
        }
        self.led[at] = term;
        Ok(())
    }
}
