//! A member that was added and then started without `--initial-cluster-state existing`: it has
//! founded a cluster of its own.

use crate::support::cluster::Cluster;
use crate::support::{ended, eventually, free_ports, get};
use crate::{add, ask, await_voter, files, said, without};

const FLAG: &str = "--initial-cluster-state";

#[test]
fn a_founding_without_entries_is_put_aside_when_the_flag_is_given_later() {
    let mut cluster = Cluster::start_with_spares(3, 1, &[]);
    add(&cluster, 3);
    let mistaken = without(&cluster.command(3), &[FLAG]);
    cluster.run_by(3, mistaken);
    let name = cluster.members[3].name.clone();
    eventually("the refusal", || {
        let told = "start that one again with that flag";
        cluster.log(&name).contains(told).then_some(())
    });
    // It does not depend on a clean end.
    cluster.kill(3);
    cluster.run(3);
    await_voter(&cluster, 3);
    cluster.await_healthy();
    let log = cluster.log(&name);
    assert!(log.contains("never held anything") && log.contains("outdated-1"), "{log}");
    // From here on the directory is its own: nothing is asked again.
    cluster.kill(3);
    let asked = log.matches("asking to join").count();
    cluster.run(3);
    cluster.await_healthy();
    assert_eq!(cluster.log(&name).matches("asking to join").count(), asked);
    cluster.assert_unharmed();
}

#[test]
fn a_newcomer_that_nobody_has_reached_is_told_the_same_again() {
    let mut cluster = Cluster::start_with_spares(1, 1, &[]);
    add(&cluster, 1);
    let id = |cluster: &Cluster| {
        let listed = ask(cluster, 0, &["member", "list"]);
        let url = cluster.peer_url(1);
        let line = listed.lines().find(|line| line.contains(&url)).unwrap();
        line[..16].to_owned()
    };
    let before = id(&cluster);
    // It listens where nobody looks for it: it is told who it is, and meets nobody.
    let mut elsewhere = without(&cluster.command(1), &["--listen-peer"]);
    elsewhere.args(["--listen-peer", &format!("127.0.0.1:{}", free_ports(1)[0])]);
    cluster.run_by(1, elsewhere);
    let name = cluster.members[1].name.clone();
    let life = cluster.members[1].dir.join("LIFE");
    eventually("a directory", || life.exists().then_some(()));
    cluster.kill(1);
    cluster.run(1);
    await_voter(&cluster, 1);
    assert!(cluster.log(&name).contains("holds nothing yet: asking to join"));
    assert_eq!(id(&cluster), before);
    assert!(!cluster.members[1].dir.join("outdated-1").exists());
}

#[test]
fn a_founding_with_entries_is_kept_and_the_start_says_how_to_join() {
    let mut cluster = Cluster::start_with_spares(3, 1, &[]);
    add(&cluster, 3);
    let alone = without(&cluster.command(3), &[FLAG, "--initial-cluster"]);
    cluster.run_by(3, alone);
    cluster.await_answer(3);
    ask(&cluster, 3, &["kv", "put", "told", "kept"]);
    cluster.kill(3);
    let dir = cluster.members[3].dir.clone();
    let before = files(&dir);
    let output = ended(&mut cluster.command(3));
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("Its log has entries") && text.contains(FLAG), "{text}");
    assert!(before == files(&dir), "something was changed");
    // As it was started then, it goes on.
    let alone = without(&cluster.command(3), &[FLAG, "--initial-cluster"]);
    cluster.run_by(3, alone);
    cluster.await_answer(3);
    assert!(ask(&cluster, 3, &["kv", "get", "told"]).contains("kept"));
    cluster.kill(3);
    // The command that was printed, and then the same start.
    let (_, rest) = text.split_once("run `").unwrap();
    let (command, _) = rest.split_once('`').unwrap();
    let moved = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(moved.success(), "{command}");
    cluster.run(3);
    await_voter(&cluster, 3);
    cluster.await_healthy();
    assert!(get(cluster.members[3].client_port, "/health").unwrap().1.contains("true"));
    cluster.assert_unharmed();
}

#[test]
fn a_founder_whose_flags_say_later_that_the_cluster_exists_goes_on() {
    let mut cluster = Cluster::start_with_spares(1, 1, &[]);
    add(&cluster, 1);
    cluster.run(1);
    await_voter(&cluster, 1);
    // Both members, with the flags that an operator gives to all of them.
    cluster.kill(0);
    let mut command = without(&cluster.command(0), &["--initial-cluster"]);
    let of = |at: usize| format!("{}={}", cluster.members[at].name, &cluster.peer_url(at)[7..]);
    let all = [of(0), of(1)].join(",");
    command.args(["--initial-cluster", &all, FLAG, "existing"]);
    cluster.run_by(0, command);
    cluster.await_healthy();
    // And alone again, with the same flags.
    let name = cluster.members[1].name.clone();
    ask(&cluster, 0, &["member", "remove", &name]);
    assert_eq!(cluster.await_end(1), Some(3));
    cluster.kill(0);
    let mut command = without(&cluster.command(0), &["--initial-cluster"]);
    command.args(["--initial-cluster", &all, FLAG, "existing"]);
    cluster.run_by(0, command);
    cluster.await_answer(0);
}
