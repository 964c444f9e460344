//! `conclave dev`: the server that a first run starts.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{ChildStdout, Stdio};

use serde_json::Value;

use crate::local::Process;
use crate::said::say;
use crate::support::cluster::{Cluster, DISK_RESERVED, conclave};
use crate::support::{eventually, free_ports, get};

/// A development server that is ready.
struct Dev {
    process: Process,
    address: String,
    welcome: Vec<String>,
    /// Held open, so that it has somewhere to print to.
    _out: BufReader<ChildStdout>,
}

impl Dev {
    fn start(extra: &[&str]) -> Self {
        let address = format!("127.0.0.1:{}", free_ports(1)[0]);
        let mut command = conclave();
        command.args(["dev", "--listen-client", &address]).args(extra);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut process = Process(child);
        let mut out = BufReader::new(process.0.stdout.take().unwrap());
        let lines = out.by_ref().lines().map(Result::unwrap);
        let welcome = lines.take_while(|line| line != "Ctrl-C ends it.").collect();
        Self { process, address, welcome, _out: out }
    }

    fn start_in(dir: &Path, extra: &[&str]) -> Self {
        Self::start(&[&["--data-dir", dir.to_str().unwrap()][..], extra].concat())
    }

    /// The commands that it says are worth a try, but for their first word.
    fn to_try(&self) -> Vec<Vec<&str>> {
        let lines = self.welcome.iter().filter_map(|line| line.strip_prefix("  conclave "));
        lines.map(|line| line.split(' ').collect()).collect()
    }

    /// The members of its pool, by the command that it names.
    fn members(&self) -> Vec<Value> {
        let tried = self.to_try();
        let command = tried.iter().find(|words| words[0] == "members").unwrap();
        let said = say(&[&command[..], &["-o", "json"]].concat());
        serde_json::from_str(&said.ok()).unwrap()
    }

    /// The tags by which it shows whom it belongs to, once it does.
    fn shown(&self) -> [Value; 4] {
        eventually("the cluster in the tags", || {
            let tags = &self.members()[0]["tags"];
            let shown = ["cluster", "id", "seat", "pledge"].map(|name| tags[name].clone());
            shown.iter().all(Value::is_string).then_some(shown)
        })
    }

    fn read(&self, key: &str) -> String {
        say(&["kv", "get", key, "--endpoints", &self.address]).ok()
    }

    fn put(&self, key: &str, value: &str) {
        assert_eq!(say(&["kv", "put", key, value, "--endpoints", &self.address]).ok(), "OK\n");
    }

    /// Ctrl-C; nothing had failed. A busy machine may be warned of.
    fn stop(mut self) {
        self.process.signal("INT");
        assert_eq!(self.process.end(), Some(0));
        let mut errors = String::new();
        self.process.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(!errors.contains("ERROR") && !errors.contains("panicked"), "{errors}");
    }

    fn kill(mut self) {
        self.process.0.kill().unwrap();
        self.process.end();
    }
}

#[test]
fn a_development_server_says_where_it_is_and_what_to_try() {
    let dev = Dev::start(&[]);
    let (welcome, address) = (&dev.welcome, &dev.address);
    assert!(welcome[0].ends_with(" is ready"), "{welcome:?}");
    let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    for page in ["/health", "/metrics"] {
        assert!(welcome.iter().any(|line| line.ends_with(&format!("http://{address}{page}"))));
        assert_eq!(get(port, page).unwrap().0, 200);
    }
    // The commands it names work as they stand.
    let tried = dev.to_try();
    assert_eq!(tried.len(), 3, "{welcome:?}");
    assert_eq!(say(&tried[0]).ok(), "OK\n");
    let mut watch = conclave();
    let watch = watch.args(&tried[1]).stdout(Stdio::piped()).spawn().unwrap();
    let mut watch = Process(watch);
    let seen = BufReader::new(watch.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(seen.take(3).collect::<Vec<_>>(), ["PUT", "greeting", "hello"]);
    let table = say(&tried[2]).ok();
    let row = table.lines().find(|line| line.starts_with("dev ")).unwrap();
    assert!(row.contains(" alive ") && row.contains("expect=1"), "{table}");
    dev.stop();
}

#[test]
fn development_servers_on_one_machine_keep_to_themselves() {
    let first = Dev::start(&[]);
    // It has a pool in common with the first, and the port for peers of its settings.
    let gossip = first.members()[0]["address"].as_str().unwrap().to_owned();
    let second = Dev::start(&["--name", "second", "--join", &gossip]);
    let servers = eventually("both to be in the pool", || {
        let servers = second.members();
        let cluster = |server: &Value| server["tags"]["cluster"].as_str().map(ToOwned::to_owned);
        let clusters: Vec<_> = servers.iter().filter_map(cluster).collect();
        (clusters.len() == 2).then_some(clusters)
    });
    assert_ne!(servers[0], servers[1], "each has founded a group of its own");
    first.put("k", "1");
    second.put("k", "2");
    assert_eq!((first.read("k"), second.read("k")), ("k\n1\n".into(), "k\n2\n".into()));
    let refused = say(&["dev", "--bootstrap-expect", "3", "--data-dir", "d"]).fails(2);
    assert!(refused.starts_with("dev is one server"), "{refused}");
}

#[test]
fn a_development_server_comes_back_to_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("d");
    let dev = Dev::start_in(&dir, &[]);
    assert!(dir.join("PLEDGE").exists());
    let founded = dev.shown();
    assert_eq!(founded[2], founded[3], "it has pledged itself");
    dev.put("k", "v");
    dev.kill();
    let dev = Dev::start_in(&dir, &[]);
    assert_eq!(dev.read("k"), "k\nv\n");
    assert_eq!(dev.shown(), founded);
    dev.stop();

    // It was killed when it had pledged and had no directory of a member yet.
    let early = folder.path().join("e");
    std::fs::create_dir(&early).unwrap();
    std::fs::copy(dir.join("PLEDGE"), early.join("PLEDGE")).unwrap();
    let dev = Dev::start_in(&early, &[]);
    dev.put("k", "w");
    dev.stop();
}

#[test]
fn a_directory_from_before_there_were_pledges_goes_on() {
    let mut cluster = Cluster::start(1);
    let member = &cluster.members[0];
    let (name, dir) = (member.name.clone(), member.dir.clone());
    let peer = format!("127.0.0.1:{}", member.peer_port);
    let endpoint = cluster.endpoint(0);
    assert_eq!(say(&["kv", "put", "k", "v", "--endpoints", &endpoint]).ok(), "OK\n");
    cluster.kill(0);
    for _ in 0..2 {
        let dev = Dev::start_in(&dir, &["--name", &name, "--listen-peer", &peer]);
        assert_eq!(dev.read("k"), "k\nv\n");
        dev.stop();
    }
    // One that came no further than its beginning.
    let empty = tempfile::tempdir().unwrap();
    std::fs::copy(dir.join("FORMAT"), empty.path().join("FORMAT")).unwrap();
    let dev = Dev::start_in(empty.path(), &["--name", &name, "--listen-peer", &peer]);
    dev.put("k", "w");
    dev.stop();
}

#[test]
fn a_development_server_keeps_little_of_the_disk_free() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_ports(1)[0];
    let mut command = conclave();
    command.env_remove(DISK_RESERVED).args(["dev", "--data-dir"]).arg(dir.path());
    command.args(["--listen-client", &format!("127.0.0.1:{port}")]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let process = Process(child);
    let reserved = eventually("the metrics", || {
        let (_, page) = get(port, "/metrics")?;
        let mut lines = page.lines();
        let value = lines.find_map(|line| line.strip_prefix("conclave_disk_reserved_bytes "))?;
        value.parse::<u64>().ok().filter(|bytes| *bytes > 0)
    });
    assert!(reserved <= 64 << 20, "{reserved}");
    process.signal("INT");
}
