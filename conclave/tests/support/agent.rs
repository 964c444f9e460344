//! Agents of ours: members of a pool, and perhaps no servers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::cluster::conclave;
use super::serf::Following;
use super::{eventually, free_ports};

/// Where a process lives: on this machine's loopback, or in a network of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Space {
    /// The name of the network namespace and its address.
    pub(crate) net: Option<(String, String)>,
}

impl Space {
    /// A program, started there.
    pub(crate) fn command(&self, program: &Path) -> Command {
        match &self.net {
            None => Command::new(program),
            Some((name, _)) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(program);
                command
            }
        }
    }

    /// Where the pool is reached, and where commands are.
    pub(crate) fn addresses(&self) -> [String; 2] {
        match &self.net {
            None => {
                let ports = free_ports(2);
                [0, 1].map(|at| format!("127.0.0.1:{}", ports[at]))
            }
            Some((_, address)) => [format!("{address}:7946"), "127.0.0.1:7373".to_owned()],
        }
    }
}

/// A member as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) status: String,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Listed {
    /// All of a JSON list, sorted by name.
    pub(crate) fn all(list: &Value, address: &str) -> Vec<Self> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let tags = |value: &Value| {
            let tags = value["tags"].as_object().into_iter().flatten();
            tags.map(|(name, value)| (name.clone(), text(value))).collect()
        };
        let members = list.as_array().unwrap().iter();
        let mut members: Vec<_> = members
            .map(|member| Self {
                name: text(&member["name"]),
                address: text(&member[address]),
                status: text(&member["status"]),
                tags: tags(member),
            })
            .collect();
        members.sort_by(|one, other| one.name.cmp(&other.name));
        members
    }
}

/// A running agent of ours. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) name: String,
    pub(crate) gossip: String,
    pub(crate) http: String,
    log: PathBuf,
    space: Space,
    child: Option<Child>,
}

impl Agent {
    /// Starts one, and waits until it answers.
    pub(crate) fn start(space: &Space, dir: &Path, name: &str, extra: &[&str]) -> Self {
        Self::start_at(space, dir, name, space.addresses(), extra)
    }

    /// Starts one at given addresses.
    pub(crate) fn start_at(
        space: &Space,
        dir: &Path,
        name: &str,
        [gossip, http]: [String; 2],
        extra: &[&str],
    ) -> Self {
        let log = dir.join(format!("{name}.log"));
        let agent = Self::spawn(space, log, name, [gossip, http], extra);
        eventually("the agent answers", || agent.does(&["-o", "json"]).then_some(()));
        agent
    }

    /// Starts one that may end at any time; what it says is in `log`.
    pub(crate) fn spawn(
        space: &Space,
        log: PathBuf,
        name: &str,
        [gossip, http]: [String; 2],
        extra: &[&str],
    ) -> Self {
        let errors = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = ours(space);
        command.args(["agent", "--name", name, "--gossip-profile", "local", "--log", "debug"]);
        command.args(["--listen-gossip", &gossip, "--listen-http", &http]).args(extra);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let child = child.spawn().unwrap();
        let (name, space) = (name.to_owned(), space.clone());
        Self { name, gossip, http, log, space, child: Some(child) }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        signal(self.child.as_ref().unwrap().id(), "TERM");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.as_ref().unwrap().id(), name);
    }

    /// Waits until it has ended, and gives its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let ended = eventually("the agent to end", || child.try_wait().unwrap());
        ended.code()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = ours(&self.space);
        command.args(["members", "--http", &self.http]).args(arguments);
        command
    }

    fn say(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What `conclave members …` prints, which must be a success.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.say(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "members {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What it says when it fails.
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        self.ends_with(1, arguments)
    }

    /// The same, of one that fails with this code.
    pub(crate) fn ends_with(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.say(arguments);
        assert_eq!(output.status.code(), Some(code), "members {arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
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
        let list: Value = serde_json::from_str(&self.ok(&["-o", "json"])).unwrap();
        Listed::all(&list, "address")
    }

    /// A page of its API.
    pub(crate) fn page(&self, path: &str) -> String {
        self.request(&format!("GET {path} HTTP/1.0\r\n\r\n")).1
    }

    /// Asks its API for something; status code and answer.
    pub(crate) fn post(&self, name: &str, body: &Value) -> (u16, String) {
        let body = body.to_string();
        let head = format!("POST /v1/conclave/{name} HTTP/1.0\r\nContent-Length: {}", body.len());
        self.request(&format!("{head}\r\n\r\n{body}"))
    }

    /// Within its network, which only a process of that network reaches.
    fn request(&self, request: &str) -> (u16, String) {
        let script = "exec 3<>\"/dev/tcp/${0%:*}/${0##*:}\"; cat >&3; cat <&3";
        let mut command = self.space.command(Path::new("bash"));
        command.args(["-c", script, &self.http]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
        let answer = child.wait_with_output().unwrap();
        let answer = String::from_utf8(answer.stdout).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Its events, as they come, in a file.
    pub(crate) fn watch(&self, into: &Path) -> Following {
        let out = File::create(into).unwrap();
        let mut command = self.command(&["--watch", "-o", "json"]);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::null()).spawn().unwrap();
        let following = Following::of(child, into.to_owned());
        following.writes("\"members\"");
        following
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
        signal(child.id(), "TERM");
        assert!(child.wait().unwrap().success(), "{}: {}", self.name, self.log());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ours(space: &Space) -> Command {
    let program = conclave();
    let mut command = space.command(Path::new(program.get_program()));
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Sends a signal to one process.
pub(crate) fn signal(process: u32, name: &str) {
    let kill = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
    assert!(kill.unwrap().success());
}

/// Whoever lists members.
pub(crate) trait Lists {
    fn list(&self) -> Vec<Listed>;
    fn who(&self) -> &str;
}

impl Lists for Agent {
    fn list(&self) -> Vec<Listed> {
        self.members()
    }
    fn who(&self) -> &str {
        &self.name
    }
}

impl Lists for super::serf::Serf {
    fn list(&self) -> Vec<Listed> {
        self.members()
    }
    fn who(&self) -> &str {
        &self.name
    }
}

/// Waits until somebody shows a member with that status.
pub(crate) fn shows(at: &dyn Lists, name: &str, status: &str) -> Listed {
    eventually(&format!("{} shows {name} {status}", at.who()), || {
        at.list().into_iter().find(|member| member.name == name && member.status == status)
    })
}
