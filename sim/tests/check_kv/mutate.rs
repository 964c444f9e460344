//! Wrong histories are found: each way to be wrong, at many places of many histories.

use std::sync::Arc;

use bytes::Bytes;
use node::{Failure, Header, Request};
use protocol::{Index, Rng, Time};
use sim::check::judge;
use sim::check::kv::Truth;
use sim::history::{Answer, Committed, Ending, History, Operation, Told};
use store::watch::WatchResponse;
use store::{Command, Error, Limits, Outcome, Put};

use crate::generate::{Shape, TERM, history};
use crate::mishear;

/// A way to be wrong: its name, the laws that may notice, and how it is done; false where the
/// history has no place for it.
pub(crate) type Mutation = (&'static str, &'static [&'static str], Deed);
pub(crate) type Deed = fn(&mut History, &mut Rng) -> bool;

const SEEDS: u64 = 40;

const ANSWERS: &[Mutation] = &[
    ("two writes swap their answers", &["KV", "RI15"], swapped),
    ("a write is answered with a later revision", &["KV", "RI15"], later_header),
    ("a write returns before it is committed", &["RI15", "KV", "real time"], early_return),
    ("an acknowledged write is not in the log", &["KV", "RI15"], lost),
    ("an acknowledged write is in the log twice", &["KV", "RI15"], doubled),
    ("a write of unknown outcome is in the log twice", &["KV", "RI15"], unknown_doubled),
    ("a refused write is in the log", &["KV", "RI15"], refused_and_done),
    ("a write is in the log that nobody asked for", &["KV", "RI15"], phantom),
    ("two entries swap their places", &["KV", "RI15"], entries_swapped),
    ("an entry is missing in the log", &["log"], gap),
    ("a read misses what was committed before its call", &["real time"], stale),
    ("a read hides that it is stale", &["real time"], stale_behind_header),
    ("a read sees what is committed after its return", &["real time"], future),
    ("a read finds a wrong field", &["KV"], wrong_field),
    ("a read misses a key", &["KV"], missing_key),
    ("a read counts wrongly", &["KV"], miscounted),
    ("a read invents a key", &["KV"], invented),
    ("a read claims another revision", &["KV", "real time", "MI3"], misdated),
    ("a compacted revision is read", &["MI3"], compacted_data),
    ("a readable revision is refused", &["MI3"], refused_read),
    ("a previous value is wrong", &["KV"], wrong_previous),
    ("a deletion counts wrongly", &["KV"], wrong_deleted),
    ("a transaction takes the other branch", &["KV"], other_branch),
    ("a transaction leaves an answer out", &["KV"], short_txn),
    ("a grant gives another time", &["KV"], wrong_grant),
    ("a renewal gives another time", &["L5"], wrong_renewal),
    ("a lease has more left than it can", &["L5"], wrong_left),
    ("a lease hides a key", &["L5"], wrong_keys),
    ("a list of leases misses one", &["L6"], missing_lease),
    ("a refusal names another reason", &["KV", "RI15", "MI3"], other_reason),
];

fn check(mutations: &[Mutation]) {
    let histories: Vec<History> = (0..SEEDS).map(|seed| history(Shape::of(seed))).collect();
    for (name, laws, deed) in mutations {
        let mut done = 0;
        for (seed, right) in (0..).zip(&histories) {
            let mut wrong = right.clone();
            if !deed(&mut wrong, &mut Rng::new(seed)) {
                continue;
            }
            done += 1;
            match judge(&wrong) {
                Ok(_) => panic!("{name}: not found with seed {seed}"),
                Err(broken) => assert!(laws.contains(&broken.law), "{name}, seed {seed}: {broken}"),
            }
        }
        assert!(done >= SEEDS / 4, "{name}: only {done} histories had a place for it");
    }
}

#[test]
fn wrong_answers_are_found() {
    check(ANSWERS);
}

#[test]
fn wrong_watches_are_found() {
    check(mishear::WATCHES);
}

#[test]
fn leases_that_end_too_early_are_found() {
    let broken =
        (0..SEEDS).map(|seed| judge(&history(Shape { tick_percent: 300, ..Shape::of(seed) })));
    let laws: Vec<_> = broken.map(|verdict| verdict.map_err(|broken| broken.law)).collect();
    let found = laws.iter().filter(|law| **law == Err("L1")).count();
    assert!(found as u64 >= SEEDS * 9 / 10, "{laws:?}");
    assert!(laws.iter().all(|law| matches!(law, Ok(_) | Err("L1"))), "{laws:?}");
}

#[test]
fn clocks_that_leap_excuse_what_a_tick_can_claim() {
    for seed in 0..SEEDS / 4 {
        let mut early = history(Shape { tick_percent: 300, ..Shape::of(seed) });
        early.leaps = (0..early.ended_at.0).step_by(100_000_000).map(Time).collect();
        assert_eq!(judge(&early).map(|_| ()), Ok(()), "seed {seed}");
    }
}

#[test]
fn leases_that_end_too_late_are_found() {
    let broken =
        (0..SEEDS).map(|seed| judge(&history(Shape { tick_percent: 20, ..Shape::of(seed) })));
    let laws: Vec<_> = broken.map(|verdict| verdict.map_err(|broken| broken.law)).collect();
    let found = laws.iter().filter(|law| **law == Err("L2")).count();
    assert!(found as u64 >= SEEDS * 9 / 10, "{laws:?}");
    assert!(laws.iter().all(|law| matches!(law, Ok(_) | Err("L2"))), "{laws:?}");
}

/// One of those that fit.
pub(crate) fn pick<T>(rng: &mut Rng, all: impl Iterator<Item = T>) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    if all.is_empty() {
        return None;
    }
    let at = usize::try_from(rng.below(all.len() as u64)).unwrap();
    Some(all.swap_remove(at))
}

fn answer(operation: &Operation) -> Option<&Answer> {
    match &operation.ending {
        Ending::Answered(answer) => Some(answer),
        Ending::Refused(..) | Ending::Unknown => None,
    }
}

fn answered(operation: &mut Operation) -> &mut Answer {
    match &mut operation.ending {
        Ending::Answered(answer) => answer,
        Ending::Refused(..) | Ending::Unknown => panic!("it was answered"),
    }
}

/// A put of a value that is used once.
fn unique_put(operation: &Operation) -> Option<&Put> {
    match &*operation.request {
        Request::Write(Command::Put(put)) if put.value.is_some() => Some(put),
        _ => None,
    }
}

/// An operation for which this says yes.
fn one(history: &History, rng: &mut Rng, fits: impl Fn(&Operation) -> bool) -> Option<usize> {
    let all = history.operations.iter().enumerate();
    pick(rng, all.filter(|(_, operation)| fits(operation)).map(|(number, _)| number))
}

fn answered_put(history: &History, rng: &mut Rng) -> Option<usize> {
    one(history, rng, |it| unique_put(it).is_some() && answer(it).is_some())
}

/// Where the command of an operation stands in the log.
fn place(history: &History, number: usize) -> Option<usize> {
    let Request::Write(command) = &*history.operations[number].request else { return None };
    history.truth.iter().position(|entry| entry.command.as_ref() == Some(command))
}

/// Gives entries their positions again.
fn renumber(history: &mut History) {
    for (index, entry) in (1..).zip(&mut history.truth) {
        entry.position.index = Index(index);
    }
}

/// Runs a deed that may find no place for itself.
macro_rules! or_not {
    ($option:expr) => {
        match $option {
            Some(found) => found,
            None => return false,
        }
    };
}
pub(crate) use or_not;

fn swapped(history: &mut History, rng: &mut Rng) -> bool {
    let one = or_not!(answered_put(history, rng));
    let other = or_not!(answered_put(history, rng));
    if one == other {
        return false;
    }
    let ending = history.operations[one].ending.clone();
    history.operations[one].ending =
        std::mem::replace(&mut history.operations[other].ending, ending);
    true
}

fn later_header(history: &mut History, rng: &mut Rng) -> bool {
    let number = or_not!(answered_put(history, rng));
    answered(&mut history.operations[number]).header.revision += 1;
    true
}

fn early_return(history: &mut History, rng: &mut Rng) -> bool {
    let number = or_not!(answered_put(history, rng));
    let at = history.truth[or_not!(place(history, number))].at;
    let operation = &mut history.operations[number];
    operation.returned = Some(Time(at.0 - 1));
    operation.called < at
}

fn lost(history: &mut History, rng: &mut Rng) -> bool {
    let number = or_not!(answered_put(history, rng));
    let place = or_not!(place(history, number));
    history.truth.remove(place);
    renumber(history);
    true
}

fn again(history: &mut History, number: usize) -> bool {
    let place = or_not!(place(history, number));
    let copy = history.truth[place].clone();
    history.truth.insert(place + 1, copy);
    renumber(history);
    true
}

fn doubled(history: &mut History, rng: &mut Rng) -> bool {
    let number = or_not!(answered_put(history, rng));
    again(history, number)
}

fn unknown_doubled(history: &mut History, rng: &mut Rng) -> bool {
    let unknown =
        one(history, rng, |it| unique_put(it).is_some() && matches!(it.ending, Ending::Unknown));
    again(history, or_not!(unknown))
}

fn refused_and_done(history: &mut History, rng: &mut Rng) -> bool {
    let number = or_not!(answered_put(history, rng));
    let operation = &mut history.operations[number];
    operation.ending = Ending::Refused(Failure::NoLeader, answered(operation).header);
    true
}

fn phantom(history: &mut History, rng: &mut Rng) -> bool {
    let place = usize::try_from(rng.below(history.truth.len() as u64)).unwrap();
    let value = Some(Bytes::from_static(b"nobody's"));
    let key = Bytes::from_static(b"a");
    let put = Put { key, value, lease: Some(None), prev_kv: false };
    let copy = Committed { command: Some(Command::Put(put)), ..history.truth[place].clone() };
    history.truth.insert(place, copy);
    renumber(history);
    true
}

fn entries_swapped(history: &mut History, rng: &mut Rng) -> bool {
    let is_put = |at: usize| match &history.truth[at].command {
        Some(Command::Put(put)) => put.value.is_some() && put.lease == Some(None),
        _ => false,
    };
    let acknowledged = |at: usize| {
        let command = history.truth[at].command.as_ref();
        history.operations.iter().any(|it| {
            matches!(&*it.request, Request::Write(asked) if Some(asked) == command)
                && answer(it).is_some()
        })
    };
    let fits = |at: &usize| is_put(*at) && is_put(*at + 1) && acknowledged(*at);
    let at = or_not!(pick(rng, (0..history.truth.len() - 1).filter(fits)));
    let first = history.truth[at].command.take();
    history.truth[at].command = history.truth[at + 1].command.take();
    history.truth[at + 1].command = first;
    true
}

fn gap(history: &mut History, rng: &mut Rng) -> bool {
    let place = usize::try_from(rng.below(history.truth.len() as u64 - 1)).unwrap();
    history.truth.remove(place);
    true
}

/// An answered read of the latest revision that is linearizable.
fn latest_read(operation: &Operation) -> bool {
    let latest = matches!(&*operation.request,
        Request::Range { range, serializable: false } if range.revision <= 0);
    latest && answer(operation).is_some()
}

/// Puts the answer that another revision gives in place of the right one.
fn reread(history: &mut History, number: usize, at: i64, header: bool) {
    let truth = history.truth.clone();
    let truth = Truth::new(&truth, Limits::default()).unwrap();
    let operation = &mut history.operations[number];
    let Request::Range { range, .. } = &*operation.request else { panic!("it is a read") };
    let told = Told::Range { revision: at, result: truth.read(range, at) };
    let answer = answered(operation);
    answer.told = told;
    if header {
        answer.header.revision = at;
    }
}

/// A read and the newest revision before its call.
fn with_past(history: &History, rng: &mut Rng) -> Option<(usize, i64)> {
    let truth = Truth::new(&history.truth, Limits::default()).unwrap();
    let number = one(history, rng, latest_read)?;
    let before = truth.revision(truth.moment_before(history.operations[number].called));
    (before > 1).then_some((number, before))
}

fn stale(history: &mut History, rng: &mut Rng) -> bool {
    let (number, before) = or_not!(with_past(history, rng));
    let back = 1 + rng.below((before as u64 - 1).min(3)) as i64;
    reread(history, number, before - back, true);
    true
}

fn stale_behind_header(history: &mut History, rng: &mut Rng) -> bool {
    let (number, before) = or_not!(with_past(history, rng));
    reread(history, number, before - 1, false);
    true
}

fn future(history: &mut History, rng: &mut Rng) -> bool {
    let is_read = |it: &Operation| {
        answer(it).is_some()
            && matches!(&*it.request,
            Request::Range { range, .. } if range.revision <= 0)
    };
    let number = or_not!(one(history, rng, is_read));
    let next = {
        let truth = Truth::new(&history.truth, Limits::default()).unwrap();
        let returned = history.operations[number].returned.unwrap();
        let next = truth.revision(truth.moment_at(returned)) + 1;
        if truth.maker(next).is_none() {
            return false;
        }
        next
    };
    reread(history, number, next, true);
    true
}

/// Changes the result of some read that found a key.
fn found(
    history: &mut History,
    rng: &mut Rng,
    deed: impl Fn(&mut store::RangeResult, &mut Rng),
) -> bool {
    let full = |it: &Operation| {
        answer(it).is_some_and(|answer| match &answer.told {
            Told::Range { result, .. } => !result.kvs.is_empty(),
            _ => false,
        })
    };
    let number = or_not!(one(history, rng, full));
    match &mut answered(&mut history.operations[number]).told {
        Told::Range { result, .. } => deed(result, rng),
        _ => return false,
    }
    true
}

fn wrong_field(history: &mut History, rng: &mut Rng) -> bool {
    found(history, rng, |result, rng| {
        let kv = &mut result.kvs[0];
        match rng.below(6) {
            0 => kv.version += 1,
            1 => kv.create_revision -= 1,
            2 => kv.mod_revision += 1,
            3 => kv.value = Bytes::from_static(b"wrong"),
            4 => kv.key = Bytes::from_static(b"wrong"),
            _ => kv.lease = if kv.lease.is_none() { Some(store::LeaseId(99)) } else { None },
        }
    })
}

fn missing_key(history: &mut History, rng: &mut Rng) -> bool {
    found(history, rng, |result, _| {
        result.kvs.pop();
    })
}

fn invented(history: &mut History, rng: &mut Rng) -> bool {
    found(history, rng, |result, _| result.kvs.push(result.kvs[0].clone()))
}

fn miscounted(history: &mut History, rng: &mut Rng) -> bool {
    found(history, rng, |result, rng| match rng.below(2) {
        0 => result.count += 1,
        _ => result.more = !result.more,
    })
}

fn misdated(history: &mut History, rng: &mut Rng) -> bool {
    let number = or_not!(one(history, rng, |it| {
        matches!(&*it.request, Request::Range { range, .. } if range.revision > 0)
            && answer(it).is_some()
    }));
    match &mut answered(&mut history.operations[number]).told {
        Told::Range { revision, .. } => *revision -= 1,
        _ => return false,
    }
    true
}

fn compacted_data(history: &mut History, rng: &mut Rng) -> bool {
    let refused = |it: &Operation| {
        matches!(&*it.request, Request::Range { range, serializable: false } if range.revision > 0)
            && matches!(it.ending, Ending::Refused(Failure::Store(Error::Compacted), _))
    };
    let number = or_not!(one(history, rng, refused));
    let operation = &mut history.operations[number];
    let Request::Range { range, .. } = &*operation.request else { return false };
    let at = range.revision;
    let truth = Truth::new(&history.truth, Limits::default()).unwrap();
    let Ending::Refused(_, header) = operation.ending else { return false };
    let told = Told::Range { revision: at, result: truth.read(range, at) };
    // While it is being compacted, both answers are right.
    let compacted = at < truth.compact_revision(truth.moment_before(operation.called));
    operation.ending = Ending::Answered(Answer { header, told });
    compacted
}

fn refused_read(history: &mut History, rng: &mut Rng) -> bool {
    let number = or_not!(one(history, rng, |it| {
        matches!(&*it.request, Request::Range { .. }) && answer(it).is_some()
    }));
    let truth = Truth::new(&history.truth, Limits::default()).unwrap();
    let operation = &mut history.operations[number];
    let header = answered(operation).header;
    let Request::Range { range, .. } = &*operation.request else { return false };
    let last = truth.moment_at(operation.returned.unwrap());
    let compacted = truth.compact_revision(last);
    let (error, wrong) = match rng.below(2) {
        0 => (Error::FutureRevision, true),
        _ => (Error::Compacted, range.revision <= 0 || range.revision >= compacted),
    };
    operation.ending = Ending::Refused(Failure::Store(error), header);
    wrong
}

/// Changes the outcome of some write for which the change says yes.
fn outcome(
    history: &mut History,
    rng: &mut Rng,
    fits: impl Fn(&Outcome) -> bool,
    deed: impl Fn(&mut Outcome),
) -> bool {
    let number = or_not!(one(history, rng, |it| {
        answer(it).is_some_and(|answer| match &answer.told {
            Told::Outcome(outcome) => fits(outcome),
            _ => false,
        })
    }));
    match &mut answered(&mut history.operations[number]).told {
        Told::Outcome(outcome) => deed(outcome),
        _ => return false,
    }
    true
}

fn wrong_previous(history: &mut History, rng: &mut Rng) -> bool {
    let fits = |outcome: &Outcome| matches!(outcome, Outcome::Put { prev: Some(_) });
    let forget = rng.below(2) == 0;
    outcome(history, rng, fits, |outcome| match outcome {
        Outcome::Put { prev } if forget => *prev = None,
        Outcome::Put { prev: Some(prev) } => prev.version += 1,
        _ => {}
    })
}

fn wrong_deleted(history: &mut History, rng: &mut Rng) -> bool {
    let fits = |outcome: &Outcome| matches!(outcome, Outcome::DeleteRange { .. });
    outcome(history, rng, fits, |outcome| {
        if let Outcome::DeleteRange { deleted, .. } = outcome {
            *deleted += 1;
        }
    })
}

fn other_branch(history: &mut History, rng: &mut Rng) -> bool {
    let fits = |outcome: &Outcome| matches!(outcome, Outcome::Txn { .. });
    outcome(history, rng, fits, |outcome| {
        if let Outcome::Txn { succeeded, .. } = outcome {
            *succeeded = !*succeeded;
        }
    })
}

fn short_txn(history: &mut History, rng: &mut Rng) -> bool {
    let fits = |outcome: &Outcome| {
        let Outcome::Txn { responses, .. } = outcome else { return false };
        !responses.is_empty()
    };
    outcome(history, rng, fits, |outcome| {
        if let Outcome::Txn { responses, .. } = outcome {
            responses.pop();
        }
    })
}

fn wrong_grant(history: &mut History, rng: &mut Rng) -> bool {
    let fits = |outcome: &Outcome| matches!(outcome, Outcome::LeaseGrant { .. });
    outcome(history, rng, fits, |outcome| {
        if let Outcome::LeaseGrant { ttl, .. } = outcome {
            *ttl += 1;
        }
    })
}

/// Changes what some operation was told about leases.
fn about_leases(
    history: &mut History,
    rng: &mut Rng,
    fits: impl Fn(&Told) -> bool,
    deed: impl Fn(&mut Told),
) -> bool {
    let number =
        or_not!(one(history, rng, |it| { answer(it).is_some_and(|answer| fits(&answer.told)) }));
    deed(&mut answered(&mut history.operations[number]).told);
    true
}

fn wrong_renewal(history: &mut History, rng: &mut Rng) -> bool {
    about_leases(
        history,
        rng,
        |told| matches!(told, Told::Renewed(_)),
        |told| {
            if let Told::Renewed(ttl) = told {
                *ttl += 1;
            }
        },
    )
}

fn wrong_left(history: &mut History, rng: &mut Rng) -> bool {
    about_leases(
        history,
        rng,
        |told| matches!(told, Told::TimeToLive(Some(_))),
        |told| {
            if let Told::TimeToLive(Some(time)) = told {
                time.remaining = time.granted + 1;
            }
        },
    )
}

fn wrong_keys(history: &mut History, rng: &mut Rng) -> bool {
    let fits = |told: &Told| matches!(told, Told::TimeToLive(Some(time)) if !time.keys.is_empty());
    about_leases(history, rng, fits, |told| {
        if let Told::TimeToLive(Some(time)) = told {
            time.keys.pop();
        }
    })
}

fn missing_lease(history: &mut History, rng: &mut Rng) -> bool {
    let fits = |told: &Told| matches!(told, Told::Leases(leases) if leases.len() > 1);
    about_leases(history, rng, fits, |told| {
        if let Told::Leases(leases) = told {
            leases.remove(0);
            leases.push(store::LeaseId(99));
        }
    })
}

fn other_reason(history: &mut History, rng: &mut Rng) -> bool {
    let number = or_not!(one(history, rng, |it| {
        matches!(it.ending, Ending::Refused(Failure::Store(error), _)
            if error != Error::EmptyKey && error != Error::DuplicateKey)
            && matches!(&*it.request, Request::Write(_) | Request::Range { .. })
    }));
    let header = Header { revision: history.operations[number].revision(), term: TERM };
    history.operations[number].ending = Ending::Refused(Failure::Store(Error::LeaseExists), header);
    let grants =
        matches!(&*history.operations[number].request, Request::Write(Command::LeaseGrant { .. }));
    !grants
}

/// The revision of what an operation was told.
trait Revised {
    fn revision(&self) -> i64;
}

impl Revised for Operation {
    fn revision(&self) -> i64 {
        match &self.ending {
            Ending::Answered(answer) => answer.header.revision,
            Ending::Refused(_, header) => header.revision,
            Ending::Unknown => 0,
        }
    }
}

#[test]
fn absurd_histories_are_refused_and_not_panicked_over() {
    let right = history(Shape::of(3));
    let numbers = [i64::MIN, -1, 0, 1, i64::MAX - 1, i64::MAX];
    for (seed, number) in (0..).zip(numbers.iter().cycle().take(240)) {
        let mut rng = Rng::new(seed);
        let mut wrong = right.clone();
        let Some(operation) = one(&wrong, &mut rng, |it| answer(it).is_some()) else { continue };
        let answer = answered(&mut wrong.operations[operation]);
        answer.header.revision = *number;
        if let Told::Range { revision, .. } = &mut answer.told {
            *revision = *number;
        }
        assert!(judge(&wrong).is_err() || *number == 1, "{number}");
        let mut wrong = right.clone();
        let watch = &mut wrong.watches[usize::try_from(seed).unwrap() % right.watches.len()];
        watch.create.start_revision = *number;
        for (at, response) in &mut watch.heard {
            *at = Time(rng.next());
            if let WatchResponse::Events { events, revision, .. } = response {
                *revision = *number;
                for event in events {
                    Arc::make_mut(event).kv.mod_revision = *number;
                }
            }
        }
        let _ = judge(&wrong);
        let mut wrong = right.clone();
        wrong.ended_at = Time(rng.next());
        wrong.healed_at = Some(Time(rng.next()));
        wrong.drift_per_mille = u32::MAX;
        let at = usize::try_from(rng.below(right.truth.len() as u64)).unwrap();
        wrong.truth[at].command = Some(Command::LeaseGrant { id: store::LeaseId(5), ttl: *number });
        let _ = judge(&wrong);
        wrong.truth.truncate(at);
        let _ = judge(&wrong);
    }
}
