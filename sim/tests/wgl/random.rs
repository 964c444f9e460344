//! Random histories of every model, judged like the dumb judges judge them.

use super::generator::{Load, generate, index};
use super::mutated::{act, pick};
use super::twins::{brute_force, possible_worlds};
use protocol::Rng;
use sim::check::register::{
    Register, RegisterCall, RegisterResponse, VersionedRegister, VersionedResponse, VersionedState,
};
use sim::check::wgl::{
    Budget, Interval, Map, MapCall, MapOp, Model, Outcome, Report, Verdict, check, check_by_key,
    partition,
};
use std::collections::{BTreeMap, BTreeSet};

/// Verdicts seen: refuted, linearizable.
type Seen = [u32; 2];

fn same_as<M: Model>(
    model: &M,
    history: &[Interval<M::Call, M::Response>],
    expected: bool,
    seed: u64,
    seen: &mut Seen,
) {
    let verdict = check(model, history, Budget::default());
    assert_ne!(verdict, Verdict::Unknown, "seed {seed}");
    assert_eq!(verdict.is_linearizable(), expected, "seed {seed}");
    seen[usize::from(expected)] += 1;
    if let Verdict::Not(report) = verdict {
        assert!(is_attempt(model, history, &report), "seed {seed}: {report}");
    }
}

/// Whether the attempt of a report is one: an order in time that the model accepts, after which
/// the blocked call returns before every other that is left.
fn is_attempt<M: Model>(
    model: &M,
    history: &[Interval<M::Call, M::Response>],
    report: &Report,
) -> bool {
    let mut left: BTreeSet<usize> = (0..history.len()).collect();
    let mut states = vec![model.initial()];
    for &place in &report.prefix {
        let call = &history[place];
        let mut next = Vec::new();
        for state in &states {
            model.outcomes(state, &call.call, call.response(), &mut next);
        }
        states = next;
        let first_return = left.iter().filter_map(|&place| history[place].returned_at()).min();
        let in_time = first_return.is_none_or(|at| call.invoked <= at);
        if !left.remove(&place) || !in_time || states.is_empty() {
            return false;
        }
    }
    let first_return = left.iter().filter_map(|&place| history[place].returned_at()).min();
    let first_return = first_return.unwrap();
    let open = |place: &usize| {
        history[*place].response().is_some() && history[*place].invoked <= first_return
    };
    let open: BTreeSet<usize> = left.iter().copied().filter(open).collect();
    left.contains(&report.blocked)
        && history[report.blocked].returned_at() == Some(first_return)
        && report.open.iter().copied().collect::<BTreeSet<_>>() == open
}

/// A register that sometimes answers from a state of the past, as a cache would.
fn stale_register(rng: &mut Rng, load: Load) -> Vec<Interval<RegisterCall, RegisterResponse>> {
    let mut states = vec![None];
    let mut lies = Rng::new(rng.next());
    generate(rng, load, pick, |call| {
        let mut state = *states.last().unwrap();
        if lies.below(30) == 0 {
            let mut past = states[index(&mut lies, states.len())];
            return act(&mut past, call);
        }
        let response = act(&mut state, call);
        states.push(state);
        response
    })
}

#[test]
fn random_registers_with_stale_answers_and_lost_responses() {
    let mut seen = Seen::default();
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let clients = 2 + rng.below(5);
        let load = Load { calls: 40, clients, lost_percent: 6 };
        let history = stale_register(&mut rng, load);
        let expected = possible_worlds(&Register, &history);
        same_as(&Register, &history, expected, seed, &mut seen);
    }
    assert!(seen.iter().all(|&count| count >= 30), "{seen:?}");
}

#[test]
fn random_registers_without_any_memory_of_configurations() {
    let mut seen = Seen::default();
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let load = Load { calls: 12, clients: 4, lost_percent: 15 };
        let history = stale_register(&mut rng, load);
        let expected = possible_worlds(&Register, &history);
        let forgetful = Budget { memo_bytes: 0, ..Budget::default() };
        let verdict = check(&Register, &history, forgetful);
        assert_eq!(verdict.is_linearizable(), expected, "seed {seed}");
        assert_ne!(verdict, Verdict::Unknown, "seed {seed}");
        seen[usize::from(expected)] += 1;
    }
    assert!(seen.iter().all(|&count| count >= 10), "{seen:?}");
}

#[test]
fn random_versioned_registers_with_wrong_versions() {
    let mut seen = Seen::default();
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut lies = Rng::new(rng.next());
        let mut state = VersionedState::default();
        let load = Load { calls: 30, clients: 4, lost_percent: 8 };
        let history = generate(&mut rng, load, pick, |call| {
            let lie = u64::from(lies.below(60) == 0);
            let response = act(&mut state.value, call);
            let wrote = matches!(response, RegisterResponse::Written | RegisterResponse::Swapped);
            state.version += u64::from(wrote);
            let version = state.version + lie;
            match response {
                RegisterResponse::Value(value) => {
                    VersionedResponse::Read(VersionedState { version, value })
                }
                RegisterResponse::Written => VersionedResponse::Written(version),
                RegisterResponse::Swapped => VersionedResponse::Swapped(version),
                RegisterResponse::Unequal => VersionedResponse::Unequal,
            }
        });
        let expected = possible_worlds(&VersionedRegister, &history);
        same_as(&VersionedRegister, &history, expected, seed, &mut seen);
    }
    assert!(seen.iter().all(|&count| count >= 30), "{seen:?}");
}

type Calls = MapCall<u8, u64>;
type Found = Vec<Option<Option<u64>>>;

fn pick_map(rng: &mut Rng) -> Calls {
    let length = 1 + rng.below(20) / 19;
    let mut ops = Vec::new();
    for _ in 0..length {
        let key = u8::try_from(rng.below(6)).unwrap();
        ops.push(match rng.below(5) {
            0..2 => MapOp::Get(key),
            2..4 => MapOp::Put(key, rng.below(3)),
            _ => MapOp::Delete(key),
        });
    }
    ops
}

/// A map that sometimes forgets a put or a delete that it has acknowledged.
fn forgetful_map(rng: &mut Rng, load: Load) -> Vec<Interval<Calls, Found>> {
    let mut lies = Rng::new(rng.next());
    let mut state: BTreeMap<u8, u64> = BTreeMap::new();
    generate(rng, load, pick_map, |call| {
        let forgets = lies.below(25) == 0;
        let mut found = Vec::new();
        for op in call {
            let (MapOp::Get(key) | MapOp::Put(key, _) | MapOp::Delete(key)) = op;
            let told = matches!(op, MapOp::Get(_)) || lies.below(2) == 0;
            found.push(told.then(|| state.get(key).copied()));
            match op {
                MapOp::Put(key, value) if !forgets => {
                    state.insert(*key, *value);
                }
                MapOp::Delete(key) if !forgets => {
                    state.remove(key);
                }
                MapOp::Get(_) | MapOp::Put(..) | MapOp::Delete(_) => {}
            }
        }
        found
    })
}

#[test]
fn random_maps_are_judged_by_key_as_they_are_judged_whole() {
    let mut seen = Seen::default();
    let mut tied = 0;
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let load = Load { calls: 30, clients: 3, lost_percent: 6 };
        let history = forgetful_map(&mut rng, load);
        let model = Map::new();
        let parts = partition(&model, &history);
        tied += usize::from(parts.iter().any(|part| part.keys.len() > 1));
        let calls: usize = parts.iter().map(|part| part.calls.len()).sum();
        assert_eq!(calls, history.len(), "seed {seed}: each call is in one part");
        let expected = possible_worlds(&model, &history);
        same_as(&model, &history, expected, seed, &mut seen);
        let by_key = check_by_key(&model, &history, Budget::default());
        assert_eq!(by_key.is_linearizable(), expected, "seed {seed}");
        assert_eq!(by_key.is_not(), !expected, "seed {seed}");
    }
    assert!(seen.iter().all(|&count| count >= 20), "{seen:?}");
    assert!(tied >= 20, "{tied}");
}

/// A dispenser that picks a ticket of its own choice among those it has not given out.
struct Dispenser;

#[derive(Debug, PartialEq, Eq)]
enum Dispense {
    Take,
    Left,
}

impl Model for Dispenser {
    type State = Vec<u8>;
    type Call = Dispense;
    type Response = Vec<u8>;

    fn initial(&self) -> Vec<u8> {
        vec![1, 2, 3]
    }

    fn step(&self, left: &Vec<u8>, call: &Dispense, told: Option<&Vec<u8>>) -> Option<Vec<u8>> {
        let mut next = Vec::new();
        self.outcomes(left, call, told, &mut next);
        next.pop()
    }

    fn outcomes(
        &self,
        left: &Vec<u8>,
        call: &Dispense,
        told: Option<&Vec<u8>>,
        next: &mut Vec<Vec<u8>>,
    ) {
        match call {
            Dispense::Left if told.is_none_or(|told| told == left) => next.push(left.clone()),
            Dispense::Left => {}
            Dispense::Take => {
                for ticket in left {
                    if told.is_none_or(|told| told == &[*ticket]) {
                        next.push(left.iter().copied().filter(|other| other != ticket).collect());
                    }
                }
            }
        }
    }

    fn changes_nothing(&self, call: &Dispense, _: Option<&Vec<u8>>) -> bool {
        *call == Dispense::Left
    }
}

#[test]
fn random_dispensers_may_choose_where_nobody_was_told() {
    let mut seen = Seen::default();
    for seed in 0..500 {
        let mut rng = Rng::new(seed);
        let mut history = Vec::new();
        for client in 0..5 {
            let invoked = rng.below(6);
            let call = if rng.below(2) == 0 { Dispense::Take } else { Dispense::Left };
            let response = match call {
                Dispense::Take => vec![u8::try_from(1 + rng.below(3)).unwrap()],
                Dispense::Left => (1..=3).filter(|_| rng.below(3) > 0).collect(),
            };
            let at = invoked + rng.below(4);
            let lost = call == Dispense::Take && rng.below(2) == 0;
            let outcome = if lost { Outcome::Unknown } else { Outcome::Returned { at, response } };
            history.push(Interval { client, invoked, call, outcome });
        }
        let expected = brute_force(&Dispenser, &history);
        same_as(&Dispenser, &history, expected, seed, &mut seen);
    }
    assert!(seen.iter().all(|&count| count >= 30), "{seen:?}");
}
