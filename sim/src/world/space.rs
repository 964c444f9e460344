//! What is free on a node's disks, and the node's knowledge of it.
//!
//! A disk of this world is unbounded until something bounds it. While it is bounded, the node is
//! told once a second and after each flush what is free, as the server's thread of the state tells
//! it; when the bound is lifted, once more. Log and state are on disks of their own here: the
//! fuller one counts.

use std::time::Duration;

use node::{Input, Space};

use super::backend::Medium;
use super::{Event, Status, World};
use crate::marks::Mark;
use crate::seen::Place;

/// The pause between two measurements.
const PAUSE: Duration = Duration::from_secs(1);

impl World {
    /// Begins to measure, unless that is under way.
    pub(super) fn measure_soon(&mut self, at: Place) {
        if !std::mem::replace(&mut self.machines[at].measured, true) {
            self.queue.push(self.now, Event::Measure { at });
        }
    }

    /// Tells a node what is free.
    pub(super) fn measure(&mut self, at: Place) {
        let bound = self.free(at);
        self.machines[at].measured = bound.is_some();
        if bound.is_some() {
            self.queue.push(self.now + PAUSE, Event::Measure { at });
        }
        if let Status::Up(_) = self.machines[at].status {
            self.tell_space(at, bound.unwrap_or(u64::MAX));
            self.drain(at);
        }
    }

    /// A job of the state's is done, which may have taken space.
    pub(super) fn look_at_disk(&mut self, at: Place) {
        if let Some(free) = self.free(at) {
            self.tell_space(at, free);
        }
    }

    fn tell_space(&mut self, at: Place, free: u64) {
        let reserved = self.options.disks.reserved;
        self.feed(at, Input::Space(Space { free, reserved }));
    }

    /// Bytes free on the fuller disk of a node; `None` when neither is bounded.
    pub(crate) fn free(&self, at: Place) -> Option<u64> {
        let machine = &self.machines[at];
        let surplus = machine.alive().map_or(0, |running| running.log.surplus_bytes());
        let log = machine.log.get().free().map(|free| free.saturating_add(surplus));
        let state = match &machine.state {
            Medium::Disk(files) => files.disk().free(),
            Medium::Memory(_) => None,
        };
        log.into_iter().chain(state).min()
    }

    /// A node is short of space from now on, or no longer is.
    pub(super) fn economise(&mut self, at: Place, short: bool) {
        let spares = self.options.disks.spares;
        let Some(running) = self.machines[at].running() else { return };
        running.backend.economise(short);
        running.restless = true;
        let kept = running.log.keep_spares(if short { spares.min(1) } else { spares });
        self.eyes.marks.hit(if short { Mark::ShortOfSpace } else { Mark::SpaceAgain });
        if let Err(error) = kept {
            self.halt(at, &format!("the log failed: {error}"));
        }
    }
}
