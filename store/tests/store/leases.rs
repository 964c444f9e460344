//! Leases: they end by the clock in the log, never early.

use store::{Command, Error, LeaseId, Limits, Outcome};

use crate::rig::{Rig, bytes, delete, grant, put, put_leased};

fn tick(rig: &mut Rig, elapsed_ms: u32) {
    rig.ok(&Command::Tick { elapsed_ms });
}

fn keys_of(rig: &Rig, id: i64) -> Vec<Vec<u8>> {
    rig.store.lease(LeaseId(id)).expect("it lives").keys().map(<[u8]>::to_vec).collect()
}

#[test]
fn grants_are_raised_to_the_minimum_and_refused_beyond_the_maximum() {
    let mut rig = Rig::cold();
    for (id, asked, given) in [(1, -7, 2), (2, 0, 2), (3, 3, 3), (4, 9_000_000_000, 9_000_000_000)]
    {
        let granted = Outcome::LeaseGrant { id: LeaseId(id), ttl: given };
        assert_eq!(rig.ok(&grant(id, asked)), granted);
    }
    assert_eq!(rig.refused(&grant(5, 9_000_000_001)), Error::LeaseTtlTooLarge);
    assert_eq!(rig.refused(&grant(1, 60)), Error::LeaseExists);
    assert_eq!(rig.refused(&grant(0, 60)), Error::LeaseNotFound);
    tick(&mut rig, u32::MAX);
    assert!(rig.store.leases().eq([1, 2, 3, 4].map(LeaseId)), "the absurd one does not overflow");
    assert_eq!(rig.store.revision(), 1, "leases take no revision");
}

#[test]
fn a_lease_counts_from_the_first_tick_after_its_grant_or_renewal() {
    let mut rig = Rig::cold();
    tick(&mut rig, 400);
    rig.ok(&grant(1, 2));
    // However long this interval was, the lease may be as young as its end.
    tick(&mut rig, 60_000);
    assert_eq!(rig.store.lease(LeaseId(1)).map(|it| it.remaining_ms), Some(2000));
    tick(&mut rig, 1999);
    assert_eq!(rig.store.lease(LeaseId(1)).map(|it| (it.remaining_ms, it.granted)), Some((1, 2)));
    let renewed = rig.ok(&Command::LeaseRenew { ids: vec![LeaseId(1), LeaseId(9)] });
    assert_eq!(renewed, Outcome::LeaseRenew(vec![(LeaseId(1), 2), (LeaseId(9), 0)]));
    tick(&mut rig, 500);
    tick(&mut rig, 1999);
    assert!(rig.store.lease(LeaseId(1)).is_some());
    tick(&mut rig, 1);
    assert!(rig.store.lease(LeaseId(1)).is_none());
    assert!(!rig.store.has_leases());
}

#[test]
fn a_revoked_lease_takes_its_keys_in_order_and_in_one_revision() {
    let mut rig = Rig::cold();
    rig.store.set_watched(true);
    rig.ok(&grant(1, 60));
    for key in ["c", "a", "b"] {
        rig.ok(&put_leased(key, "x", 1));
    }
    rig.put("d", "stays");
    rig.events();
    let applied = rig.apply(&Command::LeaseRevoke { id: LeaseId(1) });
    assert_eq!((applied.revision, applied.outcome), (6, Ok(Outcome::Done)));
    let events = rig.events();
    assert_eq!(events.iter().map(|it| it.kv.key.clone()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(events.iter().all(|event| event.kv.mod_revision == 6));
    assert_eq!(rig.store.keys(), 1);
    assert_eq!(rig.refused(&Command::LeaseRevoke { id: LeaseId(1) }), Error::LeaseNotFound);
    assert_eq!(rig.refused(&put_leased("a", "x", 1)), Error::LeaseNotFound);
}

#[test]
fn a_lease_without_keys_ends_without_a_revision() {
    let mut rig = Rig::cold();
    rig.ok(&grant(1, 60));
    assert_eq!(rig.apply(&Command::LeaseRevoke { id: LeaseId(1) }).revision, 1);
}

#[test]
fn a_key_hangs_on_the_lease_of_its_last_put() {
    let mut rig = Rig::cold();
    rig.ok(&grant(1, 60));
    rig.ok(&grant(2, 60));
    rig.ok(&put_leased("a", "1", 1));
    rig.ok(&put_leased("b", "1", 1));
    rig.ok(&put_leased("a", "2", 2));
    assert_eq!((keys_of(&rig, 1), keys_of(&rig, 2)), (vec![b"b".to_vec()], vec![b"a".to_vec()]));
    rig.ok(&put("b", "2"));
    rig.ok(&delete("a", ""));
    assert_eq!((keys_of(&rig, 1).len(), keys_of(&rig, 2).len()), (0, 0));
    rig.ok(&Command::LeaseRevoke { id: LeaseId(1) });
    assert_eq!(rig.value("b").as_deref(), Some("2"), "a put without a lease has detached it");
}

#[test]
fn due_leases_end_by_deadline_then_id_some_a_tick_each_in_its_own_revision() {
    let mut rig = Rig::new(Limits { expiries_per_tick: 2, ..Limits::default() });
    rig.store.set_watched(true);
    for (id, ttl) in [(4, 2), (3, 5), (2, 2), (1, 3)] {
        rig.ok(&grant(id, ttl));
        rig.ok(&put_leased(&format!("k{id}"), "x", id));
    }
    rig.events();
    tick(&mut rig, 500);
    assert!(!rig.store.lease_due());
    tick(&mut rig, 10_000);
    assert!(rig.store.lease_due(), "two are over that had no room");
    tick(&mut rig, 0);
    assert!(!rig.store.lease_due() && !rig.store.has_leases());
    let ended: Vec<_> =
        rig.events().iter().map(|event| (event.kv.key.clone(), event.kv.mod_revision)).collect();
    let expected = [("k2", 6), ("k4", 7), ("k1", 8), ("k3", 9)];
    assert_eq!(ended, expected.map(|(key, revision)| (bytes(key), revision)));
}

#[test]
fn a_restart_neither_shortens_nor_forgets_a_lease() {
    let mut rig = Rig::cold();
    rig.ok(&grant(1, 10));
    rig.ok(&put_leased("a", "1", 1));
    tick(&mut rig, 500);
    rig.ok(&grant(2, 10));
    tick(&mut rig, 4000);
    rig.ok(&Command::LeaseRenew { ids: vec![LeaseId(1)] });
    rig.flush();
    let mut rig = rig.restarted();
    let left = |rig: &Rig, id| rig.store.lease(LeaseId(id)).map(|it| it.remaining_ms);
    assert_eq!((left(&rig, 1), left(&rig, 2)), (Some(10_000), Some(10_000)));
    tick(&mut rig, 300);
    assert_eq!((left(&rig, 1), left(&rig, 2)), (Some(10_000), Some(9700)));
    assert_eq!(keys_of(&rig, 1), [b"a"]);
}
