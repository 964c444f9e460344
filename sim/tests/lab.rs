//! The published measurements of elections, held against the production core.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use sim::lab::cluster::Guards;
use sim::lab::figure16::{self, Panel};
use sim::lab::topology::{self, Breach, Family, Plan, Start};
use sim::lab::{theory, wan};

fn within(ours: f64, theirs: f64, share: f64) -> bool {
    (ours / theirs - 1.0).abs() <= share
}

/// Percentiles of the thesis's curves for equal logs, within what 1,500 trials can tell.
#[test]
fn wan_elections_with_equal_logs_take_as_long_as_published() {
    for published in wan::PUBLISHED.iter().filter(|published| published.equal_logs) {
        let ours = wan::measure(published, 1500, 1).ours;
        let [p10, p50, p90, ..] = published.percentiles.map(Option::unwrap);
        assert!(within(ours.mean.unwrap(), published.mean, 0.05), "{published:?} {ours:?}");
        assert!(within(ours.p10.unwrap(), p10, 0.02), "{published:?} {ours:?}");
        assert!(within(ours.p50.unwrap(), p50, 0.03), "{published:?} {ours:?}");
        assert!(within(ours.p90.unwrap(), p90, 0.08), "{published:?} {ours:?}");
    }
}

/// Both panels of figure 16 within their bands; a tenth of the trials for the line that never ends.
#[test]
fn figure_16_elections_take_as_long_as_published() {
    let figure = figure16::run(1000, 1);
    assert!(figure.lines.iter().all(|line| line.within), "{figure}");
}

/// Some of the nodes cannot be elected, and may not keep those that can from it.
#[test]
fn wan_elections_with_unequal_logs_take_as_long_as_published() {
    for published in wan::PUBLISHED.iter().filter(|published| !published.equal_logs) {
        let ours = wan::measure(published, 1500, 1).ours;
        let [p10, p50, p90, ..] = published.percentiles;
        assert!(within(ours.mean.unwrap(), published.mean, 0.07), "{published:?} {ours:?}");
        assert!(within(ours.p10.unwrap(), p10.unwrap(), 0.03), "{published:?} {ours:?}");
        assert!(within(ours.p50.unwrap(), p50.unwrap(), 0.07), "{published:?} {ours:?}");
        assert!(within(ours.p90.unwrap(), p90.unwrap(), 0.08), "{published:?} {ours:?}");
    }
}

/// Six hundred votes a point: within four standard deviations of the prediction.
#[test]
fn votes_are_split_as_often_as_predicted() {
    for cluster in theory::CLUSTERS {
        let point = theory::measure(cluster, 100, 600, 1);
        let spread = (point.predicted_split * (1.0 - point.predicted_split) / 600.0).sqrt();
        let apart = (point.split - point.predicted_split).abs();
        assert!(apart < 4.0 * spread + 0.002, "{point:?}");
        assert!(within(point.mean, point.predicted_mean, 0.1), "{point:?}");
    }
}

/// The worked values of the thesis.
#[test]
fn the_prediction_is_the_one_of_the_thesis() {
    for (l, expected) in [(0.01, 0.0006), (0.1, 0.052), (0.2, 0.181)] {
        let ours = theory::predict(5, 4, l);
        assert!((ours - expected).abs() < 0.0005, "{l} {ours}");
    }
}

/// Every set once, watched for long enough to see a second election.
const ONCE: Plan = Plan { watch: 4, ..Plan::new(1, 1) };

fn assert_lawful(family: Family, start: Start) {
    let part = topology::run_part(family, start, &ONCE);
    assert!(part.findings.is_empty(), "{part}");
    let sets: usize = part.rows.iter().map(|row| row.sets).sum();
    assert_eq!(sets, usize::try_from(family.sets()).unwrap());
    for row in &part.rows {
        assert_eq!(row.connected, row.elected > 0, "{part}");
        // Only unequal logs can leave everyone who reaches a majority without votes.
        let equal = matches!(start, Start::Cold | Start::Healthy);
        assert!(!equal || row.limit == 0, "{part}");
    }
}

#[test]
fn three_nodes_elect_and_stay_in_every_directed_topology() {
    Start::ALL.into_iter().for_each(|start| assert_lawful(Family::Directed3, start));
}

#[test]
fn five_nodes_elect_and_stay_in_every_undirected_topology_from_cold() {
    assert_lawful(Family::Undirected5, Start::Cold);
}

#[test]
fn five_nodes_elect_and_stay_in_every_undirected_topology_from_health() {
    assert_lawful(Family::Undirected5, Start::Healthy);
}

#[test]
fn five_nodes_elect_and_stay_in_every_undirected_topology_with_unequal_logs() {
    assert_lawful(Family::Undirected5, Start::Unequal);
}

#[test]
fn five_nodes_elect_and_stay_in_every_undirected_topology_after_a_storm() {
    assert_lawful(Family::Undirected5, Start::Storm);
}

/// With ways around broken links, whoever reaches a majority over others may lead, and a leader
/// that still does so stays.
#[test]
fn five_nodes_elect_and_stay_in_every_undirected_topology_within_one_hop() {
    let plan = Plan { mesh: true, ..ONCE };
    for start in Start::ALL {
        let part = topology::run_part(Family::Undirected5, start, &plan);
        assert!(part.findings.is_empty(), "{part}");
        let reached = part.rows.iter().find(|row| row.connected).unwrap();
        // As many sets as without: where three of five hang together, one of them hears two others.
        // What grows is who may lead.
        assert_eq!((reached.sets, reached.elected), (998, reached.runs), "{part}");
    }
}

/// The laws of the topologies see what each protection is for.
#[test]
fn without_any_one_protection_some_topology_is_unstable() {
    let on = Guards::ON;
    let kinds = [
        (Guards { pre_vote: false, ..on }, Breach::TermsGrow),
        (Guards { check_quorum: false, ..on }, Breach::Unconnected),
        (Guards { stickiness: false, ..on }, Breach::Deposed),
    ];
    for (guards, breach) in kinds {
        let part = topology::run_part(Family::Directed3, Start::Healthy, &Plan { guards, ..ONCE });
        let seen = part.findings.iter().any(|finding| finding.breach == breach);
        assert!(seen, "{guards:?} {part}");
    }
}

#[test]
fn equal_seeds_give_equal_figures() {
    let figure = || serde_json::to_string(&figure16::run(20, 7)).unwrap();
    assert_eq!(figure(), figure());
    let other = serde_json::to_string(&figure16::run(20, 8)).unwrap();
    assert_ne!(figure(), other);
}

#[test]
fn the_drawings_hold_every_line_and_the_published_rings() {
    let figure = figure16::run(20, 1);
    for (panel, lines) in [(Panel::Randomness, 6), (Panel::Shortness, 5)] {
        let svg = figure.to_svg(panel);
        assert_eq!(svg.matches("<path").count(), lines);
        assert!(svg.matches("<circle").count() > 5 * lines);
    }
    assert_eq!(wan::run(20, 1).to_svg().matches("<path").count(), 6);
}
