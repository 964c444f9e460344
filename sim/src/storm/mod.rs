//! The storm: what goes wrong in a world, when, and for how long.
//!
//! A [`Plan`] says which kinds of faults may strike and how often; everything else is drawn from
//! the storm's own generator. Faults overlap. Each is over after a while, and then what it had
//! changed is as it was without any fault: where two changed the same link, disk or process, the
//! end of the first is the end of both.
//!
//! # The atlas
//!
//! Some faults take from a node what it had made durable. A world names beforehand the nodes that
//! they may strike, always a minority: of everything that was acknowledged an intact copy is left
//! on a majority, so that what *must* be recovered is known. Whatever else strikes is of the kind
//! that a node must survive by itself, or end from and start again.

mod cuts;
mod kind;
mod mend;
mod strike;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use protocol::{Rng, Time};

pub use kind::Kind;
pub(crate) use mend::Mend;
pub(crate) use strike::strike;

use crate::draw::Draw;
use crate::seen::Place;

/// What may go wrong, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How long it lasts.
    pub length: Duration,
    /// Between one fault and the next.
    pub pause: RangeInclusive<Duration>,
    /// Which kinds; none: a calm.
    pub kinds: Vec<Kind>,
    /// How many nodes' disks may be damaged; at most a minority.
    pub damaged: usize,
    /// Who has ended by itself is started again after this; `None`: never, scripts do it.
    pub supervisor: Option<RangeInclusive<Duration>>,
    /// How long what strikes for a while lasts.
    pub lasting: RangeInclusive<Duration>,
    /// No two clocks run apart by more than this many parts per thousand.
    pub drift_per_mille: u32,
    /// Only these strikes are carried out, counted from 1; `None`: all. For shrinking.
    pub only: Option<BTreeSet<u32>>,
}

impl Plan {
    /// Nothing goes wrong.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            length: Duration::ZERO,
            pause: Duration::from_secs(1)..=Duration::from_secs(1),
            kinds: Vec::new(),
            damaged: 0,
            supervisor: None,
            lasting: Duration::from_secs(1)..=Duration::from_secs(1),
            drift_per_mille: 0,
            only: None,
        }
    }
}

/// What the storm does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next fault.
    Strike,
    /// Something is over.
    Mend(Mend),
    /// A node is started.
    Start(Place),
    /// A node is started by an operator who dismisses its doubt.
    StartDismissing(Place),
    /// The next node of a rolling restart.
    Roll(Place),
    /// A link changes its mind, so many times still.
    Flap(Place, Place, u32),
    /// A node is cut off or comes back.
    Swizzle(Place, bool),
    /// A node stops for a moment, so many times still.
    Starve(Place, u32),
}

/// The storm over a world.
#[derive(Debug)]
pub(crate) struct Storm {
    plan: Plan,
    seed: u64,
    /// Drawn anew for each strike, so that one strike less leaves the others as they are.
    rng: Rng,
    strikes: u32,
    /// Nodes whose disks may be damaged.
    damaged: BTreeSet<Place>,
    /// Syncs take this much longer until then.
    slow: Vec<(Duration, Time)>,
    /// Nodes that must not lose their power yet, for so many syncs: what went astray, or will, must
    /// first be followed by a write that proves it.
    fragile: BTreeMap<Place, u8>,
    over: bool,
}

impl Storm {
    pub(crate) fn new(plan: Plan, nodes: usize, mut rng: Rng) -> Self {
        let most = plan.damaged.min(nodes.saturating_sub(1) / 2);
        let mut places: Vec<Place> = (0..nodes).collect();
        rng.shuffle(&mut places);
        places.truncate(most);
        Self {
            over: plan.kinds.is_empty(),
            plan,
            seed: rng.next(),
            rng,
            strikes: 0,
            damaged: places.into_iter().collect(),
            slow: vec![(Duration::ZERO, Time(0)); nodes],
            fragile: BTreeMap::new(),
        }
    }

    /// Whether this node's disk may hold less than was made durable.
    pub(crate) fn is_damaged(&self, at: Place) -> bool {
        self.damaged.contains(&at)
    }

    /// How much longer a sync that begins now takes.
    pub(crate) fn sync_delay(&self, at: Place, now: Time) -> Duration {
        let (longer, until) = self.slow[at];
        if now < until { longer } else { Duration::ZERO }
    }

    pub(crate) fn slow_down(&mut self, at: Place, longer: Duration, until: Time) {
        self.slow[at] = (longer, until);
    }

    /// A sync of this node has come to its end.
    pub(crate) fn synced(&mut self, at: Place) {
        if let Some(left) = self.fragile.get_mut(&at) {
            *left -= 1;
            if *left == 0 {
                self.fragile.remove(&at);
            }
        }
    }

    /// After how long a node that ended is started again.
    pub(crate) fn supervisor(&mut self) -> Option<Duration> {
        let range = self.plan.supervisor.clone()?;
        Some(self.rng.between(&range))
    }

    /// The number of the next strike, with a generator of its own.
    fn next_strike(&mut self) -> u32 {
        self.strikes += 1;
        self.rng = Rng::new(self.seed ^ u64::from(self.strikes) << 32);
        self.strikes
    }

    /// How many strikes there have been.
    pub(crate) const fn strikes(&self) -> u32 {
        self.strikes
    }

    /// The storm's generator, for what follows it.
    pub(crate) const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// The longest time until a node that ended by itself runs again.
    pub(crate) fn slowest_restart(&self) -> Duration {
        self.plan.supervisor.as_ref().map_or(Duration::ZERO, |range| *range.end())
    }

    /// Nothing strikes any more.
    pub(crate) fn end(&mut self) {
        self.over = true;
        self.fragile.clear();
        self.slow.iter_mut().for_each(|slow| *slow = (Duration::ZERO, Time(0)));
    }

    /// The rate of a clock, in parts per million. Half of the bound on either side, mostly at its
    /// edge: two clocks differ by no more than the bound.
    pub(crate) fn rate(&mut self) -> u64 {
        let width = u64::from(self.plan.drift_per_mille) * 500;
        let rng = &mut self.rng;
        match rng.below(3) {
            0 => 1_000_000 - width,
            1 => 1_000_000 + width,
            _ => 1_000_000 - width + rng.below(2 * width + 1),
        }
    }

    /// How long the next lasting fault lasts.
    fn lasting(&mut self) -> Duration {
        let range = self.plan.lasting.clone();
        self.rng.between(&range)
    }
}
