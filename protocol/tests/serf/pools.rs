//! What a pool of agents promises.

use protocol::swim::Address;
use protocol::swim::message::{Addr, Alive, Facts, Message, State};
use protocol::swim::serf::{Config, Event, Input, Status};

use crate::scenes;
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
    what_happens_is_told_everywhere_by_gossip,
    what_gossip_misses_exchanges_bring,
    whoever_goes_has_left_everywhere,
    whoever_is_sent_away_stays,
    whoever_does_not_hear_that_it_is_sent_away_answers_later,
    the_failed_are_declared_to_have_left_to_all,
    whoever_is_pruned_is_known_to_nobody,
    questions_are_answered_by_those_who_are_meant,
];

/// `SEEDS=200` for more of them.
#[test]
fn agents_agree_after_any_storm() {
    let seeds = std::env::var("SEEDS").map_or(8, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let agents = [3, 5, 8, 16][usize::try_from(seed % 4).unwrap()];
        scenes::storm(seed, agents, 60);
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    let run = |seed| {
        let mut world = World::pool(8, Config::LAN, seed);
        world.loss = 100;
        world.crash(3);
        world.fire(2, "deploy");
        world.run(30 * SECOND);
        world.nodes.iter().map(|node| format!("{:?}", node.events)).collect::<Vec<_>>()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

/// SWIM alone would stay two: it forgets the dead within a minute.
#[test]
fn two_halves_find_each_other_long_after_they_have_forgotten() {
    let mut world = World::pool(10, Config::LAN, 9);
    let part: Vec<usize> = (0..4).collect();
    world.cut_off(&part);
    world.run(300 * SECOND);
    for inside in 0..4 {
        for outside in 4..10 {
            assert_eq!(world.serf(inside).swim().member(&name(outside)), None);
            assert_eq!(world.status(inside, outside), Some(Status::Failed));
        }
    }
    world.heal();
    let agreed = world.run_until(120 * SECOND, |world| world.differences().is_empty());
    assert!(agreed.is_some(), "{:?}", world.differences());
    assert_eq!(world.told(0, 7), ["joined", "failed", "joined"]);
}

/// Of a former life the pool remembers that it left; the new one says later that it has come.
#[test]
fn whoever_left_comes_back_under_its_name() {
    let mut world = World::pool(6, Config::LAN, 11);
    for _ in 0..3 {
        world.input(2, Input::Leave);
        let left = world.run_until(20 * SECOND, |world| {
            world.nodes[2].serf.is_none() && world.all_believe(2, Some(Status::Left))
        });
        assert!(left.is_some(), "{:?}", world.differences());
        world.start(2);
        world.join(2, 4);
        let back = world.run_until(10 * SECOND, |world| world.differences().is_empty());
        assert!(back.is_some(), "{:?}", world.differences());
        world.run(60 * SECOND);
        assert_eq!(world.differences(), [] as [String; 0], "it stays so");
    }
    assert_eq!(world.told(0, 2), ["joined", "left", "joined", "left", "joined", "left", "joined"]);
}

/// A member that restarts before anybody has noticed is not sent away by its own old intent.
#[test]
fn an_old_life_does_not_send_the_new_one_away() {
    let mut world = World::pool(6, Config::LAN, 12);
    world.input(2, Input::Leave);
    world.run(800 * MS);
    world.crash(2);
    world.start(2);
    world.join(2, 4);
    let back = world.run_until(60 * SECOND, |world| world.differences().is_empty());
    assert!(back.is_some(), "{:?}", world.differences());
}

/// The name belongs to who had it first: the others know it there.
#[test]
fn of_two_with_one_name_the_later_one_loses_it() {
    let mut world = World::new(6, Config::LAN, 13);
    for node in 0..5 {
        world.start(node);
        world.join(node, 0);
        world.run(100 * MS);
    }
    world.run(5 * SECOND);
    world.nodes[5].facts = Facts { name: name(3), ..world.nodes[5].facts.clone() };
    world.start(5);
    world.join(5, 0);
    world.run(20 * SECOND);
    let votes = |node: usize| -> Vec<bool> {
        let events = world.nodes[node].events.iter();
        events
            .filter_map(|(_, event)| match event {
                Event::ConflictVote { kept, .. } => Some(*kept),
                _ => None,
            })
            .collect()
    };
    assert!(votes(3).iter().all(|&kept| kept), "{:?}", votes(3));
    assert_eq!(votes(5), [false], "it is over with the first vote");
    assert_eq!(world.nodes[5].lost, Some(Address::of(&world.nodes[3].facts)));
    let told = |(_, event): &(_, Event)| matches!(event, Event::Conflict { .. });
    assert!(world.nodes[0].events.iter().any(told), "operators elsewhere hear of it, too");
    let held = world.serf(0).swim().member(&name(3)).unwrap();
    assert_eq!(
        (held.state, Address::of(&held.facts)),
        (State::Alive, Address::of(&world.nodes[3].facts))
    );
}

/// Whatever a member says under a name that is another's is taken for the other one's word: it
/// says nothing, whenever it is told to go.
#[test]
fn nobody_leaves_in_the_name_of_another() {
    // Before the vote is over, and after it was lost.
    for after in [200 * MS, 20 * SECOND] {
        let mut world = World::new(6, Config::LAN, 14);
        for node in 0..5 {
            world.start(node);
            world.join(node, 0);
            world.run(100 * MS);
        }
        world.run(5 * SECOND);
        world.nodes[5].facts = Facts { name: name(3), ..world.nodes[5].facts.clone() };
        world.start(5);
        world.join(5, 0);
        world.run(after);
        let lost = world.nodes[5].lost.is_some();
        assert_eq!(lost, after > SECOND);
        world.input(5, Input::Leave);
        assert_eq!(world.nodes[5].gone, (!lost).then_some(false), "at once, and nobody is told");
        world.run(30 * SECOND);
        for node in [0, 1, 2, 4] {
            assert_eq!(world.told(node, 3), ["joined"], "m{node:03} believes that m003 is here");
        }
        let refuted = |(_, event): &(_, Event)| matches!(event, Event::Refuted { .. });
        assert!(!world.nodes[3].events.iter().any(refuted), "m003 has nothing to answer");
    }
}

/// A member whose name it is leaves as it should, though somebody else claims it.
#[test]
fn whoever_has_the_votes_says_farewell() {
    let mut world = World::pool(6, Config::LAN, 15);
    let other = Facts { addr: Addr::from([10, 9, 9, 9]), ..world.nodes[2].facts.clone() };
    let alive = Alive { incarnation: 7, facts: other.into() };
    let (from, messages) = (Address::of(&world.nodes[1].facts), vec![Message::Alive(alive)]);
    world.input(2, Input::Receive { from, messages });
    world.run(SECOND);
    world.input(2, Input::Leave);
    let left = world.run_until(20 * SECOND, |world| {
        world.nodes[2].gone == Some(true) && world.all_believe(2, Some(Status::Left))
    });
    assert!(left.is_some(), "{:?}", world.differences());
}
