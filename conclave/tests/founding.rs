//! Servers that meet by gossip: they found a group, follow one, come back, and are removed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use protocol::{ClusterId, NodeId};
use serde_json::Value;
use storage::Identity;
use storage::datadir::DataDir;
use support::cluster::conclave;
use support::{ended, eventually, free_ports, get};
use tempfile::TempDir;

/// A server's process, and where it is reached.
struct Server {
    name: String,
    /// For clients, peers, the pool and its own API.
    ports: [u16; 4],
    dir: PathBuf,
    child: Option<Child>,
}

/// Servers that are told nothing of each other but where the pool is.
struct Pool {
    servers: Vec<Server>,
    expect: usize,
    extra: Vec<String>,
    folder: TempDir,
}

impl Pool {
    fn new(size: usize, expect: usize, extra: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = free_ports(4 * size);
        let server = |at: usize| Server {
            name: format!("s{at}"),
            ports: [0, 1, 2, 3].map(|door| ports[4 * at + door]),
            dir: folder.path().join(format!("s{at}")),
            child: None,
        };
        let servers = (0..size).map(server).collect();
        let extra = extra.iter().map(ToString::to_string).collect();
        Self { servers, expect, extra, folder }
    }

    fn run(&mut self, at: usize) {
        let everybody: Vec<usize> = (0..self.servers.len()).collect();
        self.run_knowing(at, &everybody);
    }

    /// Starts a server that is told where these are in the pool.
    fn run_knowing(&mut self, at: usize, others: &[usize]) {
        let address = |port: u16| format!("127.0.0.1:{port}");
        let others = others.iter().filter(|other| **other != at);
        let join: Vec<String> = others.map(|at| address(self.servers[*at].ports[2])).collect();
        let log = File::options().create(true).append(true).open(self.log_path(at)).unwrap();
        let server = &mut self.servers[at];
        assert!(server.child.is_none(), "{} runs already", server.name);
        let mut command = conclave();
        command.args(["agent", "--server", "--name", &server.name, "--data-dir"]).arg(&server.dir);
        let flags = ["--listen-client", "--listen-peer", "--listen-gossip", "--listen-http"];
        for (flag, port) in flags.into_iter().zip(server.ports) {
            command.args([flag, &address(port)]);
        }
        command.args(["--gossip-profile", "local"]);
        command.args(["--bootstrap-expect", &self.expect.to_string()]);
        if !join.is_empty() {
            command.args(["--join", &join.join(",")]);
        }
        command.args(&self.extra).stdin(Stdio::null());
        server.child = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.servers[at].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn log_path(&self, at: usize) -> PathBuf {
        self.folder.path().join(format!("{}.log", self.servers[at].name))
    }

    fn log(&self, at: usize) -> String {
        std::fs::read_to_string(self.log_path(at)).unwrap_or_default()
    }

    fn endpoint(&self, at: usize) -> String {
        format!("127.0.0.1:{}", self.servers[at].ports[0])
    }

    fn await_healthy(&self, at: usize) {
        eventually(&format!("{} to be healthy", self.servers[at].name), || {
            get(self.servers[at].ports[0], "/health").filter(|(status, _)| *status == 200)
        });
    }

    /// The members of the group, as one of them tells: name and whether it is a learner.
    fn members(&self, at: usize) -> Option<Vec<(String, bool)>> {
        let endpoint = self.endpoint(at);
        let list = say(&["member", "list", "-o", "json", "--endpoints", &endpoint])?;
        let list: Value = serde_json::from_str(&list).ok()?;
        let rows = list["members"].as_array()?.iter().map(|row| {
            let learner = row["is_learner"].as_bool()?;
            Some((row["name"].as_str()?.to_owned(), learner))
        });
        let mut rows: Vec<_> = rows.collect::<Option<_>>()?;
        rows.sort();
        Some(rows)
    }

    /// Waits until one of them tells of these voters and nobody else.
    fn await_voters(&self, at: usize, wanted: &[&str]) {
        eventually(&format!("the voters {wanted:?}"), || {
            let members = self.members(at)?;
            let is_it = members.iter().all(|(_, learner)| !learner)
                && members.iter().map(|(name, _)| name.as_str()).eq(wanted.iter().copied());
            is_it.then_some(())
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        (0..self.servers.len()).for_each(|at| self.kill(at));
        if std::thread::panicking() {
            for at in 0..self.servers.len() {
                let log = self.log(at);
                let lines: Vec<&str> = log.lines().collect();
                let last = lines.len().saturating_sub(40);
                eprintln!("--- {} ---\n{}", self.servers[at].name, lines[last..].join("\n"));
            }
        }
    }
}

/// What a command prints; `None` when it fails.
fn say(arguments: &[&str]) -> Option<String> {
    let output = ended(conclave().args(arguments));
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

fn put(endpoint: &str, key: &str, value: &str) {
    eventually("a write", || say(&["kv", "put", key, value, "--endpoints", endpoint]));
}

fn read(endpoint: &str, key: &str) -> String {
    eventually("a read", || say(&["kv", "get", key, "--endpoints", endpoint]))
}

#[test]
fn a_fourth_server_is_added_a_dead_one_is_removed_and_a_lost_disk_is_replaced() {
    let mut pool = Pool::new(4, 3, &["--dead-server-after", "2s"]);
    (0..3).for_each(|at| pool.run(at));
    (0..3).for_each(|at| pool.await_healthy(at));
    pool.await_voters(0, &["s0", "s1", "s2"]);
    put(&pool.endpoint(0), "k", "v");

    // It knows nothing but the pool.
    pool.run(3);
    pool.await_healthy(3);
    pool.await_voters(0, &["s0", "s1", "s2", "s3"]);
    assert_eq!(read(&pool.endpoint(3), "k"), "k\nv\n");

    pool.kill(1);
    pool.await_voters(0, &["s0", "s2", "s3"]);
    let told = (0..4).any(|at| pool.log(at).contains("has been gone for 2s"));
    assert!(told, "a removal is told of");
    // Three are as few as found a group: the next one stays, until its disk comes back empty and
    // a new member takes its place.
    pool.kill(2);
    std::fs::remove_dir_all(&pool.servers[2].dir).unwrap();
    put(&pool.endpoint(0), "k", "w");
    pool.run(2);
    pool.await_healthy(2);
    pool.await_voters(2, &["s0", "s2", "s3"]);
    assert_eq!(read(&pool.endpoint(2), "k"), "k\nw\n");
}

#[test]
fn a_server_that_waits_for_its_group_says_so_and_clients_find_it_when_it_has_one() {
    let mut pool = Pool::new(2, 2, &[]);
    pool.run_knowing(0, &[]);
    let port = pool.servers[0].ports[0];
    let words = "this server waits for its group: 1 of 2 servers have met";
    let page = |path: &str| eventually(path, || get(port, path));
    eventually("the reason", || get(port, "/readyz").filter(|(_, body)| body.contains(words)));
    assert_eq!(page("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(page("/readyz").0, 503);
    let health = page("/health");
    assert_eq!(health.0, 503);
    assert!(health.1.contains(words), "{health:?}");
    let endpoint = pool.endpoint(0);
    let mut write = conclave();
    write.args(["kv", "put", "k", "v", "--timeout", "1s", "--endpoints", &endpoint]);
    let said = ended(&mut write);
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(!said.status.success() && text.contains(words), "{text}");

    // A client that is there before its group is asks again, and is served by whoever is.
    let mut early = conclave();
    early.args(["kv", "put", "k", "v", "--timeout", "60s", "--endpoints", &endpoint]);
    let early = early.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let early = early.spawn().unwrap();
    pool.run(1);
    let said = early.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(read(&pool.endpoint(1), "k"), "k\nv\n");
    pool.await_healthy(0);
}

#[test]
fn a_pledge_outlives_its_server_and_founders_come_back_to_their_group() {
    let mut pool = Pool::new(3, 3, &[]);
    // Two wait for a third; what they do not know, they do not pledge.
    pool.run(0);
    pool.run(1);
    eventually("two to have met", || {
        pool.log(0).contains("joined the pool member=s1").then_some(())
    });
    assert!(!pool.servers[0].dir.join("PLEDGE").exists());
    pool.run(2);
    (0..3).for_each(|at| pool.await_healthy(at));
    put(&pool.endpoint(1), "k", "v");
    let cluster = |pool: &Pool, at: usize| {
        let log = pool.log(at);
        let name = &pool.servers[at].name;
        let members = say(&["members", "-o", "json", "--http", &http(pool, at)]);
        let members: Value = serde_json::from_str(&members.expect(&log)).unwrap();
        let all = members.as_array().unwrap();
        let own = all.iter().find(|row| row["name"] == *name).unwrap();
        own["tags"]["cluster"].as_str().map(ToOwned::to_owned)
    };
    let founded = eventually("the cluster in the tags", || cluster(&pool, 0));

    // All die at once, and come back one by one with the same words, one of them without others.
    (0..3).for_each(|at| pool.kill(at));
    // A pledge that was kept has done its part; who the members are stands in the log.
    std::fs::write(pool.servers[1].dir.join("PLEDGE"), b"noise").unwrap();
    pool.run_knowing(2, &[]);
    pool.run(0);
    pool.run(1);
    (0..3).for_each(|at| pool.await_healthy(at));
    assert_eq!(read(&pool.endpoint(2), "k"), "k\nv\n");
    let again = eventually("the cluster in the tags", || cluster(&pool, 2));
    assert_eq!(again, founded);
    assert_eq!(pool.log(2).matches("meets other servers in the pool").count(), 1);
    assert!(pool.log(1).contains("cannot be read, and is not needed any more"));
}

fn http(pool: &Pool, at: usize) -> String {
    format!("127.0.0.1:{}", pool.servers[at].ports[3])
}

#[test]
fn a_follower_that_was_killed_before_it_met_anybody_comes_back_with_the_same_line() {
    let mut pool = Pool::new(2, 1, &[]);
    pool.run_knowing(0, &[]);
    pool.await_healthy(0);
    put(&pool.endpoint(0), "k", "v");
    // As it stands once it was taken in: the cluster has a seat for it, and its directory says
    // which. Nobody has heard of it since.
    let peer = format!("127.0.0.1:{}", pool.servers[1].ports[1]);
    let endpoint = pool.endpoint(0);
    let added = say(&["member", "add", &peer, "--name", "s1", "--endpoints", &endpoint]);
    assert!(added.is_some());
    let list = say(&["member", "list", "-o", "json", "--endpoints", &endpoint]).unwrap();
    let list: Value = serde_json::from_str(&list).unwrap();
    let members = list["members"].as_array().unwrap();
    let seat = members.iter().find(|row| row["peer_urls"][0] == format!("http://{peer}"));
    let cluster = ClusterId(list["header"]["cluster_id"].as_u64().unwrap());
    let node = NodeId(seat.unwrap()["id"].as_u64().unwrap());
    let taken_in = Identity { cluster, node };
    drop(DataDir::open(&pool.servers[1].dir, taken_in).unwrap());

    pool.run(1);
    pool.await_healthy(1);
    pool.await_voters(1, &["s0", "s1"]);
    assert_eq!(read(&pool.endpoint(1), "k"), "k\nv\n");
    assert_eq!(DataDir::identity(&pool.servers[1].dir).unwrap(), Some(taken_in));
    for wrong in ["no member answers", "snapshot restore"] {
        assert!(!pool.log(1).contains(wrong), "{}", pool.log(1));
    }
}

#[test]
fn two_groups_that_meet_do_not_mix_and_say_so() {
    let mut pool = Pool::new(2, 1, &[]);
    pool.run_knowing(0, &[]);
    pool.run_knowing(1, &[]);
    (0..2).for_each(|at| pool.await_healthy(at));
    put(&pool.endpoint(0), "k", "of 0");
    put(&pool.endpoint(1), "k", "of 1");
    pool.kill(1);
    pool.run_knowing(1, &[0]);
    pool.await_healthy(1);
    for at in 0..2 {
        eventually("a word on two clusters", || {
            pool.log(at).contains("two clusters in one pool").then_some(())
        });
        pool.await_voters(at, &[&format!("s{at}")]);
        assert_eq!(read(&pool.endpoint(at), "k"), format!("k\nof {at}\n"));
    }
}

#[test]
fn a_server_with_another_name_or_number_does_not_take_up_a_pledge() {
    let mut pool = Pool::new(1, 2, &[]);
    // As it stands after a pledge for two, the other of which never came.
    let dir = pool.servers[0].dir.clone();
    write_pledge(&dir, &[7, 9]);
    pool.run(0);
    eventually("a refusal", || {
        pool.log(0).contains("is the pledge of another server").then_some(())
    });
    let code = pool.servers[0].child.as_mut().unwrap().wait().unwrap().code();
    assert_ne!(code, Some(0));
    std::fs::write(dir.join("PLEDGE"), b"noise").unwrap();
    pool.servers[0].child = None;
    pool.run(0);
    eventually("a refusal", || pool.log(0).contains("it is damaged").then_some(()));
}

/// The file as `docs/formats.md` draws it.
fn write_pledge(dir: &Path, ids: &[u64]) {
    let mut body = 1_u32.to_le_bytes().to_vec();
    body.extend_from_slice(b"CNCLPLDG");
    body.push(u8::try_from(ids.len()).unwrap());
    for id in ids {
        body.extend_from_slice(&id.to_le_bytes());
        body.extend_from_slice(&[0; 4]);
    }
    let sum = crc32fast::hash(&body).to_le_bytes();
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("PLEDGE"), [&sum[..], &body].concat()).unwrap();
}
