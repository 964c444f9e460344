//! Every planted bug of Zab is noticed: by a storm, which the judge ends with the name of the law,
//! and by the published counter-example that it stands for, where there is one.

#![cfg(feature = "mutants")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "zab/disk.rs"]
mod disk;
#[path = "zab/host.rs"]
mod host;
#[path = "zab/judge.rs"]
mod judge;
#[path = "zab/network.rs"]
mod network;
#[path = "zab/scenes.rs"]
mod scenes;
#[path = "zab/storm.rs"]
mod storm;
#[path = "zab/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use judge::HARM_ONLY;
use protocol::mutant::{Mutant, plant};

/// What ends `run`, if anything does.
fn ends(run: impl Fn()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap())
}

/// What ends `run` when only the harm counts, and not that a promise was made too early.
fn harms(run: impl Fn()) -> Option<String> {
    HARM_ONLY.store(true, Ordering::Relaxed);
    let end = ends(run);
    HARM_ONLY.store(false, Ordering::Relaxed);
    end
}

struct Case {
    mutant: Mutant,
    /// What the first storm breaks.
    law: &'static str,
    /// The counter-examples that come to harm.
    scenes: &'static [&'static str],
}

const CASES: [Case; 9] = [
    Case { mutant: Mutant::Z1, law: "ZI8", scenes: &["SPEC-1"] },
    Case { mutant: Mutant::Z2, law: "ZI8", scenes: &["SPEC-3"] },
    Case { mutant: Mutant::Z3, law: "ZI14", scenes: &["ZK-4643"] },
    Case { mutant: Mutant::Z4, law: "ZI15", scenes: &["ZK-3911", "ZK-4646", "ZK-3023"] },
    Case { mutant: Mutant::Z5, law: "ZI11", scenes: &["ZK-2845"] },
    Case { mutant: Mutant::Z6, law: "ZI8", scenes: &["ZK-3911 of five", "ZK-4394"] },
    Case { mutant: Mutant::Z7, law: "ZI9", scenes: &["ZK-4925"] },
    Case { mutant: Mutant::Z8, law: "ZI15", scenes: &["ZK-4685"] },
    Case { mutant: Mutant::Z9, law: "ZI11", scenes: &["ZK-4712"] },
];

/// How many storms a bug may survive.
const STORMS: u64 = 300;
/// One test: the choice of a bug is one for the process.
#[test]
fn each_bug_breaks_its_law_and_does_harm() {
    let mut survivors = Vec::new();
    for Case { mutant, law, scenes } in CASES {
        plant(Some(mutant));
        let name = mutant.name();
        let first = (0..STORMS).find_map(|seed| Some((seed, ends(|| drop(storm::storm(seed)))?)));
        println!("{name} is noticed: {first:?}");
        if !first.is_some_and(|(_, what)| what.contains(law)) {
            survivors.push(format!("{name} in storms"));
        }
        for (scene, run) in scenes::ALL.iter().filter(|it| scenes.contains(&it.0)) {
            let end = harms(run);
            println!("{name} in {scene}: {end:?}");
            if end.is_none() {
                survivors.push(format!("{name} in {scene}"));
            }
        }
        plant(None);
    }
    for (name, scene) in scenes::ALL {
        assert_eq!(ends(scene), None, "{name} without any bug");
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
}
