//! Planted bugs must be noticed: each of the core set within so many seeds.
//!
//! `MUTANTS=all` hunts all of them, `MUTANTS=X1,R3` these, `SEEDS` says with how many seeds each.
//! What survives is a blind spot of the simulator.

#![cfg(feature = "mutants")]

use protocol::mutant::Mutant;
use sim::hunt::hunt;

/// Seeds for each bug when nobody says how many.
const SEEDS: u64 = 400;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[test]
fn planted_bugs_are_noticed() {
    let wanted = std::env::var("MUTANTS").unwrap_or_else(|_| "core".to_owned());
    let named = |name: &str| Mutant::named(name).expect("MUTANTS is `all`, `core` or some names");
    let hunted: Vec<Mutant> = match wanted.as_str() {
        "core" => Mutant::ALL.iter().copied().filter(|mutant| mutant.core()).collect(),
        "all" => Mutant::ALL.to_vec(),
        names => names.split(',').map(named).collect(),
    };
    let seeds = std::env::var("SEEDS")
        .ok()
        .map(|seeds| seeds.parse().expect("SEEDS is a number"))
        .unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // Assertions of the product are among the checks, and speak for themselves.
    std::panic::set_hook(Box::new(|_| {}));
    let hunts: Vec<_> = hunted.iter().map(|mutant| hunt(*mutant, 0..seeds, threads, 0)).collect();
    let _ = std::panic::take_hook();
    hunts.iter().for_each(|hunt| println!("{hunt}"));
    let survivors: Vec<_> = hunts.iter().filter(|hunt| hunt.survived()).collect();
    assert!(wanted != "core" || hunts.len() >= 17, "the core set is smaller than it was");
    assert!(survivors.is_empty(), "{} planted bugs survived", survivors.len());
}
