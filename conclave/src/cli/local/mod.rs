//! `conclave local`: a real cluster of processes on this machine.

mod founded;
mod member;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::member::{Doors, Member, Running};
use super::output;
use super::table::table;
use super::target::block_on;
use crate::config::Consensus;
use crate::failure::{Failure, Result};
use crate::preflight;
use crate::serve::{self, Leash};

/// The distance between the ports of two members.
const PORTS_PER_MEMBER: u16 = 10;
/// How long the members may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the members may take to stop before they are killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A real cluster of processes on this machine, until Ctrl-C.
///
/// Servers find each other in a pool, to which agents belong, too. Server i listens on port P + 10
/// i for clients and on the ports above it for the other servers, for the pool and for its own API;
/// agents follow with a port for the pool and one for their API. Each has a log in DIR. A member
/// that dies stays dead: the line that starts it again is printed.
///
/// Examples:
///
///   conclave local --servers 3 --dir ./cluster
///   conclave local --servers 5 --agents 20 --dir /tmp/c --base-port 7000
///   conclave local --dir ./cluster --consensus zab
///   conclave local --dir ./cluster -- --gossip-label mine
///   conclave local --dir ./cluster --json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Local {
    /// How many servers.
    #[arg(long, default_value_t = 3, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=99))]
    servers: u16,
    /// How many agents that are no servers.
    #[arg(long, default_value_t = 0, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=999))]
    agents: u16,
    /// Where the members keep their state, each in a directory of its own.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The first member's client port.
    #[arg(long, default_value_t = 2379, value_name = "PORT")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    base_port: u16,
    /// How the servers agree. With zab they are static: those of the first start.
    #[arg(long, value_enum, default_value_t = Consensus::Raft, value_name = "PROTOCOL")]
    consensus: Consensus,
    /// Print one line of JSON instead of the table.
    #[arg(long)]
    json: bool,
    /// Further flags for every member.
    #[arg(last = true, value_name = "AGENT FLAGS")]
    flags: Vec<String>,
}

/// A member that has ended, and how.
type Ended = (usize, std::io::Result<ExitStatus>);

impl Local {
    pub(crate) fn run(&self) -> Result {
        let members = self.members()?;
        for member in &members {
            let doors = member.doors.iter().flat_map(|doors| [doors.client, doors.peer]);
            for address in doors.chain([member.gossip, member.http]) {
                preflight::port(address, "--base-port")?;
            }
        }
        preflight::directory(&self.dir, "--dir")?;
        founded::check(self)?;
        block_on(self.live(&members))
    }

    fn members(&self) -> Result<Vec<Member>> {
        let binary = std::env::current_exe()
            .map_err(|error| Failure::new(format!("cannot find my own binary: {error}")))?;
        let dir = std::path::absolute(&self.dir)?;
        let mut members = Vec::new();
        for number in 0..self.servers + self.agents {
            let is_server = number < self.servers;
            let name = match is_server {
                true => format!("n{}", number + 1),
                false => format!("a{}", number - self.servers + 1),
            };
            let doors = Doors { client: self.address(number, 0)?, peer: self.address(number, 1)? };
            members.push(Member {
                binary: binary.clone(),
                doors: is_server.then_some(doors),
                gossip: self.address(number, 2)?,
                http: self.address(number, 3)?,
                data_dir: dir.join(&name),
                log: dir.join(format!("{name}.log")),
                name,
                consensus: self.consensus,
                flags: self.flags.clone(),
            });
        }
        Ok(members)
    }

    fn address(&self, member: u16, offset: u16) -> Result<SocketAddr> {
        let port = member.checked_mul(PORTS_PER_MEMBER).and_then(|it| it.checked_add(offset));
        let port = port.and_then(|offset| self.base_port.checked_add(offset));
        port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok_or_else(|| {
            let text = "the members' ports do not fit above --base-port; choose a lower one";
            Failure::usage(text)
        })
    }

    /// From the start of the members to the end of the last one.
    async fn live(&self, members: &[Member]) -> Result {
        let mut stop = std::pin::pin!(serve::asked_to_stop(Leash::None)?);
        let mut leashes = Vec::new();
        let mut lives = JoinSet::new();
        let mut pids = Vec::new();
        for (position, member) in members.iter().enumerate() {
            let Running { mut child, leash, pid } = member.start(members)?;
            pids.push(pid);
            leashes.push(leash);
            lives.spawn(async move { (position, child.wait().await) });
        }
        tokio::select! {
            () = &mut stop => {}
            started = start(members, &mut lives) => {
                if let Err(failure) = started {
                    drop(leashes);
                    end(lives).await;
                    return Err(failure);
                }
                self.announce(members, &pids)?;
                tokio::select! {
                    () = &mut stop => {}
                    failure = report_deaths(members, &mut lives) => return Err(failure),
                }
            }
        }
        // Each member ends with its leash.
        drop(leashes);
        end(lives).await;
        Ok(())
    }

    fn announce(&self, members: &[Member], pids: &[u32]) -> Result {
        if self.json {
            return output::json(&document(members, pids));
        }
        let row = |(member, pid): (&Member, &u32)| {
            let door = |door: fn(Doors) -> SocketAddr| match member.doors {
                Some(doors) => format!("http://{}", door(doors)),
                None => "-".to_owned(),
            };
            vec![
                member.name.clone(),
                door(|doors| doors.client),
                door(|doors| doors.peer),
                member.gossip.to_string(),
                format!("http://{}", member.http),
                pid.to_string(),
                member.log.display().to_string(),
            ]
        };
        let rows: Vec<_> = members.iter().zip(pids).map(row).collect();
        let servers = members.iter().filter_map(|member| member.doors);
        let endpoints: Vec<_> = servers.map(|doors| doors.client.to_string()).collect();
        let headings = ["NAME", "ETCD", "PEER", "GOSSIP", "HTTP", "PID", "LOG"];
        output::bytes(table(&headings, &rows).as_bytes())?;
        output::line(format!(
            "\nTry, in another terminal:\n\n  export CONCLAVE_ENDPOINTS={}\n  export \
             CONCLAVE_HTTP={}\n  conclave status\n  conclave kv put greeting hello\n  conclave \
             members\n\nCtrl-C stops them.",
            endpoints.join(","),
            members[0].http
        ))
    }
}

/// Waits until every member is healthy, or one of them has ended.
async fn start(members: &[Member], lives: &mut JoinSet<Ended>) -> Result {
    let everyone = async {
        for member in members {
            serve::healthy(member.health()).await;
        }
    };
    tokio::select! {
        () = everyone => Ok(()),
        Some(Ok((position, status))) = lives.join_next() => {
            let member = &members[position];
            let (how, why) = (describe(&status), member.last_words());
            Err(Failure::new(format!("{} {how} at its start: {why}", member.name)))
        }
        () = tokio::time::sleep(START_TIMEOUT) => {
            let seconds = START_TIMEOUT.as_secs();
            let text = format!("the members are not healthy after {seconds} s; see their logs in ");
            Err(Failure::new(text + &members[0].log.display().to_string()))
        }
    }
}

/// Reports each member that ends. Returns only when there is none left.
async fn report_deaths(members: &[Member], lives: &mut JoinSet<Ended>) -> Failure {
    while let Some(ended) = lives.join_next().await {
        let Ok((position, status)) = ended else { continue };
        let member = &members[position];
        eprintln!(
            "{} {}; start it again with:\n  {}",
            member.name,
            describe(&status),
            member.restart(members)
        );
    }
    Failure::new("all members have ended; their logs say why")
}

/// Waits for the members to end, and kills those that do not.
async fn end(mut lives: JoinSet<Ended>) {
    let all = async { while lives.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_TIMEOUT, all).await.is_err() {
        // Dropping a child's future kills the child.
        lives.shutdown().await;
    }
}

fn describe(status: &std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("ended ({status})"),
        Err(error) => format!("ended ({error})"),
    }
}

/// The one line that programs read.
fn document(members: &[Member], pids: &[u32]) -> Value {
    let object = |(member, pid): (&Member, &u32)| {
        json!({
            "name": member.name,
            "role": if member.doors.is_some() { "server" } else { "agent" },
            "pid": pid,
            "restart": member.restart(members),
            "etcd": member.doors.map(|doors| format!("http://{}", doors.client)),
            "peer": member.doors.map(|doors| format!("http://{}", doors.peer)),
            "gossip": member.gossip.to_string(),
            "http": format!("http://{}", member.http),
            "dns": null,
        })
    };
    json!({ "members": members.iter().zip(pids).map(object).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests;
