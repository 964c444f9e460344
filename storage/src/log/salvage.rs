//! A log that cannot be opened as it is: what of it is intact, and how it gets whole again.
//!
//! What a log had acknowledged and has no more is neither served nor cut as if it had not been
//! there. There are two ways on, and both need other members:
//!
//! - **Filling.** Where the identifiers of damaged records are intact, they say exactly which
//!   entries are missing ([`Salvage::wanted`]). Any member that holds one of them can give it, even
//!   one that is as damaged elsewhere: equal positions are equal entries (Raft §5.3, log matching),
//!   and the checksum of the lost record has the last word. The records are written in their old
//!   places, sector by sector as the rest of the sector is, so a crash leaves each of them damaged
//!   or whole. When the last is filled the log is byte for byte what it was, and so is every
//!   promise made on it: nothing follows for consensus. (Alagappan et al., FAST'18 §3.4.)
//! - **Surrender.** What cannot be identified, or what nobody has, may have been acknowledged. Only
//!   a leader whose term is at least this log's makes up for it: everything that was ever committed
//!   with this node's help is in its log (Raft §5.4.3, leader completeness). Then the log begins
//!   anew after what the state covers, and in doubt up to the end of that leader's log: until it is
//!   filled that far this node does not vote.
//!
//! What the state covers need not be whole: [`Log::open_or_salvage`] opens such a log, and reads of
//! what is damaged in it are errors.
//!
//! Term and vote are not salvaged. They have two copies; where both are lost, or the newest segment
//! is, this node might vote twice and must rejoin as a new member.

use std::collections::BTreeMap;

use protocol::raft::{Entry, HardState};
use protocol::{Index, Position};

use super::chart::Chart;
use super::error::{Damage, OpenError};
use super::hole::Hole;
use super::read::find_in;
use super::survey::{Survey, io_error, survey};
use super::{Failure, Log, LogOptions, Recovered, name};
use crate::disk::{Disk, SECTOR};

/// What the state makes up for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// The last entry that the state covers.
    pub applied: Position,
    /// Where the state was installed as a whole, if it ever was.
    pub installed: Option<Position>,
}

/// What became of opening a log.
#[derive(Debug)]
pub enum Opening<D: Disk> {
    /// It is open.
    Whole(Box<Log<D>>, Recovered),
    /// It lacks what it may have acknowledged. Nothing was changed.
    Wounded(Box<Salvage<D>>),
}

/// A log that lacks what it may have acknowledged.
#[derive(Debug)]
pub struct Salvage<D: Disk> {
    pub(super) disk: D,
    pub(super) options: LogOptions,
    pub(super) survey: Survey,
    /// With the last batch, even if it is undecided.
    chart: Chart,
    covered: Position,
    holes: BTreeMap<Index, Hole>,
    helpless: bool,
}

impl<D: Disk> Log<D> {
    /// Opens the log as [`Log::open`] does, but for what is damaged in it: where the state covers
    /// that, it does not matter; otherwise what is intact can be salvaged. So can a log whose last
    /// write is undecided.
    ///
    /// # Errors
    /// As [`Log::open`]: [`OpenError::Corrupt`] where the newest hard state may be lost.
    pub fn open_or_salvage(
        disk: D,
        options: LogOptions,
        covered: Covered,
    ) -> Result<Opening<D>, OpenError> {
        options.check()?;
        let page_bytes = usize::try_from(options.page_bytes).unwrap_or(usize::MAX);
        let survey = survey(&disk, options.identity, page_bytes)?;
        if survey.is_corrupt() && !survey.has_newest_hard_state() {
            return Err(OpenError::Corrupt(survey.damage));
        }
        let salvage = Salvage::examine(disk, options, survey, covered);
        if salvage.is_sound() {
            let Salvage { disk, options, survey, .. } = salvage;
            let (log, recovered) = Self::open_surveyed(disk, options, survey)?;
            return Ok(Opening::Whole(Box::new(log), recovered));
        }
        Ok(Opening::Wounded(Box::new(salvage)))
    }
}

impl Survey {
    /// Whether the hard state that was found is the newest that was ever written.
    pub(super) fn has_newest_hard_state(&self) -> bool {
        let newest = self.segments.last().map(|segment| segment.header.segment);
        let first_missing = |damage: &Damage| match *damage {
            Damage::Header { segment } | Damage::Missing { segment } => Some(segment),
            _ => None,
        };
        let missing = self.damage.iter().filter_map(first_missing).max();
        self.slot.is_some_and(|slot| !slot.sealed) && missing < newest
    }

    /// Whether something that the state does not cover is missing, and it cannot be told what.
    fn lacks_more_than(&self, covered: Covered) -> bool {
        let Position { index: applied, .. } = covered.applied;
        let (base, last) = (self.chart.base().index, self.last().index);
        // The log is to begin anew after the state anyway: `Log::adopt`. Not where it has lost
        // something: that may have been what made it hold the state's last entry, and more.
        let replaced = covered.installed == Some(covered.applied)
            && base <= applied
            && !self.chart.holds(covered.applied);
        let lost = |damage: &Damage| match *damage {
            Damage::Lost { through, .. } => through.is_none_or(|through| through > applied),
            Damage::Header { .. } | Damage::Short { .. } | Damage::Missing { .. } => true,
            Damage::Torn { .. }
            | Damage::Undecided { .. }
            | Damage::Identifiers { .. }
            | Damage::HeaderCopy { .. }
            | Damage::HardStateCopy { .. }
            | Damage::Entries { .. } => false,
        };
        let beside = base > applied || last < applied;
        self.damage.iter().any(lost) || beside && !replaced
    }
}

impl<D: Disk> Salvage<D> {
    /// Finds out what is missing that the state does not cover.
    pub(super) fn examine(disk: D, options: LogOptions, survey: Survey, covered: Covered) -> Self {
        let chart = match &survey.tail {
            Some(tail) => tail.joined(survey.chart.clone()),
            None => survey.chart.clone(),
        };
        let applied = covered.applied;
        let holes = survey.holes.iter().filter(|hole| hole.position.index > applied.index);
        let holes: BTreeMap<_, _> = holes
            .filter(|hole| hole.is_live(&chart))
            .map(|hole| (hole.position.index, *hole))
            .collect();
        let helpless = survey.lacks_more_than(covered);
        Self { disk, options, survey, chart, covered: applied, holes, helpless }
    }

    /// Whether nothing is missing, or there is no log yet.
    pub(super) fn is_sound(&self) -> bool {
        self.survey.slot.is_none() || (self.holes.is_empty() && !self.helpless)
    }

    /// The entries that are missing, as far as they are known, ascending.
    pub fn wanted(&self) -> impl Iterator<Item = Position> {
        self.holes.values().map(|hole| hole.position)
    }

    /// Whether more is missing than [`Salvage::wanted`] says: only [`Salvage::surrender`] helps.
    #[must_use]
    pub fn is_helpless(&self) -> bool {
        self.helpless
    }

    /// Whether all that is missing is of the last write, which nothing proves to have been
    /// acknowledged: such a log may be opened, in doubt ([`Salvage::open_in_doubt`]).
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        let tail = self.survey.tail.as_ref().map(|tail| tail.extent.first);
        let of_tail = |index: &Index| tail.is_some_and(|first| *index >= first);
        !self.helpless && self.holes.keys().all(of_tail)
    }

    /// Term, vote and commit.
    #[must_use]
    pub fn hard_state(&self) -> HardState {
        self.survey.hard_state
    }

    /// What is wrong.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.survey.damage
    }

    /// An intact entry, for a member that lacks it; `None` when it is not here, or not intact.
    #[must_use]
    pub fn find(&self, position: Position) -> Option<Entry> {
        find_in(&self.disk, self.survey.checksum, &self.chart, position)
    }

    /// Puts entries back where they were, durably. Those that are not wanted, or are not the ones
    /// that were lost, are passed over.
    ///
    /// # Errors
    /// [`OpenError::Io`]: the disk failed. The entries of this call are still wanted; it is safe to
    /// begin again with opening the log.
    pub fn fill(&mut self, entries: &[Entry]) -> Result<(), OpenError> {
        let mut filled = Vec::new();
        for entry in entries {
            let index = entry.position.index;
            let hole = self.holes.get(&index).copied();
            let Some((hole, record)) =
                hole.and_then(|hole| Some((hole, hole.record(entry, self.survey.checksum)?)))
            else {
                continue;
            };
            let file = name::segment(hole.segment);
            patch(&mut self.disk, &file, hole.offset, &record).map_err(io_error(&file))?;
            filled.push((index, file));
        }
        let mut files: Vec<&str> = filled.iter().map(|(_, file)| file.as_str()).collect();
        files.dedup();
        for file in files {
            self.disk.sync(file).map_err(io_error(file))?;
        }
        for (index, _) in &filled {
            self.holes.remove(index);
        }
        Ok(())
    }

    /// Opens a log that is undecided, in doubt about its last write: up to its end, and at most
    /// up to `led`, the end of the log of a leader of this node's term or a later one.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_in_doubt(self, led: Option<Index>) -> Result<(Log<D>, Recovered), OpenError> {
        if !self.is_undecided() {
            return Err(OpenError::Corrupt(self.survey.damage));
        }
        let (mut log, mut recovered) = Log::open_surveyed(self.disk, self.options, self.survey)?;
        if let Some(led) = led {
            // What that leader's log ends before was never committed.
            let last = log.last().index;
            log.doubt = log.doubt.map(|doubt| doubt.min(led)).filter(|doubt| *doubt > last);
            log.slot_stale |= log.doubt != recovered.doubt;
            recovered.doubt = log.doubt;
        }
        Ok((log, recovered))
    }

    /// Gives up on what is missing: the log begins anew after what the state covers, in doubt up
    /// to `doubt`, the end of the log of a leader of this node's term or a later one. Then the log
    /// is to be opened again.
    ///
    /// # Errors
    /// [`OpenError::Io`]: the disk failed, and the log is as it was, or begins anew.
    pub fn surrender(self, doubt: Index) -> Result<D, OpenError> {
        let failed = |Failure { operation, cause }| io_error(operation)(cause);
        let mut log = Log::from_survey(self.disk, self.options, &self.survey);
        log.tidy(&self.survey).map_err(failed)?;
        let HardState { term, vote, .. } = log.hard_state;
        let vote = vote.filter(|_| self.covered.term <= term);
        let term = term.max(self.covered.term);
        log.hard_state = HardState { term, vote, commit: self.covered.index };
        log.doubt = Some(doubt).filter(|doubt| *doubt > Index(0));
        log.renew(self.covered).map_err(failed)?;
        Ok(log.into_disk())
    }

    /// Gives the disk back, for the log to be opened.
    #[must_use]
    pub fn into_disk(self) -> D {
        self.disk
    }
}

/// Writes `bytes` at `offset`, with whole sectors around them as they are.
fn patch<D: Disk>(disk: &mut D, file: &str, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
    let sector = SECTOR as u64;
    let begin = offset / sector * sector;
    let end = (offset + bytes.len() as u64).next_multiple_of(sector);
    let length = usize::try_from(end - begin).map_err(std::io::Error::other)?;
    let start = usize::try_from(offset - begin).map_err(std::io::Error::other)?;
    let mut sectors = vec![0; length];
    disk.read(file, begin, &mut sectors)?;
    sectors[start..start + bytes.len()].copy_from_slice(bytes);
    disk.write(file, begin, &sectors)
}
