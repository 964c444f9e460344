//! The whole comparison, as jobs that do not depend on each other.

use std::time::Duration;

use serde::Serialize;

use super::contender::Contender;
use super::expected::{self, Figure};
use super::flaps::{self, Flap};
use super::scenario::Scenario;
use super::settings::{Settings, Told};
use super::tally::{self, Tally};
use crate::lab::theory::{self, Point};

/// A part of the comparison.
#[derive(Clone, Copy, Debug)]
pub enum Job {
    /// One contender in one scenario.
    Tally(Contender, usize, Scenario),
    /// One contender whose best node comes and goes.
    Flap(Contender, Duration),
    /// How often Raft's votes are split: servers, how many are up, latency in thousandths.
    Votes((usize, usize), u32),
}

/// What a job gives.
#[derive(Debug)]
pub enum Done {
    /// Of [`Job::Tally`].
    Tally(Box<Tally>),
    /// Of [`Job::Flap`].
    Flap(Flap),
    /// Of [`Job::Votes`].
    Votes(Point),
}

/// The whole comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What all contenders share.
    pub settings: Told,
    /// Trials of each election; of each partition there are a tenth, of each vote ten times more.
    pub seeds: u32,
    /// How many nodes there are in turn.
    pub nodes: Vec<usize>,
    /// Contenders in scenarios.
    pub tallies: Vec<Tally>,
    /// What flapping does.
    pub flaps: Vec<Flap>,
    /// Split votes.
    pub votes: Vec<Point>,
    /// What books and papers say, beside what was measured.
    pub figures: Vec<Figure>,
}

/// All jobs for these numbers of nodes.
#[must_use]
pub fn jobs(nodes: &[usize]) -> Vec<Job> {
    let tallies = nodes.iter().flat_map(|&n| {
        let each =
            move |scenario| Contender::FIVE.map(|contender| Job::Tally(contender, n, scenario));
        Scenario::ALL.into_iter().flat_map(each)
    });
    let flaps = Contender::ALL
        .into_iter()
        .flat_map(|contender| flaps::PERIODS.map(|period| Job::Flap(contender, period)));
    let votes = theory::CLUSTERS
        .into_iter()
        .flat_map(|cluster| theory::LATENCIES.map(|latency| Job::Votes(cluster, latency)));
    tallies.chain(flaps).chain(votes).collect()
}

impl Job {
    /// Does it, with so many trials where there are trials.
    #[must_use]
    pub fn run(&self, seeds: u32, seed: u64) -> Done {
        match *self {
            Self::Tally(contender, nodes, scenario) => {
                let few = Scenario::PARTITIONS.contains(&scenario);
                let trials = if few { seeds.div_ceil(10) } else { seeds };
                let tally = tally::measure(contender, nodes, scenario, (trials, seed));
                Done::Tally(Box::new(tally))
            }
            Self::Flap(contender, period) => Done::Flap(flaps::measure(contender, period, seed)),
            Self::Votes(cluster, latency) => {
                let trials = seeds.saturating_mul(10);
                Done::Votes(theory::measure(cluster, latency, trials, seed))
            }
        }
    }
}

impl Comparison {
    /// Puts together what the jobs have given, in their order.
    #[must_use]
    pub fn of(nodes: &[usize], seeds: u32, done: Vec<Done>) -> Self {
        let (mut tallies, mut flaps, mut votes) = (Vec::new(), Vec::new(), Vec::new());
        for done in done {
            match done {
                Done::Tally(tally) => tallies.push(*tally),
                Done::Flap(flap) => flaps.push(flap),
                Done::Votes(point) => votes.push(point),
            }
        }
        let figures = expected::figures(&tallies);
        let (settings, nodes) = (Settings::near().told(), nodes.to_vec());
        Self { settings, seeds, nodes, tallies, flaps, votes, figures }
    }

    /// One contender in one scenario.
    #[must_use]
    pub fn tally(&self, contender: Contender, nodes: usize, scenario: Scenario) -> Option<&Tally> {
        let is =
            |it: &&Tally| (it.contender, it.nodes, it.scenario) == (contender, nodes, scenario);
        self.tallies.iter().find(is)
    }

    /// The number of nodes that stands for all where there is room for one: five, or the first.
    #[must_use]
    pub fn usual(&self) -> usize {
        let first = self.nodes.first().copied().unwrap_or(5);
        if self.nodes.contains(&5) { 5 } else { first }
    }
}
