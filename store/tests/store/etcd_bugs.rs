//! Published etcd bugs that a store can have, each as a regression.

use store::watch::{History, HistoryChunk};
use store::{Command, Error, EventKind, Limits, Operation, Previous, Range, Revision};

use crate::rig::{Rig, op_put, put, range, txn};

/// #17780: after a crash in a compaction of the last revisions, the revision was taken from the
/// newest record left, and went back.
#[test]
fn etcd_17780_the_revision_never_decreases() {
    let mut rig = Rig::cold();
    rig.put("a", "1");
    rig.put("b", "1");
    rig.delete("b");
    rig.put("c", "1");
    rig.delete("c");
    rig.apply(&put("a", "2"));
    rig.compact(7);
    rig.delete("a");
    rig.compact(8);
    rig.prune();
    rig.flush();
    rig.prune();
    let mains: Vec<_> = rig.all_records().iter().map(|(at, _)| at.main).collect();
    assert_eq!(mains, [8], "only the tombstone at the compact revision is left");
    let mut rig = rig.restarted();
    assert_eq!((rig.store.revision(), rig.store.compact_revision()), (8, 8));
    assert_eq!(rig.put("a", "3"), 9);
    rig.compact(9);
    rig.delete("a");
    rig.put("z", "1");
    rig.delete("z");
    rig.compact(12);
    rig.flush();
    rig.prune();
    let rig = rig.restarted();
    assert_eq!((rig.store.revision(), rig.store.compact_revision()), (12, 12));
}

/// #18089: the deletion event was lost when a compaction hit exactly its revision.
/// #19179: so it was for a watch that opened at the compact revision.
#[test]
fn etcd_18089_19179_a_deletion_at_the_compact_revision_is_still_told() {
    for (hot_bytes, restart) in [(0, false), (1 << 20, false), (0, true)] {
        let mut rig = Rig::new(Limits { hot_bytes, ..Limits::default() });
        rig.put("a", "1");
        let deleted = rig.delete("a");
        rig.flush();
        rig.compact(deleted);
        rig.flush();
        rig.prune();
        if restart {
            rig = rig.restarted();
        }
        let past = rig.past(deleted, 10).expect("the compact revision itself can be told");
        assert_eq!(past.len(), 1);
        assert_eq!((past[0].kind, past[0].kv.mod_revision), (EventKind::Delete, deleted));
        assert_eq!(past[0].previous, Previous::Absent, "what it was has been compacted");
        assert_eq!(rig.store.history(Revision::new(deleted - 1, 0), 1), Err(Error::Compacted));
        // The next compaction takes it away.
        rig.put("b", "1");
        rig.compact(deleted + 1);
        rig.flush();
        rig.prune();
        assert!(rig.all_records().iter().all(|(at, _)| at.main > deleted));
    }
}

/// #18667: whether a transaction that reads a compacted revision failed depended on how far the
/// compaction had come on that member.
#[test]
fn etcd_18667_a_compacted_read_in_a_transaction_fails_alike_everywhere() {
    let run = |steps: usize, flush: bool, restart: bool| {
        let mut rig = Rig::cold();
        for value in ["1", "2", "3"] {
            rig.put("a", value);
        }
        rig.compact(4);
        (0..steps).for_each(|_| _ = rig.prune_step(1));
        if flush {
            rig.flush();
            rig.prune();
        }
        if restart {
            rig.flush();
            rig = rig.restarted();
        }
        let read = Operation::Range(Range { revision: 3, ..range("a", "") });
        let command = Command::Txn(txn(vec![], vec![op_put("b", "1"), read], vec![]));
        (rig.apply(&command), rig.hash())
    };
    let expected = run(0, false, false);
    assert_eq!(expected.0.outcome, Err(Error::Compacted));
    for steps in 0..3 {
        for (flush, restart) in [(false, false), (true, false), (true, true), (false, true)] {
            assert_eq!(run(steps, flush, restart), expected);
        }
    }
}

/// #13766: the applied index was stored apart from the data. Here one flush has both, and a replay
/// from it gives the same revisions.
#[test]
fn etcd_13766_a_replay_from_any_flush_gives_the_same_state() {
    let commands: Vec<Command> = (0..30)
        .map(|at| match at % 3 {
            0 => put("a", "1"),
            1 => put("b", "2"),
            _ => crate::rig::delete("a", "z"),
        })
        .collect();
    let mut whole = Rig::cold();
    commands.iter().for_each(|command| drop(whole.apply(command)));
    for flushed in 0..commands.len() {
        let mut rig = Rig::cold();
        commands[..flushed].iter().for_each(|command| drop(rig.apply(command)));
        rig.flush();
        // Applied after the flush, and lost.
        commands[flushed..].iter().take(3).for_each(|command| drop(rig.apply(command)));
        let mut rig = rig.restarted();
        let applied = usize::try_from(rig.store.applied().index.0).expect("small");
        assert_eq!(applied, flushed);
        commands[applied..].iter().for_each(|command| drop(rig.apply(command)));
        assert_eq!((rig.store.revision(), rig.hash()), (whole.store.revision(), whole.hash()));
    }
}

/// #17247: an event was told twice. Whatever the size of the chunks, and wherever the line between
/// memory and backend runs, each change is told once and in order.
#[test]
fn etcd_17247_no_event_is_told_twice_across_memory_and_backend() {
    for hot_bytes in [0, 300, 1000, 1 << 20] {
        let mut rig = Rig::new(Limits { hot_bytes, ..Limits::default() });
        for at in 0..20 {
            rig.put(&format!("k{}", at % 5), "x");
            if at % 6 == 0 {
                rig.flush();
            }
        }
        for limit in 1..5 {
            let past = rig.past(2, limit).expect("not compacted");
            let mains: Vec<_> = past.iter().map(|event| event.kv.mod_revision).collect();
            assert_eq!(mains, (2..=21).collect::<Vec<_>>());
        }
        let chunk = rig.store.history(Revision::new(2, 0), 1).expect("not compacted");
        assert_eq!(matches!(chunk, HistoryChunk::Scan { .. }), hot_bytes < 1 << 20);
    }
}
