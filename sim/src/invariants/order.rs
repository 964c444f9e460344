//! The order of indexes in one node: applied ≤ commit ≤ last, and nothing is applied before it is
//! durable here (Raft figure 2; the laws at `protocol::raft::Raft` and `node::Node`).

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View};

pub(super) const LAW: &str = "order of indexes";

/// A state ahead of the durable log could not be explained after a crash, unless it was installed
/// as a whole and says so.
pub(super) fn turn(ghosts: &Ghosts, at: Place, view: &View) -> Verdict {
    let ghost = &ghosts.nodes[at];
    let (applied, commit, last) = (view.applied.index, view.commit, view.last);
    if applied > commit || commit > last.index {
        let what = format!("node {at} has applied {applied}, commits {commit} and holds {last}");
        return broken(LAW, what);
    }
    let durable = ghost.durable.last_index();
    if applied > durable.max(ghost.state) {
        return broken(LAW, format!("node {at} has applied {applied}, durable there is {durable}"));
    }
    Ok(())
}

/// After a turn everything has been handed over: the log in memory is the log that the disk got.
/// Not where the disk refused it and the node ends itself for that.
pub(super) fn handed_over(ghosts: &Ghosts, at: Place, view: &View) -> Verdict {
    let ghost = &ghosts.nodes[at];
    let (last, handed) = (view.last, ghost.log.last());
    if last != handed {
        return broken(LAW, format!("node {at} holds {last}, and handed {handed} to its disk"));
    }
    if view.term != ghost.hard.term {
        let what =
            format!("node {at} is in term {}, on its disk is {}", view.term, ghost.hard.term);
        return broken(LAW, what);
    }
    Ok(())
}
