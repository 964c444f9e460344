//! A script in which states from elsewhere take the place of the one that stands, and what must be
//! found when it is broken off.

use bytes::Bytes;
use protocol::{Index, Position, Rng};
use storage::state::{DiskBackend, Files};
use store::{Backend, BackendError, BackendRead, Record, Revision};

use crate::support::{Truth, settle};

/// A state from elsewhere: what is staged, and what it must be once it is installed.
#[derive(Clone)]
pub(crate) struct Foreign {
    pub(crate) records: Vec<(Revision, Record)>,
    pub(crate) meta: Vec<(Bytes, Bytes)>,
    pub(crate) truth: Truth,
}

impl Foreign {
    /// A state well after this one, with revisions and names that it may share with it, each with
    /// other content. Some revisions are missing, as after a compaction.
    pub(crate) fn after(standing: &Truth, rng: &mut Rng, flushes: u64) -> Self {
        let mut truth = Truth::new();
        let Position { term, index } = standing.last().applied;
        truth.points[0].applied = Position::new(term, Index(index.0 + 20));
        for _ in 0..flushes {
            let records = 1 + rng.below(30);
            truth.next_flush(rng, records);
        }
        truth.records.retain(|_, _| !rng.next().is_multiple_of(6));
        truth.points = truth.points.split_off(truth.points.len() - 1);
        let last = &mut truth.points[0];
        last.newest = truth.records.last_key_value().map_or(last.newest, |(newest, _)| *newest);
        let meta = last.meta.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let records = truth.records.iter().map(|(r, record)| (*r, record.clone())).collect();
        Self { records, meta, truth }
    }

    /// Stages all of it, a few records at a time.
    pub(crate) fn stage<F: Files>(&self, backend: &mut DiskBackend<F>) -> Result<(), BackendError> {
        backend.stage_begin()?;
        self.records.chunks(7).try_for_each(|chunk| backend.stage(chunk))
    }

    pub(crate) fn applied(&self) -> Position {
        self.truth.last().applied
    }
}

/// Flushes, discards, maintenance, and switches; ends early when the disk does.
pub(crate) struct Script {
    /// One for each state that stood since the last believed one, or was to.
    eras: Vec<Truth>,
    /// The era and the flush in it that the state must stand at, at least.
    acknowledged: (usize, usize),
    rng: Rng,
}

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        Self { eras: vec![Truth::new()], acknowledged: (0, 0), rng: Rng::new(seed) }
    }

    /// The state that stands, as far as the process knows.
    pub(crate) fn truth(&mut self) -> &mut Truth {
        self.eras.last_mut().unwrap()
    }

    /// A round: a life of the state that stands, beside which another is staged.
    pub(crate) fn run<F: Files>(
        &mut self,
        backend: &mut DiskBackend<F>,
        rounds: u64,
    ) -> Result<(), BackendError> {
        for round in 0..rounds {
            self.live(backend, 2)?;
            let flushes = self.rng.below(6);
            let (standing, rng) = (self.eras.last().unwrap(), &mut self.rng);
            let foreign = Foreign::after(standing, rng, flushes);
            backend.stage_begin()?;
            for (number, chunk) in foreign.records.chunks(7).enumerate() {
                backend.stage(chunk)?;
                if number % 3 == 1 {
                    self.live(backend, 1)?;
                }
            }
            if round % 3 == 1 {
                backend.stage_abort();
            } else {
                self.install(backend, &foreign)?;
            }
        }
        self.live(backend, 1)?;
        settle(backend).map(drop)
    }

    pub(crate) fn install<F: Files>(
        &mut self,
        backend: &mut DiskBackend<F>,
        foreign: &Foreign,
    ) -> Result<(), BackendError> {
        self.eras.push(foreign.truth.clone());
        backend.install(&foreign.meta, foreign.applied())?;
        self.acknowledged = (self.eras.len() - 1, 0);
        Ok(())
    }

    pub(crate) fn live<F: Files>(
        &mut self,
        backend: &mut DiskBackend<F>,
        flushes: u64,
    ) -> Result<(), BackendError> {
        for _ in 0..flushes {
            let records = self.rng.below(12);
            let Self { eras, rng, .. } = self;
            let truth = eras.last_mut().unwrap();
            let flush = truth.next_flush(rng, records);
            backend.flush(&flush)?;
            self.acknowledged = (self.eras.len() - 1, self.eras.last().unwrap().points.len() - 1);
            let dead = self.eras.last_mut().unwrap().choose_dead(&mut self.rng, 3);
            backend.discard(&dead)?;
            backend.maintain()?;
            backend.maintain()?;
        }
        Ok(())
    }

    /// The state stands at one flush of one era, not before the last that was acknowledged or
    /// believed; from now on it is believed, and what was attempted beyond it never happened.
    pub(crate) fn believe(&mut self, backend: &impl BackendRead) {
        let applied = backend.applied();
        let at = |truth: &Truth| truth.points.iter().position(|point| point.applied == applied);
        let places = self.eras.iter().enumerate();
        let mut found = places.filter_map(|(era, truth)| Some((era, at(truth)?)));
        let found = found.next_back().expect("a flush point of some era");
        assert!(found >= self.acknowledged, "at {found:?}, believed {:?}", self.acknowledged);
        let (era, point) = found;
        self.eras.truncate(era + 1);
        self.eras[era].check(backend, point, false);
        self.eras[era].points.truncate(point + 1);
        let newest = self.eras[era].last().newest;
        self.eras[era].records.retain(|revision, _| *revision <= newest);
        self.acknowledged = found;
    }

    pub(crate) fn acknowledged(&self) -> (usize, usize) {
        self.acknowledged
    }
}
