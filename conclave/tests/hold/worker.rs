//! A `conclave lock` or `elect`, the command that it runs, and a folder in which they leave word.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::cluster::{Cluster, conclave};
use crate::support::eventually;

/// A folder that commands work in.
#[derive(Debug)]
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }

    /// Waits for a whole line in a file, and gives it.
    pub(crate) fn line(&self, name: &str) -> String {
        eventually(&format!("a line in {name}"), || {
            Some(self.read(name).split_once('\n')?.0.to_owned())
        })
    }

    /// Waits for a number in a file.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.line(name).parse().unwrap()
    }
}

/// The command line that talks to a cluster, with room for a busy machine unless it says itself.
pub(crate) fn command(cluster: &Cluster, desk: &Desk, words: &[&str]) -> Command {
    let (own, run) = match words.iter().position(|word| *word == "--") {
        Some(at) => words.split_at(at),
        None => (words, &[][..]),
    };
    let mut command = conclave();
    command.args(own).args(["--endpoints", &cluster.endpoints().join(",")]);
    if !own.contains(&"--timeout") {
        command.args(["--timeout", "60s"]);
    }
    command.args(run).current_dir(desk.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A process that waits or holds. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    errors: PathBuf,
}

impl Worker {
    /// Starts it; what it complains of goes to a file in the folder.
    pub(crate) fn start(cluster: &Cluster, desk: &Desk, name: &str, words: &[&str]) -> Worker {
        let errors = desk.path().join(format!("{name}.errors"));
        let file = std::fs::File::create(&errors).unwrap();
        let child = command(cluster, desk, words).stderr(file).spawn().unwrap();
        Worker { child, errors }
    }

    /// The same, with a script as the command, which first says who it is: its process in
    /// `NAME.pid` and its fence in `NAME`.
    pub(crate) fn script(
        cluster: &Cluster,
        desk: &Desk,
        name: &str,
        words: &[&str],
        script: &str,
    ) -> Worker {
        let begin = format!("echo $$ > {name}.pid; echo $CONCLAVE_FENCE > {name}; {script}");
        Worker::start(cluster, desk, name, &[words, &["--", "sh", "-c", &begin]].concat())
    }

    pub(crate) fn signal(&self, signal: &str) {
        send(u64::from(self.child.id()), signal);
    }

    /// Waits until it has ended, and gives its exit code.
    pub(crate) fn end(&mut self) -> Option<i32> {
        eventually("the end of a worker", || self.child.try_wait().unwrap()).code()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn errors(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Sends a signal to a process.
pub(crate) fn send(pid: u64, signal: &str) {
    assert!(
        Command::new("kill").args(["-s", signal, &pid.to_string()]).status().unwrap().success()
    );
}

/// Whether a process runs; one that has ended and waits to be collected does not.
pub(crate) fn runs(pid: u64) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state != Some('Z') && state != Some('X')
}

/// How many stand in the queue for a name.
pub(crate) fn queue(cluster: &Cluster, desk: &Desk, name: &str) -> usize {
    let words = ["kv", "get", &format!("{name}/"), "--prefix", "--keys-only"];
    let output = command(cluster, desk, &words).stdout(Stdio::piped()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().count()
}
