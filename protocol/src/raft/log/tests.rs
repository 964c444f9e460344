//! The log beside a twin too simple to be wrong: a list of all entries ever kept.

use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Log, weight};
use crate::raft::{Entry, Payload, Restored};
use crate::{Index, Position, Term};

#[derive(Clone, Debug)]
enum Step {
    Append { newer: bool, size: usize },
    Truncate(u64),
    TakeUnwritten,
    Evict { through: u64, max_bytes: usize },
    Trim(u64),
    Reset { beyond: u64, term: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prop::bool::weighted(0.3), 0..30usize)
            .prop_map(|(newer, size)| Step::Append { newer, size }),
        1 => (0..40u64).prop_map(Step::Truncate),
        2 => Just(Step::TakeUnwritten),
        1 => (0..40u64, 0..200usize)
            .prop_map(|(through, max_bytes)| Step::Evict { through, max_bytes }),
        1 => (0..40u64).prop_map(Step::Trim),
        1 => (1..20u64, 1..5u64).prop_map(|(beyond, term)| Step::Reset { beyond, term }),
    ]
}

/// All entries from 1 on, and where the real log begins and what of it is written.
#[derive(Default)]
struct Twin {
    entries: Vec<Entry>,
    base: u64,
    written: u64,
}

impl Twin {
    fn last(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap()
    }

    fn term(&self, index: u64) -> Option<Term> {
        if index == 0 && self.base == 0 {
            return Some(Term(0));
        }
        let kept = (self.base.max(1)..=self.last()).contains(&index);
        kept.then(|| self.entries[usize::try_from(index).unwrap() - 1].position.term)
    }

    fn from(&self, index: u64) -> impl Iterator<Item = &Entry> {
        let kept = index.max(self.base + 1);
        self.entries.iter().skip(usize::try_from(kept - 1).unwrap())
    }
}

fn take(log: &mut Log, twin: &mut Twin, step: Step) {
    match step {
        Step::Append { newer, size } => {
            let last = log.last();
            let term = Term((last.term.0 + u64::from(newer)).max(1));
            let payload = Payload::Command(Bytes::from(alloc::vec![b'x'; size]));
            let entry = Entry { position: Position::new(term, last.index.next()), payload };
            twin.entries.push(entry.clone());
            log.append(entry);
        }
        Step::Truncate(from) => {
            // A core cuts only what is not committed, so never what was evicted.
            if from >= log.cached_from().0 && from <= twin.last() && from > twin.base {
                log.truncate(Index(from));
                twin.entries.truncate(usize::try_from(from - 1).unwrap());
                twin.written = twin.written.min(from - 1);
            }
        }
        Step::TakeUnwritten => {
            let expected: Vec<Entry> = twin.from(twin.written + 1).cloned().collect();
            assert_eq!(log.take_unwritten(), expected);
            twin.written = twin.last();
        }
        Step::Evict { through, max_bytes } => log.evict(Index(through), max_bytes),
        Step::Trim(through) => {
            log.trim(Index(through));
            if through.min(twin.written) > twin.base {
                twin.base = through.min(twin.written);
            }
        }
        Step::Reset { beyond, term } => {
            let base = Position::new(Term(term), Index(twin.base + beyond));
            log.reset(base);
            assert!(log.is_dirty(), "storage has to be told");
            assert_eq!((log.take_reset(), log.take_reset()), (Some(base), None));
            // What is before the base is of no account: the twin needs its places only.
            let entry = Entry { position: base, payload: Payload::Empty };
            twin.base = base.index.0;
            twin.written = twin.base;
            twin.entries = alloc::vec![entry; usize::try_from(twin.base).unwrap()];
        }
    }
}

fn compare(log: &Log, twin: &Twin) {
    log.assert_invariants();
    let (base, last) = (twin.base, twin.last());
    assert_eq!((log.base().index.0, log.last().index.0), (base, last));
    assert_eq!(log.written().0, twin.written);
    for index in 0..last + 3 {
        let term = twin.term(index);
        assert_eq!(log.term_at(Index(index)), term, "term at {index}");
        let start = (base + 1..=index).find(|&i| twin.term(i) == term).filter(|_| index > base);
        let start = start.unwrap_or(index);
        let run = term.map(|term| Position::new(term, Index(start)));
        assert_eq!(log.run_start(Index(index)), run, "run at {index}");
        for bound in 0..6 {
            let found = (base..=index.min(last))
                .rev()
                .find_map(|i| twin.term(i).filter(|&t| t <= Term(bound)).map(|t| (t, i)))
                .map(|(term, i)| Position::new(term, Index(i)));
            assert_eq!(log.last_at_most(Term(bound), Index(index)), found);
        }
    }
    let from = log.cached_from();
    for max_bytes in [0, 50, 1000] {
        let (slice, bytes) = log.slice(from, max_bytes);
        let mut sum = 0;
        let fits = twin.from(from.0).enumerate().take_while(|(place, entry)| {
            sum += weight(entry);
            *place == 0 || sum <= max_bytes
        });
        let expected: Vec<Entry> = fits.map(|(_, entry)| entry.clone()).collect();
        assert_eq!(slice, expected);
        assert_eq!(bytes, expected.iter().map(weight).sum::<usize>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_log_is_a_plain_list(steps in prop::collection::vec(step(), 0..60)) {
        let (mut log, mut twin) = (Log::new(Restored::default()), Twin::default());
        for step in steps {
            take(&mut log, &mut twin, step);
            compare(&log, &twin);
        }
    }
}

#[test]
#[should_panic(expected = "the terms start at the base")]
fn a_log_with_a_hole_is_refused() {
    let terms = Vec::from([(Index(5), Term(1))]);
    Log::new(Restored { terms, ..Restored::default() });
}
