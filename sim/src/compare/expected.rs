//! What books and papers say of an election, beside what was measured.

use serde::Serialize;

use super::contender::Contender;
use super::scenario::Scenario;
use super::settings::Settings;
use super::tally::Tally;
use crate::bully::classic::{self, Detector};

/// One number, predicted and measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Of what.
    pub what: &'static str,
    /// With so many nodes.
    pub nodes: usize,
    /// As predicted.
    pub predicted: f64,
    /// As measured: the one of its three numbers that the prediction is about.
    pub measured: f64,
    /// The least of all trials.
    pub min: f64,
    /// The mean of all trials.
    pub mean: f64,
    /// The most of all trials.
    pub max: f64,
}

/// Means of fast leader election from a cold start, with the least and the most, by a simulation of
/// `ZooKeeper`'s algorithm with latencies of 0.5 to 1.5 ms: nodes, mean, least, most.
pub const FLE: [(usize, f64, u64, u64); 4] =
    [(3, 11.0, 10, 12), (5, 45.6, 36, 60), (7, 109.0, 78, 144), (9, 203.0, 152, 272)];

/// All that can be said of these measurements.
#[must_use]
pub fn figures(tallies: &[Tally]) -> Vec<Figure> {
    let of = |contender: Contender, scenario: Scenario| {
        let is = move |it: &&Tally| (it.contender, it.scenario) == (contender, scenario);
        tallies.iter().filter(is)
    };
    let mut figures = Vec::new();
    let all = [(Contender::Raft, RAFT, 3, 4), (Contender::PreVote, PRE_VOTE, 5, 7)];
    for (contender, what, times, less) in all {
        for tally in of(contender, Scenario::LeaderCrash) {
            let predicted = (times * tally.nodes - less) as f64;
            figures.push(least(what, predicted, tally));
        }
    }
    for tally in of(Contender::Zab, Scenario::ColdStart) {
        let n = tally.nodes;
        let (opening, mean) = (tally.opening, tally.opening.mean);
        figures.push(Figure {
            what: "Zab: notifications of the first moment, n(n−1)",
            nodes: n,
            predicted: (n * (n - 1)) as f64,
            measured: mean,
            min: opening.min as f64,
            mean,
            max: opening.max as f64,
        });
    }
    for tally in of(Contender::Zab, Scenario::ColdStart) {
        if let Some(&(_, predicted, ..)) = FLE.iter().find(|known| known.0 == tally.nodes) {
            let what = "Zab: notifications of a cold start, mean";
            let Figure { min, mean, max, .. } = least(what, predicted, tally);
            let (nodes, measured) = (tally.nodes, mean);
            figures.push(Figure { what, nodes, predicted, measured, min, mean, max });
        }
    }
    for tally in of(Contender::Zab, Scenario::ColdStart) {
        figures.extend(decided(tally));
    }
    let mut sizes: Vec<usize> = tallies.iter().map(|tally| tally.nodes).collect();
    sizes.dedup();
    figures.extend(sizes.iter().filter_map(|&n| bully(BULLY_WORST, n, Detector::All)));
    figures.extend(sizes.iter().filter_map(|&n| bully(BULLY_BEST, n, Detector::SecondHighest)));
    figures
}

const RAFT: &str = "Raft: messages of an election, 3n−4, least";
const PRE_VOTE: &str = "Raft with pre-vote: the same, 5n−7, least";
const BULLY_WORST: &str = "Bully: all notice at once, n²−n−1";
const BULLY_BEST: &str = "Bully: the next best notices, n−1";

fn least(what: &'static str, predicted: f64, tally: &Tally) -> Figure {
    let messages = tally.messages;
    let (min, mean, max) = (messages.min as f64, messages.mean, messages.max as f64);
    Figure { what, nodes: tally.nodes, predicted, measured: min, min, mean, max }
}

/// The wait for a better vote, and about 1.85 times the longest latency.
fn decided(tally: &Tally) -> Option<Figure> {
    let settings = Settings::near();
    let wait = settings.finalize + settings.latency.to.mul_f64(1.85);
    let of = tally.decide;
    Some(Figure {
        what: "Zab: ms to decide a cold start, mean",
        nodes: tally.nodes,
        predicted: wait.as_secs_f64() * 1e3,
        measured: of.mean?,
        min: of.p10?,
        mean: of.mean?,
        max: of.max?,
    })
}

/// Counted on the stage of the classic mode, where it can be said who notices.
fn bully(what: &'static str, nodes: usize, detector: Detector) -> Option<Figure> {
    let measured = classic::count(nodes, detector).ok()?.values().sum::<u64>() as f64;
    let predicted = match detector {
        Detector::SecondHighest => nodes - 1,
        Detector::Lowest | Detector::All => nodes * nodes - nodes - 1,
    };
    let (min, mean, max) = (measured, measured, measured);
    Some(Figure { what, nodes, predicted: predicted as f64, measured, min, mean, max })
}
