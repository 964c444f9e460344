//! Everything at once, from a seed; then the network heals and the pool must agree.

use std::time::Duration;

use protocol::swim::Config;

use crate::world::{MS, SECOND, World};

/// What may happen beside loss.
#[derive(Clone, Copy)]
pub(crate) struct Faults {
    pub(crate) crashes: bool,
    pub(crate) pauses: bool,
    pub(crate) cuts: bool,
}

pub(crate) const ALL: Faults = Faults { crashes: true, pauses: true, cuts: true };

/// A pool in a storm. Laws are asked at every step; at the end everybody believes the same.
pub(crate) fn storm(seed: u64, members: usize, steps: usize, faults: Faults) {
    let mut world = World::pool(members, Config::LAN, seed);
    world.remembers = seed.is_multiple_of(2);
    for _ in 0..steps {
        let node = world.below(members);
        match world.below(8) {
            0 if faults.crashes => world.crash(node),
            1 if faults.crashes && world.nodes[node].swim.is_none() => rejoin(&mut world, node),
            2 | 3 if faults.pauses => {
                let time = Duration::from_millis(200 + 4 * world.below(2000) as u64);
                world.pause(node, time);
            }
            4 if faults.cuts => world.cut_off(&[node, (node + 1) % members]),
            5 if faults.cuts => world.heal(),
            6 => world.loss = [0, 10, 50, 200][world.below(4)],
            _ => {
                let other = world.below(members);
                if faults.cuts {
                    world.no_packets.insert((node, other));
                }
            }
        }
        let time = u32::try_from(world.below(1500)).unwrap();
        world.run(time * MS);
        for node in world.living() {
            world.swim(node).assert_invariants();
        }
    }
    world.heal();
    world.run(10 * SECOND);
    for node in 0..members {
        // Everybody asks again, as a driver that retries does: a cut may have outlasted memories.
        rejoin(&mut world, node);
        world.run(50 * MS);
    }
    let agreed = world.run_until(120 * SECOND, |world| world.differences().is_empty());
    assert!(agreed.is_some(), "SI7: seed {seed}: {:?}", world.differences());
}

fn rejoin(world: &mut World, node: usize) {
    if world.nodes[node].swim.is_none() {
        world.start(node);
    }
    let living: Vec<usize> = world.living().into_iter().filter(|&other| other != node).collect();
    if !living.is_empty() {
        let to = living[world.below(living.len())];
        world.join(node, to);
    }
}

#[test]
fn pools_agree_after_any_storm() {
    for seed in 0..12 {
        let members = [3, 5, 8, 16][usize::try_from(seed % 4).unwrap()];
        storm(seed, members, 60, ALL);
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    let run = |seed| {
        let mut world = World::pool(8, Config::LAN, seed);
        world.loss = 100;
        world.crash(3);
        world.run(30 * SECOND);
        let events: Vec<String> =
            world.nodes.iter().map(|node| format!("{:?}", node.events)).collect();
        (world.packets, events)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).0, run(6).0);
}
