//! The agents, and the programs that stand at them.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use protocol::Time;
use serde_json::Value;

use super::ledger::{Ledger, Term};
use crate::cli::block_on;
use crate::cli::http::Http;
use crate::failure::{Failure, Result};
use crate::preflight;

/// The group that they elect in.
const GROUP: &str = "bench";
/// How long a process may take to end.
const ENDS: Duration = Duration::from_secs(30);
/// The time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// One agent, and the program that stands at it.
#[derive(Debug)]
struct Member {
    gossip: SocketAddr,
    http: SocketAddr,
    agent: Option<Child>,
    stands: Option<Child>,
}

/// All of them. Dropped, they are killed.
#[derive(Debug)]
pub(super) struct Cast {
    dir: PathBuf,
    ttl: u16,
    members: Vec<Member>,
    pub(super) ledger: Ledger,
    /// Until when the leases of those lasted that were killed, by their fences.
    pub(super) leases: BTreeMap<u64, Time>,
}

impl Cast {
    pub(super) fn new(dir: &Path, count: usize, ttl: u16) -> Result<Self> {
        let free = || preflight::free(SocketAddr::from(([127, 0, 0, 1], 0)));
        let member = |_| Ok(Member { gossip: free()?, http: free()?, agent: None, stands: None });
        let members = (0..count).map(member).collect::<Result<_>>()?;
        let ledger = Ledger(dir.join("ledger"));
        Ok(Self { dir: dir.to_owned(), ttl, members, ledger, leases: BTreeMap::new() })
    }

    pub(super) fn start_all(&mut self) -> Result {
        for at in 0..self.members.len() {
            self.start_agent(at)?;
        }
        for at in 0..self.members.len() {
            self.start_program(at)?;
        }
        Ok(())
    }

    /// Starts both again, once the program has ended.
    pub(super) fn start_again(&mut self, at: usize) -> Result {
        self.end_program(at)?;
        self.start_agent(at)?;
        self.start_program(at)
    }

    fn log(&self, at: usize, what: &str) -> Result<File> {
        let path = self.dir.join(format!("{what}-{at}.log"));
        Ok(File::options().create(true).append(true).open(path)?)
    }

    fn start_agent(&mut self, at: usize) -> Result {
        let log = self.log(at, "agent")?;
        let join: Vec<String> = self.members.iter().map(|it| it.gossip.to_string()).collect();
        let member = &mut self.members[at];
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["agent", "--gossip-profile", "local", "--log", "info", "--exit-with-stdin"]);
        command.args(["--name", &format!("agent-{at}")]);
        command.arg("--data-dir").arg(self.dir.join(format!("agent-{at}")));
        command.args(["--listen-gossip", &member.gossip.to_string()]);
        command.args(["--listen-http", &member.http.to_string(), "--join", &join.join(",")]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        member.agent = Some(command.spawn()?);
        let door = Http::at(member.http);
        within(ENDS, "an agent does not answer", || Ok(block_on(door.get("elections")).is_ok()))
    }

    fn start_program(&mut self, at: usize) -> Result {
        let log = self.log(at, "stands")?;
        let program = std::env::current_exe()?;
        let (expect, ttl) = (self.members.len().to_string(), self.ttl.to_string());
        let member = &mut self.members[at];
        let mut command = Command::new(&program);
        command.args(["elect", GROUP, "--algorithm", "bully", "--expect", &expect]);
        command.args(["--ttl", &ttl, "--rank", &at.to_string()]);
        command.args(["--http", &member.http.to_string(), "--"]).arg(&program);
        command.args(["bench", "holder"]).arg(&self.ledger.0).arg(at.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        member.stands = Some(command.spawn()?);
        Ok(())
    }

    /// Waits until all agents answer, know their electorate, and a leader.
    pub(super) fn settle(&self, patience: Duration) -> Result {
        within(patience, "not all agents know the leader", || {
            let mut leaders = self.members.iter().map(|member| {
                let groups = block_on(Http::at(member.http).get("elections")).ok()?;
                let group = groups.as_array()?.first()?.clone();
                let epoch = group["leader"]["epoch"].as_u64()?;
                (group["stands"] == Value::Bool(true)).then_some(epoch)
            });
            let first = leaders.next().flatten();
            Ok(first.is_some() && leaders.all(|leader| leader == first))
        })
    }

    /// Kills an agent, and lets its program end as it does.
    pub(super) fn kill(&mut self, at: usize) -> Result {
        if let Some(mut agent) = self.members[at].agent.take() {
            agent.kill()?;
            agent.wait()?;
        }
        Ok(())
    }

    fn end_program(&mut self, at: usize) -> Result {
        let Some(mut program) = self.members[at].stands.take() else { return Ok(()) };
        within(ENDS, "a program whose agent was killed does not end", || {
            Ok(program.try_wait()?.is_some())
        })
    }

    /// Until when the lease lasted of a term whose agent was killed, as the program knew it.
    pub(super) fn lease_of(&mut self, term: Term) -> Result<Time> {
        self.end_program(term.member)?;
        let path = self.dir.join(format!("stands-{}.log", term.member));
        let text = std::fs::read_to_string(&path)?;
        let until = lease_in(&text, term.fence).ok_or_else(|| {
            let fence = term.fence;
            Failure::new(format!("{} does not say when the lease {fence} ended", path.display()))
        })?;
        self.leases.insert(term.fence, until);
        Ok(until)
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        for member in &mut self.members {
            for child in [&mut member.stands, &mut member.agent].into_iter().flatten() {
                // It may have ended by itself.
                let _ended = child.kill();
                let _ended = child.wait();
            }
        }
    }
}

/// What a program's log says of a lease.
fn lease_in(log: &str, fence: u64) -> Option<Time> {
    let (_, rest) = log.split_once(&format!("(fence {fence}, lease for "))?;
    let (seconds, rest) = rest.split_once(": until ")?.1.split_once('.')?;
    let (seconds, nanos): (u64, u64) =
        (seconds.parse().ok()?, rest.split_once(" s")?.0.parse().ok()?);
    Some(Time(seconds * 1_000_000_000 + nanos))
}

fn within(patience: Duration, complaint: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result {
    let deadline = Instant::now() + patience;
    while !is_so()? {
        if Instant::now() >= deadline {
            return Err(Failure::new(format!("{complaint} after {} s", patience.as_secs())));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_of_leases_by_their_fences() {
        let lease = |fence, until| {
            format!("x (fence {fence}, lease for 1.0 s more: until {until} s after y)\n")
        };
        let log = lease(6, "5.000000001") + &lease(7, "12.000000034");
        let log = log.as_str();
        assert_eq!(lease_in(log, 7), Some(Time(12_000_000_034)));
        assert_eq!(lease_in(log, 8), None);
    }
}
