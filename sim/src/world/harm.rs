//! Harm to disks and clocks, as storms do it.

use std::time::Duration;

use storage::disk::{Disk, OperationFault, SECTOR};

use super::backend::Medium;
use super::{Status, World};
use crate::fault::Fault;
use crate::seen::{Place, Seen};
use crate::storm::Kind;

impl World {
    /// A clock runs at another rate from now on, and shows `leap` nanoseconds more.
    pub(crate) fn set_clock(&mut self, at: Place, rate: u64, leap: u64) {
        let now = self.now;
        let machine = &mut self.machines[at];
        machine.clock.set(now, rate, leap);
        let clock = machine.clock;
        if let Status::Up(running) | Status::Paused(running) = &mut machine.status {
            running.timer = running.due().map(|local| clock.when(local));
        }
        if leap > 0 {
            let by = Duration::from_nanos(leap).as_millis();
            let fault = Fault::Jump { at, by_ms: i64::try_from(by).unwrap_or(i64::MAX) };
            self.eyes.see(now, &Seen::Fault(&fault));
        } else {
            self.eyes.see(now, &Seen::Fault(&Fault::Drift { at, rate }));
        }
    }

    /// Bounds what the disks of a node hold; `None`: without bound.
    pub(crate) fn set_capacity(&mut self, at: Place, log: Option<u64>, state: Option<u64>) {
        let machine = &mut self.machines[at];
        machine.log.get().set_capacity(log);
        if let Medium::Disk(files) = &machine.state {
            files.disk().set_capacity(state);
        }
        self.measure_soon(at);
    }

    /// The bytes on a node's disks: of its log, and of its state where that is on a disk.
    pub(crate) fn held(&self, at: Place) -> (Option<u64>, Option<u64>) {
        let machine = &self.machines[at];
        let state = match &machine.state {
            Medium::Disk(files) => Some(files.disk().held()),
            Medium::Memory(_) => None,
        };
        (Some(machine.log.get().held()), state)
    }

    /// Lets a write of the state fail. `None` when the state is not on a disk.
    pub(crate) fn fail_state(&mut self, at: Place, ahead: u64) -> Option<()> {
        let Medium::Disk(files) = &self.machines[at].state else { return None };
        files.disk().fail_next(ahead, OperationFault::Eio);
        Some(())
    }

    /// Flips a bit of what is durable. `None` when there is nothing yet.
    pub(crate) fn rot(&mut self, at: Place, kind: Kind, draw: u64) -> Option<()> {
        let machine = &self.machines[at];
        let page = u64::from(self.options.disks.page_bytes);
        let pick = |bound: u64| usize::try_from(draw % bound.max(1)).unwrap_or(0);
        let mask = 1 << ((draw >> 56) % 8);
        if kind == Kind::StateRot {
            let Medium::Disk(files) = &machine.state else { return None };
            let mut disk = files.disk();
            let names = disk.list().ok()?;
            let file = names.get(pick(names.len() as u64))?;
            let contents = disk.contents(&file.name)?;
            let written = contents.iter().rposition(|byte| *byte != 0)? as u64 + 1;
            return disk.flip(&file.name, pick(written), mask).then_some(());
        }
        let mut disk = machine.log.get();
        let names = disk.list().ok()?;
        if kind == Kind::HeadRot {
            // Where term and vote stand: in one copy, or in both.
            let file = names.iter().rfind(|file| file.name.ends_with(".seg"))?;
            let slot = SECTOR + pick(40);
            let both = draw & (1 << 50) != 0;
            let page = usize::try_from(page).unwrap_or(SECTOR);
            let second = both && disk.flip(&file.name, page + slot, mask);
            return (disk.flip(&file.name, slot, mask) || second).then_some(());
        }
        // Mostly the newest segment, and what has been written of it.
        let newest = names.iter().rfind(|file| file.name.ends_with(".seg"));
        let any = names.get(pick(names.len() as u64));
        let file = if draw & (1 << 51) == 0 { any } else { newest }?;
        let contents = disk.contents(&file.name)?;
        let written = contents.iter().rposition(|byte| *byte != 0)? as u64 + 1;
        disk.flip(&file.name, pick(written), mask).then_some(())
    }
}
