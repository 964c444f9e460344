//! Debian's etcdctl 3.4, as it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where etcdctl is; `None` when there is none and tests against it are to be skipped.
///
/// # Panics
/// When there is none and `CI=true`: there nothing is skipped.
pub(crate) fn find() -> Option<PathBuf> {
    let given = std::env::var_os("PEER_ETCDCTL").map(PathBuf::from);
    let found = given.or_else(|| Some(PathBuf::from("/usr/bin/etcdctl")).filter(|at| at.exists()));
    if found.is_none() {
        let strict = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!strict, "no etcdctl: run the tests by `cargo xtask test`, which fetches it");
        eprintln!("skipped: no etcdctl; `cargo xtask test` fetches it");
    }
    found
}

/// etcdctl against one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Etcdctl {
    program: PathBuf,
    endpoints: String,
}

impl Etcdctl {
    pub(crate) fn new(program: &Path, endpoints: &[String]) -> Self {
        Self { program: program.to_path_buf(), endpoints: endpoints.join(",") }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.endpoints]).args(arguments);
        command
    }

    fn output(&self, arguments: &[&str], input: &str) -> Output {
        use std::io::Write;
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What it prints, which must be a success.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.ok_with(arguments, "")
    }

    /// The same, with something to read.
    pub(crate) fn ok_with(&self, arguments: &[&str], input: &str) -> String {
        let output = self.output(arguments, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "etcdctl {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What it complains of, which must be a failure.
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments, "");
        assert!(!output.status.success(), "etcdctl {arguments:?} should have failed");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}
