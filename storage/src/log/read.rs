//! Reading entries back, each verified again.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use protocol::mutant::{Mutant, planted};
use protocol::raft::{Entry, Restored};
use protocol::{Index, Position};

use super::batch::{self, Identifiers};
use super::bytes::Checksum;
use super::chart::{Chart, Extent};
use super::record::{RECORD_HEADER_BYTES, Record};
use super::{Log, Poison, ReadError, name};
use crate::disk::Disk;

impl<D: Disk> Log<D> {
    /// The durable entries from `from` on: at least one, then as many as fit into `max_bytes` of
    /// payload. Empty when `from` directly follows the last.
    pub fn read(&self, from: Index, max_bytes: usize) -> Result<Vec<Entry>, ReadError> {
        if let Some(Poison { operation, cause }) = &self.poison {
            return Err(ReadError::Poisoned { operation, cause: Arc::clone(cause) });
        }
        let last = self.last();
        if from <= self.base().index || from > last.index.next() {
            return Err(ReadError::Absent { index: from, base: self.base(), last });
        }
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut next = from;
        while let Some(extent) = self.chart.find(next) {
            for entry in self.read_extent(extent, next)? {
                bytes += super::record::payload(&entry).len();
                if bytes > max_bytes && !entries.is_empty() {
                    return Ok(entries);
                }
                entries.push(entry);
            }
            next = extent.last.next();
        }
        Ok(entries)
    }

    /// What the consensus core starts from, given the last index that the state machine has
    /// applied. To be called right after opening, or after [`Log::adopt`]. Applied entries that
    /// were trimmed are no error: the state has their effect. A state that is ahead of the log is
    /// one: what proves the lost entries is not in the log.
    pub fn restored(&self, applied: Index) -> Result<Restored, ReadError> {
        let last = self.last();
        if applied < self.base().index || applied > last.index {
            return Err(ReadError::Absent { index: applied, base: self.base(), last });
        }
        Ok(Restored {
            hard_state: self.hard_state(),
            base: self.base(),
            terms: self.chart.terms().to_vec(),
            entries: self.read(applied.next(), usize::MAX)?,
            applied,
            doubt: self.doubt(),
            membership: None,
        })
    }

    fn read_extent(&self, extent: &Extent, from: Index) -> Result<Vec<Entry>, ReadError> {
        let segment = extent.segment;
        let mut batch = vec![0; extent.bytes];
        self.disk
            .read(&name::segment(segment), extent.offset, &mut batch)
            .map_err(|cause: io::Error| ReadError::Io { segment, cause: Arc::new(cause) })?;
        let batch = Bytes::from(batch);
        let wanted = from..=extent.last;
        let mut entries = Vec::new();
        for (position, at, record) in records(self.checksum, extent, &batch) {
            if !wanted.contains(&position.index) {
                continue;
            }
            let known = self.chart.term(position.index) == Some(position.term);
            let placed = |record: &Record| record.position == position || planted(Mutant::W7);
            let Some(mut record) = record.filter(|record| known && placed(record)) else {
                return Err(ReadError::Corrupt { segment, position });
            };
            record.position = position;
            let start = at + RECORD_HEADER_BYTES;
            entries.push(record.entry(batch.slice(start..start + record.payload_bytes)));
        }
        let expected = extent.last.0 + 1 - from.0;
        if entries.len() as u64 == expected {
            return Ok(entries);
        }
        let index = Index(from.0 + entries.len() as u64);
        let term = self.chart.term(index).unwrap_or_default();
        Err(ReadError::Corrupt { segment, position: Position::new(term, index) })
    }

    /// One durable entry, for a member that lacks it; `None` when the log does not hold it, or
    /// cannot read it.
    #[must_use]
    pub fn find(&self, position: Position) -> Option<Entry> {
        find_in(&self.disk, self.checksum, &self.chart, position)
    }
}

/// One entry of a log, if it is there and intact, whatever became of its neighbours.
pub(super) fn find_in<D: Disk>(
    disk: &D,
    checksum: Checksum,
    chart: &Chart,
    position: Position,
) -> Option<Entry> {
    let extent = chart.find(position.index).filter(|_| chart.holds(position))?;
    let mut batch = vec![0; extent.bytes];
    disk.read(&name::segment(extent.segment), extent.offset, &mut batch).ok()?;
    let mut records = records(checksum, extent, &batch).into_iter();
    let (_, at, record) = records.find(|(found, ..)| *found == position)?;
    let record = record.filter(|record| record.position == position)?;
    let start = at + RECORD_HEADER_BYTES;
    Some(record.entry(Bytes::copy_from_slice(batch.get(start..start + record.payload_bytes)?)))
}

/// The records of a batch, by its identifiers or, where those are damaged, without them.
fn records(
    checksum: Checksum,
    extent: &Extent,
    batch: &[u8],
) -> Vec<(Position, usize, Option<Record>)> {
    if let Some(found) = Identifiers::of(extent, batch, checksum) {
        return found.records(batch, checksum).collect();
    }
    let walked = batch::walk_extent(extent, batch, checksum);
    let records = walked.map_or_else(Vec::new, |walked| walked.records);
    records.into_iter().map(|(at, record)| (record.position, at, Some(record))).collect()
}
