//! `conclave elect`.

mod bully;
mod gossip;

use clap::{Args, ValueEnum};
use client::{Change, Election};
use serde_json::{Value, json};

use self::bully::Bully;
use super::hold::{self, Candidate, Contender, Contest, Terms};
use super::json;
use super::output::{self, Format, Output};
use super::target::{Target, block_on};
use crate::config::machine;
use crate::failure::{Failure, Result};

/// How a leader is elected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Algorithm {
    /// Through the log of a cluster, whatever protocol its servers agree by: Raft or Zab.
    Raft,
    /// By gossip among agents, without servers.
    Bully,
}

/// Run a command while leading a group, or follow who leads it.
///
/// Waits until it leads. CMD finds its fencing token in CONCLAVE_FENCE, which grows with each
/// leader, and the key and the lease in CONCLAVE_KEY and CONCLAVE_LEASE. When the leadership is
/// lost, or may soon be, CMD gets SIGTERM and, after its grace, SIGKILL; conclave then ends with 1,
/// and otherwise with CMD's exit code. Signals are passed on to CMD.
///
/// Whoever stands for the same group with `etcdctl elect` is one of the candidates.
///
/// With --algorithm bully no server is needed: agents elect one of those where a program stands,
/// by gossip. Who decides is said once, the same everywhere: the first N agents that meet
/// (--expect), or a list of them (--electors); they are remembered. One agent is one candidate.
/// CMD finds its fencing token in CONCLAVE_FENCE and the group in CONCLAVE_GROUP.
///
/// Examples:
///
///   conclave elect scheduler -- ./scheduler --port 8080
///   conclave elect scheduler --value 10.0.0.7:8080 --ttl 5 -- ./scheduler
///   conclave elect scheduler --observe
///   conclave elect scheduler --algorithm bully --expect 3 --rank 10 -- ./scheduler
///   conclave elect scheduler --algorithm bully --electors web-1,web-2,web-3 -- ./scheduler
///   conclave elect scheduler --algorithm bully --observe
///   conclave elect scheduler --algorithm bully --change-electors web-1,web-2,web-4
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Elect {
    /// The group's name.
    #[arg(value_parser = hold::name)]
    group: String,
    /// What others read of the leader [default: the machine's name and the process's number].
    #[arg(long, value_name = "TEXT")]
    value: Option<String>,
    /// Print a line now and at each change of who leads, instead of standing.
    #[arg(long, conflicts_with_all = ["value", "ttl", "grace", "command"])]
    observe: bool,
    /// How the leader is elected: through the log of a cluster, or by gossip among agents.
    #[arg(long, value_enum, default_value_t = Algorithm::Raft)]
    algorithm: Algorithm,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
    // Last, since its heading goes for all that follows.
    #[command(flatten)]
    bully: Bully,
}

impl Elect {
    pub(crate) fn run(&self) -> Result {
        match self.algorithm {
            Algorithm::Bully => return self.by_gossip(),
            Algorithm::Raft => self.bully.refuse()?,
        }
        let election = Election::new(&self.target.client()?, &self.group)?;
        if self.observe {
            return block_on(self.follow(election));
        }
        let value = self.value.clone();
        let value = value.unwrap_or_else(|| format!("{}/{}", machine(), std::process::id()));
        let contender = Contender {
            contest: Contest::Election { election, value },
            what: format!("the leadership of {}", self.group),
            terms: &self.terms,
            output: self.output,
        };
        block_on(contender.run())
    }

    fn by_gossip(&self) -> Result {
        if self.value.is_some() {
            return Err(Failure::usage(
                "--value is for --algorithm raft: by gossip, others read the agent's name",
            ));
        }
        let Bully { http, report, change_electors, .. } = &self.bully;
        if let Some(freshness) = report {
            return block_on(async {
                let body = json!({ "group": self.group, "freshness": freshness });
                http.post("elections/report", &body).await.map(drop)
            });
        }
        if !change_electors.is_empty() {
            return block_on(gossip::change(http, &self.group, change_electors));
        }
        if self.observe {
            return block_on(gossip::follow(http, &self.group, self.output.format));
        }
        let candidate = Candidate {
            http,
            group: &self.group,
            wish: self.bully.wish(),
            terms: &self.terms,
            output: self.output,
        };
        block_on(candidate.run())
    }

    async fn follow(&self, election: Election) -> Result {
        let mut observer = election.observe().await?;
        loop {
            let change = observer.next().await?;
            match self.output.format {
                Format::Json => output::json(&document(&change))?,
                Format::Plain => {
                    if change.gap {
                        let why = "history was compacted before it could be read";
                        eprintln!("conclave: changes may be missing here: {why}");
                    }
                    output::line(sentence(&change))?;
                }
            }
        }
    }
}

fn sentence(change: &Change) -> String {
    let Some(leader) = &change.leader else { return "nobody leads".to_owned() };
    let (value, key) = (printable(&leader.value), printable(&leader.key));
    format!("{value} leads: key {key}, fence {}", leader.fence)
}

/// One line, whatever others have put.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

fn document(change: &Change) -> Value {
    let leader = change.leader.as_ref().map(|leader| {
        json!({
            "key": json::base64(&leader.key),
            "value": json::base64(&leader.value),
            "fence": leader.fence,
            "lease": leader.lease,
        })
    });
    json!({ "leader": leader, "gap": change.gap })
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::Leader;

    #[test]
    fn a_change_is_one_line_whatever_the_leader_says() {
        let leader =
            Leader { key: "g/1".into(), value: "a\nb\u{1b}[31m".into(), fence: 7, lease: 1 };
        let change = Change { leader: Some(leader), gap: false };
        assert_eq!(sentence(&change), "a\\nb\\u{1b}[31m leads: key g/1, fence 7");
        assert_eq!(sentence(&Change { leader: None, gap: true }), "nobody leads");
    }
}
