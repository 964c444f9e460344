//! What a seed draws.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::bully::{Config, Damped, Electors, Mode, Preemption, Ranking, Safety, Timing};
use protocol::{NodeId, Rng};

use super::clock::Clock;
use super::member::Member;
use super::network::Network;
use super::stage::Pace;
use crate::draw::Draw;

const MS: Duration = Duration::from_millis(1);

/// What a seed draws for a world of the safe mode. Chances are of a hundred strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the rest comes from.
    pub seed: u64,
    /// Candidates: 3 to 9.
    pub candidates: usize,
    /// How the first electorate is found.
    pub electors: Electors,
    /// What ranks go by.
    pub ranking: Ranking,
    /// How long a lease is.
    pub lease: Duration,
    /// When a leader yields.
    pub preemption: Preemption,
    /// By how much clocks may differ, and do.
    pub drift_ppm: u32,
    /// How long the storm lasts.
    pub storm: Duration,
    /// Between two strikes, at most.
    pub(super) lull: Duration,
    pub(super) network: Network,
    pub(super) pace: Pace,
    /// How often each kind of strike comes, beside the others.
    pub(super) weights: Weights,
}

/// How often each kind of strike comes, beside the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Weights {
    pub(super) crash: u64,
    pub(super) pause: u64,
    pub(super) split: u64,
    pub(super) one_way: u64,
    pub(super) isolate: u64,
    pub(super) heal: u64,
    pub(super) drift: u64,
    pub(super) resign: u64,
    pub(super) change: u64,
    pub(super) freshness: u64,
    pub(super) stand: u64,
}

impl Plan {
    /// What this seed draws.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0xb011);
        let candidates = 3 + rng.place(7);
        let lease = rng.between(&(300 * MS..=2_000 * MS));
        let some = |rng: &mut Rng, most: u64| if rng.percent(30) { 0 } else { rng.below(most) };
        let electors = electors(&mut rng, candidates);
        let ranking = rng.one_of(&[Ranking::Id, Ranking::Priority, Ranking::Freshness]);
        let weights = Weights {
            crash: some(&mut rng, 10),
            pause: some(&mut rng, 10),
            split: some(&mut rng, 10),
            one_way: some(&mut rng, 10),
            isolate: some(&mut rng, 10),
            heal: 1 + rng.below(12),
            drift: some(&mut rng, 6),
            resign: some(&mut rng, 4),
            change: some(&mut rng, 10),
            freshness: some(&mut rng, 6),
            stand: some(&mut rng, 6),
        };
        let disk = rng.one_of(&[1, 5, 20, 400]);
        Self {
            seed,
            candidates,
            electors,
            ranking,
            lease,
            preemption: preemption(&mut rng),
            drift_ppm: rng.one_of(&[0, 1_000, 50_000, 300_000]),
            storm: rng.between(&(4_000 * MS..=12_000 * MS)),
            lull: rng.between(&(50 * MS..=800 * MS)),
            network: Network {
                lost: some(&mut rng, 25),
                doubled: some(&mut rng, 20),
                late: some(&mut rng, 5),
                delay: rng.between(&(MS..=25 * MS)),
                lateness: rng.between(&(50 * MS..=5_000 * MS)),
                cut: BTreeSet::new(),
            },
            pace: Pace {
                disk: MS / 20..=MS * disk,
                stop: MS / 20..=MS * rng.one_of(&[1, 50, 1_000]),
                silent: some(&mut rng, 30),
                mistaken: some(&mut rng, 20),
            },
            weights,
        }
    }

    /// The candidates before they start.
    pub(super) fn members(&self, rng: &mut Rng) -> Vec<Member> {
        let ids = 1..=self.candidates as u64;
        let member = |id| {
            let config = Config {
                id: NodeId(id),
                priority: rng.below(4),
                ranking: self.ranking,
                timing: Timing { alive: 60 * MS, victory: 150 * MS },
                mode: Mode::Safe(Safety {
                    electors: self.electors.clone(),
                    lease: self.lease,
                    renew: self.lease / 5,
                    drift_ppm: self.drift_ppm,
                    preemption: self.preemption,
                }),
            };
            Member::new(config, Clock::new(rng.below(1 << 40)))
        };
        ids.map(member).collect()
    }
}

/// A list of some or all, or a number of which there are not twice as many.
fn electors(rng: &mut Rng, candidates: usize) -> Electors {
    if rng.percent(40) {
        let least = candidates / 2 + 1;
        return Electors::Expect(least + rng.place(candidates - least + 1));
    }
    Electors::Named(some_of(rng, candidates))
}

/// Some of the candidates, mostly at least three.
pub(super) fn some_of(rng: &mut Rng, candidates: usize) -> BTreeSet<NodeId> {
    let mut ids: Vec<u64> = (1..=candidates as u64).collect();
    rng.shuffle(&mut ids);
    let least = if rng.percent(85) { 3.min(candidates) } else { 1 };
    ids.truncate(least + rng.place(candidates - least + 1));
    ids.into_iter().map(NodeId).collect()
}

fn preemption(rng: &mut Rng) -> Preemption {
    match rng.below(3) {
        0 => Preemption::Eager,
        1 => Preemption::Never,
        _ => Preemption::Damped(Damped {
            stable: 300 * MS,
            hold_down: 500 * MS,
            half_life: 2_000 * MS,
            suppress: 4,
        }),
    }
}
