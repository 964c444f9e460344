//! What a restored cluster has, and how it goes on.

use std::path::PathBuf;

use client::etcdserverpb::{LeaseGrantRequest, PutRequest, RangeRequest};
use client::mvccpb::KeyValue;
use client::{Client, Code};
use tokio::runtime::Runtime;

use crate::support::cluster::Cluster;
use crate::support::etcdctl::{Etcdctl, find};
use crate::support::eventually;
use crate::support::writers::Writers;
use crate::{inspect, restore, save, text};

/// Seconds that the lease lives.
const TTL: i64 = 3_000;

/// Keys with a past, a deletion, a lease and a compaction.
fn fill(runtime: &Runtime, client: &Client) -> i64 {
    runtime.block_on(async {
        for round in 0..4 {
            for key in 0..100 {
                let value = vec![u8::try_from(round * 60 + key % 60).unwrap(); 200 + key];
                client.put(format!("k/{key:03}"), value).await.unwrap();
            }
            if round == 1 {
                client.compact(150, true).await.unwrap();
            }
        }
        let gone =
            client::etcdserverpb::DeleteRangeRequest { key: "k/007".into(), ..Default::default() };
        client.delete(gone).await.unwrap();
        let grant = LeaseGrantRequest { ttl: TTL, id: 0 };
        let lease = client.lease_grant(grant.ttl, grant.id).await.unwrap().id;
        let put =
            PutRequest { key: "leased".into(), value: "v".into(), lease, ..Default::default() };
        client.put_with(put).await.unwrap();
        lease
    })
}

/// Every key at a revision.
fn all(runtime: &Runtime, client: &Client, revision: i64) -> Vec<KeyValue> {
    let request = RangeRequest {
        key: vec![0].into(),
        range_end: vec![0].into(),
        revision,
        ..RangeRequest::default()
    };
    eventually("a range of everything", || runtime.block_on(client.range(request.clone())).ok()).kvs
}

/// The programs that save: ours, and each etcdctl that there is.
fn savers() -> Vec<Option<PathBuf>> {
    let mut savers = vec![None, find()];
    let beside = std::env::var_os("PEER_ETCD").map(PathBuf::from);
    savers.push(beside.and_then(|etcd| Some(etcd.parent()?.join("etcdctl"))));
    let first = savers.remove(0);
    let others = savers.into_iter().flatten().filter(|at| at.exists());
    std::iter::once(first).chain(others.map(Some)).collect()
}

#[test]
fn what_is_saved_under_load_is_another_cluster_of_one_and_of_three() {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(3);
    let leader = cluster.leader(&runtime);
    let lease = fill(&runtime, &cluster.client(leader));
    let writers = Writers::start(&runtime, &cluster.endpoints(), 4);
    let mut files = Vec::new();
    for (number, saver) in savers().into_iter().enumerate() {
        // Of the leader and of followers.
        let at = (leader + number) % 3;
        let file = dir.path().join(format!("{number}.snapshot"));
        let before = runtime.block_on(cluster.client(at).put("before", "x")).unwrap();
        let before = before.header.unwrap().revision;
        match saver {
            None => save(&cluster, at, &file),
            Some(program) => {
                Etcdctl::new(&program, &[cluster.endpoint(at)]).ok(&[
                    "snapshot",
                    "save",
                    text(&file),
                ]);
            }
        }
        assert_eq!(file.metadata().unwrap().len() % 512, 32);
        let told = inspect(&file);
        // What this member had answered is in it.
        assert!(told["revision"].as_i64().unwrap() >= before, "{told}");
        files.push((file, told));
    }
    writers.finish(&runtime, &cluster.any_client());
    cluster.assert_equal(&runtime);
    let origin = cluster.client(leader);
    for (number, (file, told)) in files.iter().enumerate() {
        let revision = told["revision"].as_i64().unwrap();
        let hash = runtime.block_on(origin.hash_kv(revision)).unwrap();
        assert_eq!(told["hash"].as_u64().unwrap(), u64::from(hash.hash), "{told}");
        assert_eq!(told["compact_revision"].as_i64().unwrap(), hash.compact_revision);
        assert_eq!(told["members"].as_array().unwrap().len(), 3);
        let size = if number == 0 { 3 } else { 1 };
        let token = format!("again-{number}");
        let mut again = restore(size, file, &token, &[]);
        let client = again.any_client();
        assert_eq!(all(&runtime, &client, 0), all(&runtime, &origin, revision));
        assert_eq!(all(&runtime, &client, 160), all(&runtime, &origin, 160));
        for at in 0..size {
            let same = runtime.block_on(again.client(at).hash_kv(revision)).unwrap();
            assert_eq!((same.hash, same.hash_revision), (hash.hash, revision));
        }
        goes_on(&runtime, &mut again, lease, revision);
    }
}

/// The lease lives its whole time again, revisions go on without a gap, and a crash of all members
/// changes nothing.
fn goes_on(runtime: &Runtime, again: &mut Cluster, lease: i64, revision: i64) {
    let client = again.any_client();
    let left = runtime.block_on(client.lease_time_to_live(lease, true)).unwrap();
    assert!(left.ttl > TTL - 300 && left.keys == ["leased"], "{left:?}");
    let put = runtime.block_on(client.put("after", "x")).unwrap();
    assert_eq!(put.header.unwrap().revision, revision + 1);
    let size = again.members.len();
    (0..size).for_each(|at| again.kill(at));
    (0..size).for_each(|at| again.run(at));
    again.await_healthy();
    again.assert_equal(runtime);
    let kv = runtime.block_on(again.any_client().get("after")).unwrap().unwrap();
    assert_eq!(kv.mod_revision, revision + 1);
    again.assert_unharmed();
}

#[test]
fn a_bumped_cluster_never_gives_a_revision_twice_and_tells_old_watches() {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("b.snapshot");
    let cluster = Cluster::start(1);
    fill(&runtime, &cluster.client(0));
    save(&cluster, 0, &file);
    let revision = inspect(&file)["revision"].as_i64().unwrap();
    let bump = ["--bump-revision", "1000000", "--mark-compacted"];
    let mut again = restore(1, &file, "bumped", &bump);
    // Not written to yet, a restart finds the gap as it was.
    again.kill(0);
    again.run(0);
    again.await_healthy();
    let client = again.client(0);
    let bumped = revision + 1_000_000;
    let seen = all(&runtime, &client, 0);
    assert_eq!(seen, all(&runtime, &cluster.client(0), revision));
    let old = RangeRequest { key: "k/001".into(), revision, ..RangeRequest::default() };
    let error = runtime.block_on(client.range(old)).unwrap_err();
    assert_eq!(error.code(), Code::OutOfRange, "{error}");
    let watch = |from| {
        client.watch(client::etcdserverpb::WatchCreateRequest {
            key: "k/".into(),
            range_end: "k0".into(),
            start_revision: from,
            ..Default::default()
        })
    };
    let told = runtime.block_on(async {
        let mut watch = watch(revision + 1).await.unwrap();
        watch.next().await
    });
    assert_eq!(told.unwrap_err().code(), Code::OutOfRange);
    let put = runtime.block_on(client.put("k/after", "x")).unwrap();
    assert_eq!(put.header.unwrap().revision, bumped + 1);
    again.kill(0);
    again.run(0);
    again.await_healthy();
    let hash = runtime.block_on(again.client(0).hash_kv(0)).unwrap();
    assert_eq!((hash.hash_revision, hash.compact_revision), (bumped + 1, bumped));
    // A backup of what was restored can be restored.
    let second = dir.path().join("c.snapshot");
    save(&again, 0, &second);
    let third = restore(3, &second, "third", &[]);
    third.assert_equal(&runtime);
    let same = runtime.block_on(third.client(0).hash_kv(bumped + 1)).unwrap();
    assert_eq!(same.hash, hash.hash);
}
