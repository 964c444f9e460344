//! What requests and responses mean, as etcd has it.

use store::watch::{StreamId, WatchId, WatchLimits, WatchResponse};
use store::{BackendError, EventKind};

use crate::desk::{Desk, STREAM, all, between, from, named, on, short};

fn desk() -> Desk {
    Desk::with_stream(WatchLimits::default())
}

#[test]
fn ids_count_from_zero_around_those_that_clients_chose() {
    let mut desk = desk();
    for request in [on("a"), named(2, on("a")), on("a"), on("a"), named(2, on("b"))] {
        desk.create(STREAM, request);
    }
    desk.create(STREAM, named(-7, on("a")));
    desk.cancel(STREAM, WatchId(0));
    desk.create(STREAM, on("a"));
    assert_eq!(
        short(&desk.read(STREAM)),
        [
            "created 0 @1",
            "created 2 @1",
            "created 1 @1",
            "created 3 @1",
            "refused Duplicate @1",
            "created -7 @1",
            "canceled 0 @1",
            "created 4 @1"
        ]
    );
}

#[test]
fn streams_have_ids_of_their_own() {
    let mut desk = desk();
    let other = StreamId(9);
    desk.open(other);
    desk.create(STREAM, on("a"));
    desk.create(other, on("b"));
    desk.put("a", "1");
    desk.put("b", "1");
    assert_eq!(short(&desk.read(STREAM)), ["created 0 @1", "0: put a@2 @2"]);
    assert_eq!(short(&desk.read(other)), ["created 0 @1", "0: put b@3 @3"]);
}

#[test]
fn ranges_are_spelled_as_etcd_spells_them() {
    let mut desk = desk();
    let spans = [("b", ""), ("b", "d"), ("b", "\0"), ("", ""), ("", "\0"), ("", "b")];
    for (key, end) in spans {
        desk.create(STREAM, between(key, end));
    }
    for (key, end) in [("b", "b"), ("b", "a"), ("", "\0\0")] {
        desk.create(STREAM, between(key, end));
    }
    assert_eq!(
        short(&desk.read(STREAM))[6..],
        ["refused EmptyRange @1", "refused EmptyRange @1", "created 6 @1"]
    );
    for key in ["\0", "a", "b", "bb", "d", "e"] {
        desk.put(key, "1");
    }
    let mut seen = vec![String::new(); 7];
    for response in desk.read(STREAM) {
        if let WatchResponse::Events { id, events, .. } = response {
            let line = &mut seen[usize::try_from(id.0).unwrap()];
            for event in &events {
                *line += &String::from_utf8_lossy(&event.kv.key).replace('\0', "0");
                *line += " ";
            }
        }
    }
    assert_eq!(seen, ["b ", "b bb ", "b bb d e ", "0 ", "0 a b bb d e ", "0 a ", "0 "]);
}

#[test]
fn a_watch_from_now_on_starts_after_the_revision_it_was_created_at() {
    let mut desk = desk();
    desk.put("a", "1");
    let pending = desk.world.put("a", "2");
    desk.create(STREAM, on("a"));
    desk.create(STREAM, from(3, on("a")));
    desk.publish(&pending);
    desk.put("a", "3");
    let told = short(&desk.read(STREAM));
    assert_eq!(told[..2], ["created 0 @3", "created 1 @3"]);
    assert!(told.contains(&"0: put a@4 @4".into()), "{told:?}");
    assert!(!told.contains(&"0: put a@3 @3".into()), "{told:?}");
    let second: String = told.iter().filter(|line| line.starts_with("1:")).cloned().collect();
    assert!(second.contains("put a@3") && second.contains("put a@4"), "{second}");
}

#[test]
fn a_start_before_the_compaction_is_created_and_canceled() {
    let mut desk = desk();
    for value in ["1", "2", "3"] {
        desk.put("a", value);
    }
    desk.world.compact(3);
    desk.create(STREAM, from(2, on("a")));
    desk.create(STREAM, from(-1, on("a")));
    desk.create(STREAM, on("a"));
    assert_eq!(
        short(&desk.read(STREAM)),
        ["created 0 @4", "canceled 0 compacted 3 @4", "refused NegativeStart @4", "created 1 @4"]
    );
    desk.put("a", "4");
    assert_eq!(short(&desk.read(STREAM)), ["1: put a@5 @5"], "the stream stays open");
}

#[test]
fn compaction_overtakes_a_lagging_watch() {
    for flushed in [false, true] {
        let mut desk = desk();
        for value in ["1", "2", "3"] {
            desk.put("a", value);
        }
        if flushed {
            desk.world.flush(5);
        }
        desk.create(STREAM, from(2, on("a")));
        if flushed {
            desk.step(10);
            assert_eq!(desk.scans.len(), 1);
        }
        desk.world.compact(4);
        assert_eq!(
            short(&desk.read(STREAM)),
            ["created 0 @4", "canceled 0 compacted 4 @4"],
            "flushed: {flushed}"
        );
    }
}

#[test]
fn filters_leave_out_puts_or_deletions() {
    let mut desk = desk();
    let mut no_put = on("a");
    no_put.no_put = true;
    let mut no_delete = from(2, on("a"));
    no_delete.no_delete = true;
    desk.put("a", "1");
    desk.delete("a");
    desk.create(STREAM, no_put);
    desk.create(STREAM, no_delete);
    assert_eq!(short(&desk.read(STREAM)), ["created 0 @3", "created 1 @3", "1: put a@2 @3"]);
    desk.put("a", "2");
    desk.delete("a");
    assert_eq!(short(&desk.read(STREAM)), ["1: put a@4 @4", "0: del a@5 @5"]);
}

#[test]
fn a_transaction_is_told_in_its_order_in_one_response() {
    let mut desk = desk();
    desk.put("b", "1");
    desk.create(STREAM, all());
    let events = desk.world.txn(&[("c", Some("1")), ("b", None), ("a", Some("1"))]);
    desk.publish(&events);
    assert_eq!(short(&desk.read(STREAM))[1..], ["0: put c@3 del b@3 put a@3 @3"]);
}

#[test]
fn all_watchers_of_an_event_share_it() {
    let mut desk = desk();
    desk.create(STREAM, on("a"));
    desk.create(STREAM, all());
    let published = desk.world.put("a", "1");
    desk.publish(&published);
    let mut told = 0;
    for response in desk.read(STREAM) {
        if let WatchResponse::Events { events, prev_kv, .. } = response {
            assert!(std::sync::Arc::ptr_eq(&events[0], &published[0]));
            assert_eq!((events[0].kind, prev_kv), (EventKind::Put, false));
            told += 1;
        }
    }
    assert_eq!(told, 2);
}

#[test]
fn a_canceled_watch_is_told_nothing_more_and_an_unknown_one_is_silence() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.create(STREAM, from(2, on("a")));
    desk.cancel(STREAM, WatchId(0));
    desk.cancel(STREAM, WatchId(0));
    desk.cancel(STREAM, WatchId(5));
    desk.put("a", "2");
    assert_eq!(short(&desk.read(STREAM)), ["created 0 @2", "canceled 0 @2"]);
    assert!(!desk.hub.watched());
}

#[test]
fn what_cannot_be_read_cancels_those_who_need_it_and_nobody_else() {
    let mut desk = desk();
    for value in ["1", "2", "3"] {
        desk.put("a", value);
    }
    desk.world.flush(5);
    desk.create(STREAM, from(2, on("a")));
    desk.create(STREAM, from(4, on("a")));
    desk.create(STREAM, on("a"));
    desk.step(10);
    let scan = desk.scans.iter().position(|scan| scan.from.main == 2).unwrap();
    let token = desk.scans.remove(scan).token;
    let damage = BackendError::Corrupt("table 7, block 3".into());
    desk.hub.scanned(token, Err(damage), &desk.world);
    assert_eq!(
        short(&desk.read(STREAM))[3..],
        ["canceled 0 unreadable @4", "1: put a@4 @4"],
        "the second one's own scan can be read"
    );
    desk.put("a", "4");
    assert_eq!(short(&desk.read(STREAM)), ["1: put a@5 @5", "2: put a@5 @5"]);
}

#[test]
fn a_closed_stream_is_forgotten_with_what_was_queued() {
    let mut desk = desk();
    desk.put("a", "1");
    desk.hub.create(desk.now, STREAM, from(2, on("a")), &desk.world);
    desk.hub.progress(STREAM);
    desk.hub.close(STREAM);
    assert_eq!(desk.hub.poll(), None);
    assert_eq!(desk.hub.counts(), store::watch::WatchCounts::default());
    desk.hub.create(desk.now, STREAM, on("a"), &desk.world);
    desk.hub.progress(STREAM);
    desk.hub.sent(STREAM, 100);
    assert_eq!(desk.hub.poll(), None);
    assert_eq!(desk.hub.poll_timeout(), None);
}
