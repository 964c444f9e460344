//! MI6, state hash: all nodes that have applied the same entries have the same state
//! (Raft §2: replicated state machines).

use super::states::Summary;
use super::verdict::{Verdict, broken};
use crate::seen::{Place, View};

pub(super) const LAW: &str = "MI6 state hash";

/// The digest of the state at an applied index is the same on every node, in every life.
pub(super) fn turn(at: Place, view: &View, known: Option<&Summary>) -> Verdict {
    let (Some(own), Some(other)) = (view.digest, known.and_then(|known| known.digest)) else {
        return Ok(());
    };
    if own == other {
        return Ok(());
    }
    let what = format!("node {at} has the state {own:016x} at {}", view.applied);
    broken(LAW, format!("{what}, another had {other:016x}"))
}
