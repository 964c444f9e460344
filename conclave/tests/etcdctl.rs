//! Debian's etcdctl 3.4 does not notice whom it talks to: the same commands give the same words
//! here and at a real etcd, and they work at every member of a cluster.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::cluster::Cluster;
use support::etcdctl::{Etcdctl, find};
use support::{eventually, free_ports, get};

/// What is asked, in order. `{lease}` stands for the lease granted last; a `<` starts what the
/// command reads.
const SCRIPT: &[&str] = &[
    "put a 1",
    "put a 2 --prev-kv",
    "put b 1",
    "put c/1 x",
    "put c/2 y",
    "put c/3 z",
    "get a",
    "get a --rev=2",
    "get missing",
    "get c/ --prefix",
    "get c/ --prefix --sort-by=MODIFY --order=DESCEND",
    "get c/ --prefix --sort-by=VALUE --order=ASCEND --limit=2",
    "get c/ --prefix --keys-only",
    "get c/ --prefix --count-only --write-out=fields",
    "get b c/3",
    "get b --from-key --limit=2",
    "get a --write-out=json",
    "get a --consistency=s --write-out=fields",
    "get a --rev=1000",
    "put a --ignore-value",
    "put nothing --ignore-value",
    "put lost v --lease=7b",
    "put",
    "del a --prev-kv",
    "del a",
    "del c/ --prefix --prev-kv",
    "txn < mod(\"a\") = \"0\"\nversion(\"b\") = \"1\"\n\nput a again\nget b\n\nget b\n\n",
    "txn < value(\"a\") > \"zzz\"\n\nput a no\n\nput a yes\ndel b\nget a\n\n",
    "txn < value(\"gone\") = \"\"\n\nput a no\n\nget a\n\n",
    "txn < create(\"a\") > \"0\"\n\nput d 1\nput d 2\n\n\n",
    "get a --write-out=fields",
    "put e 1",
    "put e 2",
    "del e",
    "put e 3",
    "compaction 10",
    "compaction 10",
    "compaction 99999",
    "get a --rev=9",
    "lease grant 100",
    "put leased v --lease={lease}",
    "lease timetolive {lease} --keys",
    "lease keep-alive --once {lease}",
    "lease list",
    "get leased --write-out=fields",
    "lease revoke {lease}",
    "lease revoke {lease}",
    "lease timetolive {lease}",
    "lease keep-alive --once {lease}",
    "get leased",
    "lease grant 0",
    "lease grant 9000000001",
    "compaction 17 --physical",
    "get \"\" --prefix",
    "alarm list",
    "defrag",
    "endpoint health",
    "check perf --load=nonsense",
];

/// Hexadecimal ids, addresses and everything that differs between two clusters, made alike.
fn alike(text: &str, endpoint: &str, lease: Option<&str>) -> String {
    let mut text = text.replace(endpoint, "ENDPOINT");
    if let Some(lease) = lease {
        text = text.replace(lease, "LEASE");
        if let Ok(number) = i64::from_str_radix(lease, 16) {
            text = text.replace(&number.to_string(), "LEASE");
        }
    }
    text.lines().map(alike_line).collect::<Vec<_>>().join("\n")
}

fn alike_line(line: &str) -> String {
    if line.starts_with('{') {
        // The header's ids differ; the rest of the object does not.
        let rest = line.split_once("},").map_or("", |(_, rest)| rest);
        return format!("{{HEADER,{rest}");
    }
    for field in ["\"ClusterID\"", "\"MemberID\"", "\"RaftTerm\""] {
        if line.starts_with(field) {
            return format!("{field} : N");
        }
    }
    if line.contains("took = ") || line.contains("is healthy") {
        return line.split(':').next().unwrap_or_default().to_string();
    }
    if line.starts_with("{\"level\"") || line.contains("retrying of unary invoker failed") {
        // etcdctl's own log line, with a time stamp.
        return "LOG".into();
    }
    if let Some((before, _)) = line.split_once("remaining(") {
        return format!("{before}remaining(N)");
    }
    line.to_string()
}

/// Runs the script and gives, for each command, what it said.
fn transcript(ctl: &Etcdctl, endpoint: &str) -> Vec<(String, String)> {
    let mut lease: Option<String> = None;
    let mut said = Vec::new();
    for line in SCRIPT {
        let (command, input) = line.split_once(" < ").unwrap_or((line, ""));
        let words: Vec<String> = command
            .split(' ')
            .map(|word| word.replace("{lease}", lease.as_deref().unwrap_or("")))
            .map(|word| if word == "\"\"" { String::new() } else { word })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = run(ctl, &words, input);
        if let Some(granted) = output.strip_prefix("exit 0\nlease ")
            && command.starts_with("lease grant")
        {
            lease = granted.split(' ').next().map(String::from);
        }
        said.push((line.to_string(), alike(&output, endpoint, lease.as_deref())));
    }
    said
}

fn run(ctl: &Etcdctl, words: &[&str], input: &str) -> String {
    use std::io::Write;
    let mut command = ctl.command(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let code = output.status.code().unwrap_or(-1);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    format!("exit {code}\n{said}{}", String::from_utf8_lossy(&output.stderr))
}

/// A real etcd, ended when dropped.
struct RealEtcd {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl RealEtcd {
    fn start() -> Option<Self> {
        let program = std::env::var_os("PEER_ETCD")?;
        let dir = tempfile::tempdir().unwrap();
        let ports = free_ports(2);
        let (client, peer) =
            (format!("http://127.0.0.1:{}", ports[0]), format!("http://127.0.0.1:{}", ports[1]));
        let child = Command::new(program)
            .arg("--data-dir")
            .arg(dir.path().join("etcd"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let etcd = Self { child, port: ports[0], _dir: dir };
        eventually("etcd to be healthy", || {
            get(etcd.port, "/health").filter(|(status, _)| *status == 200)
        });
        Some(etcd)
    }
}

impl Drop for RealEtcd {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn etcdctl_hears_the_same_words_from_conclave_and_from_etcd() {
    let Some(program) = find() else { return };
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    let Some(etcd) = RealEtcd::start() else {
        assert!(!strict, "no etcd: run the tests by `cargo xtask test`, which fetches it");
        eprintln!("skipped: no etcd; `cargo xtask test` fetches it");
        return;
    };
    let theirs = format!("127.0.0.1:{}", etcd.port);
    let expected = transcript(&Etcdctl::new(&program, std::slice::from_ref(&theirs)), &theirs);
    for cluster in [Cluster::start(1), Cluster::start_with(3, &["--consensus", "zab"])] {
        let ours = cluster.endpoint(0);
        let given = transcript(&Etcdctl::new(&program, std::slice::from_ref(&ours)), &ours);
        let mut differences = Vec::new();
        for ((command, expected), (_, given)) in expected.iter().zip(&given) {
            if expected != given {
                let difference = format!("$ {command}\netcd:     {expected}\nconclave: {given}");
                differences.push(difference);
            }
        }
        assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    }
}

/// The commands that look at a member, and a watch; against one endpoint.
fn look_around(program: &Path, endpoint: &str, members: usize) {
    let ctl = Etcdctl::new(program, &[endpoint.to_string()]);
    let status = ctl.ok(&["endpoint", "status", "-w", "table"]);
    assert!(status.contains(endpoint) && status.contains("3.6"), "{status}");
    assert!(ctl.ok(&["endpoint", "hashkv", "-w", "table"]).contains(endpoint));
    let list = ctl.ok(&["member", "list"]);
    assert_eq!(list.lines().count(), members, "{list}");
    assert!(list.lines().all(|line| line.contains("started")), "{list}");
    let failure = ctl.fails(&["get", "", "--rev=-1x"]);
    assert!(failure.contains("invalid argument"), "{failure}");
}

fn watch(program: &Path, endpoint: &str, prefix: &str) {
    let ctl = Etcdctl::new(program, &[endpoint.to_string()]);
    ctl.ok(&["put", &format!("{prefix}1"), "old"]);
    let first = ctl.ok(&["get", &format!("{prefix}1"), "-w", "fields"]);
    let revision = first.lines().find_map(|line| line.strip_prefix("\"ModRevision\" : ")).unwrap();
    let mut child = ctl
        .command(&["watch", prefix, "--prefix", "--prev-kv", &format!("--rev={revision}")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let key = format!("{prefix}1");
    // History first…
    assert_eq!(lines.by_ref().take(3).collect::<Vec<_>>(), ["PUT", &key, "old"]);
    // … then what happens now, with what was there before.
    ctl.ok(&["put", &key, "new"]);
    let seen: Vec<String> = lines.by_ref().take(5).collect();
    assert_eq!(seen, ["PUT", &key, "old", &key, "new"]);
    ctl.ok(&["del", &key]);
    let seen: Vec<String> = lines.by_ref().take(5).collect();
    assert_eq!(seen, ["DELETE", &key, "new", &key, ""]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn s1_06_etcdctl_works_at_every_member() {
    let Some(program) = find() else { return };
    work_everywhere(&program, &Cluster::start(3));
}

#[test]
fn so_it_does_in_a_group_that_runs_zab() {
    let Some(program) = find() else { return };
    let cluster = Cluster::start_with(3, &["--consensus", "zab"]);
    work_everywhere(&program, &cluster);
    let ctl = Etcdctl::new(&program, &cluster.endpoints());
    for command in ["member add m9 --peer-urls=http://127.0.0.1:9", "move-leader 1"] {
        let words: Vec<&str> = command.split(' ').collect();
        let said = ctl.fails(&words);
        assert!(said.contains("the group runs Zab"), "{command}: {said}");
    }
}

fn work_everywhere(program: &Path, cluster: &Cluster) {
    for (at, endpoint) in cluster.endpoints().into_iter().enumerate() {
        look_around(program, &endpoint, 3);
        watch(program, &endpoint, &format!("watched/{at}/"));
        // What was written here is read everywhere, at once.
        let ctl = Etcdctl::new(program, std::slice::from_ref(&endpoint));
        ctl.ok(&["put", "shared", &endpoint]);
        for other in cluster.endpoints() {
            let read = Etcdctl::new(program, &[other]).ok(&["get", "shared"]);
            assert_eq!(read, format!("shared\n{endpoint}\n"));
        }
    }
    let all = Etcdctl::new(program, &cluster.endpoints());
    assert_eq!(all.ok(&["endpoint", "status"]).lines().count(), 3);
    cluster.assert_equal(&tokio::runtime::Runtime::new().unwrap());
}
