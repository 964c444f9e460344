//! A sweep that stops at the first failure says the same, however many threads run it.

#![cfg(feature = "mutants")]

use protocol::mutant::{Mutant, plant};
use sim::case::Case;
use sim::sweep::{Sweep, sweep};

#[test]
fn the_failure_with_the_lowest_seed_is_told() {
    // Assertions of the product are among the checks, and speak for themselves.
    std::panic::set_hook(Box::new(|_| {}));
    plant(Some(Mutant::R15));
    let mut told = Vec::new();
    for threads in [1, 2, 5] {
        let ground = Case { length: Some(20_000), ..Case::default() };
        let plan = Sweep { seeds: 0..400, ground, threads, twice_every: 0, fail_fast: true };
        let mut heard = Vec::new();
        let tally = sweep(&plan, &mut |tally| {
            heard.push(tally.seeds);
            true
        });
        assert_eq!(tally.failures.len(), 1, "{tally}");
        assert_eq!(tally.failures[0].case.seed + 1, tally.seeds);
        assert!(heard.into_iter().eq(1..=tally.seeds), "each seed was told of, in order");
        told.push(tally.to_string());
    }
    plant(None);
    let _ = std::panic::take_hook();
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:#?}");
}
