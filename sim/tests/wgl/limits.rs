//! Large histories end with a verdict, and hopeless ones with `Unknown`.

use super::generator::{Load, generate};
use super::mutated::{act, pick};
use protocol::Rng;
use sim::check::register::{Register, RegisterCall, RegisterResponse};
use sim::check::wgl::{
    Budget, Interval, Map, MapCall, MapOp, Outcome, Verdict, check, check_by_key,
};
use std::collections::BTreeMap;

type Calls = MapCall<u64, u64>;
type Found = Vec<Option<Option<u64>>>;

const KEYS: u64 = 1_000;

/// A map of a thousand keys under ten clients.
fn thousand_keys(calls: usize) -> Vec<Interval<Calls, Found>> {
    let mut state: BTreeMap<u64, u64> = BTreeMap::new();
    let mut value = 0;
    let mut rng = Rng::new(1);
    let load = Load { calls, clients: 10, lost_percent: 1 };
    let pick = |rng: &mut Rng| {
        let key = rng.below(KEYS);
        value += 1;
        vec![if rng.below(2) == 0 { MapOp::Get(key) } else { MapOp::Put(key, value) }]
    };
    generate(&mut rng, load, pick, |call| match &call[0] {
        MapOp::Get(key) => vec![Some(state.get(key).copied())],
        MapOp::Put(key, value) => {
            state.insert(*key, *value);
            vec![None]
        }
        MapOp::Delete(_) => vec![None],
    })
}

#[test]
fn limit_a_hundred_thousand_calls_over_a_thousand_keys_are_judged() {
    let mut history = thousand_keys(100_000);
    let model = Map::new();
    assert_eq!(check_by_key(&model, &history, Budget::default()), Verdict::Linearizable);

    let (place, key) = (0..history.len())
        .rev()
        .find_map(|place| match history[place].call[0] {
            MapOp::Get(key) => Some((place, key)),
            MapOp::Put(..) | MapOp::Delete(_) => None,
        })
        .unwrap();
    if let Outcome::Returned { response, .. } = &mut history[place].outcome {
        *response = vec![Some(Some(u64::MAX))];
    }
    let Verdict::Not(report) = check_by_key(&model, &history, Budget::default()) else {
        panic!("nobody wrote that");
    };
    assert_eq!((report.part, report.blocked), (key.to_string(), place));
}

#[test]
fn limit_ten_thousand_calls_on_one_register_are_judged() {
    let mut state = None;
    let mut rng = Rng::new(3);
    let load = Load { calls: 10_000, clients: 10, lost_percent: 0 };
    let history = generate(&mut rng, load, pick, |call| act(&mut state, call));
    assert_eq!(check(&Register, &history, Budget::default()), Verdict::Linearizable);
}

/// Writes of different values, all at once, and a read of something else.
fn hopeless(
    writes: i64,
    invoked: impl Fn(i64) -> u64,
) -> Vec<Interval<RegisterCall, RegisterResponse>> {
    let returned = |at, response| Outcome::Returned { at, response };
    let mut history: Vec<_> = (0..writes)
        .map(|value| Interval {
            client: 0,
            invoked: invoked(value),
            call: RegisterCall::Write(value),
            outcome: returned(1_000, RegisterResponse::Written),
        })
        .collect();
    history.push(Interval {
        client: 1,
        invoked: 0,
        call: RegisterCall::Read,
        outcome: returned(1_000, RegisterResponse::Value(Some(-1))),
    });
    history
}

#[test]
fn limit_a_hopeless_search_ends_by_its_steps_within_little_memory() {
    let budget = Budget { steps: 200_000, memo_bytes: 1 << 16, ..Budget::default() };
    let history = hopeless(60, |_| 0);
    assert_eq!(check(&Register, &history, budget), Verdict::Unknown);
    // The same question is answered where it is small, with and without enough memory.
    let small = hopeless(7, |_| 0);
    assert_eq!(check(&Register, &small, Budget::default()).word(), "not");
    assert_eq!(check(&Register, &small, budget).word(), "not");
}

#[test]
fn limit_a_search_ends_by_its_states() {
    let budget = Budget { states: 10, ..Budget::default() };
    assert_eq!(check(&Register, &hopeless(12, |_| 0), budget), Verdict::Unknown);
    assert_eq!(check(&Register, &hopeless(8, |_| 0), budget).word(), "not");
}

#[test]
fn limit_sixty_lost_writes_of_three_values_are_three_choices() {
    let mut history = hopeless(3, |_| 0);
    for lost in 0..60 {
        history.push(Interval {
            client: 2,
            invoked: 0,
            call: RegisterCall::Write(lost % 3),
            outcome: Outcome::Unknown,
        });
    }
    assert_eq!(check(&Register, &history, Budget::default()).word(), "not");
}

#[test]
fn limit_a_part_without_an_answer_does_not_hide_a_refutation_of_another() {
    let put = |key, value| Interval {
        client: 0,
        invoked: 0,
        call: vec![MapOp::Put(key, value)],
        outcome: Outcome::Returned { at: 9, response: vec![None] },
    };
    let get = |key, found| Interval {
        client: 1,
        invoked: 0,
        call: vec![MapOp::Get(key)],
        outcome: Outcome::Returned { at: 9, response: vec![Some(Some(found))] },
    };
    let mut history: Vec<_> = (0..40).map(|value| put(1, value)).collect();
    history.push(get(1, 99));
    let budget = Budget { steps: 10_000, ..Budget::default() };
    let model = Map::new();
    assert_eq!(check_by_key(&model, &history, budget), Verdict::Unknown);
    history.push(get(2, 99));
    assert!(check_by_key(&model, &history, budget).is_not());
}
