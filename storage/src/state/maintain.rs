//! Giving back space, a bounded step at a time.

use std::ops::Range;
use std::sync::Arc;

use store::BackendError;

use super::backend::DiskBackend;
use super::files::Files;
use super::garbage::Buried;
use super::job::{Failure, Input, Job};
use super::manifest::Edit;
use super::plan::{Candidate, HALF, SHORT, Tombstones, held_up, plan, plan_cramped};
use super::table::{Table, file_name};
use super::version::Version;

impl<F: Files> DiskBackend<F> {
    /// One step of the job at hand, or of the next one; true when there is more to do.
    pub(super) fn work(&mut self) -> Result<bool, BackendError> {
        if self.job.is_none() {
            self.job = self.next_job();
        }
        let Some(mut job) = self.job.take() else {
            // Each had its turn; the next call begins anew.
            self.starved.clear();
            return Ok(false);
        };
        let step = job.step(&self.shared.files, self.shared.identity, self.options);
        match step {
            Ok(false) => {
                self.job = Some(job);
                Ok(true)
            }
            Ok(true) => {
                self.conclude(job)?;
                self.has_space();
                Ok(self.next_range(&self.candidates()).is_some())
            }
            Err(Failure::Read(table, error)) => {
                self.abandon(job);
                self.barred.insert(table);
                Err(error)
            }
            Err(Failure::Write(error)) => {
                self.starve(job);
                Err(self.judge(error))
            }
        }
    }

    fn next_job(&mut self) -> Option<Job<F>> {
        let candidates = self.candidates();
        let range = self.next_range(&candidates)?;
        // What is older than all of them: the dead among them go with one edit.
        let start = range.start;
        let goes = |until| !held_up(&candidates, start, until);
        let version = self.shared.version();
        let inputs = version.tables[range].iter().map(|table| {
            let dead = self.garbage.take(table.id);
            Input {
                table: Arc::clone(table),
                drops_marked: dead.marks.span.is_some_and(|span| goes(span.last)),
                drops_known: dead.tombstones.span.is_some_and(|span| goes(span.last)),
                dead,
            }
        });
        let inputs = inputs.collect();
        Some(Job::new(self.take_table_number(), inputs))
    }

    fn candidates(&self) -> Vec<Candidate> {
        let candidate = |table: &Arc<Table>| {
            let buried = self.garbage.of(table.id);
            let (dead, bytes) = buried.map_or((0, 0), |buried| buried.shares(table));
            let known = buried.and_then(|buried| buried.tombstones.span);
            Candidate {
                bytes: table.bytes,
                dead,
                since: buried.and_then(|buried| buried.marks.span).map(|span| span.first),
                tombstones: known.map(|span| Tombstones { bytes, until: span.last }),
                barred: self.barred.contains(&table.id),
                starved: self.starved.contains(&table.id),
            }
        };
        self.shared.version().tables.iter().map(candidate).collect()
    }

    fn next_range(&self, candidates: &[Candidate]) -> Option<Range<usize>> {
        match (self.thrifty, self.cramped) {
            (true, _) => plan_cramped(candidates, SHORT),
            (false, true) => plan_cramped(candidates, HALF),
            (false, false) => plan(candidates, self.options),
        }
    }

    /// While space is short, what is dead is given back sooner, at the price of more copying; the
    /// tables are not merged meanwhile, and a merge under way gives back what it has written.
    pub fn economise(&mut self, short: bool) {
        self.thrifty = short;
        self.starved.clear();
        if let Some(merge) = self.job.take_if(|job| short && job.inputs.len() > 1) {
            self.abandon(merge);
            self.measure();
        }
    }

    /// The disk was not full just now.
    pub(super) fn has_space(&mut self) {
        self.cramped = false;
        self.starved.clear();
    }

    /// Puts the copy in the place of the tables that it was made from.
    fn conclude(&mut self, mut job: Job<F>) -> Result<(), BackendError> {
        let copy = match job.finish() {
            Ok(copy) => copy.map(|(table, dead)| (Arc::new(table), dead)),
            Err(error) => {
                self.starve(job);
                return Err(self.judge(error));
            }
        };
        let contents = self.shared.contents.read();
        let edit = Edit {
            applied: contents.applied,
            newest: contents.newest,
            removed: job.inputs.iter().map(|input| input.table.id).collect(),
            added: copy.iter().map(|(table, _)| table.named()).collect(),
            ..Edit::default()
        };
        drop(contents);
        let mut tables = self.shared.version().tables.clone();
        tables.retain(|table| !edit.removed.contains(&table.id));
        tables.extend(copy.iter().map(|(table, _)| Arc::clone(table)));
        let version = Version::new(tables)?;
        if let Err(error) = self.commit(edit, Some(version)) {
            // In any other case the manifest may name the copy after a restart.
            if matches!(error, BackendError::Full(_)) {
                self.starve(job);
            }
            return Err(self.judge(error));
        }
        let copy = copy.map(|(table, dead)| {
            self.garbage.put(table.id, dead);
            table
        });
        for input in job.inputs {
            let died_meanwhile = self.garbage.take(input.table.id);
            if let Some(copy) = &copy {
                self.mark_again(copy, &died_meanwhile);
            }
            self.obsolete.push(input.table);
        }
        Ok(())
    }

    /// Marks on the copy what died while its table was copied, as of when it died.
    fn mark_again(&mut self, copy: &Table, died: &Buried) {
        let Some(span) = died.marks.span else { return };
        for revision in &died.marks.revisions {
            self.garbage.mark(copy, *revision, span);
        }
    }

    /// Gives up a job that found the disk full.
    pub(super) fn starve(&mut self, job: Job<F>) {
        self.cramped = true;
        if let [input] = &job.inputs[..] {
            self.starved.insert(input.table.id);
        }
        self.abandon(job);
    }

    /// Gives up a job: its tables stay, and so do their dead.
    fn abandon(&mut self, job: Job<F>) {
        self.discard_file(&file_name(job.id()));
        for input in job.inputs {
            self.garbage.put(input.table.id, input.dead);
        }
    }
}
