//! Compaction: at once for those who read, in small steps for memory.

use store::watch::History;
use store::{Command, Error, Range, Revision};

use crate::rig::{Rig, put, range};

#[test]
fn compaction_is_refused_behind_itself_and_beyond_the_present() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    assert_eq!(rig.refused(&Command::Compact { revision: 3 }), Error::FutureRevision);
    assert_eq!(rig.refused(&Command::Compact { revision: -1 }), Error::Compacted);
    rig.compact(0);
    assert_eq!(rig.refused(&Command::Compact { revision: 0 }), Error::Compacted);
    rig.compact(2);
    assert_eq!(rig.refused(&Command::Compact { revision: 2 }), Error::Compacted);
    assert_eq!(rig.store.revision(), 2, "compaction takes no revision");
}

#[test]
fn the_compact_revision_stays_readable_and_what_is_before_it_does_not() {
    let mut rig = Rig::cold();
    for value in ["1", "2", "3"] {
        rig.put("a", value);
    }
    rig.compact(3);
    let at = |rig: &Rig, revision| rig.read(&Range { revision, ..range("a", "") });
    for _ in 0..2 {
        assert_eq!(at(&rig, 2), Err(Error::Compacted));
        assert_eq!(at(&rig, 3).expect("readable").kvs[0].mod_revision, 3);
        assert!(rig.store.begin_hash(2).is_err() && rig.store.begin_hash(3).is_ok());
        assert_eq!(rig.store.history(Revision::new(2, 0), 9), Err(Error::Compacted));
        rig.prune();
    }
}

#[test]
fn a_read_that_compaction_overtakes_is_told_so() {
    let mut rig = Rig::cold();
    for key in ["a", "b", "c"] {
        rig.put(key, "1");
    }
    let mut cursor = rig.store.begin_range(&range("a", "z")).expect("readable");
    assert_eq!(rig.store.step_range(&mut cursor, 1), Ok(false));
    rig.compact(4);
    assert_eq!(rig.store.step_range(&mut cursor, 1), Ok(false), "its own revision is left");
    rig.put("d", "1");
    rig.compact(5);
    assert_eq!(rig.store.step_range(&mut cursor, 1), Err(Error::Compacted));
}

#[test]
fn dead_records_are_given_out_only_when_a_flush_knows_of_the_compaction() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.put("a", "2");
    rig.flush();
    rig.compact(3);
    assert_eq!(rig.store.compact_step(100), []);
    assert!(!rig.store.compacting() && !rig.store.compaction_settled());
    rig.flush();
    assert!(rig.store.compacting());
    assert_eq!(rig.store.compact_step(100), [Revision::new(2, 0)]);
    assert!(rig.store.compaction_settled());
}

/// A put that dies before it is flushed never reaches the backend; a tombstone does, because the
/// backend may hold what it deleted.
#[test]
fn what_dies_unflushed_is_not_flushed_unless_it_hides_something() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.flush();
    rig.put("a", "2");
    rig.delete("a");
    rig.put("b", "1");
    rig.compact(5);
    rig.prune();
    rig.flush();
    let held: Vec<_> = rig.all_records().iter().map(|(at, _)| at.main).collect();
    assert_eq!(held, [2, 4, 5]);
    assert_eq!(rig.restarted().get("a"), None);
    rig.prune();
    assert_eq!(rig.all_records().len(), 1);
    assert_eq!(rig.restarted().get("a"), None);
}

#[test]
fn compactions_that_come_while_one_is_pruned_leave_nothing_behind() {
    for first in 0..12 {
        for second in 0..12 {
            let mut rig = Rig::cold();
            let fill = |rig: &mut Rig| {
                for key in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
                    rig.put(key, "x");
                }
            };
            fill(&mut rig);
            fill(&mut rig);
            rig.compact(rig.store.revision());
            (0..first).for_each(|_| _ = rig.prune_step(1));
            fill(&mut rig);
            rig.compact(rig.store.revision());
            (0..second).for_each(|_| _ = rig.prune_step(1));
            fill(&mut rig);
            rig.compact(rig.store.revision());
            rig.flush();
            rig.prune();
            rig.apply(&put("a", "y"));
            rig.flush();
            rig.prune();
            let held: Vec<_> = rig.all_records().iter().map(|(at, _)| at.main).collect();
            assert_eq!(held, (32..=42).collect::<Vec<_>>(), "after {first} and {second} steps");
        }
    }
}
