//! Debian's serf 0.9.4, as it is.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::agent::{Listed, Space, signal};
use super::eventually;

/// Where serf is; `None` when there is none and tests against it are to be skipped.
///
/// # Panics
/// When there is none and `CI=true`: there nothing is skipped.
pub(crate) fn find() -> Option<PathBuf> {
    let given = std::env::var_os("PEER_SERF").map(PathBuf::from);
    let found = given.or_else(|| Some(PathBuf::from("/usr/bin/serf")).filter(|at| at.exists()));
    if found.is_none() {
        let strict = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!strict, "no serf: run the tests by `cargo xtask test`, which fetches it");
        eprintln!("skipped: no serf; `cargo xtask test` fetches it");
    }
    found
}

/// A running agent of Serf. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Serf {
    program: PathBuf,
    pub(crate) name: String,
    pub(crate) gossip: String,
    rpc: String,
    log: PathBuf,
    space: Space,
    child: Option<Child>,
}

impl Serf {
    /// Starts one, and waits until it answers.
    pub(crate) fn start(
        program: &Path,
        space: &Space,
        dir: &Path,
        name: &str,
        extra: &[&str],
    ) -> Self {
        let [gossip, rpc] = space.addresses();
        let log = dir.join(format!("{name}.log"));
        let (out, errors) = (File::create(&log).unwrap(), File::create(&log).unwrap());
        let mut command = space.command(program);
        command.args(["agent", "-profile=local", "-log-level=debug"]);
        command.arg(format!("-node={name}")).arg(format!("-bind={gossip}"));
        command.arg(format!("-rpc-addr={rpc}")).args(extra);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(errors).spawn().unwrap();
        let (program, name) = (program.to_owned(), name.to_owned());
        let space = space.clone();
        let serf = Self { program, name, gossip, rpc, log, space, child: Some(child) };
        eventually("serf answers", || serf.say(&["info"]).status.success().then_some(()));
        serf
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let (verb, rest) = arguments.split_first().unwrap();
        let mut command = self.space.command(&self.program);
        // `serf keys` and the like take flags in front of arguments only.
        command.arg(verb).arg(format!("-rpc-addr={}", self.rpc)).args(rest);
        command
    }

    fn say(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What it prints, which must be a success.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.say(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "serf {arguments:?}: {out}{errors}");
        out
    }

    /// What it prints, if it is a success.
    pub(crate) fn try_ok(&self, arguments: &[&str]) -> Option<String> {
        let output = self.say(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }

    /// Whether it does that.
    pub(crate) fn does(&self, arguments: &[&str]) -> bool {
        self.say(arguments).status.success()
    }

    /// Everybody, as it sees them: sorted by name.
    pub(crate) fn members(&self) -> Vec<Listed> {
        let document: Value = serde_json::from_str(&self.ok(&["members", "-format=json"])).unwrap();
        Listed::all(&document["members"], "addr")
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// A command that goes on, with its output in a file.
    pub(crate) fn follow(&self, arguments: &[&str], into: &Path) -> Following {
        let out = File::create(into).unwrap();
        let mut command = self.command(arguments);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::null()).spawn().unwrap();
        Following { child, path: into.to_owned() }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets it leave and end.
    pub(crate) fn leave(&mut self) {
        let mut child = self.child.take().unwrap();
        signal(child.id(), "INT");
        child.wait().unwrap();
    }
}

impl Drop for Serf {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command that goes on. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Following {
    child: Child,
    path: PathBuf,
}

impl Following {
    pub(crate) fn of(child: Child, path: PathBuf) -> Self {
        Self { child, path }
    }

    /// What it has written so far.
    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap()
    }

    /// Waits until it has written that.
    pub(crate) fn writes(&self, part: &str) {
        eventually(part, || self.text().contains(part).then_some(()));
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
