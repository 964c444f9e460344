//! What a command said, and how it ended.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::support::cluster::{Cluster, conclave};
use crate::support::end_of;

/// The words and the end of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) errors: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What a success printed.
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.code, self.errors.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// The one sentence of a failure, without the program's name and the line's end. It says why
    /// and nothing else: no panic, no backtrace, no second line.
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        let sentence =
            self.errors.strip_prefix("conclave: ").and_then(|rest| rest.strip_suffix('\n'));
        let sentence = sentence.unwrap_or_else(|| panic!("no sentence: {self:?}"));
        assert!(!sentence.contains('\n') && !sentence.contains("panicked"), "{self:?}");
        sentence.to_owned()
    }

    /// The first line of what the parser of the command line says: the error itself. Where to
    /// look further follows it.
    pub(crate) fn misused(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(2), ""), "{self:?}");
        assert!(self.errors.contains("--help") && !self.errors.contains("panicked"), "{self:?}");
        let error = self.errors.lines().next().and_then(|line| line.strip_prefix("error: "));
        error.unwrap_or_else(|| panic!("no error: {self:?}")).to_owned()
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that fails early does not read what it is given.
    let _unread = child.stdin.take().unwrap().write_all(input);
    Said::of(end_of(child))
}

/// Runs `conclave` with these arguments.
pub(crate) fn say<S: AsRef<OsStr>>(arguments: &[S]) -> Said {
    run(conclave().args(arguments), b"")
}

/// A lone member, and the commands that talk to it.
pub(crate) struct Store {
    pub(crate) cluster: Cluster,
}

impl Store {
    pub(crate) fn start() -> Self {
        Self { cluster: Cluster::start_with(1, &["--profile", "lan-fast"]) }
    }

    /// A command that talks to the store.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = conclave();
        command.args(arguments).args(["--endpoints", &self.cluster.endpoint(0)]);
        // As long as a busy machine needs.
        command.args(["--timeout", "60s"]);
        command
    }

    pub(crate) fn say(&self, arguments: &[&str]) -> Said {
        run(&mut self.command(arguments), b"")
    }

    /// What it prints, which must be a success.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.say(arguments).ok()
    }

    /// The same, with something to read.
    pub(crate) fn ok_with(&self, arguments: &[&str], input: &str) -> String {
        run(&mut self.command(arguments), input.as_bytes()).ok()
    }

    /// What it prints as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ok(&[arguments, &["-o", "json"]].concat())).unwrap()
    }
}
