//! Candidates elect the best of them, whatever happens to them meanwhile.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::time::Duration;

use sim::bully::classic::{self, Detector};
use sim::bully::flaps::{self, Policy};
use sim::bully::world::{Told, run};

/// Worlds in a usual run; `BULLY_SEEDS` says how many otherwise.
const SEEDS: u64 = 500;

#[test]
fn never_are_two_leases_in_use_in_any_weather() {
    let seeds = std::env::var("BULLY_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let mut all = Told::default();
    for seed in 0..seeds {
        match run(seed) {
            Ok(told) => all = all.and(told),
            Err(broken) => panic!("seed {seed}: {broken}"),
        }
    }
    println!("{seeds} worlds: {all}");
    // The storms are storms: all that could go wrong has happened.
    for (what, count) in all.parts() {
        assert!(count as u64 * 100 > seeds, "{what}: {all}");
    }
}

#[test]
fn a_world_is_the_same_each_time() {
    for seed in 0..5 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

/// What the safe mode is for: without it, a split makes two leaders, each time.
#[test]
fn the_classic_mode_shows_two_leaders_whenever_the_network_is_split() {
    for seed in 0..100 {
        let split = classic::split(seed).unwrap();
        assert!(split.leaders >= 2, "seed {seed}: {split:?}");
        assert_eq!(split.healed, 1, "seed {seed}: {split:?}");
    }
}

#[test]
fn the_classic_mode_costs_what_the_books_say() {
    for n in 3..=9 {
        let total = |detector| classic::count(n, detector).unwrap().values().sum::<u64>();
        let each = n as u64;
        assert_eq!(total(Detector::Lowest), each * each - each - 1, "{n}");
        assert_eq!(total(Detector::All), each * each - each - 1, "{n}");
        assert_eq!(total(Detector::SecondHighest), 1 + (each - 2), "{n}");
    }
}

#[test]
fn a_flapping_favourite_changes_the_leader_as_often_as_the_policy_lets_it() {
    let (turn, cycles) = (Duration::from_secs(20), 10);
    let changes = |policy| flaps::changes(policy, 5, turn, cycles).unwrap();
    // Out and back, each time.
    assert_eq!(changes(Policy::Classic), 2 * cycles);
    assert_eq!(changes(Policy::Eager), 2 * cycles);
    assert_eq!(changes(Policy::Never), 1);
    let damped = changes(Policy::Damped);
    // Each change by pre-emption takes a hold-down, and may be followed by one when it dies.
    let most =
        2 * (turn * 2 * u32::try_from(cycles).unwrap()).as_secs() / Policy::HOLD_DOWN.as_secs();
    println!("damped: {damped} changes, {most} at most");
    assert!((1..=most).contains(&(damped as u64)) && damped < cycles, "{damped}");
}
