//! MI4, compaction: the oldest readable revision only grows, is the same everywhere, and never
//! passes the newest (etcd: compaction).

use super::ghosts::Ghosts;
use super::states::Summary;
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View};

pub(super) const LAW: &str = "MI4 compaction";

/// That it survives a crash follows: at an applied index it is what it was at this index before.
pub(super) fn turn(ghosts: &Ghosts, at: Place, view: &View, known: Option<&Summary>) -> Verdict {
    let compact = view.compact_revision;
    if let Some(known) = known.filter(|known| known.compact_revision != compact) {
        let what = format!("node {at} has compacted to {compact} at {}", view.applied);
        return broken(LAW, format!("{what}, another to {}", known.compact_revision));
    }
    let before = ghosts.nodes[at].view.map_or(compact, |old| old.compact_revision);
    if compact < before || compact > view.revision {
        let what = format!("node {at} has compacted to {compact}, before to {before}");
        return broken(LAW, format!("{what}; its revision is {}", view.revision));
    }
    Ok(())
}
