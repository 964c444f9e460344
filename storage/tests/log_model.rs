//! The log against an obvious twin in memory.

#![allow(clippy::unwrap_used)]

mod log_common;

use std::collections::BTreeSet;

use log_common::{Step, Twin, all, open, script};
use protocol::Index;
use storage::disk::FaultyDisk;

/// Runs a script and compares after every step what is durable.
fn run(seed: u64, length: usize) -> (usize, Index, usize) {
    let mut disk = FaultyDisk::default();
    let (mut log, _) = open(&mut disk);
    let (mut queued, mut durable) = (Twin::default(), Twin::default());
    let mut trimmed = Index(0);
    let mut truncations = 0;
    let mut resets = BTreeSet::new();
    for step in script(seed, length) {
        match step {
            Step::Append(write) => {
                let first = write.entries.first().map(|entry| entry.position.index);
                truncations += usize::from(first.is_some_and(|i| i <= queued.last().index));
                log.append(&write).unwrap();
                queued.append(&write);
            }
            Step::Sync => {
                log.sync().unwrap();
                durable = queued.clone();
                trimmed = trimmed.max(durable.origin.index);
                resets.insert(durable.origin);
            }
            Step::Trim(through) => {
                // Only what is durable and committed may go.
                let through = through.min(durable.hard_state.commit).min(durable.last().index);
                let base = log.trim(through).unwrap().index;
                let before = trimmed.max(durable.origin.index);
                assert!(base <= through.max(before), "seed {seed}: trimmed too far");
                trimmed = base;
            }
            Step::Reopen => {
                drop(log);
                let (reopened, recovered) = open(&mut disk);
                log = reopened;
                queued = durable.clone();
                assert_eq!(recovered.hard_state.term, durable.hard_state.term, "seed {seed}");
                assert_eq!(recovered.hard_state.vote, durable.hard_state.vote, "seed {seed}");
                assert_eq!(recovered.doubt, None);
                assert_eq!(recovered.damage, [], "seed {seed}");
                assert_eq!(recovered.base.index, trimmed);
            }
        }
        assert_eq!(log.last(), durable.last(), "seed {seed}");
        assert_eq!(all(&log), durable.after(log.base()), "seed {seed}");
    }
    (truncations, trimmed, resets.len() - 1)
}

#[test]
fn random_scripts_agree_with_a_twin_in_memory() {
    let (mut truncations, mut trimmed, mut resets) = (0, 0, 0);
    for seed in 0..60 {
        let (truncated, base, reset) = run(seed, 200);
        resets += reset;
        truncations += truncated;
        trimmed += usize::from(base > Index(0));
    }
    assert!(truncations > 100, "only {truncations} conflict truncations were met");
    assert!(trimmed > 30, "only {trimmed} scripts trimmed");
    assert!(resets > 100, "only {resets} resets");
}
