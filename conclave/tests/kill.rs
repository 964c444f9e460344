//! Members that die by SIGKILL under load, and what survives.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::time::{Duration, Instant};

use support::cluster::Cluster;
use support::eventually;
use support::writers::Writers;

const WRITERS: usize = 16;
/// For a group that agrees by Zab.
const ZAB: &[&str] = &["--consensus", "zab"];

fn rounds() -> usize {
    std::env::var("KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20)
}

fn report(what: &str, mut gaps: Vec<Duration>) {
    gaps.sort_unstable();
    let median = gaps[gaps.len() / 2];
    let worst = gaps[gaps.len() - 1];
    eprintln!("{what}: {} rounds, first new write after {median:?}, worst {worst:?}", gaps.len());
}

/// Waits until a write is acknowledged that ended after `moment`.
fn await_write_after(writers: &Writers, moment: Instant) -> Instant {
    eventually("a write to be acknowledged", || {
        let last = writers.last_acknowledged();
        (last > moment).then_some(last)
    })
}

/// Kills the leader again and again while clients write, and counts what they were promised.
fn kill_leaders(mut cluster: Cluster, rounds: usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let writers = Writers::start(&runtime, &cluster.endpoints(), WRITERS);
    let mut gaps = Vec::new();
    for _ in 0..rounds {
        await_write_after(&writers, Instant::now());
        let leader = cluster.leader(&runtime);
        cluster.kill(leader);
        let killed = Instant::now();
        gaps.push(await_write_after(&writers, killed).duration_since(killed));
        cluster.run(leader);
        cluster.await_healthy();
    }
    let total = writers.finish(&runtime, &cluster.any_client());
    cluster.assert_equal(&runtime);
    report(&format!("leader killed, {total} writes acknowledged, 0 lost"), gaps);
}

#[test]
fn s0_05_s1_02_s1_14_no_acknowledged_write_is_lost_when_leaders_are_killed() {
    kill_leaders(Cluster::start(3), rounds());
}

/// The layout of machines with many cores: connections, node and log on threads of their own.
#[test]
fn nor_when_every_kind_of_work_has_its_own_thread() {
    kill_leaders(Cluster::start_with(3, &["--threads", "split:2"]), 3);
}

#[test]
fn nor_in_a_group_that_runs_zab() {
    kill_leaders(Cluster::start_with(3, ZAB), rounds());
}

/// Kills all members at once, again and again.
fn kill_all(mut cluster: Cluster) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let writers = Writers::start(&runtime, &cluster.endpoints(), WRITERS);
    let mut gaps = Vec::new();
    for _ in 0..rounds() {
        await_write_after(&writers, Instant::now());
        (0..3).for_each(|at| cluster.kill(at));
        let killed = Instant::now();
        (0..3).for_each(|at| cluster.run(at));
        gaps.push(await_write_after(&writers, killed).duration_since(killed));
        cluster.await_healthy();
    }
    let total = writers.finish(&runtime, &cluster.any_client());
    cluster.assert_equal(&runtime);
    report(&format!("all killed, {total} writes acknowledged, 0 lost"), gaps);
}

#[test]
fn s1_21_no_acknowledged_write_is_lost_when_all_are_killed_at_once() {
    kill_all(Cluster::start(3));
}

#[test]
fn nor_when_all_of_a_group_that_runs_zab_are() {
    kill_all(Cluster::start_with(3, ZAB));
}
