//! MI1, revisions: each is made by one entry, the same everywhere (etcd: one revision for every
//! transaction that changes something, none for any other).

use super::ghosts::Ghosts;
use super::states::Summary;
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View};

pub(super) const LAW: &str = "MI1 revisions";

/// - All nodes that have applied the same index have the same revision.
/// - From turn to turn it grows by at most one for every entry that can change keys, and for every
///   lease that a tick can revoke.
pub(super) fn turn(ghosts: &Ghosts, at: Place, view: &View, known: Option<&Summary>) -> Verdict {
    if let Some(known) = known.filter(|known| known.revision != view.revision) {
        let what = format!("node {at} has revision {} at {}", view.revision, view.applied);
        return broken(LAW, format!("{what}, another had {}", known.revision));
    }
    let Some(old) = ghosts.nodes[at].view else { return Ok(()) };
    let grown = view.revision - old.revision;
    let (from, to) = (old.applied.index, view.applied.index);
    let growth = |index| ghosts.committed.growth(index);
    let most = growth(to).saturating_sub(growth(from));
    if u64::try_from(grown).is_ok_and(|grown| grown <= most) {
        return Ok(());
    }
    let what = format!("node {at} went from revision {} to {}", old.revision, view.revision);
    broken(LAW, format!("{what} between {from} and {to}, which make at most {most}"))
}
