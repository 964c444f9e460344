//! Who owns a log, and the sizes of its files.

use super::error::OpenError;
use crate::Identity;
use crate::disk::SECTOR;

/// The settings of a log. Sizes are in bytes and multiples of 512.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Who owns it.
    pub identity: Identity,
    /// The length of new segments. Existing ones keep theirs.
    pub segment_bytes: u64,
    /// The length of each of the two pages of a segment's head; the same for the life of the log.
    /// At least the unit in which the disk loses bytes together, so that no single fault takes
    /// both copies of the hard state.
    pub page_bytes: u32,
    /// The most bytes written by one sync; a single entry may be longer.
    pub batch_bytes: usize,
    /// How many trimmed segments are kept to be used again.
    pub spares: usize,
}

impl LogOptions {
    /// Sizes for a real disk: segments of 16 MiB, pages of 4 KiB, batches of 4 MiB.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            segment_bytes: 16 << 20,
            page_bytes: 4096,
            batch_bytes: 4 << 20,
            spares: 2,
        }
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let sector = SECTOR as u64;
        let page = u64::from(self.page_bytes);
        if !page.is_multiple_of(sector) || page < 2 * sector {
            return Err(OpenError::Options("a page must be two sectors of 512 bytes or more"));
        }
        if !self.segment_bytes.is_multiple_of(sector) || self.segment_bytes < 2 * page + 4 * sector
        {
            return Err(OpenError::Options("a segment must hold its two pages and four sectors"));
        }
        if self.segment_bytes > u64::from(u32::MAX) {
            return Err(OpenError::Options("a segment must be shorter than 4 GiB"));
        }
        Ok(())
    }
}
