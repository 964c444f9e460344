//! How often the leader changes when the best node comes and goes.

use std::time::Duration;

use serde::Serialize;

use super::contender::Contender;
use super::contest::Contest;
use super::settings::Settings;
use super::trial::settle;

/// For how long the best node comes and goes.
pub const LENGTH: Duration = Duration::from_mins(10);
/// Periods, of which one half is spent up and the other down.
pub const PERIODS: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
];
/// How many nodes take part.
pub const NODES: usize = 5;
/// By how much more patient they are: what matters here are periods, not beats.
const PATIENCE: u32 = 4;

/// One contender with one period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Flap {
    /// Who.
    pub contender: Contender,
    /// The period, in seconds.
    pub period_s: f64,
    /// How often somebody else came to lead.
    pub changes: usize,
    /// The same as predicted: a number, or a bound from above.
    pub predicted: u64,
    /// Terms, epochs or ballots that were used up.
    pub burnt: u64,
    /// The most that were able to act at one time.
    pub most_acting: usize,
}

/// The node that led first is the one that comes and goes: with Bully that is the best one, and
/// with Zab, too, where histories are equal; for Raft all nodes are equal.
#[must_use]
pub fn measure(contender: Contender, period: Duration, seed: u64) -> Flap {
    let settings = Settings::patient(PATIENCE);
    let mut contest = Contest::new(contender, NODES, &settings, seed);
    contest.start_all();
    let best = settle(&mut contest, &settings);
    let epoch = contest.epoch();
    contest.mark();
    let end = contest.now + LENGTH;
    while contest.now < end {
        contest.crash(best);
        contest.run_for(period / 2);
        contest.start(best);
        contest.run_for(period / 2);
    }
    Flap {
        contender,
        period_s: period.as_secs_f64(),
        changes: contest.meter.changes(),
        predicted: predict(contender, period),
        burnt: contest.epoch().saturating_sub(epoch),
        most_acting: contest.meter.most_acting,
    }
}

/// Twice a period for whoever bullies: out and back. Otherwise once, when it dies first. A damped
/// leader yields at most once a hold-down, and each time the best one may die again.
#[must_use]
pub fn predict(contender: Contender, period: Duration) -> u64 {
    let periods = LENGTH.as_secs() / period.as_secs().max(1);
    match contender {
        Contender::Classic | Contender::Eager => 2 * periods,
        Contender::Raft | Contender::PreVote | Contender::Zab | Contender::Safe => 1,
        Contender::Damped => {
            let held = LENGTH.as_secs() / Contender::HOLD_DOWN.as_secs();
            (1 + 2 * held).min(2 * periods)
        }
    }
}
