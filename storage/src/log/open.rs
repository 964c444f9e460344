//! Opening: read everything, refuse what is corrupt, make sure of what nothing shows to be
//! durable (`confirm.rs`), then mark where this process resumes.

use protocol::mutant::{Mutant, planted};
use protocol::raft::HardState;

use super::append::Beginning;
use super::head::{self, Resumption, Seen};
use super::survey::{Survey, io_error, survey};
use super::{Active, Failure, Log, LogOptions, OpenError, Recovered, during, name};
use crate::disk::{Disk, SECTOR};

impl<D: Disk> Log<D> {
    /// Opens the log on this disk, or begins one where there is none. It writes at most one batch
    /// and the head of one segment anew, with at most three syncs, beside the mending of damaged
    /// copies. What it returns is durable.
    pub fn open(disk: D, options: LogOptions) -> Result<(Self, Recovered), OpenError> {
        options.check()?;
        let page_bytes = usize::try_from(options.page_bytes).unwrap_or(usize::MAX);
        let survey = survey(&disk, options.identity, page_bytes)?;
        if survey.is_corrupt() {
            return Err(OpenError::Corrupt(survey.damage));
        }
        Self::open_surveyed(disk, options, survey)
    }

    /// Opens a log in which nothing is missing that it needs.
    pub(super) fn open_surveyed(
        disk: D,
        options: LogOptions,
        mut survey: Survey,
    ) -> Result<(Self, Recovered), OpenError> {
        let recovered = Recovered {
            hard_state: survey.hard_state,
            base: survey.chart.base(),
            last: survey.last(),
            terms: survey.chart.terms().to_vec(),
            doubt: survey.doubt,
            damage: std::mem::take(&mut survey.damage),
        };
        let mut log = Self::from_survey(disk, options, &survey);
        let begun = log
            .tidy(&survey)
            .and_then(|()| log.mend(&survey))
            .and_then(|()| {
                if survey.slot.is_some() {
                    log.resume(&survey)
                } else {
                    log.begin(0, Beginning::Next)
                }
            })
            .and_then(|()| log.clear_void(&survey));
        match begun {
            Ok(()) => Ok((log, recovered)),
            Err(Failure { operation, cause }) => Err(io_error(operation)(cause)),
        }
    }

    pub(super) fn from_survey(disk: D, options: LogOptions, survey: &Survey) -> Self {
        let older = survey.segments.iter().map(|segment| (segment.header.segment, segment.bytes));
        let older = older.take(survey.segments.len().saturating_sub(1)).collect();
        let active = match survey.segments.last() {
            Some(last) => Active {
                number: last.header.segment,
                name: name::segment(last.header.segment),
                bytes: last.bytes,
                end: survey.end,
            },
            None => Active {
                number: 1,
                name: name::segment(1),
                bytes: options.segment_bytes,
                end: 2 * u64::from(options.page_bytes),
            },
        };
        Self {
            disk,
            checksum: survey.checksum,
            chart: survey.chart.clone(),
            older,
            active,
            spares: Vec::new(),
            sequence: survey.sequence,
            resumption: Resumption {
                epoch: survey.generation + 1,
                sequence: survey.sequence,
                last: survey.last(),
            },
            generation: survey.generation,
            hard_state: HardState { ..survey.hard_state },
            doubt: survey.doubt,
            slot_stale: false,
            commit_stale: false,
            pending: Vec::new(),
            resetting: None,
            burst: Vec::new(),
            poison: None,
            options,
        }
    }

    /// Keeps the spares that can be used and removes the others.
    ///
    /// Among the others is what a crash left of a beginning: a segment that has not begun, and a
    /// spare whose new name was lost while its new head was not. Such a head has the very number
    /// that is given next; were the file used for that and the beginning torn once more, it would
    /// be believed, and what was written since would be cut.
    pub(super) fn tidy(&mut self, survey: &Survey) -> Result<(), Failure> {
        let begun = survey.segments.last().map_or(0, |segment| segment.header.segment);
        for (file, bytes) in &survey.spares {
            let useful = name::spare_number(file).is_some()
                && *bytes == self.options.segment_bytes
                && self.spares.len() < self.options.spares.max(1)
                && (planted(Mutant::F5) || !self.is_stained(file, begun)?);
            if useful {
                self.spares.push(file.clone());
            } else {
                self.disk.remove(file).map_err(during("removing a spare"))?;
            }
        }
        Ok(())
    }

    /// Whether a spare has anything in its head that names a segment after the last one.
    fn is_stained(&self, file: &str, last: u64) -> Result<bool, Failure> {
        let mut head = vec![0; usize::try_from(self.head_end()).unwrap_or(usize::MAX)];
        self.disk.read(file, 0, &mut head).map_err(during("reading a spare"))?;
        Ok(head.chunks_exact(SECTOR).any(|sector| head::segment_of(sector) > Some(last)))
    }

    /// Writes damaged copies of headers anew. What depends on them has the other copy.
    fn mend(&mut self, survey: &Survey) -> Result<(), Failure> {
        let pages = [0, u64::from(self.options.page_bytes)];
        for segment in &survey.segments {
            for (page, copy) in pages.iter().zip(segment.head.headers) {
                if copy == Seen::Bad {
                    let file = name::segment(segment.header.segment);
                    self.disk
                        .write(&file, *page, &segment.header.encode())
                        .and_then(|()| self.disk.sync(&file))
                        .map_err(during("mending a header"))?;
                }
            }
        }
        Ok(())
    }
}
