//! The log: what a node has promised to remember, and proof of what it had promised.
//!
//! # What it is
//!
//! Entries and hard state (term, vote, commit) in segment files of a fixed length, filled with
//! zeros when created and used again after they were trimmed. Everything queued by [`Log::append`]
//! leaves as one batch with one sync in [`Log::sync`]: group commit.
//!
//! ```text
//! segment   ┌ page 0 ──────────┬ page 1 ──────────┬ batch ────────────┬ batch ───┬ zeros or old
//!           │ header │ hard    │ header │ hard    │ identi- │ records │          │ content
//!           │ copy 0 │ state 0 │ copy 1 │ state 1 │ fiers   │         │          │
//!           └────────┴─────────┴────────┴─────────┴─────────┴─────────┴──────────┴───
//! ```
//!
//! # Laws
//!
//! - What a sync has acknowledged is found again after any crash: entries, term and vote.
//! - A batch is written only when all batches before it are durable, at sectors that hold nothing
//!   acknowledged. So whatever was written later proves what was written earlier, and a crash can
//!   only damage the last batch.
//! - Damage to what was proven durable is *corruption*: the log refuses to open and names the
//!   entries. It is never served, and never cut as if it had not been there.
//! - A process that is killed, with no loss of power, leaves no doubt: the identifiers of a batch
//!   are handed to the kernel after its records.
//! - Damage to the last batch is *torn* (cut) when its identifiers are not there; when they are, it
//!   cannot be told from corruption: it is cut, and the log is in *doubt* up to its last entry
//!   until the entries have been written again. The doubt itself survives restarts.
//! - A conflict truncation is the batch that replaces the entries, so it is durable exactly when
//!   they are. Batches replay in the order of their sequence; what an earlier process left after
//!   the place where a later one resumed is void. Nothing that was cut comes back.
//! - A reset is the segment that begins the log anew, so it happens with that segment's head or not
//!   at all. The segments before it are void from then on, whatever is in them.
//! - After the first failed write or sync every call fails. A failed sync is never tried again.
//! - What an earlier process wrote and may not have got confirmed is written anew and synced before
//!   anything is built upon it: what reads show after a failed sync may be in no other place than
//!   the kernel's memory.
//!
//! # What is left out
//!
//! - A corrupt entry is not repaired here. Other members have it: `salvage.rs` says what is to be
//!   had from them, and puts it back.
//! - The loss of the last segment's *whole file* together with the mark in the one before it, or of
//!   several copies of the same thing at once, may look like a log that never had them.
//! - Checksums find accidents, not forgery: whoever can write the files can make them verify.
//!
//! Source: R. Alagappan et al., *Protocol-Aware Recovery for Consensus-Based Storage*, FAST'18.
//! Every byte is drawn in `docs/formats.md`, every fault in `docs/faults.md`.

mod append;
mod batch;
mod bytes;
mod chart;
mod confirm;
mod error;
pub mod fuzz;
mod head;
mod hole;
mod inspect;
mod name;
mod open;
mod options;
mod read;
mod reading;
mod record;
mod replay;
mod reset;
mod salvage;
mod survey;
mod trim;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use protocol::raft::{Entry, HardState};
use protocol::{Index, Position, Term};

pub use error::{Damage, LogError, OpenError, ReadError};
pub use head::LOG_FORMAT_VERSION;
pub use inspect::{EntryReport, Inspection, SegmentReport, WriteReport, inspect};
pub use options::LogOptions;
pub use reading::Reading;
pub use salvage::{Covered, Opening, Salvage};

use crate::disk::Disk;
use bytes::Checksum;
use chart::Chart;
use head::Resumption;

/// What a log held when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Term, vote and commit. The commit index may lag.
    pub hard_state: HardState,
    /// The position just before the first entry that the log holds.
    pub base: Position,
    /// The last entry, or the base.
    pub last: Position,
    /// Each run's first index and its term, ascending, covering `base.index + 1 ..= last.index`.
    pub terms: Vec<(Index, Term)>,
    /// Entries up to this index may have been acknowledged and are not there.
    pub doubt: Option<Index>,
    /// What was cut or is damaged without harm; of corruption only what the state covers.
    pub damage: Vec<Damage>,
}

/// The segment that is being written.
#[derive(Clone, Debug)]
struct Active {
    number: u64,
    name: String,
    /// The file's length.
    bytes: u64,
    /// Where the next batch goes.
    end: u64,
}

/// The first failure.
#[derive(Clone, Debug)]
struct Poison {
    operation: &'static str,
    cause: Arc<io::Error>,
}

/// A log on a disk of its own. Single-threaded: one owner appends, syncs and reads.
///
/// - `pending` is contiguous and is not in the chart; everything in the chart is durable.
/// - The chart's last entry, or what `pending` replaces, directly precedes `pending`; where a reset
///   is queued, its position does.
#[derive(Clone, Debug)]
pub struct Log<D: Disk> {
    disk: D,
    options: LogOptions,
    checksum: Checksum,
    chart: Chart,
    /// The segments before it, with the lengths of their files.
    older: BTreeMap<u64, u64>,
    active: Active,
    /// Files to be used again, all of the length that new segments have.
    spares: Vec<String>,
    /// The last durable batch.
    sequence: u64,
    resumption: Resumption,
    generation: u64,
    hard_state: HardState,
    doubt: Option<Index>,
    /// Term, vote or doubt differ from what both copies hold.
    slot_stale: bool,
    /// Only the commit index does.
    commit_stale: bool,
    pending: Vec<Entry>,
    /// The log is to begin anew after this, and `pending` follows it.
    resetting: Option<Position>,
    burst: Vec<u8>,
    poison: Option<Poison>,
}

impl<D: Disk> Log<D> {
    /// The position just before the first entry.
    #[must_use]
    pub fn base(&self) -> Position {
        self.chart.base()
    }

    /// The last durable entry, or the base.
    #[must_use]
    pub fn last(&self) -> Position {
        self.chart.last()
    }

    /// The hard state including what was appended and not yet synced.
    #[must_use]
    pub fn hard_state(&self) -> HardState {
        self.hard_state
    }

    /// Entries up to this index may have been acknowledged once and are not there.
    #[must_use]
    pub fn doubt(&self) -> Option<Index> {
        self.doubt
    }

    /// The lengths of all files in bytes, spares included.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        let older: u64 = self.older.values().sum();
        older + self.active.bytes + self.spares.len() as u64 * self.options.segment_bytes
    }

    /// The disk below.
    pub fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    /// Ends the log without syncing and gives the disk back.
    pub fn into_disk(self) -> D {
        self.disk
    }

    fn check(&self) -> Result<(), LogError> {
        match &self.poison {
            None => Ok(()),
            Some(Poison { operation, cause }) => {
                Err(LogError::Poisoned { operation, cause: Arc::clone(cause) })
            }
        }
    }

    /// Remembers the first failure for ever.
    fn poison(&mut self, failure: Failure) -> LogError {
        let Failure { operation, cause } = failure;
        let cause = Arc::new(cause);
        self.poison = Some(Poison { operation, cause: Arc::clone(&cause) });
        LogError::Poisoned { operation, cause }
    }

    fn head_end(&self) -> u64 {
        2 * u64::from(self.options.page_bytes)
    }
}

/// What the disk refused.
struct Failure {
    operation: &'static str,
    cause: io::Error,
}

/// Names the operation that a disk error belongs to.
fn during(operation: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |cause| Failure { operation, cause }
}
