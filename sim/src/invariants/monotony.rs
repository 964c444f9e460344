//! RI7, monotony: a node's term, commit index and applied index never fall (Raft figure 2).

use protocol::raft::Write;

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View};

pub(super) const LAW: &str = "RI7 monotony";

/// Within a life nothing falls from turn to turn, and the first turn does not fall behind what the
/// node started from (which [`super::recovery`] compares with what was durable before).
pub(super) fn turn(ghosts: &Ghosts, at: Place, view: &View, zab: bool) -> Verdict {
    let ghost = &ghosts.nodes[at];
    let hard = ghost.hard;
    // Of Zab it is the current epoch that is shown, not the one that was promised; and it begins
    // with what its state has.
    let begun =
        if zab { (node::epochs(&hard).current, ghost.applied) } else { (hard.term, hard.commit) };
    let (term, commit) = ghost.view.map_or(begun, |old| (old.term, old.commit));
    if view.term < term || view.commit < commit || view.applied.index < ghost.applied {
        let before = (term, commit, ghost.applied);
        let after = (view.term, view.commit, view.applied.index);
        let what = format!("node {at}: (term, commit, applied) was {before:?}, is {after:?}");
        return broken(LAW, what);
    }
    Ok(())
}

/// A write takes back neither a term nor a commit index. Judged before the ghost takes it.
pub(super) fn handed(ghosts: &Ghosts, at: Place, write: &Write) -> Verdict {
    let (Some(new), old) = (write.hard_state, ghosts.nodes[at].hard) else { return Ok(()) };
    if new.term < old.term || new.commit < old.commit {
        return broken(LAW, format!("node {at} replaces {old:?} by {new:?}"));
    }
    Ok(())
}
