//! A member that stands still for a while and then goes on as if nothing had happened.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::time::{Duration, Instant};

use client::Client;
use etcdpb::etcdserverpb::{PutRequest, RangeRequest};
use support::cluster::Cluster;
use support::{PATIENCE, eventually};
use tokio::runtime::Runtime;

const FREEZE: Duration = Duration::from_secs(10);

fn put(runtime: &Runtime, client: &Client, key: &str, value: &str) {
    eventually("a put", || runtime.block_on(client.put(key.to_string(), value.to_string())).ok());
}

/// Every linearizable read that `client` finishes must see at least what had been acknowledged
/// before it began.
fn read_value(runtime: &Runtime, client: &Client, key: &str) -> Option<u64> {
    let range = RangeRequest { key: key.to_string().into(), ..RangeRequest::default() };
    let answer = runtime
        .block_on(async { tokio::time::timeout(PATIENCE, client.range(range)).await.ok()?.ok() })?;
    String::from_utf8_lossy(&answer.kvs.first()?.value).parse().ok()
}

#[test]
fn s1_06_a_frozen_leader_serves_no_stale_read_when_it_goes_on() {
    freeze_leader(&Cluster::start(3));
}

#[test]
fn nor_does_one_of_a_group_that_runs_zab() {
    freeze_leader(&Cluster::start_with(3, &["--consensus", "zab"]));
}

fn freeze_leader(cluster: &Cluster) {
    let runtime = Runtime::new().unwrap();
    let leader = cluster.leader(&runtime);
    put(&runtime, &cluster.client(leader), "seen", "1");
    let lease = runtime.block_on(cluster.client(leader).lease_grant(30, 0)).unwrap();
    let leased = PutRequest {
        key: "leased".into(),
        value: "v".into(),
        lease: lease.id,
        ..PutRequest::default()
    };
    runtime.block_on(cluster.client(leader).put_with(leased)).unwrap();
    let granted = Instant::now();

    cluster.signal(leader, "STOP");
    let frozen = Instant::now();
    // A read that reaches the frozen process waits in its sockets until it goes on.
    let waiting = cluster.client(leader);
    let early = runtime.spawn(async move {
        let range = RangeRequest { key: "seen".into(), ..RangeRequest::default() };
        waiting.range(range).await
    });
    let others: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
    put(&runtime, &cluster.client(others[0]), "seen", "2");
    eventually("the time of the freeze to pass", || (frozen.elapsed() >= FREEZE).then_some(()));
    put(&runtime, &cluster.client(others[1]), "seen", "3");
    cluster.signal(leader, "CONT");

    // Reads at the old leader from the first moment on: none may be older than the last
    // acknowledged write, whatever the process still believes of itself.
    let client = cluster.client(leader);
    let mut reads = 0;
    eventually("the old leader to serve again", || {
        let value = read_value(&runtime, &client, "seen")?;
        assert_eq!(value, 3, "a stale linearizable read");
        reads += 1;
        (reads == 50).then_some(())
    });
    if let Ok(Ok(answer)) = runtime.block_on(early) {
        let value: u64 = String::from_utf8_lossy(&answer.kvs[0].value).parse().unwrap();
        assert!(value >= 1, "the read began after 1 was acknowledged");
    }

    // The lease lives until its time is over, whoever led meanwhile.
    let key = || runtime.block_on(client.get("leased".to_string()));
    while granted.elapsed() < Duration::from_secs(29) {
        if let Ok(kv) = key() {
            assert!(kv.is_some(), "expired after {:?} of 30 s", granted.elapsed());
        }
        // The pace of the poll: its deadline is the lease's own.
        std::thread::sleep(Duration::from_millis(100));
    }
    eventually("the lease to expire", || key().ok().filter(Option::is_none));
    cluster.assert_equal(&runtime);
}

#[test]
fn s0_04_a_frozen_follower_catches_up() {
    freeze_follower(&Cluster::start(3));
}

#[test]
fn so_does_one_of_a_group_that_runs_zab() {
    freeze_follower(&Cluster::start_with(3, &["--consensus", "zab"]));
}

fn freeze_follower(cluster: &Cluster) {
    let runtime = Runtime::new().unwrap();
    let leader = cluster.leader(&runtime);
    let follower = (leader + 1) % 3;
    cluster.signal(follower, "STOP");
    for number in 0..200 {
        put(&runtime, &cluster.client(leader), "n", &number.to_string());
    }
    cluster.signal(follower, "CONT");
    let client = cluster.client(follower);
    eventually("the follower to serve again", || {
        let value = read_value(&runtime, &client, "n")?;
        assert_eq!(value, 199, "a stale linearizable read");
        Some(())
    });
    cluster.assert_equal(&runtime);
}
