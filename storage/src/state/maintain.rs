//! Giving back space, a bounded step at a time.

use std::sync::Arc;

use store::{BackendError, Revision};

use super::backend::DiskBackend;
use super::files::Files;
use super::job::{Failure, Input, Job};
use super::manifest::Edit;
use super::plan::{Candidate, plan, plan_cramped};
use super::table::{Table, file_name};
use super::version::Version;

impl<F: Files> DiskBackend<F> {
    /// One step of the job at hand, or of the next one; true when there is more to do.
    pub(super) fn work(&mut self) -> Result<bool, BackendError> {
        if self.job.is_none() {
            self.job = self.next_job();
        }
        let Some(mut job) = self.job.take() else { return Ok(false) };
        let step = job.step(&self.shared.files, self.shared.identity, self.options);
        match step {
            Ok(false) => {
                self.job = Some(job);
                Ok(true)
            }
            Ok(true) => {
                self.conclude(job)?;
                self.cramped = false;
                Ok(self.next_range().is_some())
            }
            Err(Failure::Read(table, error)) => {
                self.abandon(job);
                self.barred.insert(table);
                Err(error)
            }
            Err(Failure::Write(error)) => {
                self.abandon(job);
                self.cramped = true;
                Err(self.judge(error))
            }
        }
    }

    fn next_job(&mut self) -> Option<Job<F>> {
        let range = self.next_range()?;
        let version = self.shared.version();
        let inputs = version.tables[range]
            .iter()
            .map(|table| Input { table: Arc::clone(table), dead: self.garbage.take(table.id) });
        let inputs = inputs.collect();
        Some(Job::new(self.take_table_number(), inputs))
    }

    fn next_range(&self) -> Option<std::ops::Range<usize>> {
        let version = self.shared.version();
        let candidate = |table: &Arc<Table>| Candidate {
            bytes: table.bytes,
            dead: self.garbage.bytes(table),
            barred: self.barred.contains(&table.id),
        };
        let candidates: Vec<_> = version.tables.iter().map(candidate).collect();
        if self.cramped {
            return plan_cramped(&candidates);
        }
        plan(&candidates, self.options.table_bytes)
    }

    /// Puts the copy in the place of the tables that it was made from.
    fn conclude(&mut self, mut job: Job<F>) -> Result<(), BackendError> {
        let copy = match job.finish() {
            Ok(copy) => copy.map(Arc::new),
            Err(error) => {
                self.abandon(job);
                self.cramped = true;
                return Err(self.judge(error));
            }
        };
        let contents = self.shared.contents.read();
        let edit = Edit {
            applied: contents.applied,
            newest: contents.newest,
            removed: job.inputs.iter().map(|input| input.table.id).collect(),
            added: copy.iter().map(|table| table.named()).collect(),
            ..Edit::default()
        };
        drop(contents);
        let mut tables = self.shared.version().tables.clone();
        tables.retain(|table| !edit.removed.contains(&table.id));
        tables.extend(copy.clone());
        let version = Version::new(tables)?;
        if let Err(error) = self.commit(edit, Some(version)) {
            // In any other case the manifest may name the copy after a restart.
            if matches!(error, BackendError::Full(_)) {
                self.abandon(job);
                self.cramped = true;
            }
            return Err(self.judge(error));
        }
        for input in job.inputs {
            let died_meanwhile = self.garbage.take(input.table.id).revisions;
            if let Some(copy) = &copy {
                self.mark_all(copy, &died_meanwhile);
            }
            self.obsolete.push(input.table);
        }
        Ok(())
    }

    fn mark_all<'a>(&mut self, table: &Table, dead: impl IntoIterator<Item = &'a Revision>) {
        for revision in dead {
            self.garbage.mark(table, *revision);
        }
    }

    /// Gives up a job: its tables stay, and so do their dead.
    fn abandon(&mut self, job: Job<F>) {
        self.discard_file(&file_name(job.id()));
        for input in job.inputs {
            self.garbage.put(input.table.id, input.dead);
        }
    }
}
