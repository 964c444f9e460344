//! RI9, commit implies durable on a quorum (Raft §5.3: replicated on a majority; Raft §6: of the
//! configuration in force, in a joint one of both halves; etcd/raft calls it CommittedIsDurable).

use protocol::raft::{Membership, Role};
use protocol::{Index, NodeId};

use super::configurations::decides;
use super::ghosts::{Ghost, Ghosts};
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View, place};

pub(super) const LAW: &str = "RI9 commit implies a durable quorum";

/// When an index is first known to be committed, a majority holds it on disk of the configuration
/// in force at its leader, or of one that was in force within the same turn. A node that lost
/// confirmed entries in a declared fault counts for what it had confirmed.
pub(super) fn committed(ghosts: &Ghosts, at: Place, view: &View) -> Verdict {
    let index = view.commit;
    let Some(entry) = ghosts.committed.entry(index) else { return Ok(()) };
    let holds = |ghost: &Ghost| ghost.durable.holds(index, entry.chain) || ghost.lost >= index;
    let held = |id: NodeId| place(id).and_then(|at| ghosts.nodes.get(at)).is_some_and(holds);
    let mut ruling = ruling(ghosts, at, view);
    if ruling.any(|membership| decides(membership, held)) {
        return Ok(());
    }
    let holders: Vec<Place> =
        (0..ghosts.nodes.len()).filter(|at| holds(&ghosts.nodes[*at])).collect();
    let (_, membership) = ghosts.configurations.in_force(&ghosts.nodes[at].log);
    let position = entry.position;
    let what = format!("{position} is committed and durable on nodes {holders:?}");
    broken(LAW, format!("{what}; in force is {membership}"))
}

/// What may have decided. Only a leader does: the first one to know is it, or hears of it.
fn ruling<'a>(ghosts: &'a Ghosts, at: Place, view: &View) -> impl Iterator<Item = &'a Membership> {
    let led = |role: Role| role == Role::Leader;
    let leads = led(view.role) || ghosts.nodes[at].view.is_some_and(|old| led(old.role));
    let leader = if leads { at } else { ghosts.leader(view.term).unwrap_or(at) };
    let ghost = &ghosts.nodes[leader];
    let last: Index = ghost.log.last_index();
    ghosts.configurations.since(&ghost.log, last, ghost.ruled)
}
