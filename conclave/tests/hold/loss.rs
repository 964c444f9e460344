//! Holders that die, stand still or are cut off.

use std::time::{Duration, Instant};

use client::etcdserverpb::DeleteRangeRequest;
use tokio::runtime::Runtime;

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::worker::{Desk, Worker, queue, runs};

/// Works until it is ended.
const WORK: &str = "while :; do sleep 0.1; done";
/// Works, and is deaf to being told to end.
const DEAF: &str = "trap 'echo told >> told' TERM; while :; do sleep 0.1; done";

#[test]
fn the_next_one_holds_when_the_holder_is_killed_and_its_command_dies_with_it() {
    let cluster = Cluster::start(3);
    let desk = Desk::new();
    let first = Worker::script(&cluster, &desk, "a", &["lock", "x", "--ttl", "8"], WORK);
    let (pid, fence) = (desk.number("a.pid"), desk.number("a"));
    let _second = Worker::script(&cluster, &desk, "b", &["lock", "x", "--ttl", "8"], WORK);
    eventually("the second to queue up", || (queue(&cluster, &desk, "x") == 2).then_some(()));
    assert!(!desk.has("b"));
    first.signal("KILL");
    assert!(desk.number("b") > fence);
    assert!(!runs(pid), "the dead holder's command works on");
}

#[test]
fn a_holder_that_stands_still_for_too_long_has_lost_when_it_goes_on() {
    let cluster = Cluster::start(3);
    let desk = Desk::new();
    let mut first = Worker::script(&cluster, &desk, "a", &["elect", "x", "--ttl", "8"], DEAF);
    let (pid, fence) = (desk.number("a.pid"), desk.number("a"));
    let _second = Worker::script(&cluster, &desk, "b", &["elect", "x", "--ttl", "8"], WORK);
    eventually("the second to queue up", || (queue(&cluster, &desk, "x") == 2).then_some(()));
    first.signal("STOP");
    assert!(desk.number("b") > fence, "a larger token");
    first.signal("CONT");
    assert_eq!(first.end(), Some(1));
    assert!(!runs(pid), "the command of who has lost works on");
    let errors = first.errors();
    assert!(errors.contains("the leadership of x was lost: "), "{errors}");
    assert!(runs(desk.number("b.pid")));
}

#[test]
fn a_holder_that_reaches_nobody_ends_its_command_by_itself() {
    let mut cluster = Cluster::start(1);
    let desk = Desk::new();
    let words = ["lock", "x", "--ttl", "5", "--grace", "1s"];
    let mut holder = Worker::script(&cluster, &desk, "a", &words, DEAF);
    let pid = desk.number("a.pid");
    cluster.kill(0);
    assert_eq!(desk.line("told"), "told");
    eventually("the end of what does not end when told to", || (!runs(pid)).then_some(()));
    // Nobody hears that it leaves either: it does not wait for that for ever.
    assert_eq!(holder.end(), Some(1));
    let errors = holder.errors();
    assert!(errors.contains("the lock x was lost: its lease was not renewed for so"), "{errors}");
}

#[test]
fn a_holder_whose_key_is_deleted_ends_its_command_and_all_that_this_has_started() {
    let runtime = Runtime::new().unwrap();
    let cluster = Cluster::start(1);
    let desk = Desk::new();
    let script = "sh -c 'echo $$ > inner; while :; do sleep 0.1; done' & wait";
    let mut holder = Worker::script(&cluster, &desk, "a", &["lock", "x", "--ttl", "60"], script);
    let (pid, inner) = (desk.number("a.pid"), desk.number("inner"));
    let range = DeleteRangeRequest {
        key: "x/".into(),
        range_end: "x0".into(),
        ..DeleteRangeRequest::default()
    };
    let deleted = runtime.block_on(cluster.client(0).delete(range)).unwrap().deleted;
    assert_eq!(deleted, 1);
    assert_eq!(holder.end(), Some(1));
    assert!(!runs(pid));
    eventually("the end of what it has started", || (!runs(inner)).then_some(()));
    let errors = holder.errors();
    assert!(errors.ends_with("was lost: its key was deleted; its command was ended\n"), "{errors}");
}

#[test]
fn a_holder_stays_one_when_the_servers_leader_is_killed() {
    const TTL: Duration = Duration::from_secs(5);
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let desk = Desk::new();
    let words = ["lock", "x", "--ttl", "5"];
    let until_told = "while [ ! -e stop ]; do sleep 0.1; done; exit 7";
    let mut holder = Worker::script(&cluster, &desk, "a", &words, until_told);
    let fence = desk.number("a");
    let _next = Worker::script(&cluster, &desk, "b", &words, WORK);
    eventually("the next to queue up", || (queue(&cluster, &desk, "x") == 2).then_some(()));
    let leader = cluster.leader(&runtime);
    cluster.kill(leader);
    let killed = Instant::now();
    eventually("twice the time to live to pass", || {
        assert!(!holder.has_ended(), "{}", holder.errors());
        assert!(!desk.has("b"));
        (killed.elapsed() > 2 * TTL).then_some(())
    });
    desk.write("stop", "");
    assert_eq!(holder.end(), Some(7), "{}", holder.errors());
    assert!(desk.number("b") > fence);
}
