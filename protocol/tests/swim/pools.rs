//! What a pool promises.

use protocol::swim::message::State;
use protocol::swim::{Config, Event, Link, suspicion_time};

use crate::scenes::{self, QUIET};
use crate::world::{MS, SECOND, World, name};

/// Scenes that planted bugs spoil, too.
macro_rules! scenes {
    ($($scene:ident),* $(,)?) => {$(
        #[test]
        fn $scene() {
            scenes::$scene();
        }
    )*};
}

scenes![
    everybody_is_asked_within_two_rounds,
    nobody_dies_of_lost_packets,
    helpers_save_whoever_one_link_has_lost,
    whoever_goes_is_never_told_of_as_failed,
    pools_of_two_labels_never_merge,
    what_is_said_reaches_everybody_without_exchanges,
    whoever_stands_still_for_a_while_lives,
];

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
