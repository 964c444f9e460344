//! A cluster of real processes.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use client::{Client, Options};
use tempfile::TempDir;

use super::{eventually, free_ports, get};

/// One member: its addresses stay the same over all runs of its process.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) client_port: u16,
    pub(crate) peer_port: u16,
    pub(crate) dir: PathBuf,
    child: Option<Child>,
}

/// What the servers under test keep free: so little that no test asks how full the disk of this
/// machine is. A flag counts before it; a test of the default removes [`DISK_RESERVED`].
pub(crate) const SMALL_RESERVE: &str = "16MiB";
/// The variable that says so, to what is started and to what that starts.
pub(crate) const DISK_RESERVED: &str = "CONCLAVE_DISK_RESERVED";

/// The program under test. The variables that tests find their peers by are none of its settings.
pub(crate) fn conclave() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conclave"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CONCLAVE_") {
            command.env_remove(name);
        }
    }
    command.env(DISK_RESERVED, SMALL_RESERVE);
    command
}

/// Members of one cluster. Dropped, all processes are killed.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) members: Vec<Member>,
    initial: String,
    /// How many members the cluster was founded by; the others join.
    founders: usize,
    extra: Vec<String>,
    dir: TempDir,
}

impl Cluster {
    /// Starts `size` members and waits until all are healthy.
    pub(crate) fn start(size: usize) -> Self {
        Self::start_with(size, &[])
    }

    /// The same, with further flags for every member.
    pub(crate) fn start_with(size: usize, extra: &[&str]) -> Self {
        Self::start_in(size, extra, &[])
    }

    /// The same, with some members in these data directories.
    pub(crate) fn start_in(size: usize, extra: &[&str], dirs: &[(usize, PathBuf)]) -> Self {
        let mut cluster = Self::prepare(size, extra);
        for (at, dir) in dirs {
            cluster.members[*at].dir.clone_from(dir);
        }
        cluster.found();
        cluster
    }

    /// As [`Cluster::start_with`], with places for `spares` members that have not been added yet.
    pub(crate) fn start_with_spares(founders: usize, spares: usize, extra: &[&str]) -> Self {
        let mut cluster = Self::prepare_with_spares(founders, spares, extra);
        cluster.found();
        cluster
    }

    fn found(&mut self) {
        (0..self.founders).for_each(|at| self.run(at));
        self.await_healthy();
    }

    /// Members that do not run yet.
    pub(crate) fn prepare(size: usize, extra: &[&str]) -> Self {
        Self::prepare_with_spares(size, 0, extra)
    }

    fn prepare_with_spares(founders: usize, spares: usize, extra: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let size = founders + spares;
        let ports = free_ports(2 * size);
        let members: Vec<Member> = (0..size)
            .map(|at| Member {
                name: format!("m{at}"),
                client_port: ports[2 * at],
                peer_port: ports[2 * at + 1],
                dir: dir.path().join(format!("m{at}")),
                child: None,
            })
            .collect();
        let founding = members.iter().take(founders);
        let initial: Vec<String> = founding
            .map(|member| format!("{}=127.0.0.1:{}", member.name, member.peer_port))
            .collect();
        let initial = initial.join(",");
        let extra = extra.iter().map(ToString::to_string).collect();
        Self { members, initial, founders, extra, dir }
    }

    /// The value of their `--initial-cluster`.
    pub(crate) fn initial(&self) -> &str {
        &self.initial
    }

    /// Starts a member's process.
    pub(crate) fn run(&mut self, at: usize) {
        self.run_by(at, self.command(at));
    }

    /// Starts a member's process by another command.
    pub(crate) fn run_by(&mut self, at: usize, mut command: Command) {
        let log = self.dir.path().join(format!("{}.log", self.members[at].name));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let member = &mut self.members[at];
        assert!(member.child.is_none(), "{} runs already", member.name);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        member.child = Some(child);
    }

    /// The command that a member's process is started with.
    pub(crate) fn command(&self, at: usize) -> Command {
        let member = &self.members[at];
        let mut command = conclave();
        command
            .arg("agent")
            .arg("--server")
            .args(["--name", &member.name])
            .arg("--data-dir")
            .arg(&member.dir)
            .args(["--listen-client", &format!("127.0.0.1:{}", member.client_port)])
            .args(["--listen-peer", &format!("127.0.0.1:{}", member.peer_port)])
            .args(&self.extra)
            .stdin(Stdio::null());
        if at < self.founders {
            command.args(["--initial-cluster", &self.initial]);
        } else {
            let named = self.members.iter().map(|it| (&it.name, it.peer_port));
            let named: Vec<String> =
                named.map(|(name, port)| format!("{name}=127.0.0.1:{port}")).collect();
            command.args(["--initial-cluster", &named.join(",")]);
            command.args(["--initial-cluster-state", "existing"]);
        }
        command
    }

    /// Where a member is reached by its peers.
    pub(crate) fn peer_url(&self, at: usize) -> String {
        format!("http://127.0.0.1:{}", self.members[at].peer_port)
    }

    /// Waits until a member's process has ended by itself, and gives its exit code.
    pub(crate) fn await_end(&mut self, at: usize) -> Option<i32> {
        let mut child = self.members[at].child.take().expect("the member runs");
        let status = eventually("the end of a member", || child.try_wait().unwrap());
        status.code()
    }

    /// The id of a member's process, which must run.
    pub(crate) fn process(&self, at: usize) -> u32 {
        self.members[at].child.as_ref().expect("the member runs").id()
    }

    /// The memory that a member's process has in use, in bytes.
    pub(crate) fn resident(&self, at: usize) -> u64 {
        let path = format!("/proc/{}/status", self.process(at));
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes * 1024
    }

    /// Checks that no member's process has ended or has had a panic.
    pub(crate) fn assert_unharmed(&mut self) {
        for member in &mut self.members {
            if let Some(child) = &mut member.child {
                let ended = child.try_wait().unwrap();
                assert!(ended.is_none(), "{} has ended: {ended:?}", member.name);
            }
        }
        for member in &self.members {
            let log = self.log(&member.name);
            assert!(!log.contains("panicked"), "{} panicked:\n{log}", member.name);
        }
    }

    /// Kills a member's process with SIGKILL and waits for its end.
    pub(crate) fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.members[at].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends a signal (`STOP`, `CONT`, `TERM` …) to a member's process.
    pub(crate) fn signal(&self, at: usize, signal: &str) {
        let child = self.members[at].child.as_ref().expect("the member runs");
        let id = child.id().to_string();
        let status = Command::new("kill").args(["-s", signal, &id]).status().unwrap();
        assert!(status.success(), "kill -s {signal} {id}");
    }

    /// Asks a member to end, waits until it has, and gives its exit code.
    pub(crate) fn terminate(&mut self, at: usize) -> Option<i32> {
        self.signal(at, "TERM");
        let mut child = self.members[at].child.take().expect("the member runs");
        let status = eventually("the end of a member", || child.try_wait().unwrap());
        status.code()
    }

    /// Waits until every running member answers `/health` with 200.
    pub(crate) fn await_healthy(&self) {
        let running = (0..self.members.len()).filter(|at| self.members[*at].child.is_some());
        running.for_each(|at| self.await_answer(at));
    }

    /// Waits until a member answers `/health` with 200, whoever has started it.
    pub(crate) fn await_answer(&self, at: usize) {
        let member = &self.members[at];
        eventually(&format!("{} to be healthy\n{}", member.name, self.log(&member.name)), || {
            get(member.client_port, "/health").filter(|(status, _)| *status == 200)
        });
    }

    /// What a member has written to its terminal.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// `host:port` of a member's client port.
    pub(crate) fn endpoint(&self, at: usize) -> String {
        format!("127.0.0.1:{}", self.members[at].client_port)
    }

    /// All of them.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        (0..self.members.len()).map(|at| self.endpoint(at)).collect()
    }

    /// A client of one member.
    pub(crate) fn client(&self, at: usize) -> Client {
        Client::new(Options::to([self.endpoint(at)])).unwrap()
    }

    /// A client of all members.
    pub(crate) fn any_client(&self) -> Client {
        Client::new(Options::to(self.endpoints())).unwrap()
    }

    /// Waits for a leader among the running members and gives its place.
    pub(crate) fn leader(&self, runtime: &tokio::runtime::Runtime) -> usize {
        eventually("a leader", || {
            (0..self.members.len()).filter(|at| self.members[*at].child.is_some()).find(|at| {
                let status = runtime.block_on(self.client(*at).status());
                status.is_ok_and(|status| {
                    let header = status.header.unwrap_or_default();
                    status.leader != 0 && status.leader == header.member_id
                })
            })
        })
    }

    /// Waits until all members have the same revision, and checks that the hashes of all of
    /// history are equal there.
    pub(crate) fn assert_equal(&self, runtime: &tokio::runtime::Runtime) {
        let clients: Vec<Client> = (0..self.members.len()).map(|at| self.client(at)).collect();
        eventually("all members to have the same history", || {
            let hashes: Vec<(u32, i64, i64)> = clients
                .iter()
                .map(|client| {
                    let hash = runtime.block_on(client.hash_kv(0)).ok()?;
                    Some((hash.hash, hash.compact_revision, hash.hash_revision))
                })
                .collect::<Option<_>>()?;
            let (_, _, revision) = hashes[0];
            if hashes.iter().any(|(_, _, other)| *other != revision) {
                return None;
            }
            assert!(hashes.iter().all(|hash| *hash == hashes[0]), "members differ: {hashes:?}");
            Some(())
        });
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        (0..self.members.len()).for_each(|at| self.kill(at));
        if std::thread::panicking() {
            for member in &self.members {
                let log = self.log(&member.name);
                let lines: Vec<&str> = log.lines().collect();
                let last = lines.len().saturating_sub(40);
                eprintln!("--- {} ---\n{}", member.name, lines[last..].join("\n"));
            }
        }
    }
}
