//! A log that is read and never written: of a member that will not run again, for whoever wants to
//! know what it had.
//!
//! It is judged as a start would judge it, with the same survey: what a start would cut is not
//! there, what is damaged and not covered by the state is an error, and what is in doubt is said.
//! Unlike a start it writes nothing: no mark where it resumes, nothing mended.

use protocol::raft::{Entry, HardState};
use protocol::{Index, Position};

use super::survey::survey;
use super::{Covered, Log, LogOptions, OpenError, ReadError, Salvage};
use crate::disk::Disk;

/// A log that is only read.
#[derive(Debug)]
pub struct Reading<D: Disk> {
    log: Log<D>,
    doubt: Option<Index>,
}

impl<D: Disk> Reading<D> {
    /// Reads a log whose state stands at `covered`.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] when anything is missing that the log had acknowledged and the state
    /// does not cover; otherwise as [`Log::open`].
    pub fn open(disk: D, options: LogOptions, covered: Covered) -> Result<Self, OpenError> {
        options.check()?;
        let page_bytes = usize::try_from(options.page_bytes).unwrap_or(usize::MAX);
        let survey = survey(&disk, options.identity, page_bytes)?;
        if survey.is_corrupt() && !survey.has_newest_hard_state() {
            return Err(OpenError::Corrupt(survey.damage));
        }
        let salvage = Salvage::examine(disk, options, survey, covered);
        if !salvage.is_sound() && !salvage.is_undecided() {
            return Err(OpenError::Corrupt(salvage.survey.damage));
        }
        let Salvage { disk, options, survey, .. } = salvage;
        let doubt = survey.doubt.filter(|doubt| *doubt > survey.last().index);
        let log = Log::from_survey(disk, options, &survey);
        Ok(Self { log, doubt })
    }

    /// Term, vote and commit. The commit index may lag.
    #[must_use]
    pub fn hard_state(&self) -> HardState {
        self.log.hard_state()
    }

    /// The position just before the first entry.
    #[must_use]
    pub fn base(&self) -> Position {
        self.log.base()
    }

    /// The last entry that is there, or the base.
    #[must_use]
    pub fn last(&self) -> Position {
        self.log.last()
    }

    /// Entries up to this index may have been acknowledged and are not there.
    #[must_use]
    pub fn doubt(&self) -> Option<Index> {
        self.doubt
    }

    /// As [`Log::read`].
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn read(&self, from: Index, max_bytes: usize) -> Result<Vec<Entry>, ReadError> {
        self.log.read(from, max_bytes)
    }
}
