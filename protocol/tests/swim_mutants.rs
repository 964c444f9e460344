//! Every planted bug of SWIM is noticed, by the law that it breaks.

#![cfg(feature = "mutants")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "swim/oracle.rs"]
mod oracle;
#[allow(dead_code, reason = "not every scene spoils a bug's day")]
#[path = "swim/scenes.rs"]
mod scenes;
#[allow(dead_code, reason = "what only other tests ask")]
#[path = "swim/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use protocol::mutant::{Mutant, plant};
use scenes::{ALL, Faults, storm};

/// What the first failing run says, with the bug planted.
fn verdict(mutant: Mutant, runs: u64, run: impl Fn(u64)) -> String {
    plant(Some(mutant));
    let verdict = (0..runs).find_map(|seed| {
        let panic = catch_unwind(AssertUnwindSafe(|| run(seed))).err()?;
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
    });
    plant(None);
    verdict.unwrap_or_default()
}

/// One test: the choice of a bug is one for the process.
#[test]
fn each_bug_breaks_its_law() {
    let pauses = Faults { crashes: false, pauses: true, cuts: false };
    type Run = Box<dyn Fn(u64)>;
    let cases: [(Mutant, &str, u64, Run); 9] = [
        (Mutant::S1, "SI1", 10, Box::new(move |seed| storm(seed, 8, 40, pauses))),
        (Mutant::S2, "SI2", 20, Box::new(|seed| storm(seed, 8, 60, ALL))),
        (Mutant::S3, "SI5", 20, Box::new(move |seed| storm(seed, 8, 40, pauses))),
        (Mutant::S4, "SI3", 1, Box::new(|_| scenes::everybody_is_asked_within_two_rounds())),
        (Mutant::S5, "SI4", 1, Box::new(|_| scenes::helpers_save_whoever_one_link_has_lost())),
        (Mutant::S6, "SI4", 1, Box::new(|_| scenes::whoever_stands_still_for_a_while_lives())),
        (
            Mutant::S7,
            "SI7",
            1,
            Box::new(|_| scenes::what_is_said_reaches_everybody_without_exchanges()),
        ),
        (Mutant::S8, "SI8", 1, Box::new(|_| scenes::pools_of_two_labels_never_merge())),
        (Mutant::S9, "SI9", 1, Box::new(|_| scenes::whoever_goes_is_never_told_of_as_failed())),
    ];
    let mut survivors = Vec::new();
    for (mutant, law, runs, run) in cases {
        let verdict = verdict(mutant, runs, run);
        println!("{}: {verdict}", mutant.name());
        if !verdict.contains(law) {
            survivors.push(format!("{}: {verdict}", mutant.name()));
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
}
