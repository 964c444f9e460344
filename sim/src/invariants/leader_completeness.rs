//! RI4, leader completeness: a committed entry is in the log of every leader of a later term
//! (Raft §5.4, figure 3).

use protocol::raft::Role;
use protocol::{Index, Term};

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::Place;

pub(super) const LAW: &str = "RI4 leader completeness";

/// A node leads: it holds what earlier terms have committed. What a later term has committed
/// meanwhile, a leader that does not know of its end may lack.
pub(super) fn elected(ghosts: &Ghosts, at: Place, term: Term) -> Verdict {
    let Some(entry) = ghosts.committed.before(term) else { return Ok(()) };
    if ghosts.nodes[at].log.holds(entry.position.index, entry.chain) {
        return Ok(());
    }
    let (last, committed) = (ghosts.nodes[at].log.last(), entry.position);
    let what = format!("node {at} leads in term {term} with a log to {last} without {committed}");
    broken(LAW, what)
}

/// An index was found committed in `term`: those who lead in later terms already hold it.
pub(super) fn committed(ghosts: &Ghosts, index: Index, term: Term) -> Verdict {
    let Some(entry) = ghosts.committed.entry(index) else { return Ok(()) };
    for (at, ghost) in ghosts.nodes.iter().enumerate() {
        let Some(view) = &ghost.view else { continue };
        if view.role == Role::Leader && view.term > term && !ghost.log.holds(index, entry.chain) {
            let (later, position) = (view.term, entry.position);
            let what =
                format!("{position} is committed in term {term}; node {at} leads in {later}");
            return broken(LAW, format!("{what} without it"));
        }
    }
    Ok(())
}
