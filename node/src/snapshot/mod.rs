//! The whole state for a member whose log can no longer be continued, and from one.
//!
//! ```text
//! leader    SnapshotWanted ─▶ ViewOpen … ViewRead …  ─▶ pieces, a window of them at a time
//! follower  pieces ─▶ verified ─▶ Stage … ─▶ Install (atomic) ─▶ the store and the log go on
//! ```
//!
//! Laws:
//!
//! - what is sent is one flush, pinned, whatever is written, compacted or flushed meanwhile;
//! - a piece is verified before anything of it is used, and the whole before it is installed;
//! - until it is installed the state of before stands, and any crash leaves one or the other;
//! - memory is bounded: a window of pieces on either side, the pieces of one read beside it (of
//!   one record, where it is larger), those of the metadata, and the index that is being built;
//! - the log is not trimmed beyond a snapshot that is on its way: who has it can go on from there.
//!
//! What is left out: a member receives one snapshot at a time, and a transfer does not outlive its
//! leader or a restart of either side; the next one begins anew.

mod receive;
mod send;

pub(crate) use receive::Receiving;
pub use receive::SnapshotRefused;
pub(crate) use send::{Following, Sending, Unwanted};
pub use send::{ViewHead, ViewId};

/// Pieces under way at once, unanswered.
pub(crate) const WINDOW: usize = 8;
