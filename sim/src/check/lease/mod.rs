//! How long leases lived, held against the clocks of their owners.
//!
//! That all keys of a lease go in one revision, that a dead lease takes no key, that its time is
//! never more than granted and that its name is unique while it lives, are fields of answers and
//! of events: the model has them, and [`super::kv`] and [`super::watch`] compare. That only a tick
//! or a client ends a lease is the replay itself. What remains is time:
//!
//! - **L1, not early**: no tick ends a lease before its time has passed since its owner last
//!   *called* for it with success, on the fastest clock that the world allows. Whatever leaders
//!   come and go: ticks count disjoint stretches of true time, and only those after the renewal
//!   stands in a log. A clock that leaps takes [`LEAP_NS`] with it at most, since a tick claims no
//!   more.
//! - **L2, not never**: in a healed world, a lease that nobody renews ends within its time on the
//!   slowest clock, and a little, under any one leader. The clock of leases stands still while
//!   there is no leader, and elections take what they take; so a stretch counts from the last
//!   change of leaders, and only if an entry committed after it shows that the leader lasted.
//!
//! What is left out: what a client can conclude of a renewal whose outcome it does not know, and
//! L2 in a world whose state was said to be corrupt, where nothing ends.

use std::collections::BTreeMap;
use std::time::Duration;

use node::Request;
use protocol::Time;
use store::LeaseId;

use super::kv::{End, Life, Truth};
use super::ledger::Ledger;
use crate::history::{Ending, History, Operation, Told};
use crate::seen::{Violation, seconds};

/// What a leader takes, beyond a lease's time, to see that it is over: the tick from which it
/// counts, the tick that ends it, and their commits.
pub const SLACK_NS: u64 = 4_000_000_000;

/// The most that a tick claims to have passed.
pub const LEAP_NS: u64 = 1_500_000_000;

/// Each tick drops less than a millisecond, and comes ten times a second at most.
const TRUNCATED_PER_MILLE: u64 = 10;

/// How much was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Leases granted.
    pub granted: usize,
    /// Those that a tick ended.
    pub expired: usize,
    /// Of them, those whose owner is known to have called for them.
    pub owned: usize,
    /// Stretches without renewal in a healed world.
    pub bounded: usize,
}

/// Judges the lives of all leases.
///
/// # Errors
/// The first that ended too early or too late.
pub fn judge(history: &History, truth: &Truth, ledger: &Ledger) -> Result<Judged, Violation> {
    let mut judged = Judged { granted: truth.lives().len(), ..Judged::default() };
    let calls = calls(history, truth, ledger);
    for (number, life) in truth.lives().iter().enumerate() {
        if let Some((end, End::Expired)) = life.ended {
            judged.expired += 1;
            if let Some(call) = calls[number] {
                judged.owned += 1;
                not_early(history, truth, life, end, call)?;
            }
        }
        if !truth.ever_corrupt() {
            not_never(history, truth, life, &mut judged)?;
        }
    }
    Ok(judged)
}

/// For each life, the last call of its owner that was answered with success.
fn calls<'a>(history: &'a History, truth: &Truth, ledger: &Ledger) -> Vec<Option<&'a Operation>> {
    let lives = truth.lives();
    let mut calls: Vec<Option<&Operation>> = vec![None; lives.len()];
    let mut named: BTreeMap<LeaseId, Vec<usize>> = BTreeMap::new();
    for (number, life) in lives.iter().enumerate() {
        named.entry(life.id).or_default().push(number);
    }
    let life_of = |id, place: usize| {
        // Lives are in the order of their grants; those of one name do not overlap.
        let own = named.get(&id)?;
        let began = own.partition_point(|life| lives[*life].granted <= place);
        Some(own[began.checked_sub(1)?])
    };
    for (number, operation) in history.operations.iter().enumerate() {
        let Ending::Answered(answer) = &operation.ending else { continue };
        let life = match (&*operation.request, &answer.told) {
            (Request::Write(store::Command::LeaseGrant { id, .. }), _) => {
                ledger.places[number].and_then(|place| life_of(*id, place))
            }
            (Request::LeaseRenew(id), Told::Renewed(ttl)) if *ttl > 0 => {
                let (from, to) = (
                    truth.moment_before(operation.called),
                    truth.moment_at(operation.returned.unwrap_or(operation.called)),
                );
                let entries = ledger.renewals.get(id).map(Vec::as_slice).unwrap_or_default();
                let mut own = entries
                    .iter()
                    .filter(|entry| from <= **entry && **entry < to)
                    .filter(|entry| truth.revision(**entry + 1) == answer.header.revision)
                    .map(|entry| life_of(*id, *entry));
                // Where it may have been one life or the next, nothing is concluded.
                own.next().flatten().filter(|life| own.all(|other| other == Some(*life)))
            }
            _ => None,
        };
        if let Some(life) = life {
            calls[life] = Some(operation);
        }
    }
    calls
}

/// A stretch that takes `ttl` seconds on a clock, in true nanoseconds, when `clock` is how much it
/// shows per thousand of true time.
fn true_ns(ttl: i64, clock: u64) -> u64 {
    let shown = u128::try_from(ttl).unwrap_or(0) * 1_000_000_000;
    u64::try_from(shown * 1000 / u128::from(clock.max(1))).unwrap_or(u64::MAX)
}

fn not_early(
    history: &History,
    truth: &Truth,
    life: &Life,
    end: usize,
    call: &Operation,
) -> Result<(), Violation> {
    let fastest = u64::from(history.drift_per_mille).saturating_add(1000);
    let at = truth.at(end);
    let before = history.leaps.partition_point(|leap| *leap < call.called);
    let leaps = history.leaps[before..].iter().take_while(|leap| **leap <= at).count();
    let leapt = u64::try_from(leaps).unwrap_or(u64::MAX).saturating_mul(LEAP_NS);
    let whole = call.called.0.saturating_add(true_ns(life.ttl, fastest));
    let least = Time(whole.saturating_sub(leapt));
    if at >= least {
        return Ok(());
    }
    let what = format!(
        "lease {} of {} s was ended by the tick at {}, {:.3} s after its owner called for it",
        life.id,
        life.ttl,
        truth.position(end),
        at.since(call.called).as_secs_f64()
    );
    Err(Violation { law: "L1", at, what })
}

/// Every stretch of a life without renewal has an end.
fn not_never(
    history: &History,
    truth: &Truth,
    life: &Life,
    judged: &mut Judged,
) -> Result<(), Violation> {
    let Some(healed) = history.healed_at else { return Ok(()) };
    let Some(slowest) = 1000_u64
        .checked_sub(u64::from(history.drift_per_mille) + TRUNCATED_PER_MILLE)
        .filter(|clock| *clock > 0)
    else {
        return Ok(());
    };
    let slack = SLACK_NS + nanos(history.commit_delay);
    let allowed = true_ns(life.ttl, slowest).saturating_add(slack * 1000 / slowest);
    let begins = std::iter::once(&life.granted).chain(&life.renewed);
    let ends = life.renewed.iter().copied().chain(life.ended.map(|(place, _)| place));
    let ends = ends.map(|place| truth.at(place)).chain([history.ended_at]);
    for (begin, end) in begins.zip(ends) {
        let begin = truth.at(*begin).max(healed);
        if end <= begin {
            continue;
        }
        judged.bounded += 1;
        let Some(from) = lasting(history, truth, (begin, end), allowed) else { continue };
        let what = format!(
            "lease {} of {} s, last renewed before {:.3} s, still lived at {:.3} s, though one \
             leader lasted from {:.3} s on",
            life.id,
            life.ttl,
            seconds(begin),
            seconds(end),
            seconds(from),
        );
        return Err(Violation { law: "L2", at: end, what });
    }
    Ok(())
}

/// When a leader began to last for so long within a stretch; `None`: none did.
fn lasting(
    history: &History,
    truth: &Truth,
    (begin, end): (Time, Time),
    allowed: u64,
) -> Option<Time> {
    let changes = &history.leader_changes;
    let first = changes.partition_point(|at| *at <= begin);
    let within = changes[first..].iter().take_while(|at| **at < end);
    std::iter::once(&begin).chain(within).enumerate().find_map(|(count, from)| {
        let enough = Time(from.0.saturating_add(allowed));
        // Whoever commits then, with no new leader since, has led all the time.
        let shown = truth.moment_before(enough);
        let proof = (shown < truth.len()).then(|| truth.at(shown)).filter(|at| *at < end)?;
        let next = changes.get(first + count);
        next.is_none_or(|next| *next > proof).then_some(*from)
    })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2_000)
}
