//! Forgetting the entries that nobody needs from the log any more, a segment at a time.

use protocol::{Index, Position};

use super::{Failure, Log, LogError, during, name};
use crate::disk::Disk;

impl<D: Disk> Log<D> {
    /// Gives up whole segments whose entries all have an index up to `through`, the oldest first,
    /// and returns the new base. The caller knows these entries to be committed and in the state.
    ///
    /// Each segment is gone for certain before the next goes, so that a crash leaves no gap. What
    /// a segment held and a later one replaced needs nobody's consent.
    pub fn trim(&mut self, through: Index) -> Result<Position, LogError> {
        self.check()?;
        while let Some((&number, &bytes)) = self.older.first_key_value() {
            let base = self.chart.end_of(number);
            if base.index > through {
                break;
            }
            let gone = self.give_up(number, bytes).and_then(|()| self.settle_names());
            gone.map_err(|failure| self.poison(failure))?;
            self.older.remove(&number);
            self.chart.trim(base);
        }
        Ok(self.base())
    }

    /// Keeps at most so many trimmed segments to be used again from now on; gives the others back
    /// to the file system, but for the next segment's.
    ///
    /// # Errors
    /// As [`Log::sync`].
    pub fn keep_spares(&mut self, most: usize) -> Result<(), LogError> {
        self.check()?;
        self.options.spares = most;
        let kept = most.max(1);
        if self.spares.len() <= kept {
            return Ok(());
        }
        let surplus = self.spares.split_off(kept);
        let mut files = surplus.iter();
        let removed = files.try_for_each(|file| self.disk.remove(file));
        let gone = removed.map_err(during("removing a spare")).and_then(|()| self.settle_names());
        gone.map_err(|failure| self.poison(failure))
    }

    /// How many trimmed segments are kept to be used again.
    #[must_use]
    pub fn spares(&self) -> usize {
        self.options.spares
    }

    /// Bytes of spares beyond the next segment: they can be given back at once.
    #[must_use]
    pub fn surplus_bytes(&self) -> u64 {
        self.spares.len().saturating_sub(1) as u64 * self.options.segment_bytes
    }

    /// Keeps the file of a segment as a spare, or removes it. Durable with the next sync.
    pub(super) fn give_up(&mut self, number: u64, bytes: u64) -> Result<(), Failure> {
        let file = name::segment(number);
        if bytes == self.options.segment_bytes && self.spares.len() < self.options.spares {
            let spare = self.free_spare_name(number);
            self.disk.rename(&file, &spare).map_err(during("keeping a trimmed segment"))?;
            self.spares.push(spare);
        } else {
            self.disk.remove(&file).map_err(during("removing a trimmed segment"))?;
        }
        Ok(())
    }

    /// Makes durable that files were renamed or removed.
    pub(super) fn settle_names(&mut self) -> Result<(), Failure> {
        self.disk.sync(&self.active.name).map_err(during("trimming the log"))
    }
}
