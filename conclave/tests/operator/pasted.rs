//! The commands that are printed for a member's start: a shell takes them as they are, and the
//! member serves.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::cluster::{Cluster, DISK_RESERVED, SMALL_RESERVE, conclave};
use crate::support::{eventually, free_ports};
use crate::{ask, await_voter, said};

/// A port for peers such that the one below, which the printed command gives to clients, is free.
fn free_pair() -> u16 {
    eventually("two ports in a row", || {
        let port = free_ports(1)[0];
        TcpListener::bind(("127.0.0.1", port - 1)).ok().map(|_| port)
    })
}

/// The command in what was printed, with the lines that it goes on over.
fn printed(text: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.contains(" agent --server "));
    let more = |line: &&str| line.ends_with('\\');
    let count = lines.clone().take_while(more).count() + 1;
    let command: Vec<&str> = lines.take(count).collect();
    assert!(!command.is_empty(), "{text}");
    command.join("\n")
}

/// Pastes a command into a shell in `folder`, as the member of this place.
fn paste(cluster: &mut Cluster, at: usize, (folder, text): (&Path, &str)) {
    let line = printed(text);
    let mut words = line.split_whitespace().skip_while(|word| *word != "--listen-client").skip(1);
    let (_, port) = words.next().unwrap().rsplit_once(':').unwrap();
    cluster.members[at].client_port = port.parse().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {}", line.trim())]).current_dir(folder).stdin(Stdio::null());
    shell.env(DISK_RESERVED, SMALL_RESERVE);
    cluster.run_by(at, shell);
}

#[test]
fn those_of_member_add_and_replace_start_the_member() {
    let mut cluster = Cluster::start_with_spares(3, 2, &[]);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("127.0.0.1:{}", free_pair());
    let text = ask(&cluster, 0, &["member", "add", &url, "--name", "m3"]);
    // Known before it has a name, and meant by its address.
    let listed = ask(&cluster, 0, &["status"]);
    let waiting = listed.lines().last().unwrap();
    assert!(waiting.ends_with(&format!("not started, at {url}")), "{listed}");
    assert!(ask(&cluster, 0, &["member", "update", &url, &url]).contains("is reached at"));
    paste(&mut cluster, 3, (folder.path(), &text));
    await_voter(&cluster, 3);
    cluster.await_answer(3);

    let url = format!("127.0.0.1:{}", free_pair());
    let text = ask(&cluster, 0, &["member", "replace", "m3", &url, "--name", "m4"]);
    paste(&mut cluster, 4, (folder.path(), &text));
    await_voter(&cluster, 4);
    assert_eq!(cluster.await_end(3), Some(3), "it is removed in the same step");
    cluster.await_healthy();
    cluster.assert_unharmed();
}

#[test]
fn a_member_that_never_started_is_removed_by_its_address() {
    let cluster = Cluster::start(1);
    let url = "127.0.0.1:1";
    ask(&cluster, 0, &["member", "add", url]);
    assert!(ask(&cluster, 0, &["member", "list"]).contains("unstarted"));
    assert!(ask(&cluster, 0, &["member", "remove", url]).contains("removed"));
    assert_eq!(ask(&cluster, 0, &["member", "list"]).lines().count(), 2);
}

#[test]
fn those_of_a_restore_start_the_new_cluster() {
    let mut cluster = Cluster::start_with_spares(1, 2, &["--profile", "lan-fast"]);
    ask(&cluster, 0, &["kv", "put", "k", "v"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup");
    let file = file.to_str().unwrap();
    ask(&cluster, 0, &["snapshot", "save", file]);
    cluster.kill(0);
    let all: Vec<String> =
        [1, 2].iter().map(|at| format!("m{at}=127.0.0.1:{}", free_pair())).collect();
    let all = all.join(",");
    let restored = [1, 2].map(|at| {
        let dir = folder.path().join(format!("it's {at}"));
        let mut command = conclave();
        command.args(["snapshot", "restore", file, "--name", &format!("m{at}"), "--data-dir"]);
        command.arg(dir).args(["--initial-cluster", &all, "--cluster-token", "next week"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    });
    for (at, text) in [(1, &restored[0]), (2, &restored[1])] {
        paste(&mut cluster, at, (folder.path(), text));
    }
    cluster.await_healthy();
    assert!(ask(&cluster, 1, &["kv", "get", "k"]).contains('v'));
    cluster.assert_unharmed();
}
