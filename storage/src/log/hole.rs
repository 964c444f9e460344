//! A record that is damaged while its identifier is not: what has to come back, and where to.
//!
//! The identifier has the term, the length and the checksum of the record; the batch has its place
//! in the sequence. So whoever holds the entry can give it back, the bytes of the record follow
//! from it, and the checksum tells whether they are the ones that were lost: the entry is put in
//! its old place, and the log is what it was.

use protocol::Position;
use protocol::raft::Entry;

use super::batch::Identifiers;
use super::bytes::Checksum;
use super::chart::{Chart, Extent};
use super::record::{self, Membership};

/// A damaged record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) position: Position,
    payload_bytes: usize,
    crc: u32,
    pub(crate) segment: u64,
    /// Where the record begins in the segment's file.
    pub(crate) offset: u64,
    membership: Membership,
}

impl Hole {
    /// The damaged records of the batch with these identifiers, which stands at `at`; `rest` are
    /// the bytes from there on.
    pub(crate) fn all(
        found: &Identifiers,
        segment: u64,
        at: usize,
        rest: &[u8],
        checksum: Checksum,
    ) -> Vec<Self> {
        let count = found.list.len();
        let records = found.records(rest, checksum).zip(&found.list).enumerate();
        let bad = records.filter(|(_, ((.., record), _))| record.is_none());
        bad.map(|(place, ((position, start, _), identifier))| Self {
            position,
            payload_bytes: identifier.payload_bytes,
            crc: identifier.crc,
            segment,
            offset: (at + start) as u64,
            membership: Membership {
                epoch: found.header.epoch,
                sequence: found.header.sequence,
                first: place == 0,
                last: place + 1 == count,
            },
        })
        .collect()
    }

    /// Whether the log still has its entry where this record was.
    pub(crate) fn is_live(&self, chart: &Chart) -> bool {
        let Membership { epoch, sequence, .. } = self.membership;
        chart.find(self.position.index).is_some_and(|extent| {
            (extent.segment, extent.sequence, extent.epoch) == (self.segment, sequence, epoch)
        })
    }

    /// The record that was here, if this is its entry.
    pub(crate) fn record(&self, entry: &Entry, checksum: Checksum) -> Option<Vec<u8>> {
        let length = record::payload(entry).len();
        if entry.position != self.position || length != self.payload_bytes {
            return None;
        }
        let mut bytes = Vec::new();
        let crc = record::encode(&mut bytes, checksum, self.segment, self.membership, entry);
        (crc == self.crc).then_some(bytes)
    }
}

/// The last batch, when it is undecided: it has its identifiers and not all of its records.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    pub(crate) extent: Extent,
    pub(crate) found: Identifiers,
}

impl Tail {
    /// The log as it would be with this batch.
    pub(crate) fn joined(&self, mut chart: Chart) -> Chart {
        if chart.holds(self.found.header.previous) {
            chart.extend(self.extent, self.found.list.iter().map(|identifier| identifier.term));
        }
        chart
    }
}
