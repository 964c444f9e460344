//! Many trials of one contender in one scenario.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::Rng;
use serde::Serialize;

use super::contender::Contender;
use super::scenario::Scenario;
use super::settings::Settings;
use super::trial::{self, Phase, Stretch, Trial};
use crate::lab::sample::{Sample, Summary};

/// A whole number over many trials.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: u64,
    /// The mean.
    pub mean: f64,
    /// The most.
    pub max: u64,
}

impl Spread {
    fn of(numbers: impl Iterator<Item = u64> + Clone) -> Self {
        let (sum, count) = numbers.clone().fold((0, 0u64), |(sum, n), it| (sum + it, n + 1));
        Self {
            min: numbers.clone().min().unwrap_or(0),
            mean: sum as f64 / count.max(1) as f64,
            max: numbers.max().unwrap_or(0),
        }
    }
}

/// A phase over many trials.
#[derive(Clone, Debug, Serialize)]
pub struct Course {
    /// How often somebody else came to serve.
    pub changes: Spread,
    /// Terms, epochs or ballots that were used up.
    pub burnt: Spread,
    /// The most that took themselves for the leader at one time, over all trials.
    pub most_leaders: usize,
    /// The most that were able to act at one time, over all trials.
    pub most_acting: usize,
    /// For how long nobody was able to act.
    pub unavailable: Summary,
}

impl Course {
    fn of(phases: &[&Phase]) -> Self {
        let ended = phases.iter().map(|phase| Some(phase.unavailable));
        Self {
            changes: Spread::of(phases.iter().map(|phase| phase.changes as u64)),
            burnt: Spread::of(phases.iter().map(|phase| phase.burnt)),
            most_leaders: phases.iter().map(|phase| phase.most_leaders).max().unwrap_or(0),
            most_acting: phases.iter().map(|phase| phase.most_acting).max().unwrap_or(0),
            unavailable: ended.collect::<Sample>().summary(),
        }
    }
}

/// Many trials of one contender in one scenario. Times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Tally {
    /// Who.
    pub contender: Contender,
    /// How many of them.
    pub nodes: usize,
    /// What happened.
    pub scenario: Scenario,
    /// From the fault until somebody looks for a leader.
    pub detect: Summary,
    /// Until whoever comes to serve has taken the lead.
    pub decide: Summary,
    /// Until it is able to act.
    pub serve: Summary,
    /// Steps of the last as a curve, in percent of trials.
    pub served: Vec<(f64, f64)>,
    /// Messages on the way from looking to leading, one after the other.
    pub hops_decide: Spread,
    /// And on to acting.
    pub hops_serve: Spread,
    /// Writes on that way.
    pub chain_syncs: Spread,
    /// Messages of the election.
    pub messages: Spread,
    /// The mean of each kind.
    pub kinds: BTreeMap<&'static str, f64>,
    /// Messages of the election where nothing had to be tried twice.
    pub messages_at_once: Option<Spread>,
    /// The share of trials in which something had to be: more than one term or epoch was used up.
    pub again: f64,
    /// Messages that make the leader able to serve.
    pub recovery: Spread,
    /// The mean of each kind.
    pub recovery_kinds: BTreeMap<&'static str, f64>,
    /// Messages of the first moment.
    pub opening: Spread,
    /// Writes of all nodes.
    pub syncs: Spread,
    /// The share of trials at whose end somebody followed the wrong one, or nobody.
    pub misled: f64,
    /// What came of the fault.
    pub fault: Course,
    /// What came of its end.
    pub healed: Option<Course>,
    /// How it stood with leaders in the first trial.
    pub strip: Vec<Stretch>,
}

/// Runs `trials` of them.
#[must_use]
pub fn measure(
    contender: Contender,
    nodes: usize,
    scenario: Scenario,
    (trials, seed): (u32, u64),
) -> Tally {
    let settings = Settings::near();
    // The same seeds for all contenders.
    let mut seeds = Rng::new(seed ^ (nodes as u64) << 32 ^ (scenario as u64) << 48);
    let trials =
        (0..trials.max(1)).map(|_| trial::run(contender, nodes, scenario, &settings, seeds.next()));
    sum(contender, nodes, scenario, &trials.collect::<Vec<_>>())
}

fn sum(contender: Contender, nodes: usize, scenario: Scenario, trials: &[Trial]) -> Tally {
    let times = |of: fn(&Trial) -> Option<Duration>| trials.iter().map(of).collect::<Sample>();
    let numbers = |of: fn(&Trial) -> u64| Spread::of(trials.iter().map(of));
    let is_once = |trial: &&Trial| trial.fault.burnt <= 1;
    let once: Vec<&Trial> = trials.iter().filter(is_once).collect();
    let at_once = once.iter().map(|trial| trial.messages());
    let healed: Vec<&Phase> = trials.iter().filter_map(|trial| trial.healed.as_ref()).collect();
    Tally {
        contender,
        nodes,
        scenario,
        detect: times(|trial| trial.detect).summary(),
        decide: times(|trial| trial.decide).summary(),
        serve: times(|trial| trial.serve).summary(),
        served: times(|trial| trial.serve).cumulative(100),
        hops_decide: numbers(|trial| trial.hops_decide.into()),
        hops_serve: numbers(|trial| trial.hops_serve.into()),
        chain_syncs: numbers(|trial| trial.chain_syncs.into()),
        messages: numbers(Trial::messages),
        kinds: means(trials.iter().map(|trial| &trial.election)),
        messages_at_once: (!once.is_empty()).then(|| Spread::of(at_once)),
        again: 1.0 - once.len() as f64 / trials.len() as f64,
        recovery: numbers(|trial| trial.recovery.values().sum()),
        recovery_kinds: means(trials.iter().map(|trial| &trial.recovery)),
        opening: numbers(|trial| trial.opening),
        syncs: numbers(|trial| trial.syncs),
        misled: trials.iter().filter(|trial| trial.misled).count() as f64 / trials.len() as f64,
        fault: Course::of(&trials.iter().map(|trial| &trial.fault).collect::<Vec<_>>()),
        healed: (!healed.is_empty()).then(|| Course::of(&healed)),
        strip: trials.first().map(|trial| trial.strip.clone()).unwrap_or_default(),
    }
}

fn means<'a>(
    trials: impl ExactSizeIterator<Item = &'a BTreeMap<&'static str, u64>>,
) -> BTreeMap<&'static str, f64> {
    let count = trials.len().max(1) as f64;
    let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (kind, sent) in trials.flatten() {
        *sums.entry(kind).or_default() += sent;
    }
    sums.into_iter().map(|(kind, sum)| (kind, sum as f64 / count)).collect()
}
