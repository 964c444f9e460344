//! What a recovered cluster has, who can be of it, and how it goes on.

use std::time::Instant;

use tokio::runtime::Runtime;

use crate::support::cluster::Cluster;
use crate::support::eventually;
use crate::support::writers::Writers;
use crate::{content, heir, ok, recover, text};

const WRITERS: usize = 4;
/// Seconds that the lease lives.
const TTL: i64 = 3_000;

fn await_writes(writers: &Writers) {
    let now = Instant::now();
    eventually("a write", || (writers.last_acknowledged() > now).then_some(()));
}

/// A key that hangs on a lease.
fn lease(runtime: &Runtime, cluster: &Cluster) -> i64 {
    runtime.block_on(async {
        let client = cluster.any_client();
        let lease = client.lease_grant(TTL, 0).await.unwrap().id;
        let put = client::etcdserverpb::PutRequest {
            key: "leased".into(),
            value: "v".into(),
            lease,
            ..Default::default()
        };
        client.put_with(put).await.unwrap();
        lease
    })
}

/// The members as one of them tells: names, and whether they are learners.
fn members(runtime: &Runtime, cluster: &Cluster, at: usize) -> Option<Vec<(String, bool)>> {
    let list = runtime.block_on(cluster.client(at).member_list(false)).ok()?;
    Some(list.members.into_iter().map(|it| (it.name, it.is_learner)).collect())
}

#[test]
fn two_of_three_are_lost_under_load_and_the_third_goes_on_and_grows_again() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start_with_spares(3, 2, &[]);
    let lease = lease(&runtime, &cluster);
    let writers = Writers::start(&runtime, &cluster.endpoints()[..3], WRITERS);
    await_writes(&writers);
    // The leader has all that was ever acknowledged.
    let survivor = cluster.leader(&runtime);
    let (lost, wiped) = ((survivor + 1) % 3, (survivor + 2) % 3);
    cluster.kill(lost);
    cluster.kill(wiped);
    std::fs::remove_dir_all(&cluster.members[wiped].dir).unwrap();
    cluster.terminate(survivor);
    let old = cluster.members[survivor].dir.clone();
    let before = content(&old);
    let told = recover(&cluster, survivor, &[]);
    assert_eq!(content(&old), before, "the survivor's directory is as it was");
    assert_eq!(told["revision"], told["survivor_revision"]);
    assert_ne!(told["cluster_id"], told["survivor_cluster_id"]);
    assert_eq!(told["given_up"].as_array().unwrap().len(), 2, "{told}");
    // The same command but for the directory; the settings still name the members of old.
    cluster.members[survivor].dir = heir(&cluster, survivor);
    cluster.run(survivor);
    cluster.await_answer(survivor);
    await_writes(&writers);
    let header = runtime.block_on(cluster.client(survivor).status()).unwrap().header.unwrap();
    assert_eq!(header.cluster_id, told["cluster_id"].as_u64().unwrap());
    let alive = runtime.block_on(cluster.client(survivor).lease_time_to_live(lease, true)).unwrap();
    assert!(alive.ttl > 0 && alive.keys.len() == 1, "{alive:?}");
    come_back(&mut cluster, &runtime, (survivor, lost), &writers);
    grow(&mut cluster, &runtime, survivor);
    await_writes(&writers);
    let total = writers.finish(&runtime, &cluster.client(survivor));
    eprintln!("{total} writes acknowledged, 0 lost");
    audit(&mut cluster, &runtime, survivor, &told);
    cluster.assert_unharmed();
}

/// One that was given up comes back with all it had, and is not heard.
fn come_back(
    cluster: &mut Cluster,
    runtime: &Runtime,
    (survivor, lost): (usize, usize),
    writers: &Writers,
) {
    let name = cluster.members[lost].name.clone();
    let silent = cluster.log(&name).len();
    cluster.run(lost);
    eventually("the lost member to be refused", || {
        cluster.log(&name)[silent..].contains("another cluster").then_some(())
    });
    await_writes(writers);
    assert_eq!(members(runtime, cluster, survivor).unwrap().len(), 1);
    cluster.kill(lost);
}

fn grow(cluster: &mut Cluster, runtime: &Runtime, survivor: usize) {
    for (count, at) in [(2, 3), (3, 4)] {
        let (url, name) = (cluster.peer_url(at), cluster.members[at].name.clone());
        let endpoint = cluster.endpoint(survivor);
        ok(&["member", "add", &url, "--name", &name, "--endpoints", &endpoint]);
        cluster.run(at);
        eventually("one more voter", || {
            let members = members(runtime, cluster, survivor)?;
            let voters = members.iter().filter(|(_, learner)| !learner).count();
            (voters == count && members.len() == count).then_some(())
        });
        cluster.await_answer(at);
    }
    let hash = |at: usize| runtime.block_on(cluster.client(at).hash_kv(0)).ok();
    eventually("all to have the same history", || {
        let hashes: Vec<_> = [survivor, 3, 4].into_iter().filter_map(hash).collect();
        let at = hashes.first()?.hash_revision;
        let level = hashes.len() == 3 && hashes.iter().all(|it| it.hash_revision == at);
        level.then(|| assert!(hashes.iter().all(|it| it.hash == hashes[0].hash), "{hashes:?}"))
    });
}

/// Every member tells of it, those too that joined later; so does a backup.
fn audit(cluster: &mut Cluster, runtime: &Runtime, survivor: usize, told: &serde_json::Value) {
    let file = cluster.members[survivor].dir.with_extension("snapshot");
    ok(&["snapshot", "save", text(&file), "--endpoints", &cluster.endpoint(4)]);
    let said = ok(&["snapshot", "inspect", text(&file), "-o", "json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let record = &said["recoveries"][0];
    assert_eq!(record["cluster_id"], told["survivor_cluster_id"], "{said}");
    assert_eq!(record["raft_index"], told["raft_index"]);
    assert_eq!(record["commit"], told["commit"]);
    assert_eq!(record["given_up"].as_array().unwrap().len(), 2);
    for at in [survivor, 3] {
        cluster.terminate(at);
        let said = ok(&["inspect", "state", text(&cluster.members[at].dir)]);
        assert!(said.contains("recovered") && said.contains("from member"), "{said}");
        cluster.run(at);
        cluster.await_answer(at);
        let log = cluster.log(&cluster.members[at].name);
        assert!(log.contains("this cluster was recovered at"), "{log}");
    }
    runtime.block_on(cluster.client(survivor).put("after", "all")).unwrap();
}

#[test]
fn of_several_survivors_the_one_with_the_most_is_used_and_a_bump_is_kept() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let put = |cluster: &Cluster, at: usize, key: String| {
        eventually("a put", || runtime.block_on(cluster.client(at).put(key.clone(), "v")).ok());
    };
    put(&cluster, 0, "all".into());
    cluster.terminate(2);
    (0..20).for_each(|number| put(&cluster, 0, format!("two/{number}")));
    cluster.terminate(1);
    cluster.terminate(0);
    let (less, most) = (cluster.members[2].dir.clone(), cluster.members[0].dir.clone());
    let bump = ["--bump-revision", "1000", "--mark-compacted"];
    let told = recover(&cluster, 2, &[&[text(&most)], &bump[..]].concat());
    assert_ne!(told["survivor"].as_str(), Some(text(&less)));
    let revision = told["survivor_revision"].as_i64().unwrap();
    assert_eq!(told["revision"].as_i64().unwrap(), revision + 1_000);
    // Any name will do, and any place of the old settings.
    cluster.members[2].dir = heir(&cluster, 2);
    cluster.run(2);
    cluster.await_answer(2);
    let kv = runtime.block_on(cluster.client(2).get("two/19")).unwrap();
    assert!(kv.is_some());
    let answer = runtime.block_on(cluster.client(2).put("x", "y")).unwrap();
    assert_eq!(answer.header.unwrap().revision, revision + 1_001);
    cluster.assert_unharmed();
}
