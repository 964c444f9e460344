//! What slow clients cost: their own credit, and nobody else's time.

use std::sync::Arc;

use bytes::Bytes;
use store::watch::{
    History, HistoryChunk, StreamId, WatchCreate, WatchLimits, WatchOutput, WatchResponse,
};
use store::{Error, Event, KeyRange, Record, Revision};

use crate::desk::{Desk, STREAM, all, from, on, short};

const OTHER: StreamId = StreamId(2);

fn events_in(responses: &[WatchResponse]) -> usize {
    let counts = responses.iter().map(|response| match response {
        WatchResponse::Events { events, .. } => events.len(),
        _ => 0,
    });
    counts.sum()
}

#[test]
fn a_client_that_does_not_read_costs_its_credit_and_no_more() {
    let limits = WatchLimits { outstanding_bytes: 10_000, ..WatchLimits::default() };
    let mut desk = Desk::with_stream(limits);
    desk.open(OTHER);
    desk.create(STREAM, all());
    desk.create(STREAM, on("a"));
    desk.create(OTHER, all());
    let mut heard = 0;
    for _ in 0..5000 {
        desk.put("a", "0123456789012345678901234567890123456789");
        desk.step(10);
        while let Some(response) = desk.write(OTHER) {
            heard += usize::from(matches!(response, WatchResponse::Events { .. }));
        }
    }
    assert_eq!(heard, 5000, "the other one hears each at once");
    assert!(desk.peak < 10_000 + 500, "{}", desk.peak);
    assert_eq!(desk.hub.counts().blocked, 2);
    assert!(!desk.step(10), "what waits for credit is no work");
}

#[test]
fn watches_without_events_stay_live_on_a_stream_without_credit() {
    let limits = WatchLimits { outstanding_bytes: 200, ..WatchLimits::default() };
    let mut desk = Desk::with_stream(limits);
    desk.create(STREAM, on("quiet"));
    desk.create(STREAM, on("a"));
    for value in ["1", "2", "3"] {
        desk.put("a", value);
    }
    let counts = desk.hub.counts();
    assert_eq!((counts.blocked, counts.ready), (1, 0));
}

#[test]
fn a_client_that_asks_without_reading_loses_its_stream() {
    let limits =
        WatchLimits { outstanding_bytes: 1000, unread_answers: 50, ..WatchLimits::default() };
    let mut desk = Desk::with_stream(limits);
    desk.open(OTHER);
    desk.create(OTHER, on("a"));
    for _ in 0..100 {
        desk.create(STREAM, on("a"));
    }
    assert_eq!(desk.overrun, [STREAM]);
    assert!(desk.peak < 1000 + 51 * 100, "{}", desk.peak);
    assert_eq!(desk.hub.counts().watchers, 1);
    desk.put("a", "1");
    assert_eq!(short(&desk.read(OTHER)), ["created 0 @1", "0: put a@2 @2"]);
}

#[test]
fn asking_for_progress_without_reading_is_one_question() {
    let limits = WatchLimits { outstanding_bytes: 300, ..WatchLimits::default() };
    let mut desk = Desk::with_stream(limits);
    desk.create(STREAM, on("a"));
    for _ in 0..10_000 {
        desk.progress(STREAM);
    }
    assert!(desk.peak < 400, "{}", desk.peak);
    assert_eq!(short(&desk.read(STREAM)).last().unwrap(), "progress all @1");
}

#[test]
fn streams_and_watchers_are_counted() {
    let limits = WatchLimits { streams: 2, watchers_per_stream: 2, ..WatchLimits::default() };
    let mut desk = Desk::with_stream(limits);
    desk.open(OTHER);
    assert!(!desk.hub.open(StreamId(3)), "too many");
    desk.close(OTHER);
    assert!(!desk.hub.open(STREAM), "open already");
    assert!(desk.hub.open(StreamId(3)));
    for _ in 0..3 {
        desk.create(STREAM, on("a"));
    }
    assert_eq!(
        short(&desk.read(STREAM)),
        ["created 0 @1", "created 1 @1", "refused TooManyWatchers @1"]
    );
}

#[test]
fn responses_end_at_the_revision_that_fills_them() {
    let limits = WatchLimits { response_bytes: 300, ..WatchLimits::default() };
    let mut desk = Desk::with_stream(limits);
    for _ in 0..20 {
        desk.world.put("a", "0123456789");
    }
    desk.create(STREAM, from(2, all()));
    let told = desk.read(STREAM);
    let sizes: Vec<_> = told.iter().map(WatchResponse::cost).collect();
    assert_eq!(sizes.len(), 1 + 5, "{sizes:?}");
    assert!(sizes.iter().all(|cost| *cost < 300 + 2 * 75 + 64), "{sizes:?}");
}

/// Counts what is asked of the history.
struct Counted<'a> {
    world: &'a crate::world::World,
    reads: std::cell::Cell<usize>,
}

impl History for Counted<'_> {
    fn revision(&self) -> i64 {
        self.world.revision()
    }

    fn compact_revision(&self) -> i64 {
        self.world.compact_revision()
    }

    fn history(&self, from: Revision, limit: usize) -> Result<HistoryChunk, Error> {
        self.reads.set(self.reads.get() + 1);
        self.world.history(from, limit)
    }

    fn event_of(&self, at: Revision, record: &Record) -> Event {
        self.world.event_of(at, record)
    }
}

#[test]
fn lagging_watchers_share_what_is_read() {
    let mut desk = Desk::with_stream(WatchLimits { batch: 100, ..WatchLimits::default() });
    for _ in 0..500 {
        desk.world.put("a", "1");
    }
    for start in 0..80 {
        desk.create(STREAM, from(2 + start, on("a")));
    }
    let counted = Counted { world: &desk.world, reads: std::cell::Cell::new(0) };
    while desk.hub.step(desk.now, &counted, 1_000_000) {}
    assert!(counted.reads.get() <= 14, "{} reads of 100 events", counted.reads.get());
    let mut told = Vec::new();
    while let Some(output) = desk.hub.poll() {
        match output {
            WatchOutput::Respond { response, .. } => told.push(response),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(events_in(&told), (0..80).map(|start| 500 - start).sum::<usize>());
}

#[test]
fn a_short_lag_ends_long_before_a_long_one() {
    let mut desk = Desk::with_stream(WatchLimits { batch: 10, ..WatchLimits::default() });
    desk.open(OTHER);
    for _ in 0..2000 {
        desk.world.put("a", "1");
    }
    desk.world.flush(1500);
    desk.create(STREAM, from(2, on("a")));
    desk.create(OTHER, from(1998, on("a")));
    desk.step(10);
    desk.step(10);
    assert_eq!(events_in(&desk.read_wire(OTHER)), 4);
    assert_eq!(desk.hub.counts().ready, 1, "the long one goes on");
}

#[test]
fn new_long_lags_do_not_starve_an_older_one() {
    let mut desk = Desk::with_stream(WatchLimits { batch: 10, ..WatchLimits::default() });
    desk.open(OTHER);
    for _ in 0..60 {
        desk.world.put("a", "1");
    }
    desk.create(STREAM, from(30, on("a")));
    let mut told = 0;
    for _ in 0..200 {
        // There is always somebody at the beginning, and somebody near the end.
        desk.create(OTHER, from(2, on("a")));
        desk.create(OTHER, from(desk.world.revision(), on("a")));
        desk.step(10);
        desk.read_wire(OTHER);
        for response in desk.read_wire(STREAM) {
            if let WatchResponse::Events { events, .. } = response {
                told = events.last().unwrap().kv.mod_revision;
            }
        }
    }
    assert_eq!(told, desk.world.revision());
}

#[test]
fn steps_are_bounded_whatever_there_is_to_do() {
    let mut desk = Desk::with_stream(WatchLimits { batch: 50, ..WatchLimits::default() });
    for _ in 0..400 {
        desk.world.put("a", "1");
    }
    for _ in 0..200 {
        desk.create(STREAM, from(2, on("a")));
    }
    let mut steps = 0;
    loop {
        let before = desk.wires[&STREAM].queue.len();
        let more = desk.step(50);
        // One revision for each of the two hundred, plus what the budget allows.
        assert!(desk.wires[&STREAM].queue.len() - before <= 200 + 50);
        steps += 1;
        if !more {
            break;
        }
    }
    assert!(steps > 100, "{steps}");
}

#[test]
fn the_smallest_budget_gets_there_too() {
    let mut desk = Desk::with_stream(WatchLimits { batch: 8, ..WatchLimits::default() });
    for _ in 0..40 {
        desk.world.txn(&[("a", Some("1")), ("b", Some("1"))]);
    }
    desk.world.flush(30);
    for start in [2, 2, 9, 28, 35] {
        desk.create(STREAM, from(start, all()));
    }
    let mut calls = 0;
    while desk.hub.counts().ready > 0 {
        desk.step(1);
        if !desk.scans.is_empty() {
            desk.answer(0);
        }
        calls += 1;
        assert!(calls < 1000, "no way forward");
    }
    let expected: usize = [2, 2, 9, 28, 35].iter().map(|start| 2 * (42 - start)).sum();
    assert_eq!(events_in(&desk.read_wire(STREAM)), expected);
}

#[test]
fn ten_thousand_ranges_are_not_looked_at_one_by_one() {
    let limits = WatchLimits { watchers_per_stream: 20_000, ..WatchLimits::default() };
    let mut desk = Desk::with_stream(limits);
    for n in 0..10_000_u32 {
        let key = Bytes::from(format!("/tenant/{n:05}/"));
        let end = Bytes::from(format!("/tenant/{n:05}0"));
        let request = WatchCreate { keys: KeyRange { key, end }, ..all() };
        desk.create(STREAM, request);
        if n % 4 == 0 {
            while desk.write(STREAM).is_some() {}
        }
    }
    while desk.write(STREAM).is_some() {}
    for n in 0..10_000_u32 {
        let key = Bytes::from(format!("/tenant/{n:05}/x"));
        let events: Vec<Arc<Event>> = desk.world.apply(&[(key, Some(Bytes::from_static(b"v")))]);
        desk.publish(&events);
        let id = match desk.write(STREAM) {
            Some(WatchResponse::Events { id, .. }) => id.0,
            other => panic!("{other:?}"),
        };
        assert_eq!(id, i64::from(n));
        assert_eq!(desk.write(STREAM), None);
    }
}
