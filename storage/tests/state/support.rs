//! Small states, the truth about them, and a disk that can be broken.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::{ClusterId, Index, NodeId, Position, Rng, Term};
use storage::Identity;
use storage::disk::{FaultPlan, FaultyDisk};
use storage::state::{DiskBackend, FaultyFiles, OpenError, StateOptions};
use store::{Backend, BackendError, BackendRead, Flush, KeyValue, LeaseId, Record, Revision};

pub(crate) const OWNER: Identity = Identity { cluster: ClusterId(0xC1), node: NodeId(0xA) };

/// Blocks, tables and steps so small that a few records make several of each.
pub(crate) const SMALL: StateOptions =
    StateOptions { block_bytes: 200, table_bytes: 3000, step_bytes: 400, manifest_bytes: 1 };

/// A page: what a small table and a small manifest fit into.
pub(crate) const ROOM: u64 = 8192;

pub(crate) type Faulty = DiskBackend<FaultyFiles>;

pub(crate) fn healthy() -> FaultyFiles {
    FaultyFiles::new(FaultyDisk::default(), ROOM)
}

pub(crate) fn broken(plan: FaultPlan) -> FaultyFiles {
    FaultyFiles::new(FaultyDisk::new(plan), ROOM)
}

pub(crate) fn open(files: &FaultyFiles) -> Result<Faulty, OpenError> {
    DiskBackend::open(files.clone(), OWNER, SMALL)
}

/// A record that no other revision has.
pub(crate) fn record(rng: &mut Rng, revision: Revision) -> Record {
    let key = Bytes::from(format!("key-{}-{}", rng.next() % 50, revision));
    if rng.next().is_multiple_of(5) {
        return Record::Tombstone { key };
    }
    let length = usize::try_from(rng.next() % 80).unwrap();
    let long = rng.next().is_multiple_of(20);
    let value = (0..if long { 600 } else { length }).map(|_| rng.next().to_le_bytes()[0]).collect();
    Record::Put(KeyValue {
        key,
        value,
        create_revision: 1,
        mod_revision: revision.main,
        version: 3,
        lease: rng.next().is_multiple_of(3).then_some(LeaseId(77)),
    })
}

/// What was given to a state, flush by flush.
#[derive(Clone, Default)]
pub(crate) struct Truth {
    /// The state after each flush; the first is the empty one.
    pub(crate) points: Vec<Point>,
    pub(crate) records: BTreeMap<Revision, Record>,
    pub(crate) discarded: BTreeSet<Revision>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) applied: Position,
    pub(crate) newest: Revision,
    pub(crate) meta: BTreeMap<Bytes, Bytes>,
}

impl Truth {
    pub(crate) fn new() -> Self {
        Self { points: vec![Point::default()], ..Self::default() }
    }

    pub(crate) fn last(&self) -> &Point {
        self.points.last().unwrap()
    }

    /// The next flush, of this many records; it counts from now on as attempted.
    pub(crate) fn next_flush(&mut self, rng: &mut Rng, records: u64) -> Flush {
        let mut point = self.last().clone();
        let index = point.applied.index.0 + 1 + rng.next() % 3;
        point.applied = Position::new(Term(1 + index / 10), Index(index));
        let mut flush = Flush { applied: point.applied, ..Flush::default() };
        for _ in 0..records {
            let same_transaction = rng.next().is_multiple_of(3);
            point.newest = match point.newest {
                Revision { main, sub } if same_transaction && main > 0 => {
                    Revision::new(main, sub + 1)
                }
                Revision { main, .. } => Revision::new(main + 1, 0),
            };
            let record = record(rng, point.newest);
            self.records.insert(point.newest, record.clone());
            flush.records.push((point.newest, record));
        }
        for _ in 0..rng.next() % 3 {
            let name = Bytes::from(format!("meta-{}", rng.next() % 6));
            let value =
                (!rng.next().is_multiple_of(3)).then(|| Bytes::from(format!("{}", rng.next())));
            match &value {
                Some(value) => point.meta.insert(name.clone(), value.clone()),
                None => point.meta.remove(&name),
            };
            flush.meta.push((name, value));
        }
        self.points.push(point);
        flush
    }

    /// Some of the records that live, a share of `of` eighths.
    pub(crate) fn choose_dead(&mut self, rng: &mut Rng, of: u64) -> Vec<Revision> {
        let live = self.records.keys().filter(|r| !self.discarded.contains(r));
        let dead: Vec<_> = live.filter(|_| rng.next() % 8 < of).copied().collect();
        self.discarded.extend(&dead);
        dead
    }

    /// The flush that a state stands at, by its applied position.
    pub(crate) fn point_of(&self, backend: &impl BackendRead) -> usize {
        let applied = backend.applied();
        self.points.iter().position(|point| point.applied == applied).expect("a flush point")
    }

    /// Compares a whole state with what it must hold at one of its flushes. Every answer must be
    /// right or, where damage is expected, an error; gives the number of errors.
    pub(crate) fn check(&self, backend: &impl BackendRead, at: usize, damage: bool) -> usize {
        let point = &self.points[at];
        let meta: BTreeMap<_, _> = backend.meta().unwrap().into_iter().collect();
        assert_eq!(meta, point.meta, "metadata at {}", point.applied);
        let mut errors = 0;
        for (revision, record) in &self.records {
            match backend.get(*revision) {
                Ok(Some(found)) => {
                    assert_eq!(&found, record, "{revision}");
                    assert!(*revision <= point.newest, "{revision} is of a later flush");
                }
                Ok(None) => assert!(
                    *revision > point.newest || self.discarded.contains(revision),
                    "{revision} is lost"
                ),
                Err(error) => errors += expected(&error, damage),
            }
        }
        match backend.scan(Revision::default(), Revision::new(i64::MAX, 0), usize::MAX) {
            Ok(all) => self.check_scan(&all, point),
            Err(error) => errors += expected(&error, damage),
        }
        errors
    }

    fn check_scan(&self, all: &[(Revision, Record)], point: &Point) {
        assert!(all.is_sorted_by(|one, two| one.0 < two.0), "a scan ascends");
        let found: BTreeMap<_, _> = all.iter().map(|(r, record)| (*r, record)).collect();
        for (revision, record) in &found {
            assert_eq!(self.records.get(revision), Some(*record), "{revision}");
            assert!(*revision <= point.newest, "{revision} is of a later flush");
        }
        for revision in self.records.range(..=point.newest).map(|(revision, _)| revision) {
            let there = found.contains_key(revision) || self.discarded.contains(revision);
            assert!(there, "{revision} is lost from scans");
        }
    }
}

fn expected(error: &BackendError, damage: bool) -> usize {
    assert!(damage, "{error}");
    assert!(matches!(error, BackendError::Corrupt(_)), "{error}");
    1
}

/// Maintains until there is nothing to do.
pub(crate) fn settle(backend: &mut impl Backend) -> Result<usize, BackendError> {
    let mut steps = 1;
    while backend.maintain()? {
        steps += 1;
        assert!(steps < 100_000, "maintenance comes to an end");
    }
    Ok(steps)
}
