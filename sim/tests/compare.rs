//! The three ways to a leader, measured: what must be exact, what must be near a prediction, and
//! who may have two leaders.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::time::Duration;

use sim::bully::classic::{self, Detector};
use sim::compare::comparison::{Comparison, Job, jobs};
use sim::compare::expected::FLE;
use sim::compare::tally::{self, Tally};
use sim::compare::trial::{self, Trial};
use sim::compare::{Contender, Scenario, Settings, flaps};
use sim::lab::theory;

fn trials(contender: Contender, nodes: usize, scenario: Scenario, count: u64) -> Vec<Trial> {
    let settings = Settings::near();
    (0..count).map(|seed| trial::run(contender, nodes, scenario, &settings, seed)).collect()
}

/// Elections in which one node stood, once.
fn plain(nodes: usize, contender: Contender, asks: &[&str]) -> Vec<Trial> {
    let mut all = trials(contender, nodes, Scenario::LeaderCrash, 12);
    let once = |trial: &Trial| asks.iter().all(|ask| trial.election[ask] == nodes as u64 - 1);
    all.retain(once);
    assert!(all.len() >= 3, "{} with {nodes} nodes: {} of 12", contender.name(), all.len());
    all
}

#[test]
fn raft_elects_with_3n_minus_4_messages() {
    for n in 3..=9 {
        for trial in plain(n, Contender::Raft, &["Vote"]) {
            let each = n as u64;
            assert_eq!(trial.election["VoteReply"], each - 2, "{n}: {trial:?}");
            assert_eq!(trial.election["Announcement"], each - 1, "{n}: {trial:?}");
            assert_eq!(trial.messages(), 3 * each - 4, "{n}: {trial:?}");
            assert_eq!((trial.hops_decide, trial.hops_serve), (2, 4), "{n}: {trial:?}");
        }
    }
}

#[test]
fn raft_with_pre_vote_elects_with_5n_minus_7_messages() {
    for n in 3..=9 {
        for trial in plain(n, Contender::PreVote, &["PreVote", "Vote"]) {
            assert_eq!(trial.messages(), 5 * n as u64 - 7, "{n}: {trial:?}");
            assert_eq!((trial.hops_decide, trial.hops_serve), (4, 6), "{n}: {trial:?}");
        }
    }
}

#[test]
fn fast_leader_election_opens_with_n_times_n_minus_1_notifications() {
    for n in 3..=9 {
        for trial in trials(Contender::Zab, n, Scenario::ColdStart, 5) {
            assert_eq!(trial.opening, (n * (n - 1)) as u64, "{n}: {trial:?}");
            assert_eq!(trial.fault.burnt, 1, "{n}: nothing is tried twice");
        }
    }
}

#[test]
fn fast_leader_election_costs_as_much_as_predicted() {
    for (n, mean, least, most) in FLE {
        let tally = tally::measure(Contender::Zab, n, Scenario::ColdStart, (100, 1));
        let ours = tally.messages;
        assert!((ours.mean / mean - 1.0).abs() < 0.04, "{n}: {ours:?}, {mean} predicted");
        // A hundred trials see most of the range of thousands, and not much beyond it.
        assert!(ours.min as f64 >= least as f64 * 0.9, "{n}: {ours:?}");
        assert!(ours.max as f64 <= most as f64 * 1.1, "{n}: {ours:?}");
    }
}

#[test]
fn bully_costs_what_the_books_say() {
    for n in 3..=9 {
        let count = |detector| classic::count(n, detector).unwrap().values().sum::<u64>();
        let each = n as u64;
        assert_eq!(count(Detector::All), each * each - each - 1);
        assert_eq!(count(Detector::SecondHighest), each - 1);
        // In a contest they notice one after the other: never cheaper, and no dearer but for an
        // election that is begun anew.
        for trial in trials(Contender::Classic, n, Scenario::LeaderCrash, 8) {
            assert!(trial.messages() >= each - 1, "{n}: {trial:?}");
            assert!(trial.messages() <= 2 * (each * each - each - 1), "{n}: {trial:?}");
        }
    }
}

/// Two thousand votes a point: within four standard deviations.
#[test]
fn even_numbers_of_servers_split_more_votes() {
    let split = |servers: usize| {
        let point = theory::measure((servers, servers - 1), 100, 2_000, 7);
        let p = point.predicted_split;
        let band = 4.0 * (p * (1.0 - p) / 2_000.0).sqrt() + 0.002;
        assert!((point.split - p).abs() < band, "{point:?}");
        point.split
    };
    let splits: Vec<f64> = (3..=9).map(split).collect();
    for even in [1, 3, 5] {
        assert!(splits[even] > splits[even - 1] && splits[even] > splits[even + 1], "{splits:?}");
    }
}

fn split(contender: Contender, nodes: usize) -> Tally {
    tally::measure(contender, nodes, Scenario::Split, (3, 1))
}

#[test]
fn only_the_classic_bully_has_two_leaders_that_act() {
    for nodes in [4, 5, 6] {
        for contender in Contender::FIVE {
            let tally = split(contender, nodes);
            let (fault, healed) = (&tally.fault, tally.healed.as_ref().unwrap());
            if contender == Contender::Classic {
                assert_eq!(fault.most_acting, 2, "{nodes}: {fault:?}");
            } else {
                assert!(fault.most_acting <= 1, "{} {nodes}: {fault:?}", contender.name());
                assert!(healed.most_acting <= 1, "{} {nodes}: {healed:?}", contender.name());
            }
        }
    }
}

/// Nobody leads halves, but for whoever does not count; and one leads soon after they are joined.
#[test]
fn halves_have_no_leader_and_the_whole_has_one_again() {
    for contender in Contender::FIVE.into_iter().filter(|it| *it != Contender::Classic) {
        let tally = split(contender, 4);
        let (dark, healed) = (tally.fault.unavailable, tally.healed.unwrap().unavailable);
        // A lease outlives the cut, by its length and no more.
        let lease = Settings::near().limit().as_secs_f64() * 1e3;
        assert!(dark.p10.unwrap() >= 2_000.0 - lease, "{}: {dark:?}", contender.name());
        assert!(healed.max.unwrap() < 1_500.0, "{}: {healed:?}", contender.name());
    }
}

#[test]
fn no_partition_makes_two_of_them_act_but_of_the_classic_mode() {
    for contender in Contender::FIVE.into_iter().filter(|it| *it != Contender::Classic) {
        for scenario in Scenario::PARTITIONS {
            let tally = tally::measure(contender, 5, scenario, (2, 3));
            let most = tally.fault.most_acting.max(tally.healed.unwrap().most_acting);
            assert_eq!(most, 1, "{} {}", contender.name(), scenario.name());
        }
    }
}

#[test]
fn whoever_cannot_hear_disturbs_a_leader_only_without_pre_vote() {
    let changes = |contender| {
        let tally = tally::measure(contender, 5, Scenario::OneWay, (3, 1));
        tally.fault.changes.max + tally.fault.burnt.max
    };
    assert!(changes(Contender::Raft) > 0, "a follower that hears nothing raises terms");
    assert_eq!(changes(Contender::PreVote), 0);
    assert_eq!(changes(Contender::Zab), 0);
    assert_eq!(changes(Contender::Safe), 0);
}

#[test]
fn a_leader_that_comes_and_goes_changes_who_leads_as_often_as_predicted() {
    let period = Duration::from_secs(120);
    for contender in Contender::ALL {
        let flap = flaps::measure(contender, period, 1);
        if contender == Contender::Damped {
            assert!((1..=flap.predicted).contains(&(flap.changes as u64)), "{flap:?}");
        } else {
            assert_eq!(flap.changes as u64, flap.predicted, "{flap:?}");
        }
    }
}

fn comparison() -> Comparison {
    let part = |job: &Job| match job {
        Job::Tally(..) => true,
        Job::Flap(_, period) => *period == flaps::PERIODS[5],
        Job::Votes(cluster, _) => cluster.0 == 3,
    };
    let all = jobs(&[3]);
    let done = all.iter().filter(|job| part(job)).map(|job| job.run(3, 11)).collect();
    Comparison::of(&[3], 3, done)
}

#[test]
fn the_same_seeds_give_the_same_bytes() {
    let (one, other) = (comparison(), comparison());
    assert_eq!(one.to_string(), other.to_string());
    assert_eq!(one.pictures(), other.pictures());
    let json = |it: &Comparison| serde_json::to_string(it).unwrap();
    assert_eq!(json(&one), json(&other));
    // A table for each question, and nothing without a name.
    assert!(one.to_string().contains("Partitions, 3 nodes"), "{one}");
    assert!(one.pictures().iter().all(|picture| picture.ends_with("</svg>\n")));
}
