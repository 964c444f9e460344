//! Every planted bug of an election by gossip is noticed, by the law that it breaks.

#![cfg(feature = "mutants")]

use protocol::mutant::{Mutant, plant};
use sim::bully::world::run;

/// Worlds that each bug has to survive, from the seed on near which one is known to show it.
const SEEDS: u64 = 2_000;

/// One test: the choice of a bug is one for the process.
#[test]
fn each_bug_breaks_its_law() {
    let cases = [
        (Mutant::G1, 0, &["GI1", "GI2", "GI3"][..]),
        (Mutant::G2, 0, &["GI4"]),
        (Mutant::G3, 0, &["GI1"]),
        (Mutant::G4, 1_600, &["GI1"]),
        (Mutant::G5, 150, &["GI1"]),
        (Mutant::G6, 0, &["GI5"]),
        (Mutant::G7, 0, &["GI1", "GI7"]),
        (Mutant::G8, 0, &["GI1"]),
        (Mutant::G9, 0, &["GI7"]),
        (Mutant::G10, 0, &["GI4"]),
    ];
    let mut survivors = Vec::new();
    for (mutant, from, laws) in cases {
        plant(Some(mutant));
        let found = (from..from + SEEDS).find_map(|seed| Some((seed, run(seed).err()?)));
        plant(None);
        println!("{}: {found:?}", mutant.name());
        if !found.is_some_and(|(_, broken)| laws.iter().any(|law| broken.law.starts_with(law))) {
            survivors.push(mutant.name());
        }
    }
    assert!(survivors.is_empty(), "{survivors:?}");
}
