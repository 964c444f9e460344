//! Group commit: what is appended waits in memory until one batch and one sync take it all.

use std::io;
use std::sync::Arc;

use protocol::mutant::{Mutant, planted};
use protocol::raft::{Entry, Write};
use protocol::{Index, Position};

use super::batch::{self, BatchHeader, identifiers_bytes};
use super::bytes::whole_sectors;
use super::chart::Extent;
use super::head::{Header, Slot};
use super::record::{self, record_bytes};
use super::{Active, Failure, Log, LogError, during, name};
use crate::disk::{Disk, SECTOR};

/// Why a flush stopped.
enum Stop {
    /// What the disk holds is unknown.
    Failed(Failure),
    /// A segment was to begin and there is no room for its file. Nothing of it was begun, and what
    /// was not written waits.
    NoRoom(Arc<io::Error>),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What a new segment is to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// The next one, or the first.
    Next,
    /// The log begins anew with it: a reset.
    Anew,
}

impl<D: Disk> Log<D> {
    /// Queues a write. Nothing reaches the disk before [`Log::sync`]. A reset drops the entries
    /// that wait, and what comes later follows its position. A write that is refused as misplaced
    /// or too large leaves everything as it was.
    pub fn append(&mut self, write: &Write) -> Result<(), LogError> {
        self.check()?;
        self.check_entries(write)?;
        if let Some(hard_state) = write.hard_state {
            let old = self.hard_state;
            self.slot_stale |= (old.term, old.vote) != (hard_state.term, hard_state.vote);
            self.commit_stale |= old.commit != hard_state.commit;
            self.hard_state = hard_state;
        }
        if write.reset.is_some() {
            self.resetting = write.reset;
            self.pending.clear();
        }
        if let (Some(first), Some(queued)) = (write.entries.first(), self.pending.first()) {
            let kept = first.position.index.0.saturating_sub(queued.position.index.0);
            self.pending.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        }
        self.pending.extend_from_slice(&write.entries);
        Ok(())
    }

    /// Queues that everything after `through` is cut off. As a truncation is the batch that
    /// replaces what was there, the last entry that stays is queued anew.
    ///
    /// # Errors
    /// [`LogError::Misplaced`] below the base. When that entry cannot be read the log is closed.
    pub fn cut(&mut self, through: Index) -> Result<(), LogError> {
        self.check()?;
        let (base, last) = self.queued();
        if through >= last.index {
            return Ok(());
        }
        if through < base.index {
            let found = Position::new(base.term, through);
            return Err(LogError::Misplaced { found, base, last });
        }
        let queued = self.pending.first().map_or(through.next(), |first| first.position.index);
        let kept = (through.0 + 1).saturating_sub(queued.0);
        self.pending.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        if !self.pending.is_empty() || self.resetting.is_some_and(|at| at.index == through) {
            return Ok(());
        }
        if through == base.index {
            self.resetting = Some(base);
            return Ok(());
        }
        let position = Position::new(self.chart.term(through).unwrap_or_default(), through);
        let Some(entry) = self.find(position) else {
            let cause = io::Error::other(format!("the log cannot read its entry {position}"));
            return Err(self.poison(Failure { operation: "cutting the log", cause }));
        };
        self.pending.push(entry);
        Ok(())
    }

    /// Makes everything that was queued durable: one batch of entries and one sync, as long as it
    /// fits into the segment and into one batch. `Ok` acknowledges.
    ///
    /// # Errors
    /// [`LogError::NoSpare`]: the next segment has no room. What was queued and is not written yet
    /// is queued still: a later call goes on with it. Any other error ends this log.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.check()?;
        self.flush().map_err(|stop| match stop {
            Stop::Failed(failure) => self.poison(failure),
            Stop::NoRoom(cause) => LogError::NoSpare { cause },
        })
    }

    /// Makes sure that the next segment's file exists, so that no sync has to wait for it. To be
    /// called when there is time. A failure changes nothing.
    pub fn prepare(&mut self) -> Result<(), LogError> {
        self.check()?;
        if self.spares.is_empty() {
            self.create_spare().map_err(|f| LogError::NoSpare { cause: Arc::new(f.cause) })?;
        }
        Ok(())
    }

    /// Ends the log in order: what is queued is synced, and the hard state then proves that the
    /// last batch was whole, so that later damage to it is known for corruption. What there is no
    /// room for was never acknowledged, and is let go.
    pub fn close(mut self) -> Result<D, LogError> {
        match self.sync() {
            Err(LogError::NoSpare { .. }) => {
                self.pending.clear();
                self.resetting = None;
            }
            synced => synced?,
        }
        self.slot_stale = true;
        self.sync()?;
        Ok(self.disk)
    }

    /// Declares that no entry that was in doubt had been acknowledged, for an operator who knows.
    /// Durable when it returns.
    pub fn dismiss_doubt(&mut self) -> Result<(), LogError> {
        self.check()?;
        self.slot_stale |= self.doubt.take().is_some();
        self.sync()
    }

    /// The base and the last entry, with what is queued.
    fn queued(&self) -> (Position, Position) {
        let base = self.resetting.unwrap_or(self.base());
        let last = self.resetting.unwrap_or(self.chart.last());
        (base, self.pending.last().map_or(last, |entry| entry.position))
    }

    fn check_entries(&self, write: &Write) -> Result<(), LogError> {
        let entries = &write.entries;
        let Some(first) = entries.first() else { return Ok(()) };
        let (base, last) = write.reset.map_or_else(|| self.queued(), |reset| (reset, reset));
        let misplaced = |found| LogError::Misplaced { found, base, last };
        let index = first.position.index;
        if index <= base.index || index > last.index.next() {
            return Err(misplaced(first.position));
        }
        let most = self.longest_payload();
        for (entry, expected) in entries.iter().zip(index.0..) {
            if entry.position.index.0 != expected {
                return Err(misplaced(entry.position));
            }
            let bytes = record::payload(entry).len();
            if bytes > most {
                return Err(LogError::TooLarge { bytes, most });
            }
        }
        Ok(())
    }

    /// The longest payload of an entry that a new segment has room for, in bytes.
    #[must_use]
    pub fn longest_payload(&self) -> usize {
        let room = self.options.segment_bytes - self.head_end();
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        room - identifiers_bytes(1) - record_bytes(0)
    }

    fn flush(&mut self) -> Result<(), Stop> {
        if let Some(last) = self.resetting {
            self.find_room()?;
            self.renew(last)?;
            self.resetting = None;
        }
        let mut pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        loop {
            let count = self.fitting(rest);
            if count == 0 && !rest.is_empty() {
                if let Err(stop) = self.find_room() {
                    self.pending = rest.to_vec();
                    return Err(stop);
                }
                self.rotate()?;
                continue;
            }
            let idle = count == 0 && !self.slot_stale && !self.commit_stale;
            if idle {
                break;
            }
            // The commit index rides in the batch when there is one.
            if self.slot_stale || count == 0 {
                self.write_slots(false)?;
            }
            let (now, later) = rest.split_at(count);
            let extent = if now.is_empty() { None } else { Some(self.write_batch(now)?) };
            if !planted(Mutant::W8) || rest.len() == pending.len() {
                let synced = self.disk.sync(&self.active.name);
                let again = planted(Mutant::W3) && synced.is_err();
                let synced = if again { self.disk.sync(&self.active.name) } else { synced };
                synced.map_err(during("syncing the log"))?;
            }
            self.slot_stale = false;
            self.commit_stale = false;
            if let Some(extent) = extent {
                self.completed(extent, now);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    /// How many of these entries go into one batch in this segment.
    fn fitting(&self, entries: &[Entry]) -> usize {
        let room = self.active.bytes.saturating_sub(self.active.end);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let mut records = 0;
        for (place, entry) in entries.iter().enumerate() {
            records += record_bytes(record::payload(entry).len());
            let bytes = identifiers_bytes(place + 1) + whole_sectors(records);
            if bytes > room || (place > 0 && bytes > self.options.batch_bytes) {
                return place;
            }
        }
        entries.len()
    }

    fn write_batch(&mut self, entries: &[Entry]) -> Result<Extent, Failure> {
        let first = entries[0].position.index;
        let before = first.previous();
        let term = self.chart.term(before).expect("entries follow what the chart holds");
        let header = BatchHeader {
            segment: self.active.number,
            offset: self.active.end,
            epoch: self.resumption.epoch,
            sequence: self.sequence + 1,
            previous: Position::new(term, before),
            generation: self.generation,
            hard_state: self.hard_state,
        };
        batch::encode(&mut self.burst, self.checksum, &header, entries);
        // The evidence last: a process that is killed in between leaves no identifiers without
        // their records, hence no doubt. (A kernel gives up a long write when the signal comes.)
        let (identifiers, records) = self.burst.split_at(identifiers_bytes(entries.len()));
        for (offset, bytes) in [(identifiers.len(), records), (0, identifiers)] {
            self.disk
                .write(&self.active.name, self.active.end + offset as u64, bytes)
                .map_err(during("writing the log"))?;
        }
        Ok(Extent {
            first,
            last: Index(before.0 + entries.len() as u64),
            segment: header.segment,
            offset: header.offset,
            bytes: self.burst.len(),
            sequence: header.sequence,
            epoch: header.epoch,
        })
    }

    fn completed(&mut self, extent: Extent, entries: &[Entry]) {
        self.sequence = extent.sequence;
        self.active.end += extent.bytes as u64;
        self.chart.extend(extent, entries.iter().map(|entry| entry.position.term));
        if self.doubt.is_some_and(|doubt| doubt <= extent.last) {
            // Only a leader's entries can have filled the log: this node does not campaign.
            self.doubt = None;
            self.slot_stale = true;
        }
    }

    /// Writes both copies of the hard state of the active segment.
    pub(super) fn write_slots(&mut self, sealed: bool) -> Result<(), Failure> {
        self.generation += 1;
        let slot = self.slot(sealed);
        for (copy, page) in [(0, 0), (1, u64::from(self.options.page_bytes))] {
            let sector = slot.encode(self.checksum, self.active.number, copy);
            self.disk
                .write(&self.active.name, page + SECTOR as u64, &sector)
                .map_err(during("writing the hard state"))?;
        }
        Ok(())
    }

    fn slot(&self, sealed: bool) -> Slot {
        Slot {
            generation: self.generation,
            hard_state: self.hard_state,
            completed: self.sequence,
            resumption: self.resumption,
            doubt: self.doubt,
            sealed,
        }
    }

    /// Begins the next segment, then marks the one before it as followed by another.
    fn rotate(&mut self) -> Result<(), Failure> {
        let number = self.active.number + 1;
        let fresh = self.fresh(number);
        let old = std::mem::replace(&mut self.active, fresh);
        self.begin(old.end, Beginning::Next)?;
        self.older.insert(old.number, old.bytes);
        self.seal(old)
    }

    /// Marks the segment before the active one, whose head is durable, as followed by another.
    pub(super) fn seal(&mut self, old: Active) -> Result<(), Failure> {
        let active = std::mem::replace(&mut self.active, old);
        self.write_slots(true)?;
        self.disk.sync(&self.active.name).map_err(during("sealing a segment"))?;
        self.active = active;
        Ok(())
    }

    pub(super) fn fresh(&self, number: u64) -> Active {
        Active {
            number,
            name: name::segment(number),
            bytes: self.options.segment_bytes,
            end: self.head_end(),
        }
    }

    /// Turns a spare into the active segment and makes its head durable.
    pub(super) fn begin(&mut self, previous_end: u64, how: Beginning) -> Result<(), Failure> {
        if self.spares.is_empty() {
            self.create_spare()?;
        }
        let spare = self.spares.pop().expect("there is one now");
        let file = self.active.name.clone();
        self.disk.rename(&spare, &file).map_err(during("renaming a spare"))?;
        let header = Header {
            owner: self.options.identity,
            segment: self.active.number,
            segment_bytes: self.active.bytes,
            page_bytes: self.options.page_bytes,
            previous_end,
            sequence: self.sequence,
            last: self.chart.last(),
            reset: how == Beginning::Anew,
        };
        let sector = header.encode();
        for page in [0, u64::from(self.options.page_bytes)] {
            self.disk.write(&file, page, &sector).map_err(during("writing a header"))?;
        }
        self.write_slots(false)?;
        self.disk.sync(&file).map_err(during("beginning a segment"))?;
        // It began with the hard state as it is now.
        self.slot_stale = false;
        self.commit_stale = false;
        Ok(())
    }

    /// A name that no spare has: one made in advance may still carry the number of a segment that
    /// has been filled and trimmed since.
    pub(super) fn free_spare_name(&self, from: u64) -> String {
        let mut names = (from..).map(name::spare);
        names.find(|name| !self.spares.contains(name)).expect("there are fewer spares than numbers")
    }

    /// Makes sure that a segment can begin, before anything of it does.
    fn find_room(&mut self) -> Result<(), Stop> {
        if !self.spares.is_empty() {
            return Ok(());
        }
        self.create_spare().map_err(|failure| match failure.cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Stop::NoRoom(Arc::new(failure.cause))
            }
            _ => Stop::Failed(failure),
        })
    }

    fn create_spare(&mut self) -> Result<(), Failure> {
        let spare = self.free_spare_name(self.active.number + 1);
        self.disk
            .create(&spare, self.options.segment_bytes)
            .map_err(during("creating a segment"))?;
        self.spares.push(spare);
        Ok(())
    }
}
