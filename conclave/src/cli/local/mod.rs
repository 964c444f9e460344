//! `conclave local`: a real cluster of processes on this machine.

mod member;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::member::{Member, Running};
use super::output;
use super::table::table;
use super::target::block_on;
use crate::failure::{Failure, Result};
use crate::preflight;
use crate::serve::{self, Leash};

/// The distance between the ports of two members.
const PORTS_PER_MEMBER: u16 = 10;
/// How long the members may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the members may take to stop before they are killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A real cluster of processes on this machine, until Ctrl-C.
///
/// Member i listens on port P + 10 i for clients and on the port above it for the other members;
/// its log is DIR/ni.log. A member that dies stays dead: the line that starts it again is printed.
///
/// Examples:
///
///   conclave local --servers 3 --dir ./cluster
///   conclave local --servers 5 --dir /tmp/c --base-port 7000 -- --profile lan-fast
///   conclave local --dir ./cluster --json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Local {
    /// How many servers.
    #[arg(long, default_value_t = 3, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=99))]
    servers: u16,
    /// Where the members keep their state, each in a directory of its own.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The first member's client port.
    #[arg(long, default_value_t = 2379, value_name = "PORT")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    base_port: u16,
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
            preflight::port(member.client, "--base-port")?;
            preflight::port(member.peer, "--base-port")?;
        }
        preflight::directory(&self.dir, "--dir")?;
        block_on(self.live(&members))
    }

    fn members(&self) -> Result<Vec<Member>> {
        let binary = std::env::current_exe()
            .map_err(|error| Failure::new(format!("cannot find my own binary: {error}")))?;
        let dir = std::path::absolute(&self.dir)?;
        let mut members = Vec::new();
        for number in 0..self.servers {
            let name = format!("n{}", number + 1);
            members.push(Member {
                binary: binary.clone(),
                client: self.address(number, 0)?,
                peer: self.address(number, 1)?,
                data_dir: dir.join(&name),
                log: dir.join(format!("{name}.log")),
                name,
                flags: self.flags.clone(),
            });
        }
        Ok(members)
    }

    fn address(&self, member: u16, offset: u16) -> Result<SocketAddr> {
        let port = (member * PORTS_PER_MEMBER).checked_add(offset);
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
            vec![
                member.name.clone(),
                format!("http://{}", member.client),
                format!("http://{}", member.peer),
                pid.to_string(),
                member.log.display().to_string(),
            ]
        };
        let rows: Vec<_> = members.iter().zip(pids).map(row).collect();
        let endpoints: Vec<_> = members.iter().map(|member| member.client.to_string()).collect();
        output::bytes(table(&["NAME", "ETCD", "PEER", "PID", "LOG"], &rows).as_bytes())?;
        output::line(format!(
            "\nTry, in another terminal:\n\n  export CONCLAVE_ENDPOINTS={}\n  conclave status\n  \
             conclave kv put greeting hello\n\nCtrl-C stops them.",
            endpoints.join(",")
        ))
    }
}

/// Waits until every member is healthy, or one of them has ended.
async fn start(members: &[Member], lives: &mut JoinSet<Ended>) -> Result {
    let everyone = async {
        for member in members {
            serve::healthy(member.client).await;
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
            "role": "server",
            "pid": pid,
            "restart": member.restart(members),
            "etcd": format!("http://{}", member.client),
            "peer": format!("http://{}", member.peer),
            "gossip": null,
            "http": null,
            "dns": null,
        })
    };
    json!({ "members": members.iter().zip(pids).map(object).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests;
