//! Clients that repeat their writes, while leaders are killed: each write is done once, and none
//! fails.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use client::{Client, Options};
use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::kv_client::KvClient;
use etcdpb::etcdserverpb::lease_client::LeaseClient;
use support::cluster::Cluster;
use support::eventually;
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use tonic::{Request, Status};

const WRITERS: usize = 12;

fn rounds() -> usize {
    std::env::var("KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5)
}

/// Writers with a key each, which they put again and again, one put at a time; every put must
/// succeed.
struct Writers {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<u64>>,
}

impl Writers {
    fn start(runtime: &Runtime, endpoints: &[String]) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let write = |writer| {
            let mut options = Options::to(endpoints.to_vec());
            options.request_timeout = Duration::from_secs(24);
            let client = Client::new(options).unwrap();
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            runtime.spawn(async move {
                let mut puts = 0;
                while !stop.load(Ordering::Relaxed) {
                    puts += 1;
                    let put = client.put(format!("once/{writer}"), format!("{puts}")).await;
                    put.unwrap_or_else(|error| panic!("put {puts} of {writer}: {error}"));
                    done.fetch_add(1, Ordering::Relaxed);
                }
                puts
            })
        };
        let tasks = (0..WRITERS).map(write).collect();
        Self { stop, done, tasks }
    }

    /// Waits until so many more puts are done.
    fn go_on(&self, more: u64) {
        let goal = self.done.load(Ordering::Relaxed) + more;
        eventually("puts to be done", || (self.done.load(Ordering::Relaxed) >= goal).then_some(()));
    }

    /// Ends them, and checks that each key was put exactly as often as its writer has done so.
    fn finish(self, runtime: &Runtime, client: &Client) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut total = 0;
        for (writer, task) in self.tasks.into_iter().enumerate() {
            let puts = runtime.block_on(task).unwrap();
            let kv = runtime.block_on(client.get(format!("once/{writer}"))).unwrap().unwrap();
            assert_eq!(kv.version, i64::try_from(puts).unwrap(), "writer {writer}");
            assert_eq!(kv.value, puts.to_string(), "writer {writer}");
            total += puts;
        }
        total
    }
}

#[test]
fn s1_18_no_write_fails_or_is_done_twice_while_leaders_are_killed() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let writers = Writers::start(&runtime, &cluster.endpoints());
    for _ in 0..rounds() {
        writers.go_on(200);
        let leader = cluster.leader(&runtime);
        cluster.kill(leader);
        writers.go_on(20);
        cluster.run(leader);
        cluster.await_healthy();
    }
    writers.go_on(50);
    (0..3).for_each(|at| cluster.kill(at));
    (0..3).for_each(|at| cluster.run(at));
    cluster.await_healthy();
    writers.go_on(50);
    let total = writers.finish(&runtime, &cluster.any_client());
    cluster.assert_equal(&runtime);
    eprintln!("{total} puts, each done once, none failed");
}

async fn channel(cluster: &Cluster, at: usize) -> Channel {
    let endpoint = format!("http://{}", cluster.endpoint(at));
    Channel::from_shared(endpoint).unwrap().connect().await.unwrap()
}

fn once<T>(message: T, sequence: u64) -> Request<T> {
    let mut request = Request::new(message);
    let client = "6ba7b810-9dad-41d1-80b4-00c04fd430c8".parse().unwrap();
    request.metadata_mut().insert("conclave-client", client);
    request.metadata_mut().insert("conclave-sequence", sequence.into());
    request
}

/// Puts under a request id through one member.
async fn put(cluster: &Cluster, at: usize, sequence: u64) -> Result<pb::PutResponse, Status> {
    let request = pb::PutRequest {
        key: "k".into(),
        value: "v".into(),
        prev_kv: true,
        ..pb::PutRequest::default()
    };
    let mut kv = KvClient::new(channel(cluster, at).await);
    Ok(kv.put(once(request, sequence)).await?.into_inner())
}

#[test]
fn an_answer_survives_the_leader_and_a_restart_of_all() {
    let runtime = Runtime::new().unwrap();
    let mut cluster = Cluster::start(3);
    let revision = |answer: &pb::PutResponse| answer.header.as_ref().unwrap().revision;
    let leader = cluster.leader(&runtime);
    let first = runtime.block_on(put(&cluster, leader, 1)).unwrap();
    let second = runtime.block_on(put(&cluster, leader, 2)).unwrap();
    let grant = |cluster: &Cluster, at| {
        let request = once(pb::LeaseGrantRequest { ttl: 600, id: 0 }, 3);
        let answer = runtime.block_on(async {
            LeaseClient::new(channel(cluster, at).await).lease_grant(request).await
        });
        answer.unwrap().into_inner().id
    };
    let lease = grant(&cluster, leader);
    let check = |cluster: &Cluster, at| {
        for (sequence, answer) in [(1, &first), (2, &second)] {
            let again = runtime.block_on(put(cluster, at, sequence)).unwrap();
            assert_eq!(revision(&again), revision(answer));
            assert_eq!(again.prev_kv, answer.prev_kv);
        }
        assert_eq!(grant(cluster, at), lease);
    };
    cluster.kill(leader);
    check(&cluster, (leader + 1) % 3);
    cluster.run(leader);
    cluster.await_healthy();
    check(&cluster, leader);
    for signal in ["TERM", "KILL"] {
        for at in 0..3 {
            match signal {
                "TERM" => drop(cluster.terminate(at)),
                _ => cluster.kill(at),
            }
        }
        (0..3).for_each(|at| cluster.run(at));
        cluster.await_healthy();
        (0..3).for_each(|at| check(&cluster, at));
    }
    let kv = runtime.block_on(cluster.any_client().get("k")).unwrap().unwrap();
    assert_eq!((kv.version, kv.mod_revision), (2, revision(&second)));
    cluster.assert_equal(&runtime);
}
