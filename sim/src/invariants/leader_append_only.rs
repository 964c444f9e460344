//! RI2, leader append-only: a leader never overwrites or deletes its entries (Raft §5.3, figure 3).

use protocol::raft::Write;

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::Place;

pub(super) const LAW: &str = "RI2 leader append-only";

/// A node cuts nothing off its log in a term that it has led: only the leader of the term could
/// make it, and that is itself. Judged before the ghost takes the write.
pub(super) fn handed(ghosts: &Ghosts, at: Place, write: &Write) -> Verdict {
    let ghost = &ghosts.nodes[at];
    if let Some(base) = write.reset {
        let term = write.hard_state.map_or(ghost.hard.term, |hard_state| hard_state.term);
        if ghosts.leader(term) == Some(at) {
            let what = format!("node {at} leads in term {term} and begins its log anew");
            return broken(LAW, format!("{what} after {base}"));
        }
        return Ok(());
    }
    let Some(first) = write.entries.first() else { return Ok(()) };
    let last = ghost.log.last();
    if first.position.index > last.index {
        return Ok(());
    }
    let term = write.hard_state.map_or(ghost.hard.term, |hard_state| hard_state.term);
    if ghosts.leader(term) == Some(at) {
        let first = first.position;
        let what =
            format!("node {at} leads in term {term} and replaces {first} of a log to {last}");
        return broken(LAW, what);
    }
    Ok(())
}
