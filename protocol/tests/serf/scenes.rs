//! What is done to a pool of agents, and judged by its laws. Tests and planted bugs share it.

use bytes::Bytes;
use protocol::swim::Tag;
use protocol::swim::message::Name;
use protocol::swim::serf::{Config, Filter, Input, Status};

use crate::world::{MS, QUIET, SECOND, World, name, tags};

/// SI10: gossip alone reaches all but one in some hundreds, within seconds.
pub(crate) fn what_happens_is_told_everywhere_by_gossip() {
    for agents in [3, 30] {
        let mut world = World::pool(agents, QUIET, 8);
        world.loss = 20;
        let mut heard = 0;
        for round in 0..10 {
            let event = format!("deploy {round}");
            world.fire(round % agents, &event);
            world.run(4 * SECOND);
            heard += world.heard(&event);
        }
        assert!(heard * 100 >= 10 * agents * 99, "SI10: {heard} of {} in {agents}", 10 * agents);
    }
}

/// SI10: with exchanges everybody is told of everything, once.
pub(crate) fn what_gossip_misses_exchanges_bring() {
    let mut world = World::pool(16, Config::LAN, 3);
    world.loss = 300;
    for round in 0..40 {
        world.fire(round % 16, &format!("deploy {round}"));
        world.run(300 * MS);
    }
    world.heal();
    world.run(120 * SECOND);
    for round in 0..40 {
        assert_eq!(world.heard(&format!("deploy {round}")), 16, "SI10: deploy {round}");
    }
}

/// SI12 and SI13: it is left everywhere, failed nowhere, and forgotten by SWIM later.
pub(crate) fn whoever_goes_has_left_everywhere() {
    for agents in [2, 3, 16] {
        let mut world = World::pool(agents, Config::LAN, 2);
        world.loss = 50;
        world.input(1, Input::Leave);
        let left = world.run_until(20 * SECOND, |world| {
            world.all_believe(1, Some(Status::Left)) && world.nodes[1].gone.is_some()
        });
        assert!(left.is_some(), "SI12: in a pool of {agents}: {:?}", world.differences());
        assert_eq!(world.nodes[1].gone, Some(true));
        world.run(90 * SECOND);
        for node in world.living() {
            assert_eq!(world.told(node, 1), ["joined", "left"], "SI12: at {node}");
            assert_eq!(world.status(node, 1), Some(Status::Left));
            assert_eq!(world.serf(node).swim().member(&name(1)), None, "SWIM has forgotten it");
        }
    }
}

/// SI12: somebody there is declared to have left.
pub(crate) fn whoever_is_sent_away_stays() {
    for prune in [false, true] {
        let mut world = World::pool(8, QUIET, 4);
        world.force_leave(3, 5, prune);
        assert_eq!(world.status(3, 5), Some(Status::Leaving));
        let back = world.run_until(10 * SECOND, |world| world.all_believe(5, Some(Status::Alive)));
        assert!(back.is_some(), "SI12: {:?}", world.differences());
        world.run(10 * SECOND);
        assert_eq!(world.serf(5).stats().counters.intents_refuted, 1);
        for node in world.living().into_iter().filter(|&node| node != 5) {
            assert_eq!(world.told(node, 5), ["joined"], "at {node}");
        }
    }
}

/// SI12: somebody there is declared to have left, and hears nothing of it at first.
pub(crate) fn whoever_does_not_hear_that_it_is_sent_away_answers_later() {
    let mut world = World::pool(8, QUIET, 4);
    world.no_packets.extend((0..8).filter(|&node| node != 5).map(|node| (node, 5)));
    world.force_leave(3, 5, false);
    world.run(2500 * MS);
    world.heal();
    world.run(5 * SECOND);
    assert_eq!(world.status(3, 5), Some(Status::Leaving), "the scene shows nothing");
    world.join(1, 5);
    let back = world.run_until(10 * SECOND, |world| world.differences().is_empty());
    assert!(back.is_some(), "SI12: {:?}", world.differences());
}

/// SI12: one that has failed is declared to have left while somebody hears nothing of it.
pub(crate) fn the_failed_are_declared_to_have_left_to_all() {
    let mut world = World::pool(8, QUIET, 5);
    world.crash(6);
    let failed = world.run_until(60 * SECOND, |world| world.all_believe(6, Some(Status::Failed)));
    assert!(failed.is_some(), "SI12: {:?}", world.differences());
    // Nothing reaches this one for a moment, and then all has been said.
    world.no_packets.extend((0..8).filter(|&node| node != 2).map(|node| (node, 2)));
    world.force_leave(0, 6, false);
    world.run(2500 * MS);
    assert_eq!(world.status(2, 6), Some(Status::Failed));
    world.heal();
    world.run(5 * SECOND);
    assert_eq!(world.status(2, 6), Some(Status::Failed), "the scene shows nothing");
    world.join(2, 1);
    let left = world.run_until(10 * SECOND, |world| world.all_believe(6, Some(Status::Left)));
    assert!(left.is_some(), "SI12: {:?}", world.differences());
    for node in world.living() {
        assert_eq!(world.told(node, 6), ["joined", "failed", "left"], "SI12: at {node}");
    }
}

pub(crate) fn whoever_is_pruned_is_known_to_nobody() {
    let mut world = World::pool(8, Config::LAN, 6);
    world.crash(6);
    let failed = world.run_until(60 * SECOND, |world| world.all_believe(6, Some(Status::Failed)));
    assert!(failed.is_some());
    world.force_leave(0, 6, true);
    let gone = world.run_until(10 * SECOND, |world| world.all_believe(6, None));
    assert!(gone.is_some(), "SI12: {:?}", world.differences());
    for node in world.living() {
        assert_eq!(world.told(node, 6), ["joined", "failed", "left", "reaped"]);
    }
    world.run(90 * SECOND);
    assert!(world.all_believe(6, None), "exchanges do not bring it back");
    // Its name is free for the next one.
    world.start(6);
    world.join(6, 0);
    let back = world.run_until(10 * SECOND, |world| world.differences().is_empty());
    assert!(back.is_some(), "SI12: {:?}", world.differences());
}

/// SI14: all who are meant answer, once, and nobody else.
pub(crate) fn questions_are_answered_by_those_who_are_meant() {
    let web =
        Filter::Tag { tag: Bytes::from_static(b"role"), expression: Bytes::from_static(b"^web$") };
    let some = Filter::Nodes((0..6).map(name).collect());
    for (agents, filters) in
        [(5, vec![]), (12, vec![web.clone()]), (12, vec![some.clone()]), (12, vec![some, web])]
    {
        let mut world = World::pool(agents, Config::LAN, 7);
        world.ask(1, 40, filters.clone(), 3);
        world.run(30 * SECOND);
        let meant: Vec<Name> = (0..agents)
            .filter(|&node| filters.iter().all(|filter| filter.admits(&name(node), &tags(node))))
            .map(name)
            .collect();
        let answers: Vec<Name> = world.nodes[1].answers[&Tag(40)].keys().cloned().collect();
        let acks: Vec<Name> = world.nodes[1].acks[&Tag(40)].iter().cloned().collect();
        assert_eq!((&answers, &acks), (&meant, &meant), "SI14: {filters:?}");
        assert!(world.nodes[1].ended.contains(&Tag(40)));
        assert_eq!(world.serf(1).stats().questions, 0);
    }
}

/// A pool in a storm. Laws are asked at every step; at the end everybody believes the same.
pub(crate) fn storm(seed: u64, agents: usize, steps: usize) {
    let mut world = World::pool(agents, Config::LAN, seed);
    for step in 0..steps {
        let (node, other) = (world.below(agents), world.below(agents));
        match world.below(14) {
            0 => world.crash(node),
            1 => world.input(node, Input::Leave),
            2 | 3 if world.nodes[node].serf.is_none() => rejoin(&mut world, node),
            4 => world.cut_off(&[node, other]),
            5 => world.heal(),
            6 => world.loss = [0, 10, 50, 200][world.below(4)],
            7 => {
                world.no_packets.insert((node, other));
            }
            8 => world.force_leave_if_there(node, other, step),
            9 | 10 if world.nodes[node].serf.is_some() => {
                world.fire(node, &format!("event {step}"));
            }
            11 if world.nodes[node].serf.is_some() => {
                world.ask(node, 100 + step as u64, Vec::new(), 1);
            }
            12 => {
                let mut tags = tags(node);
                tags.0.insert(Bytes::from_static(b"step"), Bytes::from(format!("{step}")));
                world.input(node, Input::SetTags { tag: Tag(2), tags });
            }
            _ => {}
        }
        let time = u32::try_from(world.below(3000)).unwrap();
        world.run(time * MS);
        for node in world.living() {
            world.serf(node).assert_invariants();
        }
    }
    world.heal();
    // Whoever was going goes.
    world.run(15 * SECOND);
    for node in 0..agents {
        rejoin(&mut world, node);
        world.run(50 * MS);
    }
    let agreed = world.run_until(300 * SECOND, |world| world.differences().is_empty());
    assert!(agreed.is_some(), "SI12: seed {seed}: {:?}", world.differences());
    world.fire(0, "all clear");
    world.run(120 * SECOND);
    assert_eq!(world.heard("all clear"), agents, "SI10: seed {seed}");
}

fn rejoin(world: &mut World, node: usize) {
    if world.nodes[node].serf.is_none() {
        world.start(node);
    }
    let living: Vec<usize> = world.living().into_iter().filter(|&other| other != node).collect();
    if !living.is_empty() {
        let to = living[world.below(living.len())];
        world.join(node, to);
    }
}

impl World {
    fn force_leave_if_there(&mut self, node: usize, other: usize, step: usize) {
        if self.nodes[node].serf.is_some() && node != other {
            self.force_leave(node, other, step.is_multiple_of(3));
        }
    }
}
