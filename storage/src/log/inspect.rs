//! The log as an operator sees it. Reads only; needs no lock and repairs nothing.

use std::io;

use protocol::raft::HardState;
use protocol::{Index, Position, Term};

use super::batch::{self, Identifiers};
use super::error::{Damage, OpenError};
use super::head::{Header, LOG_FORMAT_VERSION, UnknownVersion};
use super::name;
use super::record::Kind;
use super::survey::{Segment, Survey, io_error, read_file, survey};
use crate::Identity;
use crate::disk::{Disk, SECTOR};

/// Everything that the files of a log say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whose log it is.
    pub identity: Identity,
    /// The version of its format: the newest that one of its segments needs.
    pub version: u32,
    /// The length of each of the two pages of a segment's head, in bytes.
    pub page_bytes: u32,
    /// Term, vote and commit.
    pub hard_state: HardState,
    /// How often the hard state was written.
    pub generation: u64,
    /// The position just before the first entry.
    pub base: Position,
    /// The last entry, or the base.
    pub last: Position,
    /// Each run's first index and its term.
    pub terms: Vec<(Index, Term)>,
    /// Entries up to this index may have been acknowledged and are not there.
    pub doubt: Option<Index>,
    /// What is damaged, corruption included.
    pub damage: Vec<Damage>,
    /// The segments that have begun, the oldest first.
    pub segments: Vec<SegmentReport>,
    /// Files of segments that a reset gave up, and that the next start removes.
    pub void: Vec<String>,
    /// Files that hold nothing and wait to be used.
    pub spares: Vec<String>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// Its number.
    pub number: u64,
    /// Its file.
    pub file: String,
    /// The file's length in bytes.
    pub bytes: u64,
    /// The last entry of the log when it began.
    pub begins_after: Position,
    /// Whether the log began anew with it.
    pub reset: bool,
    /// The last write before it.
    pub sequence: u64,
    /// The writes in it that the log still needs.
    pub writes: Vec<WriteReport>,
}

/// What one sync wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteReport {
    /// Its number.
    pub sequence: u64,
    /// Where it stands in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: usize,
    /// Whether its identifiers verify.
    pub identified: bool,
    /// Its entries, as far as no later write replaced them.
    pub entries: Vec<EntryReport>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryReport {
    /// Its index and term.
    pub position: Position,
    /// `empty`, `command` or `membership`; `None` when it does not verify.
    pub kind: Option<&'static str>,
    /// Where its record stands in the file, in bytes.
    pub offset: u64,
    /// The payload's length in bytes; `None` when it does not verify.
    pub payload_bytes: Option<usize>,
    /// The checksum of the record, from its identifier.
    pub checksum: Option<u32>,
}

/// Reads a whole log. `Ok(None)` when there is none on this disk. Damage, corruption included, is
/// part of the answer; errors are what no reading can go on from.
pub fn inspect<D: Disk>(disk: &D) -> Result<Option<Inspection>, OpenError> {
    let Some(header) = first_header(disk)? else { return Ok(None) };
    let (identity, version) = (header.owner, header.version());
    let page_bytes = usize::try_from(header.page_bytes).unwrap_or(usize::MAX);
    let found = survey(disk, identity, page_bytes)?;
    let mut segments = Vec::with_capacity(found.segments.len());
    for segment in &found.segments {
        segments.push(report(disk, &found, segment)?);
    }
    Ok(Some(Inspection {
        identity,
        version: found.segments.iter().map(|s| s.header.version()).max().unwrap_or(version),
        page_bytes: header.page_bytes,
        hard_state: found.hard_state,
        generation: found.generation,
        base: found.chart.base(),
        last: found.last(),
        terms: found.chart.terms().to_vec(),
        doubt: found.doubt,
        damage: found.damage,
        segments,
        void: found.void.iter().map(|(number, _)| name::segment(*number)).collect(),
        spares: found.spares.into_iter().map(|(file, _)| file).collect(),
    }))
}

/// The first header that verifies, wherever the second copies may be.
fn first_header<D: Disk>(disk: &D) -> Result<Option<Header>, OpenError> {
    let version = |unknown: UnknownVersion| OpenError::Version {
        found: unknown.0,
        known: LOG_FORMAT_VERSION,
    };
    for file in disk.list().map_err(io_error(""))? {
        let Some(number) = name::segment_number(&file.name) else { continue };
        let bytes = read_file(disk, &file.name, file.bytes)?;
        for sector in bytes.chunks_exact(SECTOR) {
            if let Some(header) = Header::decode(sector, number).map_err(version)?.valid() {
                return Ok(Some(header));
            }
        }
    }
    Ok(None)
}

fn report<D: Disk>(
    disk: &D,
    survey: &Survey,
    segment: &Segment,
) -> Result<SegmentReport, OpenError> {
    let Header { segment: number, last, sequence, reset, .. } = segment.header;
    let file = name::segment(number);
    let contents = read_file(disk, &file, segment.bytes)?;
    let mut writes = Vec::new();
    for extent in survey.chart.extents().filter(|extent| extent.segment == number) {
        let start = usize::try_from(extent.offset).map_err(io::Error::other);
        let start = start.map_err(io_error(&file))?;
        let rest = contents.get(start..).unwrap_or_default();
        let live = extent.first..=extent.last;
        let found = Identifiers::of(extent, rest, survey.checksum);
        let entries = match &found {
            Some(found) => {
                let reports = found.records(rest, survey.checksum).zip(&found.list);
                let entry = |((position, at, record), id): ((_, usize, Option<_>), &_)| {
                    entry_report(position, extent.offset, at, record, Some(id))
                };
                reports.map(entry).collect()
            }
            None => batch::walk_extent(extent, rest, survey.checksum)
                .map_or_else(Vec::new, |walked| walked.records)
                .into_iter()
                .map(|(at, r)| entry_report(r.position, extent.offset, at, Some(r), None))
                .collect::<Vec<_>>(),
        };
        writes.push(WriteReport {
            sequence: extent.sequence,
            offset: extent.offset,
            bytes: extent.bytes,
            identified: found.is_some(),
            entries: entries.into_iter().filter(|e| live.contains(&e.position.index)).collect(),
        });
    }
    let bytes = segment.bytes;
    Ok(SegmentReport { number, file, bytes, begins_after: last, reset, sequence, writes })
}

fn entry_report(
    position: Position,
    batch: u64,
    at: usize,
    record: Option<super::record::Record>,
    identifier: Option<&batch::Identifier>,
) -> EntryReport {
    let kind = |kind| match kind {
        Kind::Empty => "empty",
        Kind::Command => "command",
        Kind::Membership => "membership",
    };
    EntryReport {
        position,
        kind: record.map(|record| kind(record.kind)),
        offset: batch + at as u64,
        payload_bytes: record.map(|record| record.payload_bytes),
        checksum: identifier.map(|id| id.crc).or(record.map(|record| record.crc)),
    }
}
