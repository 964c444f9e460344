//! What can go wrong with the log, what it did to the log's state, and who must act.

use std::fmt;
use std::io;
use std::sync::Arc;

use protocol::{Index, Position};

use crate::Identity;

/// Something in the files is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The last write did not reach the disk whole, and nothing says that it ever had: cut.
    Torn {
        /// The segment.
        segment: u64,
        /// Where the write began, in bytes.
        offset: u64,
    },
    /// The last write is damaged although its identifiers are there: it may have been
    /// acknowledged. Cut, and the node is in doubt up to the last of these entries.
    Undecided {
        /// The segment.
        segment: u64,
        /// Where the write began, in bytes.
        offset: u64,
        /// The entries that were cut.
        entries: Vec<Position>,
    },
    /// The identifiers of a write are damaged; its entries are intact. Harmless.
    Identifiers {
        /// The segment.
        segment: u64,
        /// Where the write began, in bytes.
        offset: u64,
    },
    /// One of the two copies of a segment's header is damaged. Harmless, and mended at opening.
    HeaderCopy {
        /// The segment.
        segment: u64,
        /// Which copy: 0 or 1.
        copy: u8,
    },
    /// One of the two copies of the hard state is damaged. Harmless, and mended at opening.
    HardStateCopy {
        /// The segment.
        segment: u64,
        /// Which copy: 0 or 1.
        copy: u8,
    },
    /// Corruption: these entries were durable and no longer verify.
    Entries {
        /// The segment.
        segment: u64,
        /// Where the write that holds them began, in bytes.
        offset: u64,
        /// Which entries.
        entries: Vec<Position>,
    },
    /// Corruption: a write that was durable is not there, nor its identifiers.
    Lost {
        /// The segment.
        segment: u64,
        /// Where it should begin, in bytes.
        offset: u64,
        /// The first entry that is affected, as far as can be told.
        from: Index,
        /// The last, where a later write tells.
        through: Option<Index>,
    },
    /// Corruption: both copies of the header of a segment that holds entries are damaged.
    Header {
        /// The segment.
        segment: u64,
    },
    /// Corruption: a file is shorter than it was created.
    Short {
        /// The segment.
        segment: u64,
        /// Its length in bytes.
        bytes: u64,
        /// The length it was created with.
        created: u64,
    },
    /// Corruption: a file is missing.
    Missing {
        /// The segment.
        segment: u64,
    },
}

impl Damage {
    /// Whether something is affected that had been durable. The log then refuses to open: the
    /// entries are neither served nor cut.
    #[must_use]
    pub fn is_corruption(&self) -> bool {
        match self {
            Self::Torn { .. }
            | Self::Undecided { .. }
            | Self::Identifiers { .. }
            | Self::HeaderCopy { .. }
            | Self::HardStateCopy { .. } => false,
            Self::Entries { .. }
            | Self::Lost { .. }
            | Self::Header { .. }
            | Self::Short { .. }
            | Self::Missing { .. } => true,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn { segment, offset } => {
                write!(f, "segment {segment}: the write at {offset} was torn by a crash; cut")
            }
            Self::Undecided { segment, offset, entries } => write!(
                f,
                "segment {segment}: the last write, at {offset}, is damaged and may have been \
                 acknowledged; cut {}",
                List(entries)
            ),
            Self::Identifiers { segment, offset } => write!(
                f,
                "segment {segment}: the identifiers of the write at {offset} are damaged; its \
                 entries are intact"
            ),
            Self::HeaderCopy { segment, copy } => {
                write!(f, "segment {segment}: copy {copy} of the header is damaged")
            }
            Self::HardStateCopy { segment, copy } => {
                write!(f, "segment {segment}: copy {copy} of the hard state is damaged")
            }
            Self::Entries { segment, offset, entries } => {
                write!(f, "segment {segment}: corrupt in the write at {offset}: {}", List(entries))
            }
            Self::Lost { segment, offset, from, through: Some(through) } => write!(
                f,
                "segment {segment}: the write at {offset} is lost: entries {from} to {through}"
            ),
            Self::Lost { segment, offset, from, through: None } => write!(
                f,
                "segment {segment}: the write at {offset} is lost: entries from {from} on"
            ),
            Self::Header { segment } => {
                write!(f, "segment {segment}: both copies of the header are damaged")
            }
            Self::Short { segment, bytes, created } => {
                write!(f, "segment {segment}: {bytes} bytes long, created with {created}")
            }
            Self::Missing { segment } => write!(f, "segment {segment}: the file is missing"),
        }
    }
}

/// Positions for a person: `index@term`, at most a few of them.
struct List<'a>(&'a [Position]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let word = if self.0.len() == 1 { "entry" } else { "entries" };
        write!(f, "{word}")?;
        for position in self.0.iter().take(SHOWN) {
            write!(f, " {position}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Why a log cannot be opened. Nothing has been changed, except where [`OpenError::Io`] came from
/// a write: then opening again is safe.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The caller must choose other options.
    #[error("{0}")]
    Options(&'static str),
    /// The disk failed. An operator must look at it.
    #[error("{file}: {source}")]
    Io {
        /// The file, or the directory when empty.
        file: String,
        /// What the disk said.
        source: io::Error,
    },
    /// The log is another node's. An operator gave the wrong directory.
    #[error(
        "the log belongs to node {:x} of cluster {:x}, not to node {:x} of cluster {:x}",
        found.node.0, found.cluster.0, wanted.node.0, wanted.cluster.0
    )]
    Foreign {
        /// Whose log it is.
        found: Identity,
        /// Who was to use it.
        wanted: Identity,
    },
    /// Another version of this program wrote it, and must read it.
    #[error("format version {found} of the log is unknown (this program knows {known})")]
    Version {
        /// The version in the file.
        found: u32,
        /// The version that this code knows.
        known: u32,
    },
    /// Both copies of term and vote are damaged: this node could vote twice in one term. It must
    /// leave the cluster and join again as a new member.
    #[error(
        "both copies of the hard state (term and vote) in segment {segment} are damaged; the node \
         must rejoin the cluster as a new member"
    )]
    HardStateLost {
        /// The segment that holds the hard state.
        segment: u64,
    },
    /// Entries that had been durable are damaged. They are still in the files, untouched, and can
    /// be had from other members.
    #[error("the log is corrupt: {}", Joined(.0))]
    Corrupt(Vec<Damage>),
}

struct Joined<'a>(&'a [Damage]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, damage) in self.0.iter().filter(|d| d.is_corruption()).enumerate() {
            write!(f, "{}{damage}", if place == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// Why a log did not take or keep something.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// An earlier write or sync failed, or this one: what the disk holds is unknown. Every later
    /// call gives this error. The node must stop; opening the log anew finds the truth.
    #[error("the log is closed after a failure: {operation}: {cause}")]
    Poisoned {
        /// What was being done.
        operation: &'static str,
        /// What the disk said the first time.
        cause: Arc<io::Error>,
    },
    /// The write leaves a gap, or begins at or below the base. State unchanged; the caller erred.
    #[error("entry {found} cannot follow: the log has {base} (exclusive) to {last}")]
    Misplaced {
        /// The first entry of the write, or the one out of order in it.
        found: Position,
        /// The base of the log.
        base: Position,
        /// Its last entry.
        last: Position,
    },
    /// An entry is larger than a segment can hold. State unchanged; the caller erred.
    #[error("an entry of {bytes} bytes does not fit into a segment (at most {most})")]
    TooLarge {
        /// The payload's length.
        bytes: usize,
        /// The longest payload that fits.
        most: usize,
    },
    /// There is no room for the next segment. State unchanged, and what was queued and is not
    /// written yet is queued still; the caller may try again.
    #[error("no room for a segment: {cause}")]
    NoSpare {
        /// What the disk said.
        cause: Arc<io::Error>,
    },
}

/// Why entries could not be read. The log's state is unchanged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The log no longer holds the entry, or never did. Whoever needs it must get it elsewhere.
    #[error("the log holds entries after {base} up to {last}, not {index}")]
    Absent {
        /// What was asked for.
        index: Index,
        /// The base of the log.
        base: Position,
        /// Its last entry.
        last: Position,
    },
    /// The entry was durable and no longer verifies. It must be had from another member.
    #[error("entry {position} in segment {segment} is corrupt")]
    Corrupt {
        /// The segment.
        segment: u64,
        /// The entry.
        position: Position,
    },
    /// The disk failed.
    #[error("segment {segment}: {cause}")]
    Io {
        /// The segment.
        segment: u64,
        /// What the disk said.
        cause: Arc<io::Error>,
    },
    /// An earlier write or sync failed; see [`LogError::Poisoned`].
    #[error("the log is closed after a failure: {operation}: {cause}")]
    Poisoned {
        /// What was being done.
        operation: &'static str,
        /// What the disk said the first time.
        cause: Arc<io::Error>,
    },
}
