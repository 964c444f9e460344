//! What is flushed, what leaves memory, and what a restart finds.

use bytes::Bytes;
use store::watch::{History, HistoryChunk};
use store::{
    Backend, BackendRead, KeyValue, LeaseId, Limits, Record, RestoreError, Revision, Store,
};

use crate::rig::{Rig, bytes, grant, position, put, put_leased};

#[test]
fn a_flush_holds_what_was_applied_since_the_last_one_and_nothing_twice() {
    let mut rig = Rig::cold();
    assert_eq!(rig.store.begin_flush(), None, "nothing was applied");
    rig.put("a", "1");
    let flush = rig.store.begin_flush().expect("something was applied");
    assert_eq!((flush.records.len(), flush.applied), (1, position(1)));
    rig.put("b", "1");
    assert_eq!(rig.store.begin_flush(), None, "one at a time");
    rig.backend.flush(&flush).expect("memory does not fail");
    rig.store.flushed(flush.applied);
    let flush = rig.store.begin_flush().expect("something was applied");
    assert_eq!(flush.records.iter().map(|(at, _)| at.main).collect::<Vec<_>>(), [3]);
    rig.store.flushed(flush.applied);
    assert_eq!(rig.store.begin_flush(), None);
}

#[test]
fn a_failed_flush_is_part_of_the_next_one() {
    let mut rig = Rig::cold();
    rig.ok(&grant(1, 60));
    rig.put("a", "1");
    let first = rig.store.begin_flush().expect("something was applied");
    rig.ok(&grant(2, 60));
    rig.put("b", "1");
    rig.store.flush_failed();
    let second = rig.store.begin_flush().expect("something was applied");
    assert!(first.records.iter().all(|record| second.records.contains(record)));
    let names =
        |flush: &store::Flush| flush.meta.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!((second.records.len(), names(&first).len(), names(&second).len()), (2, 2, 3));
    assert!(names(&first).iter().all(|name| names(&second).contains(name)));
}

#[test]
fn only_changed_metadata_is_flushed() {
    let mut rig = Rig::cold();
    for id in 1..=1000 {
        rig.ok(&grant(id, 60));
    }
    rig.flush();
    rig.ok(&store::Command::LeaseRevoke { id: LeaseId(7) });
    rig.put("a", "1");
    let flush = rig.store.begin_flush().expect("something was applied");
    assert_eq!(flush.meta.len(), 2);
    assert_eq!(flush.meta.iter().filter(|(_, value)| value.is_none()).count(), 1);
}

#[test]
fn what_is_flushed_leaves_memory_down_to_the_hot_bytes_and_what_is_not_stays() {
    let mut rig = Rig::new(Limits { hot_bytes: 2000, ..Limits::default() });
    for at in 0..50 {
        rig.put(&format!("k{at}"), &"x".repeat(100));
    }
    let all = rig.store.unflushed_bytes();
    assert!(all > 50 * 100);
    rig.flush();
    assert_eq!(rig.store.unflushed_bytes(), 0);
    let HistoryChunk::Scan { to, .. } =
        rig.store.history(Revision::new(2, 0), 1).expect("not compacted")
    else {
        panic!("the oldest record has left memory")
    };
    let hot = 52 - to.main;
    assert!((5..20).contains(&hot), "{hot} records of about 230 bytes stay");
    for at in 0..50 {
        rig.put(&format!("k{at}"), "y");
    }
    let chunk = rig.store.history(Revision::new(52, 0), 1000).expect("not compacted");
    assert!(matches!(chunk, HistoryChunk::Events { events, .. } if events.len() == 50));
}

#[test]
fn history_gives_whole_revisions() {
    let mut rig = Rig::new(Limits::default());
    for key in ["a", "b", "c"] {
        rig.put(key, "1");
    }
    rig.apply(&crate::rig::delete("a", "z"));
    rig.put("d", "1");
    let HistoryChunk::Events { events, next } =
        rig.store.history(Revision::new(4, 0), 2).expect("not compacted")
    else {
        panic!("it is in memory")
    };
    assert_eq!((events.len(), next), (4, Revision::new(6, 0)));
    let HistoryChunk::Events { events, next } =
        rig.store.history(Revision::new(7, 0), 2).expect("not compacted")
    else {
        panic!("it is in memory")
    };
    assert_eq!((events.len(), next), (0, Revision::new(7, 0)), "the future is still to come");
}

fn state_of(rig: &Rig) -> Vec<(Bytes, Bytes)> {
    rig.backend.meta().expect("memory does not fail")
}

fn put_record(key: &str, main: i64, lease: Option<i64>) -> Record {
    Record::Put(KeyValue {
        key: bytes(key),
        value: bytes("v"),
        create_revision: main,
        mod_revision: main,
        version: 1,
        lease: lease.map(LeaseId),
    })
}

#[test]
fn an_empty_backend_is_a_new_store() {
    let rig = Rig::cold().restarted();
    assert_eq!((rig.store.revision(), rig.store.compact_revision()), (1, -1));
    assert_eq!(rig.store.applied(), protocol::Position::ORIGIN);
}

#[test]
fn what_no_flush_has_written_is_refused() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.put("a", "2");
    rig.flush();
    let refused = |records: &[(Revision, Record)]| {
        let mut restoring = Store::restore(rig.limits, state_of(&rig)).expect("sound metadata");
        records.iter().for_each(|(at, record)| restoring.record(*at, record));
        restoring.finish().map(|_| ()).expect_err("it is refused")
    };
    let at = |main, sub| Revision::new(main, sub);
    let two = (at(2, 0), put_record("a", 2, None));
    let three = (at(3, 0), put_record("a", 3, None));
    let order = RestoreError::Order;
    assert_eq!(refused(&[three.clone(), two.clone()]), order(at(2, 0)));
    assert_eq!(refused(&[two.clone(), two.clone()]), order(at(2, 0)));
    assert_eq!(refused(&[(at(4, 0), put_record("a", 4, None))]), order(at(4, 0)));
    assert_eq!(refused(&[two.clone(), (at(2, 1), two.1.clone())]), order(at(2, 1)));
    assert_eq!(refused(&[(at(3, 0), two.1.clone())]), RestoreError::Misplaced(at(3, 0)));
    assert_eq!(refused(&[two]), RestoreError::Lost(3));
    let leased = put_record("a", 3, Some(4));
    assert_eq!(refused(&[(at(3, 0), leased)]), RestoreError::NoLease(LeaseId(4)));
}

#[test]
fn damaged_metadata_is_refused() {
    let mut rig = Rig::cold();
    rig.ok(&grant(1, 60));
    rig.ok(&put_leased("a", "1", 1));
    rig.flush();
    let whole = state_of(&rig);
    for (at, (_, value)) in whole.iter().enumerate() {
        for len in 0..value.len() {
            let mut cut = whole.clone();
            cut[at].1 = value.slice(..len);
            let error = Store::restore(rig.limits, cut).map(|_| ()).expect_err("cut short");
            assert!(matches!(error, RestoreError::Meta(_)), "{error}");
        }
    }
    let mut missing = whole.clone();
    missing.retain(|(name, _)| name != "state");
    let error = Store::restore(rig.limits, missing).map(|_| ()).expect_err("no state");
    assert_eq!(error, RestoreError::NoState);
    let mut strange = whole;
    strange.push((bytes("zz"), bytes("")));
    assert!(Store::restore(rig.limits, strange).is_err());
}

#[test]
fn a_restart_gives_out_what_was_dead_and_not_yet_dropped() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.put("a", "2");
    rig.delete("a");
    rig.put("b", "1");
    rig.flush();
    rig.compact(5);
    rig.flush();
    assert_eq!(rig.all_records().len(), 4);
    let mut rig = rig.restarted();
    assert_eq!(rig.discards[0].iter().map(|at| at.main).collect::<Vec<_>>(), [2, 3, 4]);
    rig.prune();
    assert_eq!(rig.all_records().len(), 1);
    rig.apply(&put("a", "9"));
    assert_eq!(rig.get("a").map(|kv| (kv.create_revision, kv.version)), Some((6, 1)));
}
