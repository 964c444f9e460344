//! Right histories pass, and much is seen in them.

use sim::check::judge;

use crate::generate::{Shape, history};

#[test]
fn right_histories_pass() {
    let (mut told, mut watched, mut leased, mut unknown) = (0, 0, 0, 0);
    let (mut past, mut unreadable, mut compacted, mut complete, mut bookmarks) = (0, 0, 0, 0, 0);
    for seed in 0..200 {
        let history = history(Shape::of(seed));
        let summary = judge(&history).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
        told += summary.answers.writes + summary.answers.reads;
        past += summary.answers.past;
        unreadable += summary.answers.unreadable;
        watched += summary.watches.events;
        compacted += summary.watches.compacted;
        complete += summary.watches.complete;
        bookmarks += summary.watches.bookmarks;
        leased += summary.leases.owned;
        unknown += summary.unknown_done;
    }
    let seen = [told, watched, leased, unknown, past, unreadable, compacted, complete, bookmarks];
    let least = [40_000, 10_000, 300, 500, 1_000, 500, 50, 500, 1_000];
    assert!(seen.iter().zip(least).all(|(seen, least)| *seen >= least), "{seen:?}");
}
