//! Storms that nobody has seen yet, and those that found something.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::storm::storm;

/// How many, unless `ZAB_SEEDS` says otherwise; from where, unless `ZAB_FROM` does.
const SEEDS: u64 = 2000;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn no_storm_breaks_a_law_and_everybody_agrees_after_it() {
    let from = setting("ZAB_FROM", 0);
    for seed in from..from + setting("ZAB_SEEDS", SEEDS) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| storm(seed))) {
            eprintln!("the storm of seed {seed}: ZAB_FROM={seed} ZAB_SEEDS=1 ZAB_TRACE=1");
            resume_unwind(panic);
        }
    }
}
