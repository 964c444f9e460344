//! The hash of history.

use store::{Command, Error, Store};

use crate::random::Draw;
use crate::rig::{Rig, delete, put};

#[test]
fn the_hash_depends_on_history_and_not_only_on_the_present() {
    let mut one = Rig::cold();
    let mut two = Rig::cold();
    for (value, other) in [("1", "0"), ("2", "2")] {
        one.put("a", value);
        two.put("a", other);
    }
    assert_ne!(one.hash().hash, two.hash().hash);
    assert_ne!(one.hash_at(2).map(|it| it.hash), two.hash_at(2).map(|it| it.hash));
    one.compact(3);
    two.compact(3);
    assert_eq!(one.hash(), two.hash(), "their difference has been compacted");
}

#[test]
fn every_field_of_a_record_makes_a_difference() {
    let base = || {
        let mut rig = Rig::cold();
        rig.ok(&crate::rig::grant(1, 60));
        rig
    };
    let mut hashes = Vec::new();
    for commands in [
        vec![put("a", "1")],
        vec![put("a", "2")],
        vec![put("b", "1")],
        vec![crate::rig::put_leased("a", "1", 1)],
        vec![put("a", "1"), put("a", "1")],
        vec![put("a", "1"), delete("a", "")],
        vec![put("a", "1"), delete("a", ""), put("a", "1")],
        vec![put("x", "1"), put("a", "1")],
    ] {
        let mut rig = base();
        commands.iter().for_each(|command| drop(rig.ok(command)));
        hashes.push(rig.hash().hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 8);
}

#[test]
fn a_hash_in_steps_is_the_hash_at_once_whatever_happens_in_between() {
    let mut restarted = 0;
    for seed in 0..60 {
        let mut draw = Draw::new(seed);
        let mut rig = Rig::cold();
        let random = |rig: &mut Rig, draw: &mut Draw| {
            let command = draw.command(rig.store.revision());
            if !matches!(command, Command::Alarm { .. }) {
                rig.apply(&command);
            }
        };
        (0..60).for_each(|_| random(&mut rig, &mut draw));
        let revision = rig.store.revision();
        let mut cursor = rig.store.begin_hash(0).expect("the present can be hashed");
        let stepped = loop {
            match rig.store.step_hash(&mut cursor, 1) {
                Ok(true) => break Ok(cursor.finish()),
                Ok(false) => random(&mut rig, &mut draw),
                Err(error) => break Err(error),
            }
            rig.prune_step(2);
        };
        if stepped.is_err() {
            assert_eq!(stepped, Err(Error::Compacted));
            assert!(revision < Store::compact_revision(&rig.store));
            restarted += 1;
        } else {
            assert_eq!(stepped, rig.hash_at(revision), "seed {seed}");
        }
    }
    assert!(restarted < 50, "most hashes are not overtaken");
}

#[test]
fn a_hash_is_refused_where_a_read_is() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.put("a", "2");
    rig.compact(3);
    assert_eq!(rig.hash_at(2), Err(Error::Compacted));
    assert_eq!(rig.hash_at(4), Err(Error::FutureRevision));
    let hash = rig.hash_at(-3).expect("the latest");
    assert_eq!((hash.hash_revision, hash.compact_revision), (3, 3));
}
