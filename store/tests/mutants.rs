//! Every planted bug of the store does harm: each is shown by a short history that goes one way
//! with the bug and another way without it.

#![cfg(feature = "mutants")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::{Mutex, PoisonError};

use protocol::mutant::{Mutant, plant};
use protocol::{Position, Term, Time};
use store::snapshot::{Piece, PieceReader, PieceWriter};
use store::watch::{Hub, StreamId, WatchCreate, WatchLimits, WatchOutput, WatchResponse};
use store::{
    Applied, Backend, BackendRead, ClientId, Command, DeleteRange, Error, Filter, KeyRange, Limits,
    MemoryBackend, Operation, Put, Range, Revision, SortOrder, SortTarget, Stamp, Store, Txn,
};

const STREAM: StreamId = StreamId(1);
const NOW: Time = Time(0);

/// Runs with the bug and without it. The choice is one for the process: tests take turns.
fn both<T>(mutant: Mutant, run: impl Fn() -> T) -> (T, T) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    plant(Some(mutant));
    let planted = run();
    plant(None);
    (planted, run())
}

fn apply(store: &mut Store, command: &Command) -> Applied {
    let index = store.applied().index.next();
    store.apply(Position::new(Term(1), index), command)
}

fn put(key: &'static str) -> Put {
    Put { key: key.into(), value: Some("v".into()), lease: Some(None), prev_kv: false }
}

fn delete(key: &'static str) -> Command {
    Command::DeleteRange(DeleteRange { range: KeyRange::single(key.into()), prev_kv: false })
}

fn txn(success: Vec<Operation>) -> Command {
    Command::Txn(Txn { compare: Vec::new(), success, failure: Vec::new() })
}

fn two_puts() -> Command {
    txn(vec![Operation::Put(put("a")), Operation::Put(put("b"))])
}

/// Makes everything durable, and gives up what is compacted.
fn settle(store: &mut Store, backend: &mut MemoryBackend) -> Vec<Revision> {
    while store.compacting() {
        store.compact_step(100);
    }
    let flush = store.begin_flush().unwrap();
    backend.flush(&flush).unwrap();
    store.flushed(flush.applied);
    let mut dead = Vec::new();
    while store.compacting() {
        dead.extend(store.compact_step(100));
    }
    backend.discard(&dead).unwrap();
    dead
}

fn restored(backend: &MemoryBackend) -> Option<Store> {
    let mut restoring = Store::restore(Limits::default(), backend.meta().unwrap()).ok()?;
    let end = Revision::new(i64::MAX, 0);
    for (revision, record) in backend.scan(Revision::default(), end, usize::MAX).unwrap() {
        restoring.record(revision, &record);
    }
    restoring.finish().ok().map(|(store, _)| store)
}

/// A store whose changes one watch of all keys is told.
struct Desk {
    store: Store,
    hub: Hub,
    told: Vec<WatchResponse>,
}

impl Desk {
    fn new(limits: WatchLimits) -> Self {
        let mut store = Store::new(Limits::default());
        store.set_watched(true);
        let mut hub = Hub::new(limits, 1);
        assert!(hub.open(STREAM));
        Self { store, hub, told: Vec::new() }
    }

    fn watch(&mut self, start_revision: i64) {
        let create = WatchCreate {
            id: 0,
            keys: KeyRange { key: "a".into(), end: "z".into() },
            start_revision,
            no_put: false,
            no_delete: false,
            prev_kv: false,
            progress_notify: false,
            fragment: false,
        };
        self.hub.create(NOW, STREAM, create, &self.store);
    }

    fn apply(&mut self, command: &Command) {
        apply(&mut self.store, command).outcome.unwrap();
        let events = self.store.take_events();
        self.hub.publish(NOW, self.store.revision(), &events);
    }

    /// Tells what there is to tell.
    fn step(&mut self) {
        while self.hub.step(NOW, &self.store, 1000) {}
        while let Some(output) = self.hub.poll() {
            let WatchOutput::Respond { response, .. } = output else { panic!("{output:?}") };
            self.told.push(response);
        }
    }

    /// The revisions of each response that tells events.
    fn revisions(&self) -> Vec<Vec<i64>> {
        let events = |response: &WatchResponse| match response {
            WatchResponse::Events { events, .. } => {
                Some(events.iter().map(|event| event.kv.mod_revision).collect())
            }
            _ => None,
        };
        self.told.iter().filter_map(events).collect()
    }
}

#[test]
fn a1_the_last_revision_is_lost_with_a_crash() {
    let (planted, honest) = both(Mutant::A1, || {
        let (mut store, mut backend) = (Store::new(Limits::default()), MemoryBackend::new());
        (0..3).for_each(|_| drop(apply(&mut store, &Command::Put(put("k")))));
        settle(&mut store, &mut backend);
        let found = restored(&backend).unwrap();
        assert_eq!(found.applied(), store.applied());
        (store.revision(), found.revision())
    });
    assert_eq!(planted, (4, 3));
    assert_eq!(honest, (4, 4));
}

#[test]
fn m1_the_first_live_event_is_missed() {
    let (planted, honest) = both(Mutant::M1, || {
        let mut desk = Desk::new(WatchLimits::default());
        desk.watch(0);
        (0..2).for_each(|_| desk.apply(&Command::Put(put("k"))));
        desk.step();
        desk.told.clear();
        desk.watch(2);
        desk.step();
        let caught_up = desk.revisions().concat();
        assert_eq!(caught_up, [2, 3]);
        desk.apply(&Command::Put(put("k")));
        desk.step();
        desk.revisions().concat().iter().filter(|main| **main == 4).count()
    });
    // Two watches; the second of them had to catch up.
    assert_eq!((planted, honest), (1, 2));
}

#[test]
fn m2_progress_overtakes_events() {
    let (planted, honest) = both(Mutant::M2, || {
        let mut desk = Desk::new(WatchLimits::default());
        (0..2).for_each(|_| desk.apply(&Command::Put(put("k"))));
        desk.watch(2);
        desk.hub.progress(STREAM);
        desk.step();
        let is_progress = |told: &WatchResponse| matches!(told, WatchResponse::Progress { .. });
        let is_events = |told: &WatchResponse| matches!(told, WatchResponse::Events { .. });
        let progress = desk.told.iter().position(is_progress).unwrap();
        progress < desk.told.iter().position(is_events).unwrap()
    });
    assert_eq!((planted, honest), (true, false));
}

#[test]
fn m3_a_revision_is_split() {
    let (planted, honest) = both(Mutant::M3, || {
        let mut desk = Desk::new(WatchLimits { response_bytes: 1, ..WatchLimits::default() });
        desk.watch(0);
        desk.apply(&two_puts());
        desk.step();
        desk.revisions()
    });
    assert_eq!(planted, [[2], [2]]);
    assert_eq!(honest, [[2, 2]]);
}

#[test]
fn m4_a_deletion_goes_with_the_compaction_at_its_revision() {
    let (planted, honest) = both(Mutant::M4, || {
        let (mut store, mut backend) = (Store::new(Limits::default()), MemoryBackend::new());
        apply(&mut store, &Command::Put(put("k")));
        apply(&mut store, &delete("k"));
        apply(&mut store, &Command::Put(put("other")));
        apply(&mut store, &Command::Compact { revision: 3 }).outcome.unwrap();
        settle(&mut store, &mut backend);
        backend.get(Revision::new(3, 0)).unwrap().is_some()
    });
    assert_eq!((planted, honest), (false, true));
}

#[test]
fn m5_the_revision_goes_back_over_a_restart() {
    let (planted, honest) = both(Mutant::M5, || {
        let (mut store, mut backend) = (Store::new(Limits::default()), MemoryBackend::new());
        apply(&mut store, &Command::Put(put("k")));
        apply(&mut store, &Command::Put(put("other")));
        apply(&mut store, &delete("k"));
        apply(&mut store, &Command::Compact { revision: 4 }).outcome.unwrap();
        settle(&mut store, &mut backend);
        let mut found = restored(&backend).unwrap();
        let revision = found.revision();
        // It goes on, too.
        apply(&mut found, &Command::Put(put("k"))).outcome.unwrap();
        revision
    });
    assert_eq!((planted, honest), (3, 4));
}

#[test]
fn e15271_a_watch_goes_back_in_time() {
    let (planted, honest) = both(Mutant::E15271, || {
        let mut desk = Desk::new(WatchLimits { outstanding_bytes: 500, ..WatchLimits::default() });
        desk.watch(0);
        for _ in 0..6 {
            desk.apply(&Command::Put(put("k")));
        }
        for _ in 0..20 {
            desk.step();
            desk.hub.sent(STREAM, 100);
        }
        desk.revisions().concat()
    });
    assert_eq!(honest, [2, 3, 4, 5, 6, 7]);
    assert!(!planted.is_sorted_by(|a, b| a < b), "{planted:?}");
}

#[test]
fn e17247_an_event_is_told_twice() {
    let (planted, honest) = both(Mutant::E17247, || {
        let mut desk = Desk::new(WatchLimits::default());
        desk.watch(0);
        desk.apply(&two_puts());
        desk.step();
        desk.revisions().concat().len()
    });
    assert_eq!((planted, honest), (3, 2));
}

#[test]
fn e18667_the_same_transaction_succeeds_or_fails_with_the_pruning() {
    let (planted, honest) = both(Mutant::E18667, || {
        let range = Range {
            keys: KeyRange::single("k".into()),
            revision: 2,
            limit: 0,
            target: SortTarget::Key,
            order: SortOrder::None,
            keys_only: false,
            count_only: false,
            filter: Filter::default(),
        };
        let outcome = |pruned: bool| {
            let mut store = Store::new(Limits::default());
            (0..2).for_each(|_| drop(apply(&mut store, &Command::Put(put("k")))));
            apply(&mut store, &Command::Compact { revision: 3 }).outcome.unwrap();
            if pruned {
                while store.compacting() {
                    store.compact_step(100);
                }
            }
            let read = Operation::Range(range.clone());
            let applied = apply(&mut store, &txn(vec![Operation::Put(put("x")), read]));
            (applied.revision, applied.outcome.err())
        };
        (outcome(false), outcome(true))
    });
    assert_eq!(planted, ((4, None), (3, Some(Error::Compacted))));
    assert_eq!(honest, ((3, Some(Error::Compacted)), (3, Some(Error::Compacted))));
}

#[test]
fn e20221_a_watch_of_the_future_is_told_the_present() {
    let (planted, honest) = both(Mutant::E20221, || {
        let mut desk = Desk::new(WatchLimits::default());
        desk.watch(4);
        (0..3).for_each(|_| desk.apply(&Command::Put(put("k"))));
        desk.step();
        desk.revisions().concat()
    });
    assert_eq!(planted, [2, 3, 4]);
    assert_eq!(honest, [4]);
}

#[test]
fn w10_a_damaged_piece_is_installed() {
    let (planted, honest) = both(Mutant::W10, || {
        let (mut store, mut backend) = (Store::new(Limits::default()), MemoryBackend::new());
        apply(&mut store, &Command::Put(put("a")));
        settle(&mut store, &mut backend);
        let all = backend.scan(Revision::default(), Revision::new(9, 0), 9).unwrap();
        let mut writer = PieceWriter::default();
        let mut piece = writer.records(&all, 1000)[0].to_vec();
        // The value, before the checksum.
        let value = piece.len() - 5;
        piece[value] ^= 1;
        let mut reader = PieceReader::default();
        let Ok(Piece::Records(records)) = reader.piece(&piece.into()) else { return None };
        let ended = reader.piece(&writer.end(backend.applied()));
        Some((records != all, ended.is_ok()))
    });
    assert_eq!((planted, honest), (Some((true, true)), None));
}

#[test]
fn x2_what_a_client_has_done_with_is_done_when_it_comes_late() {
    let (planted, honest) = both(Mutant::X2, || {
        let mut store = Store::new(Limits::default());
        let write = |sequence, oldest| {
            let stamp = Stamp::new(ClientId([1; 16]), sequence, oldest).unwrap();
            Command::Put(put("a")).stamped(stamp)
        };
        apply(&mut store, &write(1, 1));
        apply(&mut store, &write(3, 3));
        apply(&mut store, &write(2, 1)).outcome.is_ok()
    });
    assert_eq!((planted, honest), (true, false));
}
