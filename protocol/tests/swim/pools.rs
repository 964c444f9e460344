//! What a pool promises.

use bytes::Bytes;
use protocol::swim::message::State;
use protocol::swim::{Config, Event, Input, Link, suspicion_time};

use crate::world::{MS, SECOND, World, name};

const QUIET: Config = Config { exchange_interval: None, ..Config::LAN };

#[test]
fn members_that_join_one_after_another_are_a_pool() {
    for members in [1, 2, 3, 10, 32, 128] {
        let world = World::pool(members, Config::LAN, members as u64);
        for node in 0..members {
            let status = world.swim(node).status();
            assert_eq!((status.alive, status.suspect, status.dead), (members, 0, 0));
            assert!(world.nodes[node].joined.iter().all(|&joined| joined));
        }
        assert_eq!(world.oracle.failed, []);
    }
}

/// SWIM §3.1: 1.58 periods, counted in whole ones, whatever the size.
#[test]
fn the_dead_are_found_in_the_expected_time() {
    let mut periods = Vec::new();
    for seed in 0..20 {
        let members = 24;
        let mut world = World::pool(members, QUIET, seed);
        for victim in 1..6 {
            let killed = world.now;
            world.crash(victim);
            let known =
                world.run_until(120 * SECOND, |world| world.all_believe(victim, State::Dead));
            let known = known.expect("SI3: everybody finds the dead");
            // Detection within two rounds, the longest defence, and the spreading of both.
            let most = suspicion_time(members, 4, SECOND) * 6;
            assert!(known <= SECOND * 2 * 24 + most + 3 * SECOND, "SI3: {known:?}");
            let suspected = world.living().into_iter().flat_map(|node| {
                world.nodes[node].events.iter().filter_map(|(at, event)| match event {
                    Event::Suspected { member, .. } if member.name == name(victim) => Some(*at),
                    _ => None,
                })
            });
            // The probe that found it began one period earlier.
            let waited = suspected.min().unwrap() - killed - SECOND;
            periods.push(waited.as_secs_f64().ceil().max(1.0));
        }
        assert_eq!(world.oracle.failed.len(), (18 + 19 + 20 + 21 + 22 + 5));
    }
    let mean = periods.iter().sum::<f64>() / periods.len() as f64;
    let theory = std::f64::consts::E / (std::f64::consts::E - 1.0);
    assert!((mean / theory - 1.0).abs() < 0.15, "SI3: {mean} periods, not {theory}");
}

/// SI3: rounds are shuffled, so nobody waits longer than two of them for its turn.
#[test]
fn everybody_is_asked_within_two_rounds() {
    let members = 30;
    let mut world = World::pool(members, QUIET, 3);
    world.run(2 * 30 * SECOND);
    for node in 0..members {
        let asked = world.oracle.asked_since(&name(node), world.now, 2 * 30 * SECOND);
        assert_eq!(asked.len(), members - 1, "SI3: {node} asked {asked:?}");
    }
}

#[test]
fn nobody_dies_of_lost_packets() {
    for (loss, seconds) in [(10, 300), (50, 200), (100, 100)] {
        let mut world = World::pool(24, Config::LAN, loss);
        world.loss = loss;
        world.run(seconds * SECOND);
        assert_eq!(world.oracle.failed, [], "SI4: at {loss} in a thousand");
        world.heal();
        let agreed = world.run_until(60 * SECOND, |world| world.differences().is_empty());
        assert!(agreed.is_some(), "SI7: {:?}", world.differences());
    }
}

/// SI4: a member that few reach is kept alive by those who do.
#[test]
fn helpers_save_whoever_one_link_has_lost() {
    let mut world = World::pool(8, QUIET, 1);
    world.no_packets.extend([(0, 1), (1, 0)]);
    world.config.stream_ping = false;
    let streams = |world: &World| {
        let counters = world.living().into_iter().map(|node| *world.swim(node).counters());
        counters.map(|counters| (counters.probes_failed, counters.stream_answers)).collect()
    };
    let before: Vec<(u64, u64)> = streams(&world);
    world.run(60 * SECOND);
    assert_eq!(streams(&world), before, "SI4: helpers answered every probe");
    let links = world.swim(0).status().links;
    assert_eq!(links, [(name(1), Link::HelpersOnly)]);
    world.heal();
    world.run(20 * SECOND);
    assert_eq!(world.swim(0).status().links, []);
}

#[test]
fn a_link_that_carries_streams_only_is_named() {
    let mut world = World::pool(2, Config::LAN, 1);
    world.no_packets.insert((0, 1));
    world.run(10 * SECOND);
    assert_eq!(world.oracle.failed, []);
    assert_eq!(world.swim(0).status().links, [(name(1), Link::StreamsOnly)]);
    let told = |world: &World, wanted| {
        world.nodes[0]
            .events
            .iter()
            .filter(|(_, event)| matches!(event, Event::Link { link, .. } if *link == wanted))
            .count()
    };
    assert_eq!(told(&world, Some(Link::StreamsOnly)), 1, "it is told of once");
    world.heal();
    world.run(5 * SECOND);
    assert_eq!((told(&world, None), world.swim(0).status().links), (1, Vec::new()));
}

#[test]
fn two_halves_find_each_other_when_the_network_heals() {
    let mut world = World::pool(12, Config::LAN, 9);
    let part: Vec<usize> = (0..5).collect();
    world.cut_off(&part);
    let apart = world.run_until(60 * SECOND, |world| {
        part.iter().all(|&inside| {
            (5..12).all(|outside| {
                let dead = Some(State::Dead);
                world.state(inside, outside) == dead && world.state(outside, inside) == dead
            })
        })
    });
    assert!(apart.is_some(), "SI3: a part that cannot be reached is called dead");
    world.heal();
    let agreed = world.run_until(30 * SECOND, |world| world.differences().is_empty());
    assert!(agreed.is_some(), "SI7: {:?}", world.differences());
}

#[test]
fn a_member_that_comes_back_hears_at_once_that_it_was_dead() {
    for remembers in [false, true] {
        let mut world = World::new(12, QUIET, 4);
        for node in 0..11 {
            world.start(node);
            world.join(node, 0);
            world.run(100 * MS);
        }
        world.run(5 * SECOND);
        world.crash(3);
        let dead = world.run_until(60 * SECOND, |world| world.all_believe(3, State::Dead));
        assert!(dead.is_some());
        // A newcomer does not know the dead: whoever joins by it learns nothing of its own past.
        world.start(11);
        world.join(11, 0);
        world.run(5 * SECOND);
        assert_eq!(world.state(11, 3), None);
        world.remembers = remembers;
        world.start(3);
        world.join(3, 11);
        let back = world.run_until(60 * SECOND, |world| world.all_believe(3, State::Alive));
        let most = if remembers { 2 * SECOND } else { 4 * SECOND };
        assert!(back.is_some_and(|back| back <= most), "after {back:?}");
        let repeated = |node: usize| world.swim(node).counters().accusations_repeated;
        assert_eq!((0..12).map(repeated).sum::<u64>() > 0, !remembers);
        assert_eq!(world.swim(3).counters().refutations > 0, !remembers);
    }
}

#[test]
fn whoever_goes_is_never_told_of_as_failed() {
    for members in [2, 3, 16] {
        let mut world = World::pool(members, Config::LAN, 2);
        world.loss = 50;
        world.input(1, Input::Leave { patience: 5 * SECOND });
        let left = world.run_until(10 * SECOND, |world| world.all_believe(1, State::Left));
        assert!(left.is_some(), "SI9: in a pool of {members}");
        world.run(5 * SECOND);
        assert_eq!(world.nodes[1].gone, Some(true));
        world.crash(1);
        world.run(20 * SECOND);
        for node in world.living() {
            assert_eq!(world.told(node, 1).last(), Some(&"left"), "SI9: at {node}");
        }
        world.run(40 * SECOND);
        assert_eq!(world.state(0, 1), None, "those who left are forgotten, too");
    }
}

#[test]
fn pools_of_two_labels_never_merge() {
    let mut world = World::new(10, Config::LAN, 6);
    for node in 0..10 {
        world.label(node, if node < 5 { "blue" } else { "red" });
        world.start(node);
        world.join(node, node / 5 * 5);
        world.run(50 * MS);
    }
    world.join(7, 2);
    world.join(1, 8);
    world.run(30 * SECOND);
    for node in 0..10 {
        for other in 0..10 {
            let known = world.state(node, other) == Some(State::Alive);
            assert_eq!(known, node / 5 == other / 5, "SI8: {node} of {other}");
        }
    }
    assert!(world.nodes[7].joined.contains(&false));
}

#[test]
fn what_is_said_reaches_everybody_without_exchanges() {
    for members in [3, 30, 100] {
        let mut world = World::pool(members, Config::LAN, 8);
        // The exchanges of forming the pool are over; the next are a minute away.
        let said = world.now;
        world.broadcast(0, "deploy");
        world.run(3 * SECOND);
        for node in 1..members {
            let heard = &world.nodes[node].heard;
            assert!(heard.iter().any(|(at, _)| *at >= said), "SI7: {node} of {members}");
        }
        world.input(1, Input::Update { meta: Bytes::from_static(b"role=db") });
        let known = world.run_until(5 * SECOND, |world| world.differences().is_empty());
        assert!(known.is_some(), "SI7: {:?}", world.differences());
        assert!((2..members).all(|node| world.told(node, 1).last() == Some(&"updated")));
    }
}

/// A member that stood still for longer than anybody waits accuses nobody when it goes on.
#[test]
fn whoever_stood_still_kills_nobody() {
    for seed in 0..6 {
        let mut world = World::pool(16, Config::LAN, seed);
        for node in [3, 7] {
            world.pause(node, 20 * SECOND);
        }
        world.run(60 * SECOND);
        let wrong = |(_, by, of): &&(_, _, _)| *of != name(3) && *of != name(7) && *by != *of;
        assert_eq!(world.oracle.failed.iter().find(wrong), None, "SI4: seed {seed}");
        assert!(world.swim(3).counters().stalls >= 1);
        let agreed = world.run_until(60 * SECOND, |world| world.differences().is_empty());
        assert!(agreed.is_some(), "SI7: seed {seed}: {:?}", world.differences());
    }
}

/// Load: one member's packets do not depend on the size of the pool.
#[test]
fn packets_a_member_do_not_grow_with_the_pool() {
    let rate = |members: usize| {
        let mut world = World::pool(members, QUIET, 1);
        world.run(30 * SECOND);
        let before = world.packets;
        world.run(60 * SECOND);
        (world.packets - before) as f64 / 60.0 / members as f64
    };
    let (small, large) = (rate(10), rate(100));
    // A ping and an acknowledgement a second.
    assert!((small - 2.0).abs() < 0.05 && (large - 2.0).abs() < 0.05, "{small} and {large}");
}
