//! Storms that nobody has seen yet, and those that found something.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use protocol::zab::{Abandon, Event, Mode};

use crate::storm::storm;

/// How many, unless `ZAB_SEEDS` says otherwise; from where, unless `ZAB_FROM` does.
const SEEDS: u64 = 2000;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// What a storm can lead to, apart from leaders that come and go.
fn kind(event: &Event) -> Option<&'static str> {
    match event {
        Event::Role { .. } => None,
        Event::Abandoned(why) => Some(match why {
            Abandon::InitLimit => "init limit",
            Abandon::SyncLimit => "sync limit",
            Abandon::LinkLost => "link lost",
            Abandon::NotLeading => "not leading",
            Abandon::OldEpoch => "old epoch",
            Abandon::Overtaken => "overtaken",
            Abandon::Deserted => "deserted",
            Abandon::Illegal => "illegal",
            Abandon::Stalled => "stalled",
            Abandon::Replaced => "replaced",
        }),
        Event::Synchronizing { mode: Mode::Diff(_), .. } => Some("diff"),
        Event::Synchronizing { mode: Mode::Trunc(_), .. } => Some("trunc"),
        Event::Synchronizing { mode: Mode::Snap, .. } => Some("snap"),
        Event::PeerAhead { .. } => Some("peer ahead"),
        Event::Truncated { .. } => Some("truncated"),
        Event::DoubtResolved { .. } => Some("doubt resolved"),
    }
}

/// What must have happened somewhere among the first thousand.
const REACHED: [&str; 11] = [
    "deserted",
    "diff",
    "init limit",
    "link lost",
    "not leading",
    "peer ahead",
    "snap",
    "stalled",
    "sync limit",
    "trunc",
    "truncated",
];

#[test]
fn no_storm_breaks_a_law_and_everybody_agrees_after_it() {
    let (from, seeds) = (setting("ZAB_FROM", 0), setting("ZAB_SEEDS", SEEDS));
    let mut census: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in from..from + seeds {
        match catch_unwind(AssertUnwindSafe(|| storm(seed))) {
            Ok(events) => {
                for kind in events.iter().filter_map(|(_, event)| kind(event)) {
                    *census.entry(kind).or_default() += 1;
                }
            }
            Err(panic) => {
                eprintln!("the storm of seed {seed}: ZAB_FROM={seed} ZAB_SEEDS=1 ZAB_TRACE=1");
                resume_unwind(panic);
            }
        }
    }
    println!("{census:?}");
    if seeds >= 1000 {
        let missed: Vec<_> = REACHED.iter().filter(|it| !census.contains_key(**it)).collect();
        assert!(missed.is_empty(), "storms never led to {missed:?}: {census:?}");
    }
}
