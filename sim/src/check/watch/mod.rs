//! What watches were told, held against the log.
//!
//! Each watch is judged by itself. The events that it should be told follow from the log: all
//! changes from its start on that match its keys and filters. What it was told must be just these,
//! as far as it got. The laws, by what breaks them:
//!
//! - `watch filter`: an event is told that the watch did not ask for;
//! - `watch ordered`: an event is older than what was told or promised before, or a header is;
//! - `watch unique`: an event is told twice;
//! - `watch atomic`: a revision comes in two responses;
//! - `watch reliable`: an event is left out;
//! - `watch resumable`: a watch from the past begins anywhere but at its start, or goes on though
//!   its start was compacted, or was canceled though it was not;
//! - `watch bookmarkable`: progress is promised beyond what was told;
//! - `watch future`: something is told from before the start, or from after its arrival;
//! - `watch prev_kv`: the previous value is not that of the revision before; it may be left out
//!   only when that was compacted;
//! - `watch event`: a field of an event differs from the log;
//! - `watch protocol`: responses come that cannot follow each other;
//! - `watch liveness`: a watch that was open when a healed world ended had not been told all.
//!
//! What is left out: whether a canceled watch was canceled by its client, and whether an id was
//! free, which is known to whoever sees the whole stream.

mod stream;

use protocol::Time;

use super::kv::Truth;
use crate::history::History;
use crate::seen::Violation;

/// How much was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Watches.
    pub watches: usize,
    /// Events told.
    pub events: usize,
    /// Events whose previous value was told.
    pub previous: usize,
    /// Promises of progress.
    pub bookmarks: usize,
    /// Watches canceled because of a compaction.
    pub compacted: usize,
    /// Watches that had to have been told everything, and had.
    pub complete: usize,
}

/// Judges all watches.
///
/// # Errors
/// The first, in the order of creation, that was told wrongly.
pub fn judge(history: &History, truth: &Truth) -> Result<Judged, Violation> {
    let mut judged = Judged::default();
    let settled = settled(history);
    for watch in &history.watches {
        judged.watches += 1;
        stream::judge(watch, truth, settled, &mut judged)?;
    }
    Ok(judged)
}

/// What was committed before this must have been told to every watch that was open at the end;
/// `None` when the world ended too early, or broken, to say.
fn settled(history: &History) -> Option<Time> {
    let healed = history.healed_at?;
    let latest = Time(history.ended_at.0.checked_sub(stream::SETTLE_NS)?);
    (healed <= latest).then_some(latest)
}
