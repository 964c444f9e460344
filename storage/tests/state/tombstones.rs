//! A deletion that was compacted away never undoes itself, whatever a restart finds.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{Index, Position, Rng, Term};
use storage::disk::Moment;
use store::{
    Backend, BackendRead, Command, DeleteRange, HistoryHash, KeyRange, Limits, Put, Record,
    Revision, Store,
};

use crate::support::{Faulty, Truth, healthy, open, settle};

/// A store over a state on disk, run as a server does.
struct Life {
    store: Store,
    backend: Faulty,
}

impl Life {
    fn apply(&mut self, command: &Command) {
        assert!(self.store.missing(command).is_empty(), "no command here needs an old record");
        let index = Index(self.store.applied().index.0 + 1);
        self.store.apply(Position::new(Term(1), index), command).outcome.unwrap();
    }

    fn put(&mut self, key: &str) {
        let (key, value) = (Bytes::from(key.to_owned()), Some(Bytes::from_static(b"value")));
        self.apply(&Command::Put(Put { key, value, lease: Some(None), prev_kv: false }));
    }

    fn delete(&mut self, key: &str) {
        let range = KeyRange { key: Bytes::from(key.to_owned()), end: Bytes::new() };
        self.apply(&Command::DeleteRange(DeleteRange { range, prev_kv: false }));
    }

    fn flush(&mut self) {
        let Some(flush) = self.store.begin_flush() else { return };
        self.backend.flush(&flush).unwrap();
        self.store.flushed(flush.applied);
    }

    /// Compacts, and makes that durable, so that what died of it may go.
    fn compact(&mut self, revision: i64) {
        self.apply(&Command::Compact { revision });
        self.flush();
    }

    /// Tells the backend what died, a few keys at a time.
    fn prune(&mut self) {
        while self.store.compacting() {
            self.backend.discard(&self.store.compact_step(3)).unwrap();
        }
    }

    /// What a start builds from what the backend holds, and what it finds dead.
    fn restored(backend: &impl BackendRead) -> (Store, Vec<Revision>) {
        let mut restoring = Store::restore(Limits::default(), backend.meta().unwrap()).unwrap();
        for (revision, record) in all(backend) {
            restoring.record(revision, &record);
        }
        restoring.finish().unwrap()
    }

    fn hash(store: &Store) -> HistoryHash {
        let mut cursor = store.begin_hash(0).unwrap();
        while !store.step_hash(&mut cursor, 50).unwrap() {}
        cursor.finish()
    }
}

fn all(backend: &impl BackendRead) -> Vec<(Revision, Record)> {
    backend.scan(Revision::default(), Revision::new(i64::MAX, 0), usize::MAX).unwrap()
}

#[test]
fn a_rewritten_tombstone_does_not_bring_its_key_back() {
    let files = healthy();
    let mut life = Life { store: Store::new(Limits::default()), backend: open(&files).unwrap() };
    // The first table: what is deleted later, among much that lives on.
    life.put("deleted");
    (0..20).for_each(|key| life.put(&format!("living-{key}")));
    life.flush();
    // The second: the tombstone, among much that is overwritten at once.
    life.delete("deleted");
    (0..30).for_each(|_| life.put("busy"));
    (0..10).for_each(|key| life.put(&format!("again-{key}")));
    life.flush();
    life.compact(life.store.revision());
    life.prune();
    settle(&mut life.backend).unwrap();
    assert!(life.backend.get(Revision::new(2, 0)).unwrap().is_some(), "the first is as it was");
    assert!(life.backend.get(Revision::new(30, 0)).unwrap().is_none(), "the second is rewritten");
    // And again, when the rest of it dies.
    life.put("busy");
    (0..10).for_each(|key| life.put(&format!("again-{key}")));
    life.flush();
    life.compact(life.store.revision());
    life.prune();
    settle(&mut life.backend).unwrap();
    assert!(life.backend.get(Revision::new(53, 0)).unwrap().is_none(), "it is rewritten again");
    drop(life.backend);

    let mut backend = open(&files).unwrap();
    let (store, dead) = Life::restored(&backend);
    assert_eq!((store.keys(), life.store.keys()), (31, 31), "a deleted key is back");
    assert_eq!(Life::hash(&store), Life::hash(&life.store));
    assert_eq!(dead, [Revision::new(2, 0), Revision::new(23, 0)], "both are there, and dead");
    // They go when the first table dies.
    backend.discard(&dead).unwrap();
    settle(&mut backend).unwrap();
    assert!(backend.get(Revision::new(23, 0)).unwrap().is_some(), "the put is there still");
    let living: Vec<_> = (3..=20).map(|main| Revision::new(main, 0)).collect();
    backend.discard(&living).unwrap();
    settle(&mut backend).unwrap();
    let left: Vec<_> = all(&backend).iter().map(|(revision, _)| revision.main).collect();
    let lives: Vec<_> = (21..=22).chain(64..=74).collect();
    assert_eq!(left, lives, "all that lives, and no tombstone");
}

#[test]
fn a_start_from_the_disk_is_the_store_that_stopped() {
    let (mut restarts, mut gone, mut found_dead) = (0, 0, 0);
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let files = healthy();
        let backend = open(&files).unwrap();
        let mut life = Life { store: Store::new(Limits::default()), backend };
        for _ in 0..150 {
            // Some keys change all the time, others hardly ever.
            let many = if rng.below(2) == 0 { 4 } else { 60 };
            let key = format!("{}", rng.below(many));
            match rng.below(20) {
                0..=7 => life.put(&key),
                8..=11 => life.delete(&key),
                12..=14 => life.flush(),
                15 if life.store.revision() > life.store.compact_revision() => {
                    let behind = i64::try_from(rng.below(4)).unwrap();
                    let revision = life.store.revision() - behind;
                    life.compact(revision.max(life.store.compact_revision() + 1));
                }
                16 => life.prune(),
                17 | 18 => drop(life.backend.maintain().unwrap()),
                _ => {
                    life.flush();
                    drop(life.backend);
                    files.disk().crash(Moment::Torn);
                    life.backend = open(&files).unwrap();
                    let (store, dead) = Life::restored(&life.backend);
                    assert_eq!(store.keys(), life.store.keys(), "seed {seed}");
                    assert_eq!(Life::hash(&store), Life::hash(&life.store), "seed {seed}");
                    life.backend.discard(&dead).unwrap();
                    life.store = store;
                    restarts += 1;
                    found_dead += dead.len();
                }
            }
        }
        let flushed = usize::try_from(life.store.revision()).unwrap();
        gone += flushed - all(&life.backend).len().min(flushed);
    }
    println!("{restarts} restarts found {found_dead} dead records, {gone} had gone");
    assert!(restarts > 300 && gone > 500 && found_dead > 1000, "the run met what it is about");
}

#[test]
fn a_merge_takes_a_tombstone_along_with_the_put_that_it_ended() {
    let files = healthy();
    let mut life = Life { store: Store::new(Limits::default()), backend: open(&files).unwrap() };
    life.put("deleted");
    for table in 0..8 {
        life.put(&format!("{table}"));
        life.put(&format!("{table} as well"));
        if table == 7 {
            life.delete("deleted");
        }
        life.flush();
    }
    life.compact(life.store.revision());
    // What comes after the tombstone, so that this is not the newest.
    life.put("last");
    life.flush();
    life.compact(life.store.revision());
    life.prune();
    assert_eq!(life.backend.tables(), 9);
    settle(&mut life.backend).unwrap();
    assert!(life.backend.tables() < 3, "{} tables", life.backend.tables());
    assert_eq!(all(&life.backend).len(), 17, "all that lives, and neither of the dead");
}

#[test]
fn what_dies_while_its_table_is_copied_still_holds_up_what_died_with_it() {
    let files = healthy();
    let mut life = Life { store: Store::new(Limits::default()), backend: open(&files).unwrap() };
    (0..40).for_each(|key| life.put(&format!("{key}")));
    life.flush();
    life.delete("39");
    (0..10).for_each(|_| life.put("busy"));
    life.flush();
    let backend = &mut life.backend;
    let revisions = |range: std::ops::RangeInclusive<i64>| {
        range.map(|main| Revision::new(main, 0)).collect::<Vec<_>>()
    };
    // Half of the first table dies, and its copy is begun.
    backend.discard(&revisions(2..=31)).unwrap();
    assert_eq!(backend.maintain(), Ok(true));
    assert!(backend.get(Revision::new(2, 0)).unwrap().is_some(), "it takes more than one step");
    // Now one of the rest, with the tombstone behind it and much beside that.
    let (put, tombstone) = (Revision::new(41, 0), Revision::new(42, 0));
    let mut dead = revisions(43..=51);
    dead.extend([put, tombstone]);
    backend.discard(&dead).unwrap();
    settle(backend).unwrap();
    let left: Vec<_> = all(backend).iter().map(|(revision, _)| revision.main).collect();
    assert_eq!(left, [32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 52], "both, or none");
}

/// The discards of a life, each revision with the number of its own.
#[derive(Default)]
struct Discards {
    numbers: BTreeMap<Revision, usize>,
    count: usize,
}

impl Discards {
    fn add(&mut self, dead: &[Revision]) {
        self.count += 1;
        self.numbers.extend(dead.iter().map(|revision| (*revision, self.count)));
    }

    /// No tombstone has gone before the older puts that died before it or along with it. Gives the
    /// number of tombstones that have gone, and of those that have not.
    fn check(&self, truth: &Truth, backend: &impl BackendRead) -> (usize, usize) {
        let there: BTreeMap<_, _> = all(backend).into_iter().collect();
        let (mut gone, mut there_still) = (0, 0);
        // The first discard of a put that is older and still there.
        let mut first = None;
        for (revision, number) in &self.numbers {
            let is_there = there.contains_key(revision);
            match &truth.records[revision] {
                Record::Put(_) if is_there => {
                    first = Some(first.map_or(*number, |first: usize| first.min(*number)));
                }
                Record::Put(_) => {}
                Record::Tombstone { .. } if is_there => there_still += 1,
                Record::Tombstone { .. } => {
                    let behind = first.is_some_and(|first| first <= *number);
                    assert!(!behind, "tombstone {revision} of discard {number} went before a put");
                    gone += 1;
                }
            }
        }
        (gone, there_still)
    }
}

#[test]
fn no_tombstone_goes_before_the_puts_that_died_before_it() {
    let (mut gone, mut stayed) = (0, 0);
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let files = healthy();
        let mut backend = open(&files).unwrap();
        let mut truth = Truth::new();
        let mut discards = Discards::default();
        for _ in 0..60 {
            match rng.below(16) {
                0..=3 => {
                    let records = 1 + rng.below(12);
                    backend.flush(&truth.next_flush(&mut rng, records)).unwrap();
                }
                4..=6 => {
                    let eighths = 1 + rng.below(3);
                    let dead = truth.choose_dead(&mut rng, eighths);
                    discards.add(&dead);
                    backend.discard(&dead).unwrap();
                }
                7 => {
                    drop(backend);
                    files.disk().crash(Moment::Torn);
                    backend = open(&files).unwrap();
                    discards.check(&truth, &backend);
                    // A start finds all the dead that are there, before anything else dies.
                    let there = all(&backend).into_iter().map(|(revision, _)| revision);
                    let dead: Vec<_> = there.filter(|r| truth.discarded.contains(r)).collect();
                    backend.discard(&dead).unwrap();
                }
                8 => drop(settle(&mut backend).unwrap()),
                _ => drop(backend.maintain().unwrap()),
            }
            let (some, others) = discards.check(&truth, &backend);
            gone += some;
            stayed += others;
            truth.check(&backend, truth.points.len() - 1, false);
        }
        let dead = truth.choose_dead(&mut rng, 8);
        backend.discard(&dead).unwrap();
        settle(&mut backend).unwrap();
        assert_eq!((backend.tables(), backend.size().in_use), (0, 0), "seed {seed}: all goes");
    }
    assert!(gone > 1000 && stayed > 1000, "{gone} seen gone, {stayed} seen waiting");
}
