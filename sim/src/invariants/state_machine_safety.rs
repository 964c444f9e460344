//! RI5, state machine safety: one entry at every applied index, everywhere and for ever
//! (Raft §5.4.3, figure 3).

use protocol::raft::Write;
use protocol::{Index, Position};

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View};

pub(super) const LAW: &str = "RI5 state machine safety";

/// A node that holds a committed entry never replaces it, not even by itself: it may be one of the
/// few that made it committed. Judged before the ghost takes the write.
pub(super) fn handed(ghosts: &Ghosts, at: Place, write: &Write) -> Verdict {
    let reset = write.reset.map(|base| Position { index: base.index.next(), ..base });
    let first = reset.or(write.entries.first().map(|entry| entry.position));
    let Some(first) = first else { return Ok(()) };
    let Some(held) = ghosts.nodes[at].log.slot(first.index) else { return Ok(()) };
    match ghosts.committed.entry(first.index) {
        Some(entry) if entry.chain == held.chain => {
            let what = format!("node {at} holds {}, which is committed", entry.position);
            broken(LAW, format!("{what}, and gives it up for {first}"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The same for the end of a log that is cut off.
pub(super) fn cut(ghosts: &Ghosts, at: Place, through: Index) -> Verdict {
    let first = through.next();
    let Some(held) = ghosts.nodes[at].log.slot(first) else { return Ok(()) };
    match ghosts.committed.entry(first) {
        Some(entry) if entry.chain == held.chain => {
            let what = format!("node {at} holds {}, which is committed", entry.position);
            broken(LAW, format!("{what}, and cuts it off"))
        }
        Some(_) | None => Ok(()),
    }
}

/// What a node commits and applies is the committed log, once and for all. Judged after the
/// committed log has grown by what this node knows.
pub(super) fn turn(ghosts: &Ghosts, at: Place, view: &View) -> Verdict {
    let ghost = &ghosts.nodes[at];
    if let Some(entry) = ghosts.committed.entry(view.commit)
        && !ghost.log.holds(view.commit, entry.chain)
    {
        let held = ghost.log.position(view.commit).unwrap_or_default();
        let what = format!(
            "node {at} commits {held} or a log before it that differs; {} was committed at {:?}",
            entry.position, entry.at
        );
        return broken(LAW, what);
    }
    let known = ghosts.committed.entry(view.applied.index);
    if let Some(entry) = known.filter(|entry| entry.position != view.applied) {
        let what =
            format!("node {at} has applied {}, committed is {}", view.applied, entry.position);
        return broken(LAW, what);
    }
    if known.is_none() && view.applied.index.0 > 0 {
        return broken(LAW, format!("node {at} has applied {}, not committed", view.applied));
    }
    Ok(())
}
