//! Watch bugs that etcd has had, by the number of their report: the way to provoke each, and what
//! must come out instead. Guarantees that hold at random are the model's; these are the stories.

use bytes::Bytes;
use store::watch::{History as _, WatchLimits};

use crate::desk::{Desk, STREAM, all, between, from, on, short};

/// Room for a response or two, of one revision each.
fn tight() -> WatchLimits {
    WatchLimits { outstanding_bytes: 150, response_bytes: 1, ..WatchLimits::default() }
}

#[test]
fn etcd_15220_progress_is_never_ahead_of_events_of_a_slow_stream() {
    let mut desk = Desk::with_stream(tight());
    desk.create(STREAM, all());
    for value in ["1", "2", "3", "4"] {
        desk.put("a", value);
    }
    desk.progress(STREAM);
    assert_eq!(desk.hub.counts().blocked, 1);
    let told = short(&desk.read(STREAM));
    assert_eq!(told.last().unwrap(), "progress all @5");
    let events: Vec<_> = told.iter().filter(|line| line.contains("put")).collect();
    assert_eq!(told.iter().filter(|line| line.starts_with("progress")).count(), 1);
    assert!(events.last().unwrap().contains("put a@5"), "{told:?}");
}

#[test]
fn etcd_15220_progress_waits_for_a_watch_that_reads_the_past() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    for value in ["1", "2", "3"] {
        desk.put("a", value);
    }
    desk.world.flush(4);
    desk.create(STREAM, on("z"));
    desk.create(STREAM, from(2, on("a")));
    desk.progress(STREAM);
    desk.step(100);
    let wire = short(desk.wires.get_mut(&STREAM).unwrap().queue.make_contiguous());
    assert_eq!(wire, ["created 0 @4", "created 1 @4"], "the scan has not returned");
    assert_eq!(
        short(&desk.read(STREAM))[2..],
        ["1: put a@2 put a@3 @4", "1: put a@4 @4", "progress all @4"]
    );
}

#[test]
fn etcd_15271_a_snapshot_does_not_take_watches_back_in_time() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    desk.create(STREAM, all());
    desk.put("a", "1");
    desk.put("b", "1");
    assert_eq!(desk.read(STREAM).len(), 3);
    // The member was cut off; a snapshot brings it to revision 5, and all of it lies on disk.
    desk.world.put("a", "2");
    desk.world.put("b", "2");
    desk.world.flush(6);
    desk.restored();
    desk.progress(STREAM);
    assert_eq!(
        short(&desk.read(STREAM)),
        ["0: put a@4 put b@5 @5", "progress all @5"],
        "neither again nor left out"
    );
    desk.put("c", "1");
    assert_eq!(short(&desk.read(STREAM)), ["0: put c@6 @6"]);
}

#[test]
fn etcd_15271_a_snapshot_compacted_beyond_a_watch_cancels_it() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    desk.create(STREAM, on("a"));
    desk.put("a", "1");
    assert_eq!(desk.read(STREAM).len(), 2);
    for value in ["2", "3", "4"] {
        desk.world.put("a", value);
    }
    desk.world.flush(6);
    desk.world.compact(5);
    desk.restored();
    assert_eq!(short(&desk.read(STREAM)), ["canceled 0 compacted 5 @5"]);
    assert!(!desk.hub.watched());
}

#[test]
fn etcd_17247_what_is_offered_twice_is_told_once() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    desk.create(STREAM, all());
    let first = desk.world.txn(&[("a", Some("1")), ("b", Some("1"))]);
    desk.publish(&first);
    desk.publish(&first);
    desk.world.put("c", "1");
    let both = desk.world.events(2, 3);
    desk.publish(&both);
    desk.publish(&both);
    assert_eq!(
        short(&desk.read(STREAM)),
        ["created 0 @1", "0: put a@2 put b@2 @2", "0: put c@3 @3"]
    );
}

#[test]
fn etcd_17529_a_starved_stream_loses_nothing() {
    let limits = WatchLimits { batch: 4, ..tight() };
    let mut desk = Desk::with_stream(limits);
    desk.create(STREAM, on("a"));
    desk.create(STREAM, between("a", "c"));
    for round in 0..50 {
        desk.put("a", "x");
        desk.put("b", "y");
        desk.step(3);
        if round % 10 == 0 {
            desk.write(STREAM);
            desk.world.flush(desk.world.revision() - 3);
        }
    }
    let counts = desk.hub.counts();
    assert_eq!(counts.ready + counts.blocked, 2, "it has starved");
    let rest = desk.read(STREAM);
    let mains = |of: i64| -> Vec<i64> {
        let told = rest.iter().filter_map(|response| match response {
            store::watch::WatchResponse::Events { id, events, .. } if id.0 == of => Some(events),
            _ => None,
        });
        told.flatten().map(|event| event.kv.mod_revision).collect()
    };
    let (single, span) = (mains(0), mains(1));
    assert_eq!(span, (span[0]..=101).collect::<Vec<_>>());
    assert_eq!(single, (single[0]..=100).step_by(2).collect::<Vec<_>>());
    assert!(span[0] < 10 && single[0] < 20, "starved early: {} {}", span[0], single[0]);
}

#[test]
fn etcd_18089_a_deletion_at_the_compact_revision_is_told_to_a_lagging_watch() {
    for flushed in [false, true] {
        let mut desk = Desk::with_stream(tight());
        desk.create(STREAM, on("a"));
        for _ in 0..3 {
            desk.put("a", "1");
        }
        desk.delete("a");
        assert_eq!(desk.hub.counts().blocked, 1);
        if flushed {
            desk.world.flush(6);
        }
        for _ in 0..2 {
            desk.write(STREAM);
            desk.settle();
        }
        // Revisions up to 4 are queued; the deletion is at 5, and so is the compaction.
        assert_eq!(desk.hub.counts().blocked, 1);
        desk.world.compact(5);
        let told = short(&desk.read(STREAM));
        assert_eq!(told.last().unwrap(), "0: del a@5 @5", "flushed: {flushed}");
    }
}

#[test]
fn etcd_19179_a_watch_from_the_compact_revision_sees_its_deletion() {
    for flushed in [false, true] {
        let mut desk = Desk::with_stream(WatchLimits::default());
        desk.put("a", "1");
        desk.delete("a");
        desk.put("b", "1");
        if flushed {
            desk.world.flush(5);
        }
        desk.world.compact(3);
        desk.create(STREAM, from(3, all()));
        desk.create(STREAM, from(2, all()));
        assert_eq!(
            short(&desk.read(STREAM)),
            ["created 0 @4", "created 1 @4", "canceled 1 compacted 3 @4", "0: del a@3 put b@4 @4"],
            "flushed: {flushed}"
        );
    }
}

#[test]
fn etcd_20221_a_watch_of_the_future_is_told_nothing_earlier() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    desk.put("a", "1");
    desk.create(STREAM, from(5, all()));
    desk.put("a", "2");
    desk.world.txn(&[("a", Some("3")), ("b", Some("3"))]);
    // The member was behind, and gets there by a snapshot.
    desk.restored();
    assert_eq!(short(&desk.read(STREAM)), ["created 0 @2"]);
    desk.put("a", "4");
    assert_eq!(short(&desk.read(STREAM)), ["0: put a@5 @5"]);
}

#[test]
fn etcd_20221_a_snapshot_beyond_the_start_tells_from_the_start() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    desk.create(STREAM, from(4, all()));
    for value in ["1", "2", "3", "4"] {
        desk.world.put("a", value);
    }
    desk.world.flush(6);
    desk.restored();
    assert_eq!(short(&desk.read(STREAM)), ["created 0 @1", "0: put a@4 put a@5 @5"]);
}

#[test]
fn etcd_20221_a_watch_of_the_future_gets_no_progress_below_its_start() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    desk.create(STREAM, from(4, on("z")));
    desk.create(STREAM, on("z"));
    desk.progress(STREAM);
    desk.put("a", "1");
    desk.put("a", "2");
    desk.progress(STREAM);
    assert_eq!(short(&desk.read(STREAM)), ["created 0 @1", "created 1 @1"]);
    desk.put("a", "3");
    assert_eq!(short(&desk.read(STREAM)), ["progress all @4"], "both requests, at the start");
    desk.progress(STREAM);
    desk.progress(STREAM);
    assert_eq!(short(&desk.read(STREAM)), ["progress all @4", "progress all @4"]);
}

#[test]
fn a_revision_larger_than_a_scan_is_told_whole() {
    let limits = WatchLimits { batch: 4, ..WatchLimits::default() };
    let mut desk = Desk::with_stream(limits);
    desk.put("a", "1");
    let many: Vec<_> = (0..100_u8)
        .map(|n| (Bytes::from(format!("k{n:03}")), Some(Bytes::from_static(b"v"))))
        .collect();
    desk.world.apply(&many);
    desk.world.put("z", "1");
    desk.world.flush(5);
    desk.create(STREAM, from(2, all()));
    let told = desk.read(STREAM);
    let sizes: Vec<_> = told
        .iter()
        .filter_map(|response| match response {
            store::watch::WatchResponse::Events { events, .. } => Some(events.len()),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [1, 101], "the hundred of revision 3 are together");
}
