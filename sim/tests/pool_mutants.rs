//! Every planted bug of SWIM spoils a story of a pool, which holds without it.

#![cfg(feature = "mutants")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use protocol::mutant::{Mutant, plant};
use sim::pool::gallery::find;

/// What came of a story with this bug, or none, planted. A broken assertion speaks for itself.
fn play(tag: &str, mutant: Option<Mutant>) -> Result<(), String> {
    let story = find(tag).unwrap();
    plant(mutant);
    let verdict = catch_unwind(AssertUnwindSafe(|| story.run().verdict));
    plant(None);
    verdict.unwrap_or_else(|_| Err("an assertion was broken".to_owned()))
}

/// One test: the choice of a bug is one for the process.
#[test]
fn each_bug_spoils_its_story() {
    let cases = [
        (Mutant::S1, "s3_05"),
        (Mutant::S2, "s3_06"),
        (Mutant::S3, "s3_03a"),
        (Mutant::S4, "s3_01"),
        (Mutant::S5, "s3_03b"),
        (Mutant::S6, "s3_04"),
        (Mutant::S7, "s0_12"),
        (Mutant::S8, "s0_11a"),
        (Mutant::S9, "s3_02"),
    ];
    let mut wrong = Vec::new();
    for (mutant, tag) in cases {
        let (without, with) = (play(tag, None), play(tag, Some(mutant)));
        println!("{}, {tag}: {with:?}", mutant.name());
        if without.is_err() || with.is_ok() {
            wrong.push((mutant.name(), tag, without, with));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
