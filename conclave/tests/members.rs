//! Members of real processes that come and go, under load.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::time::Instant;

use client::etcdserverpb::Member;
use support::cluster::{Cluster, conclave};
use support::etcdctl::{Etcdctl, find};
use support::writers::Writers;
use support::{ended, eventually};
use tokio::runtime::Runtime;

/// What the process of a member that was removed ends with.
const REMOVED: Option<i32> = Some(3);

fn id(runtime: &Runtime, cluster: &Cluster, at: usize) -> u64 {
    let status = runtime.block_on(cluster.client(at).status()).unwrap();
    status.header.unwrap().member_id
}

/// Starts a member that was added, and waits until its vote counts and it is known to have
/// started.
fn join(runtime: &Runtime, cluster: &mut Cluster, at: usize) {
    cluster.run(at);
    let client = cluster.client(at);
    eventually("a new voter", || {
        let status = runtime.block_on(client.status()).ok()?;
        let members = runtime.block_on(client.member_list(true)).ok()?.members;
        let own = status.header?.member_id;
        let started = members.iter().any(|member| member.id == own && !member.name.is_empty());
        (!status.is_learner && status.leader != 0 && started).then_some(())
    });
}

/// Prints how one change went; the pause is of all writers together.
fn told(writers: &Writers, what: &str, begun: Instant) {
    eprintln!("{what}: {:?}, longest pause of writes {:?}", begun.elapsed(), writers.longest_gap());
}

#[test]
fn under_load_one_becomes_five_each_is_replaced_and_four_go_and_no_write_fails() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with_spares(1, 9, &[]);
    let client = cluster.any_client();
    let writers = Writers::start(&runtime, &cluster.endpoints(), 8);
    let mut ids = vec![id(&runtime, &cluster, 0)];
    for at in 1..5 {
        let begun = Instant::now();
        let added = runtime.block_on(client.member_add(vec![cluster.peer_url(at)], false));
        ids.push(added.unwrap().member.unwrap().id);
        join(&runtime, &mut cluster, at);
        told(&writers, &format!("grown to {}", at + 1), begun);
    }
    for old in 0..5 {
        let begun = Instant::now();
        let new = old + 5;
        let replaced = client.member_replace(ids[old], vec![cluster.peer_url(new)]);
        ids.push(runtime.block_on(replaced).unwrap().member.unwrap().id);
        join(&runtime, &mut cluster, new);
        assert_eq!(cluster.await_end(old), REMOVED);
        told(&writers, &format!("member {old} replaced"), begun);
    }
    for (at, id) in ids.iter().enumerate().take(9).skip(5) {
        let begun = Instant::now();
        runtime.block_on(client.member_remove(*id)).unwrap();
        assert_eq!(cluster.await_end(at), REMOVED);
        told(&writers, &format!("shrunk to {}", 9 - at), begun);
    }
    let failures = writers.failures();
    let total = writers.finish(&runtime, &cluster.client(9));
    eprintln!("{total} writes acknowledged, {} failed, 0 lost", failures.len());
    assert_eq!(failures, [""; 0]);
    let members = runtime.block_on(cluster.client(9).member_list(true)).unwrap().members;
    assert_eq!(members.iter().map(|member| member.id).collect::<Vec<_>>(), [ids[9]]);
}

#[test]
fn a_dead_member_is_replaced_at_its_own_address_and_stale_flags_do_no_harm() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with_spares(3, 1, &[]);
    let client = cluster.any_client();
    runtime.block_on(client.put("k", "v")).unwrap();
    let dead = id(&runtime, &cluster, 2);
    cluster.kill(2);
    // The spare takes the dead one's place, peer port and all.
    cluster.members[3].peer_port = cluster.members[2].peer_port;
    let replaced = client.member_replace(dead, vec![cluster.peer_url(3)]);
    let member: Member = runtime.block_on(replaced).unwrap().member.unwrap();
    assert_ne!(member.id, dead);
    cluster.members[2].peer_port = 1;
    join(&runtime, &mut cluster, 3);
    let members = eventually("the newcomer to tell its name", || {
        let members = runtime.block_on(client.member_list(true)).ok()?.members;
        members.iter().all(|member| !member.name.is_empty()).then_some(members)
    });
    assert!(members.len() == 3 && members.iter().all(|listed| listed.id != dead));
    // All of them come back with the flags of their first start.
    for at in [0, 1, 3] {
        assert_eq!(cluster.terminate(at), Some(0));
    }
    for at in [0, 1, 3] {
        cluster.run(at);
    }
    for at in [0, 1, 3] {
        cluster.await_answer(at);
        let kv = runtime.block_on(cluster.client(at).get("k")).unwrap();
        assert_eq!(kv.unwrap().value, "v");
    }
    let now = runtime.block_on(client.member_list(true)).unwrap().members;
    assert_eq!(now, members);
}

#[test]
fn who_was_not_added_is_told_what_to_do_and_a_learner_sends_clients_elsewhere() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with_spares(1, 2, &[]);
    let output = ended(&mut cluster.command(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let advice = format!("first run `conclave member add {}`", cluster.peer_url(2));
    assert!(said.contains(&advice), "{said}");

    let client = cluster.client(0);
    let added = client.member_add(vec![cluster.peer_url(1)], true);
    let learner = runtime.block_on(added).unwrap().member.unwrap();
    assert!(learner.is_learner);
    cluster.run(1);
    let alone = cluster.client(1);
    eventually("a learner that has heard the leader", || {
        let status = runtime.block_on(alone.status()).ok()?;
        (status.leader != 0 && status.is_learner).then_some(())
    });
    let refused = runtime.block_on(alone.put("k", "v")).unwrap_err();
    assert_eq!(refused.message(), "etcdserver: rpc not supported for learner");
    let both = client::Options::to([cluster.endpoint(1), cluster.endpoint(0)]);
    let both = client::Client::new(both).unwrap();
    for _ in 0..4 {
        runtime.block_on(both.put("k", "v")).unwrap();
    }
    let promoted =
        eventually("a promotion", || runtime.block_on(client.member_promote(learner.id)).ok());
    assert!(promoted.members.iter().all(|member| !member.is_learner));
    runtime.block_on(alone.put("k", "w")).unwrap();
}

#[test]
fn etcdctl_adds_updates_promotes_moves_and_removes() {
    let Some(program) = find() else { return };
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with_spares(1, 1, &[]);
    let ctl = Etcdctl::new(&program, &[cluster.endpoint(0)]);
    let first = format!("{:x}", id(&runtime, &cluster, 0));
    let url = cluster.peer_url(1);
    let moved = |url: &str| format!("--peer-urls={url}");
    let said = ctl.ok(&["member", "add", "m1", "--learner", &moved("http://127.0.0.1:1")]);
    assert!(said.contains("added to cluster"), "{said}");
    let learner = said.split_whitespace().nth(1).unwrap().to_owned();
    let said = ctl.fails(&["member", "add", "m2", "--learner", &moved("http://127.0.0.1:2")]);
    assert!(said.contains("too many learner members in cluster"), "{said}");
    let said = ctl.fails(&["member", "add", "m2", &moved("http://127.0.0.1:1")]);
    assert!(said.contains("Peer URLs already exists"), "{said}");
    let said = ctl.fails(&["member", "promote", &learner]);
    assert!(said.contains("which is in sync with leader"), "{said}");
    let said = ctl.ok(&["member", "update", &learner, &moved(&url)]);
    assert!(said.contains("updated in cluster"), "{said}");
    cluster.run(1);
    let said = eventually("a promotion", || {
        let output = ctl.command(&["member", "promote", &learner]).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    });
    assert!(said.contains("promoted in cluster"), "{said}");
    let said = ctl.ok(&["member", "list"]);
    assert!(said.contains(&learner) && said.contains(&url) && !said.contains("true"), "{said}");
    cluster.await_healthy();
    let both = Etcdctl::new(&program, &cluster.endpoints());
    let said = both.ok(&["move-leader", &learner]);
    assert!(said.contains("Leadership transferred"), "{said}");
    let said = both.fails(&["member", "remove", "77"]);
    assert!(said.contains("member not found"), "{said}");
    let said = both.ok(&["member", "remove", &first]);
    assert!(said.contains("removed from cluster"), "{said}");
    assert_eq!(cluster.await_end(0), REMOVED);
    let last = Etcdctl::new(&program, &[cluster.endpoint(1)]);
    let said = last.fails(&["member", "remove", &learner]);
    assert!(said.contains("not enough started members"), "{said}");
    last.ok(&["put", "k", "v"]);
}

#[test]
fn the_member_commands_speak_for_themselves() {
    let mut cluster = Cluster::start_with_spares(1, 1, &[]);
    let endpoint = cluster.endpoint(0);
    let run = |words: &[&str]| {
        let mut command = conclave();
        let output =
            command.arg("member").args(words).args(["--endpoints", &endpoint]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let url = cluster.peer_url(1);
    let (code, said) = run(&["add", &url, "--name", "m1"]);
    assert_eq!(code, Some(0), "{said}");
    let wanted = "--initial-cluster-state existing";
    assert!(said.contains("votes once it has caught up") && said.contains(wanted), "{said}");
    cluster.run(1);
    let listed = eventually("a second voter", || {
        let (_, said) = run(&["list"]);
        (said.matches("started").count() == 2 && !said.contains("yes")).then_some(said)
    });
    assert!(listed.contains("m0") && listed.contains("m1"), "{listed}");
    let (code, said) = run(&["move-leader", "m1"]);
    assert!(code == Some(0) && said.contains("leadership went from"), "{said}");
    let (code, said) = run(&["move-leader", "m0"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&["demote", "m1"]);
    assert!(code == Some(0) && said.contains("is a learner"), "{said}");
    let (code, said) = run(&["demote", "m1"]);
    assert!(code == Some(1) && said.contains("m1 is a learner already"), "{said}");
    let (code, said) = run(&["move-leader", "m1"]);
    assert!(code == Some(1) && said.contains("only a voter that is heard can lead"), "{said}");
    let (code, said) = run(&["promote", "m1"]);
    assert!(code == Some(0) && said.contains("is a voter"), "{said}");
    let (code, said) = run(&["promote", "m1"]);
    assert!(code == Some(1) && said.contains("m1 is a voter already"), "{said}");
    let (code, said) = run(&["update", "m1", "127.0.0.1:1"]);
    assert!(code == Some(0) && said.contains("is reached at http://127.0.0.1:1"), "{said}");
    let (code, said) = run(&["update", "m1", &url]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(&["remove", "nobody"]);
    assert!(code == Some(1) && said.contains("no member has the name"), "{said}");
    let (code, said) = run(&["remove", "m1"]);
    assert!(code == Some(0) && said.contains("removed"), "{said}");
    assert_eq!(cluster.await_end(1), REMOVED);
    cluster.run(1);
    assert_eq!(cluster.await_end(1), REMOVED, "it knows, or is told");
}
