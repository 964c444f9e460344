//! Servers that meet found one group, whatever happens to them meanwhile.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use sim::founding::explore::{Bounds, explore};
use sim::founding::world::{Told, run};

/// Worlds in a usual run; `FOUNDING_SEEDS` says how many otherwise.
const SEEDS: u64 = 10_000;

#[test]
fn one_group_is_founded_in_any_weather() {
    let seeds = std::env::var("FOUNDING_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let mut all = Told::default();
    for seed in 0..seeds {
        match run(seed) {
            Ok(told) => all = all.and(told),
            Err(broken) => panic!("seed {seed}: {broken}"),
        }
    }
    println!("{seeds} worlds: {all}");
    let each = usize::try_from(seeds).unwrap();
    assert!(all.groups >= each, "{all}");
    // The storms are storms: all that could go wrong has happened.
    for (what, count) in [
        ("pledges left", all.left),
        ("crashes", all.crashes),
        ("splits", all.splits),
        ("stale sightings", all.stale),
        ("groups founded in the storm", all.early),
        ("servers that stayed away", all.absent),
    ] {
        assert!(count * 50 > each, "{what}: {all}");
    }
}

fn holds(bounds: Bounds) {
    let found = explore(bounds, u64::MAX);
    println!("{bounds:?}: {} states, {} steps, {} ended", found.states, found.steps, found.calmed);
    if let Some((broken, steps)) = found.broken {
        panic!("{bounds:?}: {broken}\n{}", steps.join("\n"));
    }
    assert!(found.is_complete && found.states > 100 && found.calmed > 0);
}

#[test]
fn two_of_three_in_every_order() {
    holds(Bounds { expect: 2, servers: 3, crashes: 0, mistakes: false, calm_every: 16 });
}

#[test]
fn two_of_two_in_every_order_with_mistakes() {
    holds(Bounds { expect: 2, servers: 2, crashes: 2, mistakes: true, calm_every: 1 });
}
