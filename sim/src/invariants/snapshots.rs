//! RI14, snapshots: the state of another takes the place of a node's own only when it is ahead, and
//! the log begins anew only behind a state that is already durable (Raft §7).

use protocol::Position;
use protocol::raft::Write;

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::Place;

pub(super) const LAW: &str = "RI14 snapshots";

/// A node wants a state in the place of its own: it covers committed entries, and more than what
/// is applied.
pub(super) fn installing(ghosts: &Ghosts, at: Place, last: Position) -> Verdict {
    let applied = ghosts.nodes[at].applied;
    if last.index <= applied {
        let what = format!("node {at} installs the state at {last}, and has applied {applied}");
        return broken(LAW, what);
    }
    committed(ghosts, at, last)
}

/// It is durable: meanwhile nothing was applied or flushed that is not in it.
pub(super) fn installed(ghosts: &Ghosts, at: Place, last: Position) -> Verdict {
    let ghost = &ghosts.nodes[at];
    if ghost.installing != Some(last) {
        return broken(LAW, format!("node {at} has installed {last}, which nobody asked for"));
    }
    if ghost.state >= last.index {
        let state = ghost.state;
        return broken(LAW, format!("node {at} replaces its state of {state} by that of {last}"));
    }
    installing(ghosts, at, last)
}

/// A log begins anew behind what is committed and what its state on disk covers: of the entries
/// that it gives up, nothing else is left here. Judged before the ghost takes the write.
pub(super) fn handed(ghosts: &Ghosts, at: Place, write: &Write) -> Verdict {
    let Some(base) = write.reset else { return Ok(()) };
    let state = ghosts.nodes[at].state;
    if base.index > state {
        let what = format!("node {at} begins its log anew after {base}");
        return broken(LAW, format!("{what}, and its state on disk is of {state}"));
    }
    committed(ghosts, at, base)
}

fn committed(ghosts: &Ghosts, at: Place, last: Position) -> Verdict {
    let known = ghosts.committed.entry(last.index).map(|entry| entry.position);
    if known != Some(last) {
        let what = format!("node {at} takes the state at {last}");
        return broken(LAW, format!("{what}; committed there is {known:?}"));
    }
    Ok(())
}
