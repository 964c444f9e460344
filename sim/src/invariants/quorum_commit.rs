//! RI9, commit implies durable on a quorum (Raft §5.3: replicated on a majority; etcd/raft calls
//! it CommittedIsDurable).

use protocol::Index;

use super::ghosts::Ghosts;
use super::verdict::{Verdict, broken};

pub(super) const LAW: &str = "RI9 commit implies a durable quorum";

/// When an index is first known to be committed, a majority of all nodes holds it on disk. A node
/// that lost confirmed entries in a declared fault counts for what it had confirmed.
pub(super) fn committed(ghosts: &Ghosts, index: Index) -> Verdict {
    let Some(entry) = ghosts.committed.entry(index) else { return Ok(()) };
    let holds = |ghost: &&super::ghosts::Ghost| {
        ghost.durable.holds(index, entry.chain) || ghost.lost >= index
    };
    let holders = ghosts.nodes.iter().filter(holds).count();
    if holders <= ghosts.nodes.len() / 2 {
        let (position, nodes) = (entry.position, ghosts.nodes.len());
        let what = format!("{position} is committed and durable on {holders} of {nodes} nodes");
        return broken(LAW, what);
    }
    Ok(())
}
