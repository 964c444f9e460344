//! Progress notifications: only in silence, only when true.

use std::time::Duration;

use protocol::Time;
use store::watch::{WatchCreate, WatchId, WatchLimits};

use crate::desk::{Desk, STREAM, from, on, short};

const INTERVAL: Duration = Duration::from_secs(600);
/// The interval with its greatest jitter.
const LONGEST: Duration = Duration::from_secs(660);

fn notified(request: WatchCreate) -> WatchCreate {
    WatchCreate { progress_notify: true, ..request }
}

/// Jumps from timer to timer until `end`.
fn run_to(desk: &mut Desk, end: Time) {
    while let Some(due) = desk.hub.poll_timeout().filter(|due| *due <= end) {
        desk.advance(due - desk.now);
        assert_eq!(desk.now, due);
    }
    desk.advance(end - desk.now);
}

#[test]
fn a_quiet_watch_is_told_how_far_it_is() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    desk.create(STREAM, notified(on("a")));
    desk.create(STREAM, on("a"));
    desk.put("b", "1");
    desk.read(STREAM);
    let due = desk.hub.poll_timeout().unwrap();
    assert!(due >= Time::default() + INTERVAL && due <= Time::default() + LONGEST);
    desk.advance(INTERVAL - Duration::from_nanos(1));
    assert_eq!(short(&desk.read(STREAM)), [""; 0]);
    run_to(&mut desk, due);
    assert_eq!(short(&desk.read(STREAM)), ["progress 0 @2"]);
    let next = desk.hub.poll_timeout().unwrap();
    assert!(next >= due + INTERVAL && next <= due + LONGEST);
}

#[test]
fn events_put_progress_off() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    desk.create(STREAM, notified(on("a")));
    desk.advance(INTERVAL / 2);
    desk.put("a", "1");
    let told = desk.now;
    desk.read(STREAM);
    run_to(&mut desk, told + (INTERVAL - Duration::from_nanos(1)));
    assert_eq!(short(&desk.read(STREAM)), [""; 0]);
    run_to(&mut desk, told + LONGEST);
    assert_eq!(short(&desk.read(STREAM)), ["progress 0 @2"]);
}

#[test]
fn lagging_blocked_and_future_watches_are_not_told() {
    let limits = WatchLimits { outstanding_bytes: 400, ..WatchLimits::default() };
    let mut desk = Desk::with_stream(limits);
    desk.put("a", "1");
    desk.world.flush(3);
    desk.create(STREAM, notified(from(2, on("z"))));
    desk.create(STREAM, notified(from(9, on("z"))));
    desk.read(STREAM);
    desk.create(STREAM, notified(from(2, on("a"))));
    assert_eq!(desk.write(STREAM).map(|created| short(&[created])).unwrap(), ["created 2 @2"]);
    desk.step(10);
    assert_eq!(desk.hub.counts().ready, 1, "its scan has not returned");
    run_to(&mut desk, Time::default() + LONGEST);
    assert_eq!(desk.write(STREAM).map(|told| short(&[told])).unwrap(), ["progress 0 @2"]);
    assert_eq!(desk.write(STREAM), None);
    desk.settle();
    for value in ["2", "3", "4", "5"] {
        desk.put("a", value);
    }
    assert_eq!(desk.hub.counts().blocked, 1);
    run_to(&mut desk, Time::default() + LONGEST * 3);
    let wire = &mut desk.wires.get_mut(&STREAM).unwrap().queue;
    let queued = short(wire.make_contiguous());
    assert!(queued.iter().all(|line| line.starts_with("2:")), "no credit: {queued:?}");
}

#[test]
fn one_stream_waiting_for_the_future_does_not_hold_up_another_request() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    desk.create(STREAM, on("a"));
    desk.create(STREAM, from(1_000, on("a")));
    desk.progress(STREAM);
    desk.put("b", "1");
    assert_eq!(short(&desk.read(STREAM)), ["created 0 @1", "created 1 @1"]);
    // Without the watch of the future the answer is due at once.
    desk.cancel(STREAM, WatchId(1));
    assert_eq!(short(&desk.read(STREAM)), ["canceled 1 @2", "progress all @2"]);
    // Without any watch there is nobody to be told, as in etcd.
    desk.cancel(STREAM, WatchId(0));
    desk.progress(STREAM);
    assert_eq!(short(&desk.read(STREAM)), ["canceled 0 @2"]);
}

#[test]
fn an_interval_of_zero_is_for_ever() {
    let limits = WatchLimits { progress_interval: Duration::ZERO, ..WatchLimits::default() };
    let mut desk = Desk::with_stream(limits);
    desk.create(STREAM, notified(on("a")));
    assert_eq!(desk.hub.poll_timeout(), None);
}

#[test]
fn canceled_watches_leave_no_timer() {
    let mut desk = Desk::with_stream(WatchLimits::default());
    desk.create(STREAM, notified(on("a")));
    desk.cancel(STREAM, WatchId(0));
    assert_eq!(desk.hub.poll_timeout(), None);
}
