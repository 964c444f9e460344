//! One script for all crash points: flushes, discards and maintenance, and what must be found after
//! it was cut short.

use protocol::Rng;
use storage::disk::FaultPlan;
use store::{Backend, BackendError, BackendRead};

use crate::support::{Faulty, Truth, broken, open, settle};

/// Flushes, discards and maintenance; ends early when the disk does.
pub(crate) struct Script {
    pub(crate) truth: Truth,
    /// The flush that the state must stand at, at least.
    pub(crate) acknowledged: usize,
    pub(crate) rng: Rng,
}

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        Self { truth: Truth::new(), acknowledged: 0, rng: Rng::new(seed) }
    }

    /// So many steps, and then maintenance until there is none left.
    pub(crate) fn run(&mut self, backend: &mut Faulty, steps: u64) -> Result<(), BackendError> {
        for step in 0..steps {
            let records = if step % 4 == 3 { 0 } else { 1 + self.rng.next() % 12 };
            let flush = self.truth.next_flush(&mut self.rng, records);
            backend.flush(&flush)?;
            self.acknowledged = self.truth.points.len() - 1;
            if step % 3 == 0 {
                let dead = self.truth.choose_dead(&mut self.rng, 5);
                backend.discard(&dead)?;
            }
            for _ in 0..3 {
                backend.maintain()?;
            }
        }
        settle(backend).map(drop)
    }

    /// The state stands at one flush, not before the last that was acknowledged or believed. It is
    /// believed from now on, for the log is trimmed behind it; what was attempted beyond it never
    /// happened, and the script goes on from there.
    pub(crate) fn believe(&mut self, backend: &impl BackendRead) {
        let at = self.truth.point_of(backend);
        assert!(at >= self.acknowledged, "at {at}, believed was {}", self.acknowledged);
        self.truth.check(backend, at, false);
        self.truth.points.truncate(at + 1);
        let newest = self.truth.last().newest;
        self.truth.records.retain(|revision, _| *revision <= newest);
        self.acknowledged = at;
    }
}

/// How many operations on the disk the script takes.
pub(crate) fn operations(steps: u64) -> u64 {
    let files = broken(FaultPlan::default());
    Script::new(1).run(&mut open(&files).unwrap(), steps).unwrap();
    files.disk().operations()
}
