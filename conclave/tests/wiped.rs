//! Members whose disk was emptied, or put back to an earlier day: what they have promised is
//! forgotten there and remembered by the others.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use support::cluster::Cluster;
use support::writers::Writers;
use support::{ended, eventually};
use tokio::runtime::Runtime;

const WRITERS: usize = 8;

/// What happens to a directory while its member is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// It is emptied.
    Wiped,
    /// A copy from before takes its place.
    PutBack,
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Where a copy of a member's directory is kept.
fn kept(cluster: &Cluster, at: usize) -> PathBuf {
    cluster.members[at].dir.with_extension("copy")
}

/// Keeps a copy of the directory of a member that is down.
fn keep_copy(cluster: &Cluster, at: usize) {
    copy(&cluster.members[at].dir, &kept(cluster, at));
}

/// Does it to the directory of a member that is down.
fn strike(cluster: &Cluster, at: usize, harm: Harm) {
    std::fs::remove_dir_all(&cluster.members[at].dir).unwrap();
    if harm == Harm::PutBack {
        std::fs::rename(kept(cluster, at), &cluster.members[at].dir).unwrap();
    }
}

/// The members as one of them tells: id, name, and whether it is a learner.
fn members(runtime: &Runtime, cluster: &Cluster, at: usize) -> Option<Vec<(u64, String, bool)>> {
    let list = runtime.block_on(cluster.client(at).member_list(false)).ok()?;
    Some(list.members.into_iter().map(|it| (it.id, it.name, it.is_learner)).collect())
}

/// Waits until a member votes again, under another id than before.
fn await_return(runtime: &Runtime, cluster: &Cluster, (at, other): (usize, usize), before: u64) {
    let name = &cluster.members[at].name;
    eventually(&format!("{name} to vote again as a new member"), || {
        let members = members(runtime, cluster, other)?;
        let whole = members.len() == 3 && members.iter().all(|(id, ..)| *id != before);
        let back = members.iter().any(|(_, it, learner)| it == name && !learner);
        (whole && back).then_some(())
    });
    cluster.await_answer(at);
}

fn id_of(runtime: &Runtime, cluster: &Cluster, at: usize) -> u64 {
    runtime.block_on(cluster.client(at).status()).unwrap().header.unwrap().member_id
}

fn await_writes(writers: &Writers) {
    let now = Instant::now();
    eventually("a write", || (writers.last_acknowledged() > now).then_some(()));
}

/// One member of three under load is struck, once each way, and is back by itself with nothing
/// changed in its command.
fn comes_back(cluster: &mut Cluster, runtime: &Runtime, at: usize, harm: Harm) -> Duration {
    let other = (at + 1) % 3;
    let before = id_of(runtime, cluster, at);
    cluster.kill(at);
    if harm == Harm::PutBack {
        keep_copy(cluster, at);
        // The copy is of the past once the member has started again.
        cluster.run(at);
        cluster.await_answer(at);
        cluster.kill(at);
    }
    strike(cluster, at, harm);
    let begun = Instant::now();
    cluster.run(at);
    await_return(runtime, cluster, (at, other), before);
    begun.elapsed()
}

#[test]
fn o4_o5_a_member_without_its_past_is_back_by_itself_and_nothing_is_lost() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let writers = Writers::start(&runtime, &cluster.endpoints(), WRITERS);
    let harms = [(0, Harm::Wiped), (1, Harm::PutBack), (2, Harm::Wiped), (2, Harm::Wiped)];
    let times: Vec<(usize, Harm, Duration)> = harms
        .into_iter()
        .map(|(at, harm)| {
            await_writes(&writers);
            (at, harm, comes_back(&mut cluster, &runtime, at, harm))
        })
        .collect();
    await_writes(&writers);
    let total = writers.finish(&runtime, &cluster.any_client());
    cluster.assert_equal(&runtime);
    cluster.assert_unharmed();
    // The same command starts them as what they are now.
    (0..3).for_each(|at| cluster.kill(at));
    (0..3).for_each(|at| cluster.run(at));
    cluster.await_healthy();
    cluster.assert_equal(&runtime);
    let put_aside = std::fs::read_dir(&cluster.members[1].dir).unwrap();
    let put_aside = put_aside.filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("outdated-")
    });
    assert_eq!(put_aside.count(), 1, "the old copy is there for people to look at");
    for (at, harm, time) in times {
        eprintln!("m{at} {harm:?}: votes again after {time:?}");
    }
    eprintln!("{total} writes acknowledged, 0 lost");
}

/// What was written on a and b alone, with a struck and b down, must not be outvoted by a and c.
fn no_majority_without_memory(harm: Harm) {
    let (a, b, c) = (0, 1, 2);
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let put = |cluster: &Cluster, at: usize, key: &'static str| {
        eventually("a put", || runtime.block_on(cluster.client(at).put(key.to_owned(), "v")).ok());
    };
    put(&cluster, a, "all have this");
    let before = id_of(&runtime, &cluster, a);
    cluster.kill(a);
    keep_copy(&cluster, a);
    cluster.run(a);
    cluster.await_healthy();
    cluster.kill(c);
    put(&cluster, a, "only a and b have this");
    cluster.kill(b);
    cluster.kill(a);
    strike(&cluster, a, harm);
    cluster.run(c);
    cluster.run(a);
    let name = cluster.members[a].name.clone();
    eventually("a to be told, and to wait", || {
        cluster.log(&name).contains("waiting to be taken in again").then_some(())
    });
    let refused = runtime.block_on(cluster.client(c).status()).unwrap();
    assert_eq!(refused.leader, 0, "c leads, or follows, without a majority that remembers");
    let begun = Instant::now();
    cluster.run(b);
    await_return(&runtime, &cluster, (a, b), before);
    eprintln!("{harm:?}: votes again {:?} after b is back", begun.elapsed());
    for key in ["all have this", "only a and b have this"] {
        let found = runtime.block_on(cluster.client(a).get(key)).unwrap();
        assert!(found.is_some(), "{key}");
    }
    cluster.assert_equal(&runtime);
    cluster.assert_unharmed();
}

#[test]
fn o4_a_wiped_member_and_one_that_lags_are_no_majority() {
    no_majority_without_memory(Harm::Wiped);
}

#[test]
fn o5_p8_an_old_copy_and_one_that_lags_are_no_majority() {
    no_majority_without_memory(Harm::PutBack);
}

/// An operator may want to look first.
#[test]
fn without_rejoin_the_member_ends_and_says_what_to_do() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with(3, &["--rejoin", "false"]);
    let before = id_of(&runtime, &cluster, 0);
    cluster.kill(0);
    strike(&cluster, 0, Harm::Wiped);
    let ended = ended(&mut cluster.command(0));
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("conclave member replace ID http://127.0.0.1:"), "{said}");
    let members = members(&runtime, &cluster, 1).unwrap();
    assert!(members.iter().any(|(id, ..)| *id == before), "nobody was replaced");
}

/// A group that runs Zab has no other name under which such a member could come in.
#[test]
fn a_member_of_a_group_that_runs_zab_is_turned_away_and_told_why() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with(3, &["--consensus", "zab"]);
    let put = |cluster: &Cluster, at: usize, key: &str| {
        eventually("a put", || runtime.block_on(cluster.client(at).put(key.to_owned(), "v")).ok());
    };
    put(&cluster, 0, "before");
    let lost = (cluster.leader(&runtime) + 1) % 3;
    cluster.kill(lost);
    strike(&cluster, lost, Harm::Wiped);
    cluster.run(lost);
    assert_eq!(cluster.await_end(lost), Some(1));
    let said = cluster.log(&cluster.members[lost].name);
    assert!(said.contains("never change: give it back the data directory"), "{said}");
    put(&cluster, (lost + 1) % 3, "after");
}

/// What a group was founded with it stays with.
#[test]
fn a_directory_of_zab_is_not_opened_by_raft() {
    let mut zab = Cluster::start_with(1, &["--consensus", "zab"]);
    assert_eq!(zab.terminate(0), Some(0));
    let mut command = zab.command(0);
    let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let raft = arguments.iter().filter(|it| *it != "--consensus" && *it != "zab");
    let mut again = support::cluster::conclave();
    again.args(raft).stdin(std::process::Stdio::null());
    command = again;
    zab.run_by(0, command);
    assert_eq!(zab.await_end(0), Some(1));
    let said = zab.log("m0");
    assert!(said.contains("--consensus: this one is of a group that runs Zab"), "{said}");
    let mut look = support::cluster::conclave();
    let shown = ended(look.args(["inspect", "log"]).arg(&zab.members[0].dir));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for part in ["protocol    zab\n", "epoch 1 accepted, 1 current,", "epochs      1 from 1"] {
        assert!(shown.contains(part), "{shown}");
    }
}
