//! Who may still propose when commits do not keep up.

use protocol::zab::{Message, Tag, Zab};

use crate::world::{World, brisk, id};

/// More commands than fit.
const MANY: usize = 500;

#[test]
fn a_crowd_of_clients_leaves_room_for_the_leaders_own_commands() {
    let mut world = World::new(31, 3, 0, &brisk());
    assert_eq!(world.settled_leader(), 3);
    world.gate = Box::new(|_, _, message| matches!(message, Message::Ack { .. }));
    let crowded = |world: &World| world.hosts[&id(3)].zab.as_ref().is_some_and(Zab::crowded);
    // A follower passes on what its clients want, until the leader has room for its own alone.
    let before = world.status(3).last.index.0;
    let mut taken: Vec<_> = (0..MANY).map(|_| world.propose(1)).collect();
    world.run_until("each is taken or refused", |world| {
        let logged = world.status(3).last.index.0 - before;
        logged + world.hosts[&id(1)].refused.len() as u64 == MANY as u64
    });
    let refused = std::mem::take(&mut world.host(id(1)).refused);
    let named = |tag: &Tag| format!("c{}", tag.0);
    let refused: Vec<String> = refused.iter().map(named).collect();
    taken.retain(|command| !refused.iter().any(|it| it.as_bytes() == command));
    assert!(taken.len() + refused.len() == MANY && !refused.is_empty());
    while !crowded(&world) {
        taken.push(world.propose(3));
    }
    // What a member needs itself goes in, crowd or not.
    taken.push(world.propose(3));
    assert!(world.host(id(3)).refused.is_empty(), "there was room");
    world.gate = Box::new(|_, _, _| false);
    world.heal();
    world.settle();
    assert!(!crowded(&world));
    for command in taken {
        assert!((1..=3).all(|node| world.has_applied(node, &command)), "{command:?}");
    }
}
