//! Random lives of a state on disk, beside the backend in memory.

use proptest::prelude::*;
use protocol::Rng;
use storage::disk::Moment;
use store::{Backend, BackendRead, MemoryBackend, Revision};

use crate::support::{Truth, healthy, open, settle};

#[derive(Clone, Copy, Debug)]
enum Step {
    Flush {
        records: u64,
    },
    Discard {
        eighths: u64,
    },
    Maintain {
        steps: u8,
    },
    Settle,
    Reopen,
    /// All flushes were acknowledged, so the loss of what is unsynced must not show.
    PowerLoss,
    Scan {
        from: i64,
        span: i64,
        limit: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u64..30).prop_map(|records| Step::Flush { records }),
        3 => (1u64..8).prop_map(|eighths| Step::Discard { eighths }),
        4 => (1u8..6).prop_map(|steps| Step::Maintain { steps }),
        1 => Just(Step::Settle),
        1 => Just(Step::Reopen),
        1 => Just(Step::PowerLoss),
        4 => (0i64..300, 0i64..100, 0usize..50)
            .prop_map(|(from, span, limit)| Step::Scan { from, span, limit }),
    ];
    prop::collection::vec(step, 1..50)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn the_disk_answers_as_memory_does(seed: u64, steps in steps()) {
        live(seed, &steps);
    }
}

/// Runs one life. What was discarded may be read for a while, and once it is gone stays gone.
fn live(seed: u64, steps: &[Step]) {
    let mut rng = Rng::new(seed);
    let files = healthy();
    let mut disk = open(&files).unwrap();
    let mut memory = MemoryBackend::new();
    let mut truth = Truth::new();
    let mut gone = std::collections::BTreeSet::new();
    for step in steps {
        match *step {
            Step::Flush { records } => {
                let flush = truth.next_flush(&mut rng, records);
                disk.flush(&flush).unwrap();
                memory.flush(&flush).unwrap();
            }
            Step::Discard { eighths } => {
                let dead = truth.choose_dead(&mut rng, eighths);
                disk.discard(&dead).unwrap();
                memory.discard(&dead).unwrap();
            }
            Step::Maintain { steps } => {
                for _ in 0..steps {
                    disk.maintain().unwrap();
                }
            }
            Step::Settle => drop(settle(&mut disk).unwrap()),
            Step::Reopen | Step::PowerLoss => {
                drop(disk);
                if matches!(step, Step::PowerLoss) {
                    files.disk().crash(Moment::Torn);
                }
                disk = open(&files).unwrap();
                // As the index does after a restart.
                let dead: Vec<_> = truth.discarded.iter().copied().collect();
                disk.discard(&dead).unwrap();
            }
            Step::Scan { from, span, limit } => compare_scan(&disk, &memory, from, span, limit),
        }
        for revision in &truth.discarded {
            let there = disk.get(*revision).unwrap().is_some();
            assert!(!(there && gone.contains(revision)), "{revision} came back");
            if !there {
                gone.insert(*revision);
            }
        }
    }
    assert_eq!(disk.applied(), memory.applied());
    assert_eq!(disk.meta().unwrap(), memory.meta().unwrap());
    truth.check(&disk, truth.points.len() - 1, false);
    truth.check(&memory, truth.points.len() - 1, false);
    let size = disk.size();
    assert!(size.in_use <= size.total, "{size:?}");
}

/// What lives is the same on both sides; the disk may show dead revisions between.
fn compare_scan(
    disk: &impl BackendRead,
    memory: &MemoryBackend,
    main: i64,
    span: i64,
    limit: usize,
) {
    let (from, to) = (Revision::new(main, 0), Revision::new(main + span, 1));
    let in_memory = memory.scan(from, to, usize::MAX).unwrap();
    let on_disk = disk.scan(from, to, usize::MAX).unwrap();
    let living: Vec<_> =
        on_disk.iter().filter(|(r, _)| memory.get(*r).unwrap().is_some()).cloned().collect();
    assert_eq!(living, in_memory, "scan {from}..{to}");
    let limited = disk.scan(from, to, limit).unwrap();
    assert_eq!(limited, on_disk[..limit.min(on_disk.len())], "scan {from}..{to} limit {limit}");
}
