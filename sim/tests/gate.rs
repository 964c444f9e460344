//! The gate: so many seeds, none of which may break a law. Each tenth runs twice and must be the
//! same both times.
//!
//! `SEEDS` says how many; without it a few, for the unoptimised build. The seeds are the same
//! everywhere and at any time.

use sim::case::Case;
use sim::sweep::{Sweep, sweep};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds when nobody says how many.
const FEW: u64 = 12;
/// From so many seeds on, every mark must have been reached.
const CAMPAIGN: u64 = 2_000;
/// From so many on, this many kinds of faults must have struck.
const KINDS: (u64, usize) = (1_000, 40);

#[test]
fn no_seed_breaks_a_law() {
    let seeds = std::env::var("SEEDS")
        .ok()
        .map(|seeds| seeds.parse().expect("SEEDS is a number"))
        .unwrap_or(FEW);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let ground = Case::default();
    let plan = Sweep { seeds: 0..seeds, ground, threads, twice_every: 10, fail_fast: false };
    let tally = sweep(&plan, &mut |_| true);
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{} seeds broke a law", tally.failures.len());
    assert_eq!(tally.seeds, seeds);
    assert_eq!(tally.twice, seeds.div_ceil(10));
    assert_eq!(tally.meagre, 0, "a seed that goes through too little proves nothing");
    if seeds >= KINDS.0 {
        assert!(tally.kinds() >= KINDS.1, "only {} kinds of faults struck", tally.kinds());
    }
    if seeds >= CAMPAIGN {
        let missed: Vec<_> = tally.missed().collect();
        assert!(missed.is_empty(), "never reached: {missed:?}");
    }
}
