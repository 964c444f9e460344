//! Every planted bug of Serf's layer is noticed, by the law that it breaks.

#![cfg(feature = "mutants")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "serf/oracle.rs"]
mod oracle;
#[allow(dead_code, reason = "not every scene spoils a bug's day")]
#[path = "serf/scenes.rs"]
mod scenes;
#[allow(dead_code, reason = "what only other tests ask")]
#[path = "serf/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use protocol::mutant::{Mutant, plant};

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
    type Run = fn(u64);
    let cases: [(Mutant, &str, u64, Run); 9] = [
        (Mutant::S10, "SI11", 12, |seed| scenes::storm(seed, 8, 60)),
        (Mutant::S11, "SI12", 1, |_| scenes::whoever_is_sent_away_stays()),
        (Mutant::S12, "SI13", 1, |_| scenes::whoever_goes_has_left_everywhere()),
        (Mutant::S13, "SI12", 1, |_| scenes::the_failed_are_declared_to_have_left_to_all()),
        (Mutant::S14, "SI10", 1, |_| scenes::what_happens_is_told_everywhere_by_gossip()),
        (Mutant::S15, "SI10", 1, |_| scenes::what_happens_is_told_everywhere_by_gossip()),
        (Mutant::S16, "SI14", 1, |_| scenes::questions_are_answered_by_those_who_are_meant()),
        (Mutant::S17, "SI14", 1, |_| scenes::questions_are_answered_by_those_who_are_meant()),
        (Mutant::S18, "SI14", 1, |_| scenes::questions_are_answered_by_those_who_are_meant()),
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
