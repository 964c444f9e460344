//! One seed, one world, one verdict.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use protocol::Time;

use crate::check;
use crate::crowd::Counts;
use crate::marks::Marks;
use crate::seen::Violation;
use crate::swarm::Options;
use crate::trace::Trace;
use crate::world::World;

/// The least that a seed must have gone through to count.
pub const LEAST_TIME: Duration = Duration::from_secs(60);
/// The least number of operations that its clients must have called.
pub const LEAST_OPERATIONS: u64 = 500;
/// The least number of faults that must have struck in a cluster-hour.
pub const LEAST_FAULTS: u64 = 60;

/// What came of a seed.
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The law that was broken, if one was.
    pub violation: Option<Violation>,
    /// Virtual time that passed.
    pub time: Duration,
    /// The nodes of the world.
    pub nodes: usize,
    /// Steps of the world.
    pub steps: u64,
    /// Strikes of the storm, carried out or not.
    pub strikes: u32,
    /// What clients did.
    pub counts: Counts,
    /// What was judged of it afterwards.
    pub judged: check::Summary,
    /// What struck, and what was reached.
    pub marks: Marks,
    /// Everything that was seen.
    pub trace: Trace,
}

impl Report {
    /// Of a world whose code panicked: an assertion of the product did not hold.
    pub(crate) fn panicked(seed: u64, panic: &(dyn Any + Send)) -> Self {
        Self {
            seed,
            violation: Some(assertion(Time(0), panic)),
            time: Duration::ZERO,
            nodes: 0,
            steps: 0,
            strikes: 0,
            counts: Counts::default(),
            judged: check::Summary::default(),
            marks: Marks::default(),
            trace: Trace::new(0, false),
        }
    }

    /// When the world ended.
    #[must_use]
    pub fn end(&self) -> Time {
        Time(0) + self.time
    }

    /// Whether it went through enough to count.
    #[must_use]
    pub fn counts(&self) -> bool {
        let quota = LEAST_FAULTS * self.time.as_secs() / 3_600;
        self.time >= LEAST_TIME
            && self.counts.all.called >= LEAST_OPERATIONS
            && self.marks.faults() >= quota
    }
}

/// Runs the world of a seed.
#[must_use]
pub fn seed(seed: u64) -> Report {
    world(Options::of_seed(seed), seed)
}

/// Runs a world to its end: the storm, the calm, and the judgement of what its clients saw.
#[must_use]
pub fn world(options: Options, seed: u64) -> Report {
    let storm = options.storm.length;
    let nodes = options.nodes;
    let mut world = World::new(options, seed);
    // A panic is an assertion of the product that does not hold: a finding, with all that was seen
    // until then.
    let lived = catch_unwind(AssertUnwindSafe(|| live(&mut world, storm)));
    let violation = match lived {
        Ok(violation) => violation,
        Err(panic) => Some(assertion(world.now(), &*panic)),
    };
    finish(world, seed, nodes, violation)
}

/// The storm and the calm; gives the law that was broken, if one was.
fn live(world: &mut World, storm: Duration) -> Option<Violation> {
    world.begin_storm();
    world.run_for(storm);
    while world.options.prolong
        && world.violation().is_none()
        && (world.crowd.counts().all.called < LEAST_OPERATIONS || has_few_faults(world))
        && world.age() < storm * 20
    {
        world.run_for(Duration::from_secs(10));
    }
    world.violation().cloned().or_else(|| world.calm_down().err())
}

/// Whether the quota may be missed by the end of the calm, which has no faults.
fn has_few_faults(world: &World) -> bool {
    let calm = Duration::from_mins(2);
    world.eyes.marks.faults() < LEAST_FAULTS * (world.age() + calm).as_secs() / 3_600
}

fn assertion(at: Time, panic: &(dyn Any + Send)) -> Violation {
    let what = panic.downcast_ref::<String>().cloned();
    let what = what.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Violation { law: "assertion", at, what: what.unwrap_or_else(|| "a panic without words".into()) }
}

fn finish(world: World, seed: u64, nodes: usize, mut violation: Option<Violation>) -> Report {
    let time = world.age();
    let (steps, counts) = (world.steps, world.crowd.counts());
    let strikes = world.storm.strikes();
    let limits = world.options.stores.limits;
    let (history, eyes) = world.into_history();
    violation = violation.or_else(|| eyes.violation().cloned());
    let mut judged = check::Summary::default();
    if violation.is_none() {
        match check::judge_within(&history, limits) {
            Ok(summary) => judged = summary,
            Err(broken) => violation = Some(broken),
        }
    }
    Report {
        seed,
        violation,
        time,
        nodes,
        steps,
        strikes,
        counts,
        judged,
        marks: eyes.marks,
        trace: eyes.trace,
    }
}
