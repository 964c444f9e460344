//! The storm: what goes wrong in a world, when, and for how long.
//!
//! A [`Plan`] says which kinds of faults may strike and how often; everything else is drawn from
//! the storm's own generator: each strike has one of its own, and so has each turn of one that
//! goes on, such as a link that flaps. One strike less leaves the others as they are.
//!
//! Faults overlap. Each is over after a while and takes away only what it did itself (`holds.rs`).
//! A clock that drifts does so until another drift, or the calm.
//!
//! # The atlas
//!
//! Some faults take from a node what it had made durable. A world names beforehand the nodes that
//! they may strike, always a minority: of everything that was acknowledged an intact copy is left
//! on a majority, so that what *must* be recovered is known. Where members change, operators keep
//! one more of those that are whole than may be damaged, whatever else they do: so it is a minority
//! of every configuration. Whatever else strikes is of the kind that a node must survive by itself,
//! or end from and start again.

mod cuts;
mod holds;
mod kind;
mod losses;
mod members;
mod strike;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use protocol::Rng;

pub use kind::Kind;
pub(crate) use strike::strike;

use self::holds::{Grip, Holds};
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
    /// A strike is over.
    Over(Grip, Kind),
    /// A node is started that ended in this life: what started it before was not for this end.
    Start { at: Place, life: u64 },
    /// A node learns that another one does not take it for what it was, at this boot.
    Disown { at: Place, by: Place, boot: u64 },
    /// The heir of a node that had forgotten asks for its place.
    Rejoin(Place),
    /// A node is started by an operator who dismisses its doubt.
    StartDismissing(Place),
    /// The next node of a rolling restart.
    Roll(Grip, Place),
    /// A link changes its mind, so many times still.
    Flap(Grip, (Place, Place), u32),
    /// A node is cut off or comes back.
    Swizzle(Grip, Place, bool),
    /// A node stops for a moment, so many times still.
    Starve(Grip, Place, u32),
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
    /// Nodes that no operator takes the vote from: one more than may be damaged, so that those are
    /// a minority of every configuration.
    anchors: BTreeSet<Place>,
    /// What strikes hold now.
    holds: Holds,
    /// When nodes that ended are started again: a generator each, lest one node's end moves
    /// another's start.
    supervisors: Vec<Rng>,
    /// Nodes that must not lose their power yet, for so many syncs: what went astray, or will, must
    /// first be followed by a write that proves it.
    fragile: BTreeMap<Place, u8>,
    over: bool,
}

impl Storm {
    /// Over a cluster that begins with so many nodes, and so many machines that may join it.
    pub(crate) fn new(plan: Plan, nodes: usize, joiners: usize, mut rng: Rng) -> Self {
        let most = plan.damaged.min(nodes.saturating_sub(1) / 2);
        let mut places: Vec<Place> = (0..nodes).collect();
        rng.shuffle(&mut places);
        let mut whole = places.split_off(most);
        whole.truncate(if most > 0 { most + 1 } else { 0 });
        let supervisors = (0..nodes + joiners).map(|_| Rng::new(rng.next())).collect();
        Self {
            over: plan.kinds.is_empty(),
            plan,
            seed: rng.next(),
            rng,
            strikes: 0,
            damaged: places.into_iter().collect(),
            anchors: whole.into_iter().collect(),
            holds: Holds::default(),
            supervisors,
            fragile: BTreeMap::new(),
        }
    }

    /// Whether this node's disk may hold less than was made durable.
    pub(crate) fn is_damaged(&self, at: Place) -> bool {
        self.damaged.contains(&at)
    }

    /// How much longer a sync that begins now takes.
    pub(crate) fn sync_delay(&self, at: Place) -> Duration {
        self.holds.sync_delay(at)
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
    pub(crate) fn supervisor(&mut self, at: Place) -> Option<Duration> {
        let range = self.plan.supervisor.clone()?;
        Some(self.supervisors[at].between(&range))
    }

    /// The next strike, with a generator of its own.
    fn next_strike(&mut self) -> Grip {
        self.strikes += 1;
        let grip = Grip { strike: self.strikes, part: 0 };
        self.take_up(grip, 0);
        grip
    }

    /// Draws from now on for this turn of a strike that goes on.
    fn take_up(&mut self, grip: Grip, turn: u32) {
        let Grip { strike, part } = grip;
        let turn = u64::from(turn) << 8 | u64::from(part);
        self.rng = Rng::new(self.seed ^ u64::from(strike) << 32 ^ turn);
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
        self.holds.forget();
        // The calm draws the same, whatever struck before it.
        self.rng = Rng::new(self.seed);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What shrinking rests on.
    #[test]
    fn what_one_strike_draws_moves_nothing_of_another() {
        let storm = || Storm::new(Plan::calm(), 3, 0, Rng::new(7));
        let (mut quiet, mut busy) = (storm(), storm());
        let mut told = BTreeSet::new();
        for draws in 0..20_u32 {
            let (one, other) = (quiet.next_strike(), busy.next_strike());
            assert_eq!(one, other);
            assert!(told.insert(quiet.rng.next()), "strikes draw alike");
            for _ in 0..=draws {
                busy.rng.next();
            }
            let part = Grip { part: 3, ..one };
            for turn in 1..4 {
                quiet.take_up(part, turn);
                busy.take_up(part, turn);
                assert!(told.insert(quiet.rng.next()), "turns draw alike");
                busy.rng.next();
            }
            assert_eq!(quiet.rng, busy.rng);
        }
        quiet.rng.next();
        quiet.end();
        busy.end();
        assert_eq!(quiet.rng, busy.rng);
    }
}
