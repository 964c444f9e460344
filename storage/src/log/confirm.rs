//! What an earlier process wrote and may not have got confirmed is written anew and synced before
//! anything is built upon it.
//!
//! What opening has read need not be on the disk. When a sync fails, a kernel may take the pages
//! that it could not write for clean ones: reads show them, no later sync writes them, and the next
//! loss of power takes them away. The process that met the failure has ended; the next one finds
//! what it left, and nothing that tells it from the rest. To sync once more cannot help; to write
//! anew does. Since a process goes on only after a confirmation, this may be unconfirmed:
//!
//! - the last batch, unless a hard state or a segment that was begun later proves it. It is synced
//!   *before* the hard state that proves it from then on;
//! - the head of the last segment, when its beginning failed: both headers are written anew, as the
//!   hard state is anyway;
//! - while no batch stands in the last segment, the mark in the one before it that another follows;
//! - names. They stand in the file system's own journal, and a file system whose journal fails
//!   takes no more writes; so they become durable with the first sync of this process.
//!
//! Void batches, the second copy of a header that was mended in an older segment and the content of
//! spares may be forgotten as well: nothing is built upon them.
//!
//! All is written as it was read, so that a crash in between leaves every sector as it was or as it
//! is to be, and the next process does the same. One thing is new: identifiers that are missing, of
//! a batch whose records are all there, are made again, or nothing would tell later which entries
//! the batch replaced once the segment before it is trimmed.
//!
//! Source: A. Rebello et al., *Can Applications Recover from fsync Failures?*, USENIX ATC'20.

use bytes::Bytes;
use protocol::Position;
use protocol::mutant::{Mutant, planted};

use super::batch::{self, BatchHeader, Identifiers};
use super::chart::Extent;
use super::record::{RECORD_HEADER_BYTES, Record};
use super::survey::{Segment, Survey};
use super::{Active, Failure, Log, during, name};
use crate::disk::{Disk, SECTOR};

impl<D: Disk> Log<D> {
    /// Makes durable what was read, then takes the log over: writes the hard state in the name of
    /// this process.
    pub(super) fn resume(&mut self, survey: &Survey) -> Result<(), Failure> {
        debug_assert!(self.active.end.is_multiple_of(SECTOR as u64), "batches fill whole sectors");
        if let Some(Segment { header, .. }) = survey.segments.last() {
            let sector = header.encode();
            for page in [0, u64::from(self.options.page_bytes)] {
                self.disk
                    .write(&self.active.name, page, &sector)
                    .map_err(during("writing a header anew"))?;
            }
        }
        let unconfirmed = survey.unconfirmed().filter(|_| !planted(Mutant::F2));
        if let Some(batch) = unconfirmed {
            self.rewrite(&batch)?;
        }
        self.write_slots(false)?;
        self.disk.sync(&self.active.name).map_err(during("opening the log"))?;
        if survey.is_fresh()
            && let [.., before, _] = &survey.segments[..]
        {
            let number = before.header.segment;
            let name = name::segment(number);
            self.seal(Active { number, name, bytes: before.bytes, end: self.head_end() })?;
        }
        Ok(())
    }

    fn rewrite(&mut self, batch: &Extent) -> Result<(), Failure> {
        let during = || during("writing the last batch anew");
        let mut bytes = vec![0; batch.bytes];
        self.disk.read(&self.active.name, batch.offset, &mut bytes).map_err(during())?;
        let bytes = self.with_identifiers(batch, bytes);
        self.disk
            .write(&self.active.name, batch.offset, &bytes)
            .and_then(|()| self.disk.sync(&self.active.name))
            .map_err(during())
    }

    /// The batch as it was to be. The hard state that was to be durable with it is lost with its
    /// identifiers: the one in effect stands for it.
    fn with_identifiers(&self, batch: &Extent, bytes: Vec<u8>) -> Vec<u8> {
        if Identifiers::of(batch, &bytes, self.checksum).is_some() {
            return bytes;
        }
        let walked = batch::walk_extent(batch, &bytes, self.checksum);
        let before = batch.first.previous();
        let (Some(walked), Some(term)) = (walked, self.chart.term(before)) else { return bytes };
        let entry = |(at, record): &(usize, Record)| {
            let start = at + RECORD_HEADER_BYTES;
            record.entry(Bytes::copy_from_slice(&bytes[start..start + record.payload_bytes]))
        };
        let entries: Vec<_> = walked.records.iter().map(entry).collect();
        let header = BatchHeader {
            segment: batch.segment,
            offset: batch.offset,
            epoch: batch.epoch,
            sequence: batch.sequence,
            previous: Position::new(term, before),
            generation: self.generation,
            hard_state: self.hard_state,
        };
        let mut anew = Vec::with_capacity(bytes.len());
        batch::encode(&mut anew, self.checksum, &header, &entries);
        anew
    }
}
