//! Agents that elect, programs that stand at them, and a folder in which these leave word.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::agent::{Agent, Space, signal};
use crate::support::cluster::conclave;
use crate::support::{ended, eventually};

/// Works until it is ended.
pub(crate) const WORK: &str = "while :; do sleep 0.1; done";
/// Works, and is deaf to being told to end.
pub(crate) const DEAF: &str = "trap : TERM; while :; do sleep 0.1; done";

/// The folder of a test, and its agents.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    pub(crate) agents: Vec<Agent>,
}

impl Stage {
    /// So many agents in one pool, each with a directory of its own.
    pub(crate) fn new(count: usize) -> Self {
        let mut stage = Self { dir: tempfile::tempdir().unwrap(), agents: Vec::new() };
        for _ in 0..count {
            stage.add(&[]);
        }
        stage
    }

    /// One more, with these flags besides.
    pub(crate) fn add(&mut self, extra: &[&str]) {
        let name = format!("agent-{}", self.agents.len());
        let data = self.dir.path().join(&name).display().to_string();
        self.add_bare(&[&["--data-dir", &data], extra].concat());
    }

    /// One more, without a directory.
    pub(crate) fn add_bare(&mut self, extra: &[&str]) {
        let name = format!("agent-{}", self.agents.len());
        let mut words = extra.to_vec();
        if let Some(first) = self.agents.first() {
            words.extend(["--join", &first.gossip]);
        }
        let agent = Agent::start(&Space::default(), self.dir.path(), &name, &words);
        self.agents.push(agent);
    }

    /// A command line that asks an agent.
    pub(crate) fn elect(&self, agent: usize, words: &[&str]) -> Command {
        let (own, run) = match words.iter().position(|word| *word == "--") {
            Some(at) => words.split_at(at),
            None => (words, &[][..]),
        };
        let mut command = conclave();
        command.args(["elect", "--algorithm", "bully", "--http", &self.agents[agent].http]);
        command.args(own).args(run).current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn says(&self, agent: usize, words: &[&str]) -> Output {
        ended(&mut self.elect(agent, words))
    }

    /// What a command says that fails with this code.
    pub(crate) fn fails(&self, agent: usize, code: i32, words: &[&str]) -> String {
        let output = self.says(agent, words);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// A program that stands and then runs a script, which first writes its process and its fence
    /// into `NAME`.
    pub(crate) fn stands(
        &self,
        agent: usize,
        name: &str,
        words: &[&str],
        script: &str,
    ) -> Standing {
        let begin = format!("echo $$ $CONCLAVE_FENCE > {name}.new; mv {name}.new {name}; {script}");
        let errors = self.dir.path().join(format!("{name}.errors"));
        let mut command = self.elect(agent, &[words, &["--", "sh", "-c", &begin]].concat());
        command.stdout(Stdio::null()).stderr(File::create(&errors).unwrap());
        Standing { child: command.spawn().unwrap(), errors }
    }

    pub(crate) fn leads(&self, name: &str) -> bool {
        self.dir.path().join(name).exists()
    }

    /// Waits until a program leads: its process and its fence.
    pub(crate) fn leader(&self, name: &str) -> (u64, u64) {
        let path = self.dir.path().join(name);
        let text = eventually(&format!("{name} leads"), || std::fs::read_to_string(&path).ok());
        let mut numbers = text.split_whitespace().map(|word| word.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap_or(0))
    }

    /// The only group of an agent, as that one has it.
    pub(crate) fn group(&self, agent: usize) -> Value {
        let page = self.agents[agent].page("/v1/conclave/elections");
        let groups: Value = serde_json::from_str(&page).unwrap();
        groups[0].clone()
    }

    /// Waits until an agent knows this leader.
    pub(crate) fn knows(&self, agent: usize, leader: usize) {
        let name = format!("agent-{leader}");
        eventually("the leader is known", || {
            (self.group(agent)["leader"]["name"] == *name).then_some(())
        });
    }
}

/// A program that stands, or leads. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Standing {
    child: Child,
    errors: PathBuf,
}

impl Standing {
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits until it has ended, and gives its exit code.
    pub(crate) fn end(&mut self) -> Option<i32> {
        eventually("the end of a program", || self.child.try_wait().unwrap()).code()
    }

    pub(crate) fn errors(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap()
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Whether a process runs; one that has ended and waits to be collected does not.
pub(crate) fn runs(pid: u64) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state != Some('Z') && state != Some('X')
}
