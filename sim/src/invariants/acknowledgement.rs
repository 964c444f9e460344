//! RI8, an acknowledgement implies that it is durable: entries, votes and candidacies are promised
//! only after they are on disk (Raft figure 2; §5.3 for what an acknowledged index means).

use protocol::raft::Write;
use protocol::{Index, Term};

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::{Place, id};

pub(super) const LAW: &str = "RI8 acknowledgement implies durable";

/// What was promised is durable, and stays: nothing that was acknowledged to the leader of a term
/// is cut off in that term.
#[derive(Clone, Debug)]
pub(super) struct Acknowledgement {
    /// The last term in which each node acknowledged entries, and the highest index.
    acked: Vec<(Term, Index)>,
}

impl Acknowledgement {
    pub(super) fn new(nodes: usize) -> Self {
        Self { acked: vec![(Term(0), Index(0)); nodes] }
    }

    pub(super) fn started(&mut self, at: Place) {
        self.acked[at] = (Term(0), Index(0));
    }

    /// A write is handed over. Judged before the ghost takes it.
    pub(super) fn handed(&self, ghosts: &Ghosts, at: Place, write: &Write) -> Verdict {
        let reset = write.reset.map(|base| base.index.next());
        let first = write.entries.first().map(|entry| entry.position.index);
        let Some(first) = reset.or(first) else { return Ok(()) };
        let (term, acked) = self.acked[at];
        let now = write.hard_state.map_or(ghosts.nodes[at].hard.term, |hard| hard.term);
        if term == now && first <= acked {
            let what = format!("node {at} has accepted through {acked} in term {term}");
            return broken(LAW, format!("{what}, and cuts from {first} on"));
        }
        Ok(())
    }

    /// A node accepts entries through `matched` in `term`: its durable log is, up to there, the log
    /// of that term's leader, and it will not follow an older one after a crash.
    pub(super) fn accepted(
        &mut self,
        ghosts: &Ghosts,
        at: Place,
        term: Term,
        matched: Index,
    ) -> Verdict {
        let ghost = &ghosts.nodes[at];
        let durable = ghost.durable.last();
        if matched > durable.index {
            let what = format!("node {at} accepts through {matched}, durable there is {durable}");
            return broken(LAW, what);
        }
        term_is_durable(ghosts, at, term)?;
        let known = ghosts.terms.chain_in_log_of(term, matched);
        if known.is_some_and(|chain| !ghost.durable.holds(matched, chain)) {
            let held = ghost.durable.position(matched).unwrap_or_default();
            let what = format!("node {at} accepts through {matched} in {term} and holds {held}");
            return broken(LAW, format!("{what}, or a log before it, that its leader does not"));
        }
        let acked = &mut self.acked[at];
        *acked = if acked.0 == term { (term, acked.1.max(matched)) } else { (term, matched) };
        Ok(())
    }
}

/// A node votes for `to`. When a later term is durable, this one is over for it, after a crash too.
pub(super) fn voted(ghosts: &Ghosts, at: Place, term: Term, to: Place) -> Verdict {
    let durable = ghosts.nodes[at].hard_durable;
    if durable.term == term && durable.vote != Some(id(to)) {
        let what = format!("node {at} votes for node {to} in term {term}, durable is {durable:?}");
        return broken(LAW, what);
    }
    term_is_durable(ghosts, at, term)
}

fn term_is_durable(ghosts: &Ghosts, at: Place, term: Term) -> Verdict {
    let durable = ghosts.nodes[at].hard_durable.term;
    if durable < term {
        let what = format!("node {at} promises in term {term}, durable there is term {durable}");
        return broken(LAW, what);
    }
    Ok(())
}
