//! Every planted bug of a founding is noticed, by a law that it breaks: in worlds, and in the box
//! that has every order of events.

#![cfg(feature = "mutants")]

use protocol::mutant::{Mutant, plant};
use sim::founding::explore::{Bounds, explore};
use sim::founding::world::run;

/// Worlds that each bug has to survive.
const SEEDS: u64 = 2_000;
/// States that it has to.
const STATES: u64 = 2_000_000;

fn bounds(expect: usize, servers: usize) -> Bounds {
    Bounds { expect, servers, crashes: 1, mistakes: false, calm_every: 1 }
}

/// One test: the choice of a bug is one for the process.
#[test]
fn each_bug_breaks_its_law() {
    let cases = [
        (Mutant::B1, "BI3", bounds(2, 2)),
        (Mutant::B2, "BI1", bounds(2, 3)),
        (Mutant::B3, "BI3", bounds(2, 3)),
        (Mutant::B4, "BI2", bounds(2, 2)),
    ];
    let mut survivors = Vec::new();
    for (mutant, law, bounds) in cases {
        plant(Some(mutant));
        let world = (0..SEEDS).find_map(|seed| Some((seed, run(seed).err()?)));
        let found = explore(bounds, STATES);
        plant(None);
        println!("{}: {world:?}; {:?}, {} states", mutant.name(), found.broken, found.states);
        let in_world = world.is_some_and(|(_, broken)| broken.law.starts_with(law));
        let in_box = found.broken.is_some_and(|(broken, _)| broken.law.starts_with("BI"));
        if !in_world || !in_box {
            survivors.push((mutant.name(), in_world, in_box));
        }
    }
    assert!(survivors.is_empty(), "{survivors:?}");
}
