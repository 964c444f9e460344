//! RI3, log matching: entries with the same index and term are the same, and so is everything
//! before them (Raft §5.3, figure 3).

use protocol::raft::{Write, WriteId};

use super::ghosts::Ghosts;
use super::terms::Misfit;
use super::verdict::{Verdict, broken};
use crate::seen::Place;

pub(super) const LAW: &str = "RI3 log matching";

/// Every entry that reaches a disk has the chain that its position has everywhere, and follows
/// the end of the log. Hands the write to the ghost.
pub(super) fn handed(ghosts: &mut Ghosts, at: Place, id: WriteId, write: &Write) -> Verdict {
    if let Some(first) = write.entries.first() {
        let last = write.reset.unwrap_or_else(|| ghosts.nodes[at].log.last());
        if first.position.index > last.index.next() || first.position.index.0 == 0 {
            let first = first.position;
            return broken(LAW, format!("node {at} writes {first} into a log that ends at {last}"));
        }
    }
    ghosts.handed(at, id, write).or_else(|(position, misfit)| {
        let why = match misfit {
            Misfit::Differs => "other logs hold another entry there, or another log before it",
            Misfit::Elsewhere(_) => "it does not follow the entries of its term",
        };
        broken(LAW, format!("node {at} writes {position}: {why}"))
    })
}
