//! One process of a local cluster.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use protocol::bootstrap::Pledge;
use tokio::process::{Child, ChildStdin, Command};

use crate::cli::start_line::quote;
use crate::config::Consensus;
use crate::failure::{Failure, Result};

/// The most of a log's end that is searched for a member's last words, in bytes.
const LAST_WORDS_MAX: usize = 2_000;

/// Where a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doors {
    pub(super) client: SocketAddr,
    pub(super) peer: SocketAddr,
}

/// What a member is started with.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) binary: PathBuf,
    pub(super) name: String,
    /// `None`: it is a member of the pool only.
    pub(super) doors: Option<Doors>,
    pub(super) gossip: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) data_dir: PathBuf,
    pub(super) log: PathBuf,
    pub(super) consensus: Consensus,
    pub(super) flags: Vec<String>,
}

/// A member's process.
pub(super) struct Running {
    pub(super) child: Child,
    /// Its standard input: it ends when this is closed, also by our own death.
    pub(super) leash: ChildStdin,
    pub(super) pid: u32,
}

impl Member {
    /// The command line, without the binary.
    pub(super) fn arguments(&self, members: &[Member]) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["agent".into()];
        let mut pairs: Vec<(&str, OsString)> = vec![
            ("--name", self.name.clone().into()),
            ("--data-dir", self.data_dir.clone().into()),
            ("--listen-gossip", self.gossip.to_string().into()),
            ("--listen-http", self.http.to_string().into()),
            ("--gossip-profile", "local".into()),
        ];
        if let Some(Doors { client, peer }) = self.doors {
            arguments.push("--server".into());
            pairs.push(("--listen-client", client.to_string().into()));
            pairs.push(("--listen-peer", peer.to_string().into()));
            pairs.push(founding(members));
            if self.consensus == Consensus::Zab {
                pairs.push(("--consensus", "zab".into()));
            }
        }
        let servers = members.iter().filter(|member| member.doors.is_some());
        let others = servers.filter(|member| member.gossip != self.gossip);
        let join: Vec<_> = others.map(|member| member.gossip.to_string()).collect();
        if !join.is_empty() {
            pairs.push(("--join", join.join(",").into()));
        }
        for (flag, value) in pairs {
            arguments.push(flag.into());
            arguments.push(value);
        }
        arguments.extend(self.flags.iter().map(OsString::from));
        arguments
    }

    /// Where it says whether it is healthy.
    pub(super) fn health(&self) -> SocketAddr {
        self.doors.map_or(self.http, |doors| doors.client)
    }

    /// Whether its directory is that of a member which did not meet the others in the pool.
    fn is_listed(&self) -> bool {
        self.data_dir.join("FORMAT").exists() && !self.data_dir.join("PLEDGE").exists()
    }

    /// The shell line that starts this member by hand; it then lives without a leash.
    pub(super) fn restart(&self, members: &[Member]) -> String {
        let binary = quote(&self.binary.to_string_lossy());
        let arguments = self.arguments(members);
        let arguments = arguments.iter().map(|argument| quote(&argument.to_string_lossy()));
        std::iter::once(binary).chain(arguments).collect::<Vec<_>>().join(" ")
    }

    /// Starts the process, in a group of its own: a Ctrl-C at the terminal reaches us alone.
    pub(super) fn start(&self, members: &[Member]) -> Result<Running> {
        let fail =
            |what: &str, error| Failure::new(format!("cannot {what} for {}: {error}", self.name));
        let log = open_log(&self.log).map_err(|error| fail("open the log", error))?;
        let errors = log.try_clone().map_err(|error| fail("open the log", error))?;
        let mut command = Command::new(&self.binary);
        command.args(self.arguments(members)).arg("--exit-with-stdin");
        command.stdin(Stdio::piped()).stdout(log).stderr(errors);
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| fail("start the process", error))?;
        let leash = child.stdin.take().expect("standard input is piped");
        let pid = child.id().expect("it has not been waited for");
        Ok(Running { child, leash, pid })
    }

    /// Why a member did not live: the last error in its log, or else the log's last line.
    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(LAST_WORDS_MAX)..];
        last_words(&String::from_utf8_lossy(tail)).to_owned()
    }
}

/// How servers come to each other: in the pool, unless they are static or did otherwise in an
/// earlier life.
fn founding(members: &[Member]) -> (&'static str, OsString) {
    let servers: Vec<(&Member, Doors)> =
        members.iter().filter_map(|member| Some((member, member.doors?))).collect();
    let is_static = |member: &Member| member.consensus == Consensus::Zab || member.is_listed();
    if servers.iter().any(|(member, _)| is_static(member)) {
        let named = servers.iter().map(|(member, doors)| format!("{}={}", member.name, doors.peer));
        return ("--initial-cluster", named.collect::<Vec<_>>().join(",").into());
    }
    let expect = servers.len().min(Pledge::MOST_SERVERS);
    ("--bootstrap-expect", expect.to_string().into())
}

fn last_words(log: &str) -> &str {
    // What a command says when it fails, and what its parser says.
    let says_why = |line: &&str| line.starts_with("conclave: ") || line.starts_with("error: ");
    let mut lines = log.trim_end().lines().rev();
    let last = lines.clone().find(says_why).or_else(|| lines.next());
    last.filter(|line| !line.is_empty()).unwrap_or("its log is empty")
}

fn open_log(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_the_reason_and_not_the_advice_after_it() {
        let log = "INFO ready\nerror: unexpected argument '--nope'\n\nFor more, try --help\n";
        assert_eq!(last_words(log), "error: unexpected argument '--nope'");
        assert_eq!(last_words("INFO ready\nthread panicked\n"), "thread panicked");
        assert_eq!(last_words(""), "its log is empty");
    }
}
