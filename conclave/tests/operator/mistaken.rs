//! A directory that is not that of the member which the settings name: nothing in it is changed.

use std::process::Command;

use crate::support::cluster::{Cluster, conclave};
use crate::support::ended;
use crate::{add, ask, await_voter, files, said, without};

/// Starts a member by a command that must be refused, and gives what it said. The directory of the
/// member is what it was, to the last byte.
fn refused(cluster: &Cluster, at: usize, mut command: Command) -> String {
    let dir = &cluster.members[at].dir;
    let before = files(dir);
    let output = ended(&mut command);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(before == files(dir), "something was changed: {text}");
    assert!(!text.contains("begins anew") && !text.contains("recovered at"), "{text}");
    text
}

#[test]
fn a_directory_of_another_cluster_or_another_name_is_not_touched() {
    let mut cluster = Cluster::start(3);
    ask(&cluster, 0, &["kv", "put", "k", "v"]);
    // In good order, so that the state has what the log has; and without.
    assert_eq!(cluster.terminate(0), Some(0));
    cluster.kill(1);
    for at in [0, 1] {
        let mut token = cluster.command(at);
        token.args(["--cluster-token", "another"]);
        let text = refused(&cluster, at, token);
        assert!(text.contains("belongs to node") && text.contains("--cluster-token"), "{text}");
        let mut name = without(&cluster.command(at), &["--name"]);
        name.args(["--name", "m2"]);
        assert!(refused(&cluster, at, name).contains("correct --name"));
        cluster.run(at);
    }
    cluster.await_healthy();
    cluster.assert_unharmed();
}

#[test]
fn a_member_that_was_taken_in_is_not_started_under_another_name() {
    let mut cluster = Cluster::start_with_spares(1, 1, &[]);
    add(&cluster, 1);
    cluster.run(1);
    await_voter(&cluster, 1);
    assert_eq!(cluster.terminate(1), Some(0));
    let mut name = without(&cluster.command(1), &["--name", "--initial-cluster"]);
    let all = [("m0", 0), ("other", 1)]
        .map(|(name, at)| format!("{name}={}", &cluster.peer_url(at)[7..]));
    name.args(["--name", "other", "--initial-cluster", &all.join(",")]);
    assert!(refused(&cluster, 1, name).contains("correct --name"));
    cluster.run(1);
    cluster.await_healthy();
}

#[test]
fn a_restored_directory_is_not_begun_with_the_wrong_token() {
    let mut cluster = Cluster::start(1);
    ask(&cluster, 0, &["kv", "put", "k", "v"]);
    let dir = cluster.members[0].dir.clone();
    let file = dir.with_extension("snapshot");
    ask(&cluster, 0, &["snapshot", "save", file.to_str().unwrap()]);
    cluster.kill(0);
    std::fs::remove_dir_all(&dir).unwrap();
    let restored = conclave()
        .args(["snapshot", "restore"])
        .arg(&file)
        .arg("--data-dir")
        .arg(&dir)
        .args(["--name", "m0", "--initial-cluster", cluster.initial()])
        .args(["--cluster-token", "tuesday"])
        .output()
        .unwrap();
    assert!(restored.status.success(), "{}", said(&restored));
    let wrong = cluster.command(0);
    assert!(refused(&cluster, 0, wrong).contains("--cluster-token"));
    let mut right = cluster.command(0);
    right.args(["--cluster-token", "tuesday"]);
    cluster.run_by(0, right);
    cluster.await_healthy();
    assert!(ask(&cluster, 0, &["kv", "get", "k"]).contains('v'));
}
