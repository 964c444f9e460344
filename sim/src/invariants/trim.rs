//! Trimming: a log gives up only what the state holds instead (Raft §7), and where it is kept for
//! those who lag, only what no member needs from it any more.

use protocol::Position;

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View};

pub(super) const LAW: &str = "trimming";

/// What is given up is durable here, in the log and in the state; and, in a world that `keeps` its
/// logs, durable on everyone who has been a member since before it and still is, except on those
/// that lost it in a declared fault. Who joined later may have to be sent the state.
pub(super) fn trimmed(ghosts: &Ghosts, at: Place, base: Position, keeps: bool) -> Verdict {
    let ghost = &ghosts.nodes[at];
    let Position { index, .. } = base;
    if index < ghost.base.index {
        return broken(LAW, format!("node {at} trims to {base}, from {}", ghost.base));
    }
    let Some(slot) = ghost.durable.slot(index).filter(|slot| slot.term == base.term) else {
        return broken(LAW, format!("node {at} trims to {base}, which is not durable there"));
    };
    if index > ghost.state {
        let state = ghost.state;
        return broken(LAW, format!("node {at} trims to {base}, its state on disk is of {state}"));
    }
    // A log that begins here already gives up nothing.
    let gives_up = keeps && index > ghost.base.index;
    for (place, other) in ghosts.nodes.iter().enumerate().filter(|_| gives_up) {
        let held = other.durable.holds(index, slot.chain) || other.lost >= index;
        if !held && ghosts.configurations.has_stayed(place, &ghost.log, index) {
            let last = other.durable.last();
            let what = format!("node {at} trims to {base}; node {place} holds a log to {last}");
            return broken(LAW, what);
        }
    }
    Ok(())
}

/// What is given up is applied here: looked at after the turn, for a state may grow within it.
pub(super) fn turn(ghosts: &Ghosts, at: Place, view: &View) -> Verdict {
    let base = ghosts.nodes[at].base;
    if base.index > view.applied.index {
        let applied = view.applied;
        return broken(LAW, format!("node {at} has trimmed to {base}, applied is {applied}"));
    }
    Ok(())
}
