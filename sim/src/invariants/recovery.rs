//! Recovery: what a disk has confirmed comes back after every crash, and nothing else than what was
//! handed to it (Raft figure 2, "updated on stable storage before responding to RPCs"; FAST'18).

use protocol::raft::{HardState, Restored};
use protocol::{Index, Position, Term};

use super::ghosts::{Ghost, Ghosts, Strange};
use super::shadow::Shadow;
use super::verdict::{Broken, Verdict, broken};
use crate::seen::Place;

pub(super) const LAW: &str = "recovery";

/// Judges what a node starts from, and lets its ghost start from it.
///
/// - The log is the confirmed one, with any part of the writes after it that is whole from the
///   front. Confirmed entries are missing only where storage is in doubt about them or about what
///   was replacing them, or after a declared fault that may take them.
/// - It begins anew only where a write under way says so, or where a state was installed that is
///   not in the confirmed log; then nothing of before is left of it.
/// - Term and vote are the confirmed ones, or those of a write after it, or the term of the last
///   entry of such a write without a vote; the commit index is at most the last handed over.
pub(super) fn started(
    ghosts: &mut Ghosts,
    at: Place,
    life: u64,
    restored: &Restored,
) -> Result<(), Box<Broken>> {
    let log = ghosts.recall(at, restored).or_else(|Strange(position)| {
        broken(LAW, format!("node {at} found {position} on its disk, which nobody has made"))
    })?;
    let ghost = &ghosts.nodes[at];
    if !ghost.damaged {
        let begun = ghost.may_begin_after(restored.base, restored.applied);
        let anew = begun.then(|| ghosts.committed.through(restored.base.index));
        entries(ghost, at, restored, &log, anew.as_ref().unwrap_or(&ghost.durable))?;
    }
    hard_state(ghost, at, restored, log.last())?;
    ghosts.started(at, life, restored, log);
    Ok(())
}

/// A node's disks were refused: that takes faults which may have taken even term and vote. What
/// else was damaged comes from the other nodes, and a disk that fails for a while is tried again.
pub(super) fn refused(ghosts: &Ghosts, at: Place, why: &str) -> Verdict {
    let ghost = &ghosts.nodes[at];
    // Term and vote have two copies: one harm leaves one of them.
    // So has the description of the state. Behind a log that has never held anything, nobody can
    // tell a state that lost both from one whose log was lost: the operator has to.
    let blank = ghost.hard_durable.term == Term(0) && ghost.state_harms > 1;
    if ghost.damaged || blank {
        return Ok(());
    }
    let what = if ghost.faulty { "what others have" } else { "a sound disk" };
    broken(LAW, format!("node {at} lacks {what} and was refused: {why}"))
}

/// `confirmed` is the log that must come back.
fn entries(
    ghost: &Ghost,
    at: Place,
    restored: &Restored,
    log: &Shadow,
    confirmed: &Shadow,
) -> Verdict {
    let durable = confirmed.last();
    let last = log.last();
    let common = confirmed.common(log);
    if common < last.index {
        let next =
            Position::new(log.slot(common.next()).map_or(last.term, |s| s.term), common.next());
        for position in [next, last] {
            if !ghost.is_pending(position) {
                let what =
                    format!("node {at} found {position}, which it had replaced or never held");
                return broken(LAW, what);
            }
        }
    } else if common < durable.index
        && !ghost.is_cutting(common)
        && !may_lack(ghost, restored.doubt, common.next())
    {
        let what = format!("node {at} found a log to {last}, confirmed was {durable}");
        return broken(LAW, what);
    }
    if restored.base.index > restored.applied || restored.applied > last.index {
        let (base, applied) = (restored.base, restored.applied);
        let what = format!("node {at} starts with base {base}, applied {applied}, last {last}");
        return broken(LAW, what);
    }
    Ok(())
}

/// Whether confirmed entries from `first` on may be missing: storage is in doubt about all of them,
/// or about a write under way that was to replace them. Of such a write the truncation may survive
/// without its entries; the node gave up what it cut, and nobody was promised it.
fn may_lack(ghost: &Ghost, doubt: Option<Index>, first: Index) -> bool {
    // Or a leader's log ends before them: they were never committed.
    let surrendered = |led: Index| led < first || doubt >= Some(led);
    ghost.surrendered.is_some_and(surrendered)
        || doubt.is_some_and(|doubt| {
            doubt >= ghost.durable.last_index() || (doubt >= first && ghost.is_replacing(first))
        })
}

fn hard_state(ghost: &Ghost, at: Place, restored: &Restored, last: Position) -> Verdict {
    let found = restored.hard_state;
    let durable = ghost.hard_durable;
    let same = |other: HardState| (other.term, other.vote) == (found.term, found.vote);
    // A copy that was harmed may let an older or a newer one of the two speak.
    let sound = ghost.harms == 0 && !ghost.damaged;
    // Of a write that was torn, the entries may survive without the hard state: their term is the
    // least that the node has seen, and what it voted in it never left.
    let raised = found.vote.is_none() && found.term == last.term && found.term > durable.term;
    let known = same(durable) || ghost.pending_hard_states().any(same) || raised;
    if sound && !known {
        let what = format!("node {at} found {found:?}, confirmed was {durable:?}");
        return broken(LAW, what);
    }
    if found.term < durable.term && !ghost.replaced {
        let what = format!("node {at} found term {}, confirmed was {}", found.term, durable.term);
        return broken(LAW, what);
    }
    let most = ghost.pending_hard_states().map(|it| it.commit).fold(durable.commit, Index::max);
    // A log that is made to begin after the state knows that state to be committed.
    let begun =
        ghost.may_begin_after(restored.base, restored.applied) || ghost.surrendered.is_some();
    let most = if begun { most.max(restored.base.index) } else { most };
    // It lags by design (`raft::HardState::commit`), and it never runs ahead.
    if found.commit > most {
        let what = format!("node {at} found commit {}, beyond {most}", found.commit);
        return broken(LAW, what);
    }
    Ok(())
}
