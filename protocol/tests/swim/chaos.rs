//! Everything at once, from a seed; then the network heals and the pool must agree.

use protocol::swim::Config;

use crate::scenes::{ALL, storm};
use crate::world::{SECOND, World};

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
