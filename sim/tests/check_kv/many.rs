//! Many operations on many keys: what is judged stays a fixed share of what happened.

use sim::check::judge;

use crate::generate::{Shape, history};

#[test]
fn many_plain_operations_pass() {
    let shape =
        Shape { operations: 20_000, clients: 50, watches: 0, plain: Some(500), ..Shape::of(1) };
    let summary = judge(&history(shape)).unwrap();
    let judged = summary.answers.writes + summary.answers.reads + summary.unknown + summary.refused;
    assert_eq!(judged, summary.operations);
    assert!(summary.searched.keys >= 30 && summary.searched.operations > 1_000, "{summary:?}");
    assert_eq!(summary.searched.undecided, 0);
    assert!(summary.answers.writes > 8_000 && summary.answers.reads > 8_000, "{summary:?}");
}
