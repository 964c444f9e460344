//! What operations and watches of the crowd have in common.

use std::ops::RangeInclusive;
use std::time::Duration;

use protocol::{Rng, Time};

use super::agenda::Agenda;
use super::generate::{Generator, pick};
use super::{Counts, Options};
use crate::seen::Place;

/// The way to the nodes, what is known, and what is to be done.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) agenda: Agenda,
    pub(super) generator: Generator,
    pub(super) counts: Counts,
    /// The latest time the world has shown.
    pub(super) now: Time,
    /// Nobody begins anything any more.
    pub(super) stopped: bool,
    /// The nodes that are asked.
    places: Vec<Place>,
    /// Client numbers given so far.
    numbers: u32,
    rng: Rng,
}

/// A duration within a range.
fn between(rng: &mut Rng, range: &RangeInclusive<Duration>) -> Duration {
    let nanos = |duration: &Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2);
    let (from, to) = (nanos(range.start()), nanos(range.end()));
    Duration::from_nanos(from + rng.below(to.saturating_sub(from) + 1))
}

impl Shared {
    pub(super) fn new(options: Options, nodes: usize, mut rng: Rng) -> Self {
        Self {
            generator: Generator::new(&options, Rng::new(rng.next())),
            agenda: Agenda::default(),
            counts: Counts::default(),
            now: Time::default(),
            stopped: false,
            places: (0..nodes).collect(),
            numbers: 0,
            options,
            rng,
        }
    }

    /// The world has come this far.
    pub(super) fn tick(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// A number for a new client.
    pub(super) fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// Whether something happens this time that happens so often of a thousand times.
    pub(super) fn chance(&mut self, per_mille: u32) -> bool {
        self.rng.below(1_000) < u64::from(per_mille)
    }

    /// A number below another.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    /// The pause of a client that has got its answer.
    pub(super) fn think(&mut self) -> Duration {
        between(&mut self.rng, &self.options.think)
    }

    /// A pause between these.
    pub(super) fn pause(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        between(&mut self.rng, range)
    }

    /// When something that leaves now is there.
    pub(super) fn arrival(&mut self, now: Time) -> Time {
        now + between(&mut self.rng, &self.options.delay)
    }

    /// When a request that leaves now is there: at a common time for many.
    pub(super) fn meeting(&mut self, now: Time) -> Time {
        let arrival = self.arrival(now);
        let grid = self.options.grid.map_or(0, |grid| u64::try_from(grid.as_nanos()).unwrap_or(0));
        if grid == 0 { arrival } else { Time(arrival.0.div_ceil(grid).saturating_mul(grid)) }
    }

    /// Whether a message gets lost.
    pub(super) fn loses(&mut self) -> bool {
        let ppm = u64::from(self.options.loss_ppm);
        let lost = ppm > 0 && self.rng.below(1_000_000) < ppm;
        self.counts.lost += u64::from(lost);
        lost
    }

    /// Any of the nodes that are asked.
    pub(super) fn place(&mut self) -> Option<Place> {
        if self.places.is_empty() { None } else { Some(*pick(&mut self.rng, &self.places)) }
    }

    /// Another one, if there is one.
    pub(super) fn other_place(&mut self, than: Place) -> Option<Place> {
        let others = self.places.iter().filter(|place| **place != than).count() as u64;
        if others == 0 {
            return self.place();
        }
        let chosen = usize::try_from(self.rng.below(others)).unwrap_or(0);
        self.places.iter().filter(|place| **place != than).nth(chosen).copied()
    }

    /// Whether a node is asked.
    pub(super) fn allows(&self, place: Place) -> bool {
        self.places.contains(&place)
    }

    /// This one is asked, too.
    pub(super) fn allow(&mut self, place: Place) {
        if !self.places.contains(&place) {
            self.places.push(place);
        }
    }

    /// Only these are asked from now on.
    pub(super) fn restrict(&mut self, places: &[Place]) {
        self.places = places.to_vec();
    }
}
