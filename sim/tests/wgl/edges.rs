//! Histories at the edge, and what a refutation says.

use sim::check::register::{Register, RegisterCall, RegisterResponse};
use sim::check::wgl::{
    Budget, Interval, Map, MapCall, MapOp, Outcome, Part, Verdict, check, check_by_key, partition,
};

type Call = Interval<RegisterCall, RegisterResponse>;

fn call(invoked: u64, call: RegisterCall, outcome: Option<(u64, RegisterResponse)>) -> Call {
    let outcome = match outcome {
        Some((at, response)) => Outcome::Returned { at, response },
        None => Outcome::Unknown,
    };
    Interval { client: 7, invoked, call, outcome }
}

fn wrote(invoked: u64, at: u64, value: i64) -> Call {
    call(invoked, RegisterCall::Write(value), Some((at, RegisterResponse::Written)))
}

fn read(invoked: u64, at: u64, value: Option<i64>) -> Call {
    call(invoked, RegisterCall::Read, Some((at, RegisterResponse::Value(value))))
}

fn lost(invoked: u64, what: RegisterCall) -> Call {
    call(invoked, what, None)
}

fn word(history: &[Call]) -> &'static str {
    check(&Register, history, Budget::default()).word()
}

#[test]
fn edge_an_empty_history_is_linearizable() {
    assert_eq!(word(&[]), "linearizable");
}

#[test]
fn edge_calls_that_nobody_heard_of_are_linearizable() {
    let swap = RegisterCall::Cas { expected: Some(8), new: 9 };
    let lost = [lost(0, RegisterCall::Read), lost(1, RegisterCall::Write(1)), lost(2, swap)];
    assert_eq!(word(&lost), "linearizable");
}

#[test]
fn edge_a_value_that_nobody_wrote_is_refuted() {
    assert_eq!(word(&[read(0, 1, Some(4))]), "not");
    assert_eq!(
        word(&[wrote(0, 5, 3), lost(1, RegisterCall::Write(5)), read(2, 4, Some(4))]),
        "not"
    );
}

#[test]
fn edge_a_lost_write_may_come_late_but_not_twice_and_not_before_its_call() {
    let late = lost(0, RegisterCall::Write(1));
    let history = [late.clone(), wrote(1, 2, 2), read(3, 4, Some(2)), read(5, 6, Some(1))];
    assert_eq!(word(&history), "linearizable");

    let twice = [read(1, 2, Some(1)), wrote(3, 4, 2), read(5, 6, Some(1))];
    assert_eq!(word(&[&[late], &twice[..]].concat()), "not");

    assert_eq!(word(&[read(1, 2, Some(1)), lost(3, RegisterCall::Write(1))]), "not");
    assert_eq!(word(&[read(1, 3, Some(1)), lost(3, RegisterCall::Write(1))]), "linearizable");
}

#[test]
fn edge_two_equal_lost_writes_explain_what_one_cannot() {
    let reads = [read(1, 2, Some(1)), wrote(3, 4, 2), read(5, 6, Some(1))];
    let one = lost(0, RegisterCall::Write(1));
    let other = lost(2, RegisterCall::Write(1));
    assert_eq!(word(&[&[one.clone(), other], &reads[..]].concat()), "linearizable");
    let too_late = lost(7, RegisterCall::Write(1));
    assert_eq!(word(&[&[one, too_late], &reads[..]].concat()), "not");
}

#[test]
fn edge_a_lost_compare_happens_only_where_it_holds() {
    let swap = lost(0, RegisterCall::Cas { expected: Some(1), new: 2 });
    assert_eq!(word(&[swap.clone(), wrote(1, 2, 1), read(3, 4, Some(2))]), "linearizable");
    assert_eq!(word(&[swap, wrote(1, 2, 3), read(3, 4, Some(2))]), "not");
}

#[test]
fn edge_events_of_one_instant_are_concurrent() {
    assert_eq!(word(&[wrote(0, 5, 1), read(5, 6, None)]), "linearizable");
    assert_eq!(word(&[wrote(0, 4, 1), read(5, 6, None)]), "not");
    assert_eq!(word(&[wrote(5, 5, 1), read(5, 5, None), read(5, 5, Some(1))]), "linearizable");
}

#[test]
fn edge_the_order_of_the_list_says_nothing() {
    let mut history =
        vec![read(5, 6, Some(2)), wrote(3, 4, 2), read(2, 3, Some(1)), wrote(0, 1, 1)];
    assert_eq!(word(&history), "linearizable");
    history.reverse();
    assert_eq!(word(&history), "linearizable");
}

#[test]
fn edge_a_write_of_the_value_that_is_there_may_be_needed_later() {
    let swap = |invoked| {
        let swap = RegisterCall::Cas { expected: Some(0), new: 1 };
        call(invoked, swap, Some((9, RegisterResponse::Swapped)))
    };
    assert_eq!(word(&[wrote(1, 6, 0), wrote(3, 9, 0), swap(5), swap(7)]), "linearizable");
}

#[test]
#[should_panic(expected = "an interval ends before it starts")]
fn edge_a_call_that_returns_before_it_is_invoked_is_no_history() {
    let _ = check(&Register, &[wrote(3, 2, 1)], Budget::default());
}

#[test]
fn edge_a_refutation_shows_the_longest_attempt_and_what_blocks() {
    let history = [
        wrote(0, 1, 1),
        wrote(2, 8, 2),
        read(3, 4, Some(2)),
        lost(4, RegisterCall::Write(3)),
        read(5, 6, Some(1)),
        read(6, 9, Some(1)),
    ];
    let Verdict::Not(report) = check(&Register, &history, Budget::default()) else {
        panic!("the second read goes back in time");
    };
    assert_eq!((report.prefix.as_slice(), report.blocked), (&[0, 1, 2][..], 4));
    assert_eq!(report.open, [4, 5]);
    assert_eq!(
        report.to_string(),
        "no order explains the 5 calls that returned; the longest attempt has 3:\n  \
         #0 client 7 [0, 1] Write(1) -> Written\n  \
         #1 client 7 [2, 8] Write(2) -> Written\n  \
         #2 client 7 [3, 4] Read -> Value(Some(2))\n\
         state then: Some(2)\n\
         blocked:\n  \
         #4 client 7 [5, 6] Read -> Value(Some(1))\n\
         no help from what else was open:\n  \
         #5 client 7 [6, 9] Read -> Value(Some(1))\n"
    );
}

fn map_call(ops: MapCall<&'static str, u8>) -> Interval<MapCall<&'static str, u8>, Found> {
    let response = ops.iter().map(|_| None).collect();
    let outcome = Outcome::Returned { at: 1, response };
    Interval { client: 0, invoked: 0, call: ops, outcome }
}

type Found = Vec<Option<Option<u8>>>;

#[test]
fn edge_keys_that_meet_in_a_call_are_one_part_also_by_way_of_others() {
    let put = |key| MapOp::Put(key, 1);
    let history = [
        map_call(vec![put("a"), put("b")]),
        map_call(vec![put("c")]),
        map_call(vec![]),
        map_call(vec![put("d"), put("e")]),
        map_call(vec![put("e"), put("b")]),
    ];
    let parts = partition(&Map::new(), &history);
    let part = |keys: &[&'static str], calls: &[usize]| Part {
        keys: keys.to_vec(),
        calls: calls.to_vec(),
    };
    let expected = [part(&["a", "b", "d", "e"], &[0, 3, 4]), part(&["c"], &[1]), part(&[], &[2])];
    assert_eq!(parts, expected);
}

#[test]
fn edge_a_refutation_by_key_names_the_keys_and_counts_in_the_whole_history() {
    let mut wrong = map_call(vec![MapOp::Get("b")]);
    wrong.outcome = Outcome::Returned { at: 1, response: vec![Some(Some(9))] };
    let history = [map_call(vec![MapOp::Put("a", 1)]), wrong];
    let Verdict::Not(report) = check_by_key(&Map::new(), &history, Budget::default()) else {
        panic!("nobody wrote 9");
    };
    assert_eq!((report.part.as_str(), report.blocked), ("\"b\"", 1));
}
