//! `conclave local` and `conclave dev`: servers that a first run starts.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use crate::said::say;
use crate::support::cluster::{DISK_RESERVED, SMALL_RESERVE, conclave};
use crate::support::{eventually, free_ports, get};

/// A process that is killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

impl Process {
    fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    fn end(&mut self) -> Option<i32> {
        eventually("the end of the process", || self.0.try_wait().unwrap()).code()
    }
}

/// Whether a process runs; one that has ended and waits to be collected does not.
fn runs(pid: u64) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state != Some('Z') && state != Some('X')
}

/// A port from which on all that three members need are free.
fn base_port() -> u16 {
    eventually("a range of free ports", || {
        let base = free_ports(1)[0];
        let doors = |member: u16| (0..4).map(move |door| base.checked_add(10 * member + door));
        let needed: Vec<Option<u16>> = (0..3).flat_map(doors).collect();
        let bound: Vec<TcpListener> = needed
            .iter()
            .map(|port| TcpListener::bind(("127.0.0.1", (*port)?)).ok())
            .collect::<Option<_>>()?;
        (bound.len() == needed.len()).then_some(base)
    })
}

/// A cluster on this machine: its process, what it says of its members, and what it complains of.
struct Local {
    process: Process,
    members: Vec<Value>,
    errors: BufReader<ChildStderr>,
}

impl Local {
    fn start(dir: &Path) -> Self {
        let mut command = conclave();
        command.args(["local", "--servers", "3", "--json", "--dir"]).arg(dir);
        command.args(["--base-port", &base_port().to_string()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let process = Process(child);
        let document: Value = serde_json::from_str(&line).unwrap();
        let members = document["members"].as_array().unwrap().clone();
        Self { process, members, errors }
    }

    fn pid(&self, at: usize) -> u64 {
        self.members[at]["pid"].as_u64().unwrap()
    }

    fn endpoints(&self) -> String {
        let all: Vec<_> =
            self.members.iter().map(|member| member["etcd"].as_str().unwrap()).collect();
        all.join(",")
    }

    /// Three members, each of which answers and knows the others.
    fn assert_healthy(&self) {
        eventually("three healthy members", || {
            let said = say(&["status", "-o", "json", "--endpoints", &self.endpoints()]);
            let rows: Value = serde_json::from_str(&said.out).ok()?;
            (said.code == Some(0) && rows.as_array()?.len() == 3).then_some(())
        });
    }
}

#[test]
fn a_local_cluster_runs_loses_and_regains_a_member_and_takes_all_along() {
    let dir = tempfile::tempdir().unwrap();
    let mut local = Local::start(dir.path());
    let names: Vec<_> = local.members.iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["n1", "n2", "n3"]);
    local.assert_healthy();
    let endpoints = local.endpoints();
    assert_eq!(say(&["kv", "put", "k", "v", "--endpoints", &endpoints]).ok(), "OK\n");

    // One dies, is reported with the line that starts it again, and stays dead.
    let killed = local.pid(1);
    let status = Command::new("kill").args(["-9", &killed.to_string()]).status().unwrap();
    assert!(status.success());
    let mut report = [String::new(), String::new()];
    for line in &mut report {
        local.errors.read_line(line).unwrap();
    }
    assert!(report[0].starts_with("n2 ended (signal: 9"), "{report:?}");
    assert!(report[0].ends_with("; start it again with:\n"), "{report:?}");
    let restart = local.members[1]["restart"].as_str().unwrap().to_owned();
    assert_eq!(report[1].trim(), restart);
    assert!(!runs(killed));
    let told = say(&["kv", "get", "k", "--endpoints", &endpoints]);
    assert_eq!(told.ok(), "k\nv\n", "two of three go on");

    let mut again = Command::new("sh");
    again.env(DISK_RESERVED, SMALL_RESERVE);
    again.args(["-c", &format!("exec {restart}")]);
    let again = again.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut again = Process(again.spawn().unwrap());
    local.assert_healthy();
    again.signal("TERM");
    assert_eq!(again.end(), Some(0));

    // The others end with their parent, however it ends.
    let others = [local.pid(0), local.pid(2)];
    assert!(others.iter().all(|pid| runs(*pid)));
    local.process.signal("KILL");
    local.process.end();
    eventually("the members to end", || others.iter().all(|pid| !runs(*pid)).then_some(()));
}

#[test]
fn a_local_cluster_ends_in_good_order_when_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut local = Local::start(dir.path());
    let all: Vec<u64> = (0..3).map(|at| local.pid(at)).collect();
    local.process.signal("INT");
    assert_eq!(local.process.end(), Some(0));
    assert!(all.iter().all(|pid| !runs(*pid)), "a member outlives it");
    let mut errors = String::new();
    local.errors.read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "", "nothing went wrong");
}

#[test]
fn a_development_server_says_where_it_is_and_what_to_try() {
    let port = free_ports(1)[0];
    let address = format!("127.0.0.1:{port}");
    let mut command = conclave();
    command.args(["dev", "--listen-client", &address]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut process = Process(child);
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let welcome: Vec<String> =
        lines.by_ref().take_while(|line| line != "Ctrl-C ends it.").collect();
    assert!(welcome[0].ends_with(" is ready"), "{welcome:?}");
    for page in ["/health", "/metrics"] {
        assert!(welcome.iter().any(|line| line.ends_with(&format!("http://{address}{page}"))));
        assert_eq!(get(port, page).unwrap().0, 200);
    }
    // The commands it names work as they stand.
    let tried: Vec<Vec<&str>> = welcome
        .iter()
        .filter_map(|line| line.strip_prefix("  conclave "))
        .map(|line| line.split(' ').collect())
        .collect();
    assert_eq!(tried.len(), 2, "{welcome:?}");
    assert_eq!(say(&tried[0]).ok(), "OK\n");
    let mut watch = conclave();
    let watch = watch.args(&tried[1]).stdout(Stdio::piped()).spawn().unwrap();
    let mut watch = Process(watch);
    let seen = BufReader::new(watch.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(seen.take(3).collect::<Vec<_>>(), ["PUT", "greeting", "hello"]);

    process.signal("INT");
    assert_eq!(process.end(), Some(0));
    let mut errors = String::new();
    process.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "", "nothing to complain of");
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
