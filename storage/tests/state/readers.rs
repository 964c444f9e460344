//! Readers in other threads, while the owner flushes and rewrites.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use protocol::Rng;
use storage::disk::FileInfo;
use storage::state::{DiskBackend, FaultyFiles, Files, State, inspect};
use store::{Backend, BackendRead, Revision};

use crate::support::{OWNER, SMALL, Truth, healthy, settle};

#[test]
fn readers_see_every_acknowledged_record_while_tables_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let mut state = State::open(directory.path(), OWNER, SMALL).unwrap();
    let mut rng = Rng::new(8);
    let mut truth = Truth::new();
    let flushes: Vec<_> = (0..60).map(|_| truth.next_flush(&mut rng, 10)).collect();
    // Every third record dies as soon as it was flushed.
    let dies = |place: usize| place.is_multiple_of(3);
    let acknowledged = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for reader in 0..2 {
            let reader = (state.reader(), reader);
            let (flushes, acknowledged, done) = (&flushes, &acknowledged, &done);
            scope.spawn(move || {
                let mut rng = Rng::new(reader.1);
                while !done.load(Ordering::Acquire) {
                    let count = acknowledged.load(Ordering::Acquire) as u64;
                    let Some(pick) = rng.next().checked_rem(count) else { continue };
                    let flush = &flushes[usize::try_from(pick).unwrap()];
                    for (place, (revision, record)) in flush.records.iter().enumerate() {
                        let found = reader.0.get(*revision).unwrap();
                        let may_be_gone = dies(place) && found.is_none();
                        assert!(may_be_gone || found.as_ref() == Some(record), "{revision}");
                    }
                    let from = flush.records[0].0;
                    let to = Revision::new(i64::MAX, 0);
                    let scanned = reader.0.scan(from, to, 15).unwrap();
                    assert!(scanned.is_sorted_by(|one, two| one.0 < two.0));
                }
            });
        }
        for (number, flush) in flushes.iter().enumerate() {
            state.flush(flush).unwrap();
            acknowledged.store(number + 1, Ordering::Release);
            let dead = flush.records.iter().enumerate().filter(|(place, _)| dies(*place));
            let dead: Vec<_> = dead.map(|(_, (revision, _))| *revision).collect();
            state.discard(&dead).unwrap();
            for _ in 0..6 {
                state.maintain().unwrap();
            }
        }
        settle(&mut state).unwrap();
        done.store(true, Ordering::Release);
    });
    let inspection = inspect(directory.path(), OWNER, true).unwrap();
    assert_eq!(inspection.applied, Some(state.applied()));
    assert!(inspection.strays.is_empty(), "{:?}", inspection.strays);
    assert!(inspection.verified.unwrap().damage.is_empty());
}

#[test]
fn a_state_in_memory_keeps_the_same_contract() {
    let mut state = State::memory();
    let reader = state.reader();
    let mut truth = Truth::new();
    let mut rng = Rng::new(1);
    state.flush(&truth.next_flush(&mut rng, 10)).unwrap();
    state.discard(&truth.choose_dead(&mut rng, 2)).unwrap();
    settle(&mut state).unwrap();
    truth.check(&reader, 1, false);
    truth.check(&state, 1, false);
}

/// Files that hold up one read. A clone is the same files.
#[derive(Clone)]
struct Gated(Arc<Gate>);

struct Gate {
    inner: FaultyFiles,
    /// How many reads pass before one is held up.
    passes: AtomicUsize,
    held: Mutex<Option<(Sender<()>, Receiver<()>)>>,
}

impl Files for Gated {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        self.0.inner.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<()> {
        self.0.inner.create(name, bytes)
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        if self.0.passes.fetch_sub(1, Ordering::SeqCst) == 0 {
            let (reached, go_on) = self.0.held.lock().unwrap().take().unwrap();
            reached.send(()).unwrap();
            go_on.recv().unwrap();
        }
        self.0.inner.read(name, offset, into)
    }

    fn write(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.inner.write(name, offset, bytes)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.0.inner.sync(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.inner.remove(name)
    }
}

#[test]
fn a_table_stays_until_its_last_reader_has_gone() {
    let (reached, is_reached) = channel();
    let (release, go_on) = channel();
    let gate = Arc::new(Gate {
        inner: healthy(),
        passes: AtomicUsize::new(usize::MAX),
        held: Mutex::new(Some((reached, go_on))),
    });
    let mut backend = DiskBackend::open(Gated(Arc::clone(&gate)), OWNER, SMALL).unwrap();
    let mut rng = Rng::new(2);
    let mut truth = Truth::new();
    backend.flush(&truth.next_flush(&mut rng, 20)).unwrap();
    let tables = || {
        let list = gate.inner.list().unwrap();
        list.iter().filter(|file| file.name.starts_with("table")).count()
    };
    gate.passes.store(2, Ordering::SeqCst);
    thread::scope(|scope| {
        // Dropped when an assertion fails here, so that the reader does not wait for ever.
        let release = release;
        let reader = backend.reader();
        let records = &truth.records;
        let scan = scope.spawn(move || {
            let all = reader.scan(Revision::default(), Revision::new(i64::MAX, 0), usize::MAX);
            assert!(all.unwrap().iter().map(|(revision, record)| (revision, record)).eq(records));
        });
        is_reached.recv().unwrap();
        let dead: Vec<_> = records.keys().copied().collect();
        backend.discard(&dead).unwrap();
        settle(&mut backend).unwrap();
        assert_eq!((backend.tables(), tables()), (0, 1), "gone for new readers, still there");
        release.send(()).unwrap();
        scan.join().unwrap();
    });
    backend.maintain().unwrap();
    assert_eq!(tables(), 0);
}
