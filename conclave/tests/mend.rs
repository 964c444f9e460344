//! Members whose disks have forgotten something get it back from the others by themselves.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::path::Path;
use std::time::Instant;

use support::cluster::Cluster;
use support::harm::{entries, flip};
use support::writers::Writers;
use support::{ended, eventually};
use tokio::runtime::Runtime;

/// What the process of a member that was removed ends with.
const REMOVED: Option<i32> = Some(3);

/// Writes until there are entries that a member's state does not cover, then kills it.
fn kill_ahead_of_its_state(cluster: &mut Cluster, runtime: &Runtime, at: usize) {
    let client = cluster.any_client();
    for number in 0..50 {
        runtime.block_on(client.put(format!("ahead/{number}"), "x".repeat(100))).unwrap();
    }
    let last = runtime.block_on(cluster.client(at).status()).unwrap().raft_applied_index;
    eventually("the last entries", || {
        let status = runtime.block_on(cluster.client(at).status()).unwrap();
        (status.raft_applied_index >= last).then_some(())
    });
    cluster.kill(at);
}

fn await_words(cluster: &Cluster, at: usize, words: &str) {
    let name = &cluster.members[at].name;
    eventually(words, || cluster.log(name).contains(words).then_some(()));
}

#[test]
fn s1_21_flipped_bytes_in_the_log_of_one_member_are_had_back_under_load() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let leader = cluster.leader(&runtime);
    let hurt = (0..3).find(|at| *at != leader).unwrap();
    let others: Vec<String> =
        (0..3).filter(|at| *at != hurt).map(|at| cluster.endpoint(at)).collect();
    let writers = Writers::start(&runtime, &others, 4);
    kill_ahead_of_its_state(&mut cluster, &runtime, hurt);
    let dir = cluster.members[hurt].dir.clone();
    let all = entries(&dir);
    // Three of the last, which no flush has covered yet, and some that the state may have.
    let places = [all.len() / 3, all.len() / 2, all.len() - 9, all.len() - 5, all.len() - 2];
    for place in places {
        let (_, file, offset) = &all[place];
        flip(&dir.join("log").join(file), *offset);
    }
    let began = Instant::now();
    cluster.run(hurt);
    cluster.await_answer(hurt);
    println!("back after {:?}", began.elapsed());
    await_words(&cluster, hurt, "other members had what it lacked");
    let total = writers.finish(&runtime, &cluster.any_client());
    assert!(total > 0);
    cluster.assert_equal(&runtime);
    cluster.assert_unharmed();
    // Whole, it votes: with one of the others gone there is still a quorum.
    cluster.kill(leader);
    let client = cluster.any_client();
    eventually("a write by two", || runtime.block_on(client.put("after", "all")).ok());
}

/// Damages every file of a member's state.
fn spoil_state(dir: &Path) {
    for file in std::fs::read_dir(dir.join("state")).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::metadata(&path).unwrap().len();
        (0..bytes).step_by(61).for_each(|offset| flip(&path, offset));
    }
}

#[test]
fn a_damaged_state_is_put_aside_and_replayed_from_a_log_that_has_all() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let client = cluster.any_client();
    for number in 0..30 {
        runtime.block_on(client.put(format!("k/{number}"), format!("{number}"))).unwrap();
    }
    cluster.terminate(1);
    let dir = cluster.members[1].dir.clone();
    spoil_state(&dir);
    cluster.run(1);
    cluster.await_answer(1);
    await_words(&cluster, 1, "put aside");
    assert!(dir.join("state.damaged-1").is_dir());
    cluster.assert_equal(&runtime);
    // Again: of those put aside, one is kept.
    cluster.terminate(1);
    spoil_state(&dir);
    cluster.run(1);
    cluster.await_answer(1);
    eventually("the older to go", || {
        (dir.join("state.damaged-2").is_dir() && !dir.join("state.damaged-1").exists())
            .then_some(())
    });
    cluster.assert_equal(&runtime);
    cluster.assert_unharmed();
}

/// Writes so much that a log of one megabyte is trimmed on this member, too.
fn write_until_trimmed(runtime: &Runtime, cluster: &Cluster, at: usize) {
    let client = cluster.any_client();
    for number in 0_u8..48 {
        let value = vec![number; 1 << 20];
        let key = format!("big/{:02}", number % 16);
        eventually("a put", || runtime.block_on(client.put(key.clone(), value.clone())).ok());
    }
    let oldest = cluster.members[at].dir.join("log").join(format!("{:016x}.seg", 1));
    eventually("the log to be trimmed", || {
        runtime.block_on(client.put("tick", "tock")).unwrap();
        (!oldest.exists()).then_some(())
    });
}

#[test]
fn a_damaged_state_whose_log_was_trimmed_comes_from_the_leader() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with(3, &["--log-keep", "1MiB"]);
    let leader = cluster.leader(&runtime);
    let hurt = (0..3).find(|at| *at != leader).unwrap();
    let dir = cluster.members[hurt].dir.clone();
    write_until_trimmed(&runtime, &cluster, hurt);
    cluster.terminate(hurt);
    spoil_state(&dir);
    let began = Instant::now();
    cluster.run(hurt);
    cluster.await_answer(hurt);
    cluster.assert_equal(&runtime);
    println!("rebuilt after {:?}", began.elapsed());
    await_words(&cluster, hurt, "a leader is there");
    assert!(dir.join("state.damaged-1").is_dir());
    // What was rebuilt is its own.
    cluster.kill(hurt);
    cluster.run(hurt);
    cluster.await_healthy();
    cluster.assert_equal(&runtime);
    cluster.assert_unharmed();
}

/// A member's id, by what it says itself.
fn id(runtime: &Runtime, cluster: &Cluster, at: usize) -> u64 {
    let status = runtime.block_on(cluster.client(at).status()).unwrap();
    status.header.unwrap().member_id
}

/// Who the others are stands in what is damaged, and those of the settings have all left.
#[test]
fn a_damaged_state_comes_from_a_leader_that_joined_later_when_all_other_founders_are_gone() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with_spares(3, 2, &["--log-keep", "1MiB"]);
    let client = cluster.any_client();
    for (old, new) in [(0, 3), (1, 4)] {
        let id = id(&runtime, &cluster, old);
        let replaced = client.member_replace(id, vec![cluster.peer_url(new)]);
        runtime.block_on(replaced).unwrap();
        cluster.run(new);
        assert_eq!(cluster.await_end(old), REMOVED);
    }
    let hurt = 2;
    write_until_trimmed(&runtime, &cluster, hurt);
    cluster.terminate(hurt);
    let dir = cluster.members[hurt].dir.clone();
    spoil_state(&dir);
    let began = Instant::now();
    cluster.run(hurt);
    cluster.await_answer(hurt);
    println!("rebuilt after {:?}", began.elapsed());
    await_words(&cluster, hurt, "a leader is there");
    // It votes: without one of the other two there is still a quorum.
    cluster.kill(3);
    let client = cluster.client(hurt);
    eventually("a write by two", || runtime.block_on(client.put("after", "all")).ok());
    let found = runtime.block_on(client.get("big/15")).unwrap().unwrap();
    assert_eq!(found.value, vec![47; 1 << 20]);
    cluster.assert_unharmed();
}

/// The settings of whoever has founded a cluster alone name nobody else.
#[test]
fn a_damaged_state_of_one_that_has_founded_alone_comes_from_those_who_joined() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with_spares(1, 2, &["--log-keep", "1MiB"]);
    let client = cluster.any_client();
    for new in [1, 2] {
        let added = client.member_add(vec![cluster.peer_url(new)], false);
        runtime.block_on(added).unwrap();
        cluster.run(new);
        cluster.await_answer(new);
    }
    eventually("three voters", || {
        let members = runtime.block_on(client.member_list(true)).ok()?.members;
        (members.len() == 3 && members.iter().all(|member| !member.is_learner)).then_some(())
    });
    write_until_trimmed(&runtime, &cluster, 0);
    cluster.terminate(0);
    spoil_state(&cluster.members[0].dir);
    cluster.run(0);
    cluster.await_answer(0);
    await_words(&cluster, 0, "nobody is known whom to ask");
    await_words(&cluster, 0, "a leader is there");
    cluster.assert_equal(&runtime);
    cluster.assert_unharmed();
}

#[test]
fn a_damaged_member_that_was_removed_meanwhile_ends_and_says_so() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with(3, &["--log-keep", "1MiB"]);
    let hurt = (cluster.leader(&runtime) + 1) % 3;
    let gone = id(&runtime, &cluster, hurt);
    write_until_trimmed(&runtime, &cluster, hurt);
    cluster.terminate(hurt);
    spoil_state(&cluster.members[hurt].dir);
    let client = cluster.any_client();
    eventually("the removal", || runtime.block_on(client.member_remove(gone)).ok());
    cluster.run(hurt);
    assert_eq!(cluster.await_end(hurt), REMOVED);
    await_words(&cluster, hurt, "was removed");
    cluster.assert_unharmed();
}

#[test]
fn members_that_are_all_damaged_in_other_places_heal_each_other() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let client = cluster.any_client();
    for number in 0..50 {
        runtime.block_on(client.put(format!("k/{number:02}"), format!("{number}"))).unwrap();
    }
    // Nobody's state may make up for what is damaged.
    (0..3).for_each(|at| cluster.kill(at));
    let dirs: Vec<_> = cluster.members.iter().map(|member| member.dir.clone()).collect();
    for (at, dir) in dirs.iter().enumerate() {
        let of_member = |index: u64| index > 6 && index % 3 == at as u64;
        for (_, file, offset) in entries(dir).into_iter().filter(|(index, ..)| of_member(*index)) {
            flip(&dir.join("log").join(file), offset);
        }
        spoil_state(dir);
    }
    cluster.run(0);
    // Alone it knows what it lacks, and asks for it; clients are turned away.
    await_words(&cluster, 0, "other members are asked");
    assert!(runtime.block_on(cluster.client(0).status()).is_err());
    cluster.run(1);
    cluster.run(2);
    cluster.await_healthy();
    for number in 0..50 {
        let kv = runtime.block_on(client.get(format!("k/{number:02}"))).unwrap().unwrap();
        assert_eq!(kv.value, format!("{number}").into_bytes());
    }
    cluster.assert_equal(&runtime);
    cluster.assert_unharmed();
}

#[test]
fn a_member_alone_throws_nothing_away() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(1);
    let dir = cluster.members[0].dir.clone();
    kill_ahead_of_its_state(&mut cluster, &runtime, 0);
    let all = entries(&dir);
    let (_, file, offset) = &all[all.len() - 5];
    let file = dir.join("log").join(file);
    flip(&file, *offset);
    let output = ended(&mut cluster.command(0));
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("this member is alone") && said.contains("from a backup"), "{said}");
    // The byte back in its place, all is as it was.
    flip(&file, *offset);
    cluster.run(0);
    cluster.await_healthy();
    let client = cluster.any_client();
    for number in 0..50 {
        assert!(runtime.block_on(client.get(format!("ahead/{number}"))).unwrap().is_some());
    }
}
