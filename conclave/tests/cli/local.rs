//! `conclave local`: a cluster of servers and agents on this machine.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use crate::said::say;
use crate::support::cluster::{DISK_RESERVED, SMALL_RESERVE, conclave};
use crate::support::{eventually, free_ports};

/// A process that is killed when dropped.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

impl Process {
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
    }

    pub(crate) fn end(&mut self) -> Option<i32> {
        eventually("the end of the process", || self.0.try_wait().unwrap()).code()
    }
}

/// Whether a process runs; one that has ended and waits to be collected does not.
fn runs(pid: u64) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state != Some('Z') && state != Some('X')
}

/// A port from which on all that six members need are free.
fn base_port() -> u16 {
    eventually("a range of free ports", || {
        let base = free_ports(1)[0];
        let doors = |member: u16| (0..4).map(move |door| base.checked_add(10 * member + door));
        let needed: Vec<Option<u16>> = (0..6).flat_map(doors).collect();
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
    /// Three servers.
    fn start(dir: &Path) -> Self {
        Self::start_at(dir, base_port(), 0)
    }

    /// Three servers and so many agents, on the ports from this one on.
    fn start_at(dir: &Path, base: u16, agents: usize) -> Self {
        let mut command = conclave();
        command.args(["local", "--servers", "3", "--json", "--dir"]).arg(dir);
        command.args(["--agents", &agents.to_string(), "--base-port", &base.to_string()]);
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
            self.members.iter().filter_map(|member| member["etcd"].as_str()).collect();
        all.join(",")
    }

    /// The pool as one member shows it: name, status and tags.
    fn pool(&self, at: usize) -> Vec<(String, String, Value)> {
        let http = self.members[at]["http"].as_str().unwrap();
        let said = say(&["members", "-o", "json", "--http", http]);
        let list: Value = serde_json::from_str(&said.ok()).unwrap();
        let text = |member: &Value, name: &str| member[name].as_str().unwrap().to_owned();
        let members = list.as_array().unwrap().iter();
        members.map(|it| (text(it, "name"), text(it, "status"), it["tags"].clone())).collect()
    }

    /// Waits until each of these shows just those members to be alive, and nobody but them and
    /// the failed.
    fn await_alive(&self, at: &[usize], names: &[&str]) {
        for at in at {
            eventually(&format!("{names:?} to be alive"), || {
                let pool = self.pool(*at);
                let is = |(name, status, _): &(String, String, Value)| {
                    status == if names.contains(&name.as_str()) { "alive" } else { "failed" }
                };
                (pool.len() == self.members.len() && pool.iter().all(is)).then_some(())
            });
        }
    }

    /// The cluster that all three servers show, once they do.
    fn cluster(&self) -> String {
        eventually("one cluster in the tags", || {
            let pool = self.pool(0);
            let clusters = pool.iter().filter_map(|(_, _, tags)| tags["cluster"].as_str());
            let clusters: Vec<&str> = clusters.collect();
            let same = clusters.len() == 3 && clusters.iter().all(|it| *it == clusters[0]);
            same.then(|| clusters[0].to_owned())
        })
    }

    /// Ends a member at once.
    fn kill(&self, at: usize) {
        let pid = self.pid(at).to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    }

    /// Starts a member by the line that is printed when it dies.
    fn restart(&self, at: usize) -> Process {
        let restart = self.members[at]["restart"].as_str().unwrap();
        let mut again = Command::new("sh");
        again.env(DISK_RESERVED, SMALL_RESERVE).args(["-c", &format!("exec {restart}")]);
        again.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Process(again.spawn().unwrap())
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
    local.kill(1);
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

    let mut again = local.restart(1);
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
fn a_local_cluster_ends_in_good_order_when_told_to_and_begins_as_it_was_founded() {
    let dir = tempfile::tempdir().unwrap();
    let base = base_port();
    let mut local = Local::start_at(dir.path(), base, 0);
    let all: Vec<u64> = (0..3).map(|at| local.pid(at)).collect();
    local.process.signal("INT");
    assert_eq!(local.process.end(), Some(0));
    assert!(all.iter().all(|pid| !runs(*pid)), "a member outlives it");
    let mut errors = String::new();
    local.errors.read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "", "nothing went wrong");
    let (path, port) = (dir.path().to_str().unwrap(), base.to_string());
    for other in [["--servers", "2"], ["--servers", "5"], ["--consensus", "zab"]] {
        let words = [&["local", "--dir", path, "--base-port", &port], &other[..]].concat();
        let said = say(&words).fails(1);
        let flags = format!("was founded with --servers 3 --consensus raft --base-port {base}");
        assert!(said.contains(&flags), "{said}");
    }
}

#[test]
fn servers_and_agents_form_by_gossip_and_come_back_from_any_death() {
    let dir = tempfile::tempdir().unwrap();
    let base = base_port();
    let local = Local::start_at(dir.path(), base, 3);
    let all = ["n1", "n2", "n3", "a1", "a2", "a3"];
    local.await_alive(&[0, 1, 2, 3, 4, 5], &all);
    let cluster = local.cluster();
    for (name, _, tags) in local.pool(4) {
        let role = if name.starts_with('n') { Value::from("server") } else { Value::Null };
        let expect = if name.starts_with('n') { Value::from("3") } else { Value::Null };
        assert_eq!((&tags["role"], &tags["expect"]), (&role, &expect), "{name}: {tags}");
    }
    let endpoints = local.endpoints();
    let put = |key: &str| say(&["kv", "put", key, "v", "--endpoints", &endpoints]).ok();
    assert_eq!(put("before"), "OK\n");

    // A server and an agent die at once; the others see it, and go on.
    local.kill(2);
    local.kill(3);
    local.await_alive(&[0, 1, 4, 5], &["n1", "n2", "a2", "a3"]);
    assert_eq!(put("meanwhile"), "OK\n");
    let back = [2, 3].map(|at| local.restart(at));
    local.await_alive(&[0, 1, 2, 3, 4, 5], &all);
    local.assert_healthy();

    // All die, and the line of the first start is enough.
    drop(back);
    [0, 1, 4, 5].into_iter().for_each(|at| local.kill(at));
    let pids: Vec<u64> = (0..6).map(|at| local.pid(at)).collect();
    drop(local);
    eventually("the members to end", || pids.iter().all(|pid| !runs(*pid)).then_some(()));
    let local = Local::start_at(dir.path(), base, 3);
    local.await_alive(&[0, 3], &all);
    local.assert_healthy();
    assert_eq!(local.cluster(), cluster);
    for key in ["before", "meanwhile"] {
        let said = say(&["kv", "get", key, "--endpoints", &endpoints]);
        assert_eq!(said.ok(), format!("{key}\nv\n"));
    }
}
