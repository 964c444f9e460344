//! The end of what lasted for a while.

use std::time::Duration;

use crate::fault::Fault;
use crate::seen::{Place, Seen};
use crate::world::World;

/// What is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mend {
    /// A cut of these links.
    Links(Vec<(Place, Place)>),
    /// Something about the weather everywhere.
    Weather,
    /// Something about one link.
    Link(Place, Place),
    /// A pause.
    Pause(Place),
    /// A full disk of the log or the state.
    Full(Place),
}

impl World {
    pub(crate) fn mend(&mut self, mend: Mend) {
        match mend {
            Mend::Links(links) => {
                for (from, to) in links {
                    self.network.link(from, to).cut = false;
                }
                self.eyes.see(self.now, &Seen::Fault(&Fault::Healed));
            }
            Mend::Weather => {
                let weather = self.options.weather;
                for from in 0..self.nodes() {
                    for to in 0..self.nodes() {
                        self.network.link(from, to).weather = weather;
                    }
                }
            }
            Mend::Link(from, to) => {
                let weather = self.options.weather;
                let link = self.network.link(from, to);
                link.weather = weather;
                link.slow = Duration::ZERO;
                link.largest = None;
                link.byte = 0;
            }
            Mend::Pause(at) => self.resume(at),
            Mend::Full(at) => self.set_capacity(at, None, None),
        }
    }
}
