//! Puts and deletions, one at a time.

use store::{Command, DeleteRange, Error, EventKind, LeaseId, Outcome, Previous, Put};

use crate::rig::{Rig, bytes, delete, grant, keys, plain, put, put_leased};

#[test]
fn a_new_store_is_at_revision_1_and_its_first_write_makes_2() {
    let mut rig = Rig::cold();
    assert_eq!((rig.store.revision(), rig.store.compact_revision()), (1, -1));
    assert_eq!(rig.put("a", "1"), 2);
}

#[test]
fn a_put_keeps_the_creation_counts_versions_and_starts_over_after_a_deletion() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.put("b", "1");
    rig.put("a", "2");
    let kv = rig.get("a").expect("it was put");
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (2, 4, 2));
    rig.delete("a");
    assert_eq!(rig.get("a"), None);
    rig.put("a", "3");
    let kv = rig.get("a").expect("it was put");
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (6, 6, 1));
}

#[test]
fn deleting_nothing_takes_no_revision() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    let applied = rig.apply(&delete("b", "\0"));
    assert_eq!(applied.revision, 2);
    assert_eq!(applied.outcome, Ok(Outcome::DeleteRange { deleted: 0, prev: vec![] }));
    let applied = rig.apply(&delete("b", "a"));
    assert_eq!(applied.revision, 2, "a range that ends before it starts holds nothing");
}

#[test]
fn a_range_deletion_is_one_revision_with_its_keys_in_order() {
    let mut rig = Rig::cold();
    rig.store.set_watched(true);
    for key in ["c", "a", "b", "d"] {
        rig.put(key, key);
    }
    rig.events();
    let range = keys("a", "d");
    let outcome = rig.ok(&Command::DeleteRange(DeleteRange { range, prev_kv: true }));
    let Outcome::DeleteRange { deleted: 3, prev } = outcome else { panic!("{outcome:?}") };
    assert_eq!(prev.iter().map(|kv| &kv.value[..]).collect::<Vec<_>>(), [b"a", b"b", b"c"]);
    assert_eq!(rig.store.revision(), 6);
    let events = rig.events();
    assert_eq!(events.len(), 3);
    for (event, key) in events.iter().zip(["a", "b", "c"]) {
        assert_eq!((event.kind, event.kv.mod_revision), (EventKind::Delete, 6));
        assert_eq!((&event.kv.key, &event.kv.value), (&bytes(key), &bytes("")));
        assert!(matches!(&event.previous, Previous::Held(kv) if kv.value == bytes(key)));
    }
}

#[test]
fn prev_kv_is_loaded_from_the_backend_when_memory_has_let_go_of_it() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.flush();
    let again = Command::Put(Put { prev_kv: true, ..plain("a", "2") });
    let Outcome::Put { prev: Some(prev) } = rig.ok(&again) else { panic!("it was there") };
    assert_eq!((prev.value, prev.mod_revision, rig.loaded), (bytes("1"), 2, 1));
    rig.delete("a");
    assert_eq!(rig.ok(&again), Outcome::Put { prev: None });
}

#[test]
fn ignore_value_and_ignore_lease_keep_what_is_there_and_need_it() {
    let mut rig = Rig::cold();
    let keep_value = Command::Put(Put { value: None, ..plain("a", "") });
    let keep_lease = Command::Put(Put { lease: None, ..plain("a", "2") });
    assert_eq!(rig.refused(&keep_value), Error::KeyNotFound);
    assert_eq!(rig.refused(&keep_lease), Error::KeyNotFound);
    rig.ok(&grant(7, 60));
    rig.ok(&put_leased("a", "1", 7));
    rig.flush();
    rig.ok(&keep_lease);
    let kv = rig.get("a").expect("it was put");
    assert_eq!((kv.value, kv.lease), (bytes("2"), Some(LeaseId(7))));
    assert_eq!(rig.loaded, 0, "which lease a key hangs on is known without its record");
    rig.flush();
    rig.ok(&keep_value);
    let kv = rig.get("a").expect("it was put");
    assert_eq!((kv.value, kv.lease, rig.loaded), (bytes("2"), None, 1));
    rig.delete("a");
    assert_eq!(rig.refused(&keep_value), Error::KeyNotFound);
}

#[test]
fn a_put_with_an_unknown_lease_is_refused() {
    let mut rig = Rig::cold();
    assert_eq!(rig.refused(&put_leased("a", "1", 7)), Error::LeaseNotFound);
    // Without the key, too, the lease is what is told.
    let both = Put { value: None, lease: Some(Some(LeaseId(7))), ..plain("a", "") };
    assert_eq!(rig.refused(&Command::Put(both)), Error::LeaseNotFound);
}

#[test]
fn keys_and_values_may_be_any_bytes() {
    let mut rig = Rig::cold();
    let odd: [&[u8]; 5] = [b"\0", b"\0\0", b"\xff", b"\xff\xff", &[7; 1000]];
    for key in odd {
        let key = bytes::Bytes::copy_from_slice(key);
        let value = Some(bytes::Bytes::new());
        rig.ok(&Command::Put(Put { key, value, ..plain("", "") }));
    }
    let all = rig.read(&crate::rig::range("\0", "\0")).expect("readable");
    assert_eq!(all.count, 5);
    assert!(all.kvs.is_sorted_by(|a, b| a.key < b.key) && all.kvs.iter().all(|kv| kv.version == 1));
}

#[test]
fn an_empty_key_is_refused_even_when_it_comes_from_the_log() {
    let mut rig = Rig::cold();
    assert_eq!(rig.refused(&put("", "1")), Error::EmptyKey);
    assert_eq!(rig.refused(&delete("", "\0")), Error::EmptyKey);
}

#[test]
fn a_store_that_is_not_watched_makes_no_events() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    assert_eq!(rig.events(), []);
    rig.store.set_watched(true);
    rig.put("a", "2");
    let events = rig.events();
    assert_eq!(events.len(), 1);
    assert!(matches!(&events[0].previous, Previous::Held(kv) if kv.value == bytes("1")));
}
