//! A member that was away for longer than the log is kept for gets the state whole.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use support::cluster::Cluster;
use support::writers::Writers;
use support::{eventually, get};
use tokio::runtime::Runtime;

const VALUE: usize = 1 << 20;

/// A counter of a member.
fn counter(cluster: &Cluster, at: usize, name: &str) -> u64 {
    let page = get(cluster.members[at].client_port, "/metrics").unwrap().1;
    let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn a_member_that_was_away_for_long_gets_the_state_under_load() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with(3, &["--log-keep", "1MiB"]);
    let leader = cluster.leader(&runtime);
    let away = (0..3).find(|at| *at != leader).unwrap();
    cluster.kill(away);
    let client = cluster.client(leader);
    // Four segments of the log, over half as many keys.
    for number in 0..64 {
        let key = format!("big/{:02}", number % 32);
        let value = vec![u8::try_from(number).unwrap(); VALUE];
        eventually("a put", || runtime.block_on(client.put(key.clone(), value.clone())).ok());
    }
    let writers = Writers::start(&runtime, &[cluster.endpoint(leader)], 4);
    cluster.run(away);
    cluster.await_answer(away);
    eventually("the state to be installed", || {
        (counter(&cluster, away, "conclave_snapshots_installed_total") == 1).then_some(())
    });
    assert!(counter(&cluster, leader, "conclave_snapshots_sent_total") <= 1);
    // What was installed is its own from now on: killed, it comes back from it.
    cluster.kill(away);
    cluster.run(away);
    cluster.await_healthy();
    let total = writers.finish(&runtime, &cluster.any_client());
    assert!(total > 0);
    cluster.assert_equal(&runtime);
    assert_eq!(counter(&cluster, away, "conclave_snapshots_installed_total"), 0);
    cluster.assert_unharmed();
}
