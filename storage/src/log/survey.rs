//! Which files there are, which of them have begun, and whose they are. Reads only.

use std::io;

use protocol::raft::HardState;
use protocol::{Index, Position};

use super::bytes::Checksum;
use super::chart::{Chart, Extent};
use super::error::{Damage, OpenError};
use super::head::{Head, Header, LOG_FORMAT_VERSION, Seen, Slot};
use super::hole::{Hole, Tail};
use super::name;
use super::replay::{Replay, View};
use crate::Identity;
use crate::disk::Disk;

/// A segment that has begun: its head was durable before anything else was written to it.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) head: Head,
    /// The file's length.
    pub(crate) bytes: u64,
}

/// Everything that the files say.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    pub(crate) checksum: Checksum,
    /// Ascending and contiguous, unless damage says otherwise.
    pub(crate) segments: Vec<Segment>,
    /// Segments before the one with which the log begins anew: their numbers and lengths.
    pub(crate) void: Vec<(u64, u64)>,
    /// Files that hold nothing: their names and lengths.
    pub(crate) spares: Vec<(String, u64)>,
    /// The hard state as the last segment has it; `None` in a log that has not begun.
    pub(crate) slot: Option<Slot>,
    /// The highest generation seen.
    pub(crate) generation: u64,
    pub(crate) hard_state: HardState,
    pub(crate) chart: Chart,
    /// The last batch that holds.
    pub(crate) sequence: u64,
    /// The same, where it stands.
    pub(crate) newest: Option<Extent>,
    /// Where the next batch goes in the last segment.
    pub(crate) end: u64,
    pub(crate) doubt: Option<Index>,
    pub(crate) damage: Vec<Damage>,
    /// Damaged records whose identifiers are intact, whether or not the log still needs them.
    pub(crate) holes: Vec<Hole>,
    /// The last write, when it is undecided.
    pub(crate) tail: Option<Tail>,
}

/// A segment's file before it is known whether it has begun.
struct Candidate {
    number: u64,
    name: String,
    bytes: u64,
    head: Head,
}

pub(crate) fn io_error(file: &str) -> impl FnOnce(io::Error) -> OpenError {
    let file = file.to_owned();
    move |source| OpenError::Io { file, source }
}

/// Reads the whole log. Errors are what no reading can go on from; all else is damage.
pub(crate) fn survey<D: Disk>(
    disk: &D,
    identity: Identity,
    page_bytes: usize,
) -> Result<Survey, OpenError> {
    let checksum = Checksum::new(identity);
    let mut candidates = Vec::new();
    let mut spares = Vec::new();
    for file in disk.list().map_err(io_error(""))? {
        if name::spare_number(&file.name).is_some() {
            spares.push((file.name, file.bytes));
        } else if let Some(number) = name::segment_number(&file.name) {
            let head = read_head(disk, &file.name, file.bytes, page_bytes, checksum, number)?;
            owned_by(identity, head.header())?;
            candidates.push(Candidate { number, name: file.name, bytes: file.bytes, head });
        }
    }
    let mut survey = Survey {
        checksum,
        segments: Vec::new(),
        void: Vec::new(),
        spares,
        slot: None,
        generation: 0,
        hard_state: HardState::default(),
        chart: Chart::default(),
        sequence: 0,
        newest: None,
        end: 0,
        doubt: None,
        damage: Vec::new(),
        holes: Vec::new(),
        tail: None,
    };
    let live = survey.set_void_apart(candidates);
    survey.sort(disk, live, page_bytes)?;
    survey.check(page_bytes)?;
    survey.replay(disk, page_bytes)?;
    Ok(survey)
}

fn read_head<D: Disk>(
    disk: &D,
    name: &str,
    bytes: u64,
    page_bytes: usize,
    checksum: Checksum,
    number: u64,
) -> Result<Head, OpenError> {
    let length = usize::try_from(bytes).unwrap_or(usize::MAX).min(2 * page_bytes);
    let mut head = vec![0; length];
    disk.read(name, 0, &mut head).map_err(io_error(name))?;
    Head::decode(&head, page_bytes, checksum, number)
        .map_err(|unknown| OpenError::Version { found: unknown.0, known: LOG_FORMAT_VERSION })
}

fn owned_by(wanted: Identity, header: Option<Header>) -> Result<(), OpenError> {
    match header {
        Some(header) if header.owner != wanted => {
            Err(OpenError::Foreign { found: header.owner, wanted })
        }
        Some(_) | None => Ok(()),
    }
}

impl Candidate {
    /// Whether the log begins anew with this segment. The last one must have begun for that.
    fn resets(&self, is_last: bool) -> bool {
        let begun = !is_last || self.head.slot().is_some();
        begun && self.head.header().is_some_and(|header| header.reset)
    }
}

impl Survey {
    /// Gives the segments from the last reset on. Those before it are void, whatever is in them
    /// and whichever are missing.
    fn set_void_apart(&mut self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        let last = candidates.len().saturating_sub(1);
        let mut places = candidates.iter().enumerate();
        let reset = places.rfind(|(place, candidate)| candidate.resets(*place == last));
        let Some(first) = reset.map(|(place, _)| place) else { return candidates };
        let live = candidates.split_off(first);
        self.void = candidates.into_iter().map(|void| (void.number, void.bytes)).collect();
        live
    }

    /// Tells the segments that have begun from the files that a crash left unbegun. Only the last
    /// can be such a file, only when the one before it does not say that another follows, and only
    /// when nothing stands after its head.
    fn sort<D: Disk>(
        &mut self,
        disk: &D,
        candidates: Vec<Candidate>,
        page_bytes: usize,
    ) -> Result<(), OpenError> {
        let last = candidates.last().map(|candidate| candidate.number);
        let mut expected = candidates.first().map_or(1, |candidate| candidate.number);
        let mut sealed = false;
        for candidate in candidates {
            let Candidate { number, name, bytes, head } = candidate;
            if number != expected {
                self.damage.push(Damage::Missing { segment: expected });
            }
            expected = number + 1;
            let is_last = Some(number) == last;
            if let Some(header) = head.header().filter(|_| head.slot().is_some() || !is_last) {
                sealed = head.slot().is_some_and(|slot| slot.sealed);
                self.segments.push(Segment { header, head, bytes });
                continue;
            }
            let file = read_file(disk, &name, bytes)?;
            let begun = sealed
                || !is_last
                || (self.segments.is_empty() && number != 1)
                || View::new(self.checksum, number, &file, 2 * page_bytes, None).has_begun();
            let slots_bad = head.slots.iter().all(|slot| *slot == Seen::Bad);
            let headers_bad = head.headers.iter().all(|header| *header == Seen::Bad);
            if head.header().is_some() && (begun || slots_bad) {
                return Err(OpenError::HardStateLost { segment: number });
            } else if begun || slots_bad || headers_bad {
                self.damage.push(Damage::Header { segment: number });
            } else {
                self.spares.push((name, bytes));
                expected = number;
            }
        }
        if sealed && self.segments.last().is_some_and(|s| s.header.segment + 1 == expected) {
            self.damage.push(Damage::Missing { segment: expected });
        }
        Ok(())
    }

    /// Checks what the headers say about sizes, and notes damaged copies.
    fn check(&mut self, page_bytes: usize) -> Result<(), OpenError> {
        let last = self.segments.len().saturating_sub(1);
        for (place, segment) in self.segments.iter().enumerate() {
            let Header { segment: number, segment_bytes, .. } = segment.header;
            if usize::try_from(segment.header.page_bytes) != Ok(page_bytes) {
                return Err(OpenError::Options("the log was created with another page size"));
            }
            if segment.bytes < segment_bytes {
                let bytes = segment.bytes;
                self.damage.push(Damage::Short { segment: number, bytes, created: segment_bytes });
            }
            for copy in 0..2_u8 {
                if segment.head.headers[usize::from(copy)] == Seen::Bad {
                    self.damage.push(Damage::HeaderCopy { segment: number, copy });
                }
                if place == last && segment.head.slots[usize::from(copy)] == Seen::Bad {
                    self.damage.push(Damage::HardStateCopy { segment: number, copy });
                }
            }
        }
        Ok(())
    }

    fn replay<D: Disk>(&mut self, disk: &D, page_bytes: usize) -> Result<(), OpenError> {
        let (Some(first), Some(last)) = (self.segments.first(), self.segments.last()) else {
            return Ok(());
        };
        let number = last.header.segment;
        let slot = last.head.slot().ok_or(OpenError::HardStateLost { segment: number })?;
        let mut replay = Replay::new(slot, &first.header);
        let mut end = 0;
        for (place, segment) in self.segments.iter().enumerate() {
            let number = segment.header.segment;
            let bytes = read_file(disk, &name::segment(number), segment.bytes)?;
            let next = self.segments.get(place + 1).map(|next| next.header);
            let view = View::new(self.checksum, number, &bytes, 2 * page_bytes, next);
            end = replay.segment(&view);
        }
        replay.finish(number, end);
        self.slot = Some(slot);
        self.generation = replay.generation;
        self.hard_state = replay.hard_state;
        self.sequence = replay.sequence;
        self.newest = replay.newest;
        self.doubt = replay.doubt;
        self.damage.append(&mut replay.damage);
        self.holes = replay.holes;
        self.tail = replay.tail;
        self.chart = replay.chart;
        self.end = end as u64;
        // The commit index travels with other writes and may be ahead of what survived of them.
        self.hard_state.commit = self.hard_state.commit.min(self.chart.last().index);
        Ok(())
    }

    pub(crate) fn is_corrupt(&self) -> bool {
        self.damage.iter().any(Damage::is_corruption)
    }

    /// The last batch, when nothing shows that its sync was ever confirmed: neither a hard state
    /// written after it nor a segment begun after it. All batches before it are confirmed.
    pub(crate) fn unconfirmed(&self) -> Option<Extent> {
        let active = self.segments.last()?.header;
        let completed = self.slot.map_or(0, |slot| slot.completed).max(active.sequence);
        self.newest.filter(|batch| batch.sequence > completed)
    }

    /// Whether the last segment holds no batch.
    pub(crate) fn is_fresh(&self) -> bool {
        let active = self.segments.last().map(|segment| segment.header.segment);
        self.newest.map(|batch| batch.segment) != active
    }

    pub(crate) fn last(&self) -> Position {
        self.chart.last()
    }
}

pub(crate) fn read_file<D: Disk>(disk: &D, name: &str, bytes: u64) -> Result<Vec<u8>, OpenError> {
    let length = usize::try_from(bytes).map_err(io::Error::other).map_err(io_error(name))?;
    let mut file = vec![0; length];
    disk.read(name, 0, &mut file).map_err(io_error(name))?;
    Ok(file)
}
