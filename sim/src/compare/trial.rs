//! One contender in one scenario with one seed.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::Time;
use serde::Serialize;

use super::contender::Contender;
use super::contest::Contest;
use super::member::Purpose;
use super::meter::Standing;
use super::scenario::Scenario;
use super::settings::{GRACE, HOLD, Settings};
use crate::draw::Draw;

/// Longer than any election that ends.
const HORIZON: Duration = Duration::from_secs(10);

/// What a phase of a trial came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// How often somebody else came to serve.
    pub changes: usize,
    /// Terms, epochs or ballots by which the highest has grown.
    pub burnt: u64,
    /// The most that took themselves for the leader at one time.
    pub most_leaders: usize,
    /// The most that were able to act at one time.
    pub most_acting: usize,
    /// For how long nobody was able to act.
    pub unavailable: Duration,
}

/// A stretch of time in which it stands the same way with leaders.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stretch {
    /// Since when, in milliseconds from the fault on.
    pub from_ms: f64,
    /// How many take themselves for the leader.
    pub leaders: usize,
    /// How many are able to act.
    pub acting: usize,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// From the beginning until somebody looks for a leader.
    pub detect: Option<Duration>,
    /// Until whoever comes to serve has taken the lead.
    pub decide: Option<Duration>,
    /// Until it is able to act.
    pub serve: Option<Duration>,
    /// Messages on the way from the first's looking until the lead was taken, one after the other.
    pub hops_decide: u32,
    /// And until it is able to act.
    pub hops_serve: u32,
    /// Writes on that way.
    pub chain_syncs: u32,
    /// Writes of all nodes.
    pub syncs: u64,
    /// Messages of the election by kind.
    pub election: BTreeMap<&'static str, u64>,
    /// Messages that make the leader able to serve, by kind.
    pub recovery: BTreeMap<&'static str, u64>,
    /// Messages sent in the first moment.
    pub opening: u64,
    /// Whether somebody followed the wrong one, or nobody, in the end.
    pub misled: bool,
    /// What came of the fault.
    pub fault: Phase,
    /// What came of its end, where it ends.
    pub healed: Option<Phase>,
    /// How it stood with leaders, from the fault on.
    pub strip: Vec<Stretch>,
}

impl Trial {
    /// How many messages the election took.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.election.values().sum()
    }
}

/// Runs one.
///
/// # Panics
/// When nobody leads after ten seconds of calm.
#[must_use]
pub fn run(
    contender: Contender,
    nodes: usize,
    scenario: Scenario,
    settings: &Settings,
    seed: u64,
) -> Trial {
    let mut contest = Contest::new(contender, nodes, settings, seed);
    if scenario == Scenario::ColdStart {
        contest.mark();
        contest.start_all();
        return election(contest, 0);
    }
    contest.start_all();
    let leader = settle(&mut contest, settings);
    let epoch = contest.epoch();
    contest.mark();
    if scenario == Scenario::LeaderCrash {
        contest.crash(leader);
        return election(contest, epoch);
    }
    contest.connect(scenario.links(nodes, leader));
    contest.run_for(HOLD);
    let mut trial = told(&contest, epoch);
    let epoch = contest.epoch();
    contest.mark();
    contest.connect(crate::lab::links::Links::full(nodes));
    contest.run_for(HOLD);
    let healed = told(&contest, epoch);
    let later = HOLD.as_secs_f64() * 1e3;
    let moved = |it: Stretch| Stretch { from_ms: it.from_ms + later, ..it };
    trial.strip.extend(healed.strip.into_iter().map(moved));
    trial.healed = Some(healed.fault);
    trial
}

/// Lets a contest come to rest, and a little more, so that faults come at any time of a beat.
pub(super) fn settle(contest: &mut Contest, settings: &Settings) -> usize {
    let until = contest.now + HORIZON;
    // With classic Bully a follower may have heard last of somebody who does not lead any more.
    let alone = |contest: &Contest| contest.leader().is_some();
    assert!(contest.run(until, alone), "nobody leads after {HORIZON:?} of calm");
    contest.run_for(settings.limit() * 2);
    assert!(contest.run(until, alone), "what was settled does not last");
    let some = contest.rng().between(&(Duration::ZERO..=settings.beat));
    contest.run_for(some);
    // Not otherwise: the next event is a beat, and faults would all come right after one.
    if !alone(contest) {
        assert!(contest.run(until, alone), "what was settled does not last");
    }
    contest.leader().expect("invariant: nothing happens to a contest that has settled")
}

fn election(mut contest: Contest, epoch: u64) -> Trial {
    let until = contest.now + HORIZON;
    contest.run(until, Contest::is_settled);
    contest.look();
    let phase = told(&contest, epoch).fault;
    // Answers that are not waited for any more.
    contest.run_for(GRACE);
    Trial { fault: phase, misled: !contest.is_settled(), ..told(&contest, epoch) }
}

fn told(contest: &Contest, epoch: u64) -> Trial {
    let meter = &contest.meter;
    let since = |at: Time| at.since(meter.since);
    let kinds = |wanted: Purpose| {
        let of = meter.sent.iter().filter(move |((purpose, _), _)| *purpose == wanted);
        of.map(|((_, kind), count)| (*kind, *count)).collect()
    };
    let (decided, served) = (meter.decided, meter.served);
    Trial {
        detect: meter.detected.map(since),
        decide: decided.map(|(at, _)| since(at)),
        serve: served.map(|(at, _)| since(at)),
        hops_decide: decided.map_or(0, |(_, chain)| chain.hops),
        hops_serve: served.map_or(0, |(_, chain)| chain.hops),
        chain_syncs: served.map_or(0, |(_, chain)| chain.syncs),
        syncs: meter.syncs,
        election: kinds(Purpose::Election),
        recovery: kinds(Purpose::Recovery),
        opening: meter.opening,
        misled: !contest.is_settled(),
        fault: Phase {
            changes: meter.changes(),
            burnt: contest.epoch().saturating_sub(epoch),
            most_leaders: meter.most_leaders,
            most_acting: meter.most_acting,
            unavailable: meter.unavailable,
        },
        healed: None,
        strip: stretches(&meter.strip, meter.since),
    }
}

/// Without what stood for no time.
fn stretches(strip: &[(Time, Standing)], since: Time) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for &(at, Standing { leaders, acting }) in strip {
        let from_ms = at.since(since).as_secs_f64() * 1e3;
        stretches.pop_if(|last| last.from_ms.to_bits() == from_ms.to_bits());
        stretches.push(Stretch { from_ms, leaders, acting });
    }
    stretches
}
