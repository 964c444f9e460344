//! Gossip pools: stories hold, laws hold in pools of hundreds, and a seed is one pool.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use protocol::swim::Config;
use protocol::swim::message::State;
use sim::pool::gallery::{all, find};
use sim::pool::lifeguard::{self, Kind, Slowness};
use sim::pool::{Latency, MILLION, Options, Pool, Slow, deaths, detection, load, spread};

const SECOND: Duration = Duration::from_secs(1);

fn options(members: usize, loss: u64, seed: u64) -> Options {
    Options { members, config: Config::LAN, latency: Latency::LAN, loss, seed }
}

/// Everything that is told and heard in a minute with losses, deaths and slowness, as a text.
fn history(seed: u64) -> String {
    let mut pool = Pool::formed(options(60, MILLION / 50, seed));
    pool.run(5 * SECOND);
    pool.crash(7);
    pool.slow(8, Slow::Still, 5 * SECOND);
    pool.slow(9, Slow::Mute, 15 * SECOND);
    pool.say(3, Bytes::from_static(b"hello"));
    pool.run(20 * SECOND);
    pool.start(7);
    pool.join(7, 20);
    pool.run(35 * SECOND);
    let meters: Vec<_> = (0..pool.len()).map(|member| *pool.meter(member)).collect();
    format!("{:?} {:?} {meters:?}", pool.take_told(), pool.take_heard())
}

#[test]
fn a_seed_is_one_pool() {
    let first = history(1);
    assert!(first.len() > 10_000 && first == history(1));
    assert_ne!(first, history(2));
}

/// SWIM §3.1, in whole periods; the suspicion's shortest time at 300 members is 9.9 s.
#[test]
fn the_dead_of_a_pool_of_300_are_found_in_time() {
    let found = detection::measure(&options(300, 0, 1), 60);
    assert!((found.periods / found.periods_in_theory - 1.0).abs() < 0.3, "{found}");
    assert!(found.suspected.mean.unwrap() < 3_500.0, "{found}");
    let (first, last) = (found.failed.mean.unwrap(), found.known.max.unwrap());
    assert!((9_900.0..14_000.0).contains(&first) && last < 25_000.0, "{found}");
    assert_eq!((found.kills, found.known.open), (60, 0), "{found}");
}

/// A message is sent so often by each, and no oftener: in pools of fewer than a hundred, where that
/// is eight times, 30 % of loss leave somebody out now and then.
#[test]
fn a_message_reaches_everybody_faster_than_published() {
    for (members, loss) in [(300, 0), (120, MILLION * 3 / 10)] {
        let mut pool = Pool::formed(options(members, loss, 1));
        let spread = spread::measure(&mut pool, 5);
        assert_eq!(spread.nearly_all.open, 0, "{spread}");
        assert!(spread.nearly_all.max.unwrap() < spread.published, "{spread}");
    }
}

#[test]
fn a_member_costs_the_same_in_pools_of_30_and_300() {
    for members in [30, 300] {
        let mut pool = Pool::formed(options(members, 0, 1));
        let load = load::measure(&mut pool, 60 * SECOND);
        for packets in [load.packets_out, load.packets_in] {
            assert!((1.95..2.05).contains(&packets), "{load}");
        }
        for bytes in [load.bytes_out, load.bytes_in] {
            assert!((110.0..118.0).contains(&bytes), "{load}");
        }
        assert!((load.exchanged_out / load.exchanged_in_theory - 1.0).abs() < 0.35, "{load}");
        assert_eq!(load.suspicions, 0);
    }
}

/// Without streams a lost packet must be made good by other packets.
#[test]
fn nobody_who_lives_is_called_dead_for_lost_packets() {
    let options = options(100, MILLION / 50, 1);
    let config = Config { stream_ping: false, ..options.config.clone() };
    let mut pool = Pool::formed(Options { config, ..options });
    let deaths = deaths::measure(&mut pool, Duration::from_mins(30), |_, _| ());
    assert!(deaths.probes > 170_000 && deaths.refutations > 0, "{deaths}");
    assert_eq!(deaths.false_deaths, 0, "{deaths}");
}

#[test]
fn slow_members_make_swim_call_the_healthy_dead_and_not_us() {
    let slowness = Slowness { how: Slow::Mute, slow: 1, pause: 16_384, run: 256 };
    let [swim, lifeguard, ours] =
        Kind::ALL.map(|kind| lifeguard::measure(kind, slowness, 1, 1).wrong);
    assert!(swim.everywhere > 1_000, "{swim:?}");
    assert!(lifeguard.everywhere * 50 <= swim.everywhere, "{lifeguard:?}");
    assert!(ours.everywhere * 50 <= swim.everywhere, "{ours:?}");
    let slowness = Slowness { how: Slow::Still, slow: 2, pause: 8_192, run: 1 };
    let [swim, _, ours] = Kind::ALL.map(|kind| lifeguard::measure(kind, slowness, 1, 1).wrong);
    assert!(swim.everywhere > 10, "{swim:?}");
    assert_eq!(ours.everywhere, 0, "who stood still knows it");
}

/// A member that comes back in the middle of what was meant for its earlier life.
#[test]
fn lives_do_not_mix() {
    let mut pool = Pool::formed(options(20, 0, 4));
    pool.slow(3, Slow::Still, 2 * SECOND);
    pool.run(SECOND);
    pool.crash(3);
    pool.start(3);
    pool.join(3, 4);
    pool.slow(3, Slow::Still, 10 * SECOND);
    pool.run(2 * SECOND);
    let packets = pool.meter(3).packets_in;
    pool.run(5 * SECOND);
    assert_eq!(pool.meter(3).packets_in, packets, "the first pause ends in its own life");
    let agreed = pool.run_until(120 * SECOND, SECOND, |pool| {
        pool.living().all(|by| by == 3 || pool.state(by, 3) == Some(State::Alive))
    });
    assert!(agreed.is_some());
}

/// Plays a story twice: it holds, is the same each time, and can be told and drawn.
fn holds(tag: &str) {
    let story = find(tag).unwrap();
    let (outcome, again) = (story.run(), story.run());
    assert_eq!(outcome.verdict, Ok(()), "{tag}, seed {}", outcome.seed);
    assert_eq!(outcome.record, again.record);
    let told = outcome.timeline(false);
    assert!(told.lines().count() > 5, "{tag} tells nothing:\n{told}");
    assert!(outcome.timeline(true).len() >= told.len());
    let drawn = outcome.to_svg(&story);
    assert!(!drawn.contains("NaN") && drawn.trim_end().ends_with("</svg>"));
    assert_eq!(drawn.matches("<text ").count(), drawn.matches("</text>").count());
}

macro_rules! stories {
    ($($name:ident $tag:literal)*) => {
        $(#[test]
        fn $name() {
            holds($tag);
        })*

        #[test]
        fn every_story_of_a_pool_is_played() {
            let played = BTreeSet::from([$($tag),*]);
            let told: BTreeSet<&str> = all().iter().map(|story| story.tag).collect();
            assert_eq!(played, told);
            assert_eq!(all().len(), played.len(), "a tag stands twice");
            for tag in told {
                assert!(sim::gallery::find(tag).is_none(), "{tag} is told of a cluster, too");
            }
        }
    };
}

stories! {
    s0_11_servers_and_agents_share_one_pool "s0_11"
    s0_11a_two_pools_on_one_network "s0_11a"
    s0_12_a_few_others_who_relay "s0_12"
    s0_13_the_load_is_constant "s0_13"
    s0_14_agents_find_the_dead "s0_14"
    s0_15_a_few_neighbours_are_enough "s0_15"
    s0_16_the_restarted_and_the_new_agree "s0_16"
    s3_01_three_loops "s3_01"
    s3_02_alive_suspect_dead "s3_02"
    s3_03_probes_by_others_and_by_streams "s3_03"
    s3_03a_answers_to_other_questions "s3_03a"
    s3_03b_what_helpers_were_answered "s3_03b"
    s3_04_witnesses_shorten_a_suspicion "s3_04"
    s3_05_a_suspect_refutes "s3_05"
    s3_06_leaving_dying_and_refuting_death "s3_06"
    s3_07_packets_and_streams "s3_07"
    s3_08_push_and_pull "s3_08"
    s3_09_the_layer_above "s3_09"
    s3_10_the_queue "s3_10"
}
