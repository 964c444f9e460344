//! Every planted bug of an election by gossip is noticed, by the law that it breaks.

#![cfg(feature = "mutants")]

use protocol::mutant::{Mutant, plant};
use sim::bully::world::run;

/// Worlds that each bug has to survive.
const SEEDS: u64 = 2_000;

/// One test: the choice of a bug is one for the process.
#[test]
fn each_bug_breaks_its_law() {
    let cases = [
        (Mutant::G1, &["GI1", "GI2", "GI3"][..]),
        (Mutant::G2, &["GI4"]),
        (Mutant::G3, &["GI1"]),
        (Mutant::G4, &["GI1"]),
        (Mutant::G5, &["GI1"]),
        (Mutant::G6, &["GI5"]),
        (Mutant::G7, &["GI1"]),
        (Mutant::G8, &["GI1"]),
    ];
    let mut survivors = Vec::new();
    for (mutant, laws) in cases {
        plant(Some(mutant));
        let found = (0..SEEDS).find_map(|seed| Some((seed, run(seed).err()?)));
        plant(None);
        println!("{}: {found:?}", mutant.name());
        if !found.is_some_and(|(_, broken)| laws.iter().any(|law| broken.law.starts_with(law))) {
            survivors.push(mutant.name());
        }
    }
    assert!(survivors.is_empty(), "{survivors:?}");
}
