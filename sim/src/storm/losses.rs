//! Disks that are emptied, or put back to an earlier day, while their node is down.

use std::time::Duration;

use super::Kind;
use crate::draw::Draw;
use crate::seen::Place;
use crate::world::World;

/// Strikes one of the nodes whose disks may be damaged; `None` when there is none with anything to
/// lose.
pub(super) fn strike(world: &mut World, kind: Kind) -> Option<Option<Place>> {
    let has_lived = |at: &Place| {
        let machine = &world.machines[*at];
        machine.life > 0 && !machine.retired && !machine.lost
    };
    let places: Vec<Place> = world.storm.damaged.iter().copied().filter(has_lived).collect();
    if places.is_empty() {
        return None;
    }
    let at = world.storm.rng.one_of(&places);
    if kind == Kind::OldDisk && world.machines[at].copy.is_none() {
        return None;
    }
    let down = Duration::from_millis(50 + world.storm.rng.below(3_000));
    world.storm.fragile.remove(&at);
    world.crash(at);
    world.lose_disks(at, kind)?;
    world.start_later(down, at);
    Some(Some(at))
}
