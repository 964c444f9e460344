//! The flags of elections by gossip.

use clap::{Args, ValueEnum};

use crate::cli::http::Http;
use crate::failure::{Failure, Result};

/// How much an election by gossip promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// A majority of a durable electorate grants each term of office.
    Safe,
    /// The textbook's: two leaders in a split network.
    Classic,
}

/// What ranks go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RankBy {
    /// The agent's id, as in the textbook.
    Id,
    /// --rank, then the id.
    Priority,
    /// What the program reports with --report, then --rank.
    Freshness,
}

/// When a leader yields to a better candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Preempt {
    /// Never: whoever leads goes on.
    Never,
    /// As soon as there is one.
    Eager,
    /// When it is steady, and changes have been rare.
    Damped,
}

/// What is for elections by gossip alone. What is not said is as the agent has it already, or the
/// default.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --algorithm bully")]
pub(super) struct Bully {
    /// How many agents decide: the first so many that meet, 1 to 16.
    #[arg(long, value_name = "N", conflicts_with = "electors")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=16))]
    expect: Option<u8>,
    /// Which agents decide, by their names, up to 32.
    #[arg(long, value_name = "AGENT,…", value_delimiter = ',')]
    electors: Vec<String>,
    /// This candidate's priority [default: 0].
    #[arg(long, value_name = "N")]
    rank: Option<u64>,
    /// What ranks go by, the same everywhere [default: priority].
    #[arg(long, value_enum, value_name = "WHAT")]
    rank_by: Option<RankBy>,
    /// How much an election promises, the same everywhere [default: safe].
    #[arg(long, value_enum, value_name = "MODE")]
    mode: Option<Mode>,
    /// When a leader yields to a better candidate [default: never].
    #[arg(long, value_enum, value_name = "WHEN")]
    preempt: Option<Preempt>,
    /// Tell the agent how fresh the state of the program that stands there is, and end.
    #[arg(long, value_name = "N", conflicts_with_all = ["observe", "command"])]
    pub(super) report: Option<u64>,
    /// Let these agents decide from now on, in the place of those who did, and end: for whoever was
    /// lost. Asked of the agent that leads; done when it ends.
    #[arg(long, value_name = "AGENT,…", value_delimiter = ',')]
    #[arg(conflicts_with_all = ["observe", "command", "report", "expect", "electors"])]
    pub(super) change_electors: Vec<String>,
    #[command(flatten)]
    pub(super) http: Http,
}

fn word(value: impl ValueEnum) -> Option<String> {
    Some(value.to_possible_value()?.get_name().to_owned())
}

impl Bully {
    /// What is said here, as (flag, value).
    fn said(&self) -> Vec<(&'static str, String)> {
        let electors = (!self.electors.is_empty()).then(|| self.electors.join("+"));
        let said = [
            ("expect", self.expect.map(|expect| expect.to_string())),
            ("electors", electors),
            ("rank", self.rank.map(|rank| rank.to_string())),
            ("rank-by", self.rank_by.and_then(word)),
            ("mode", self.mode.and_then(word)),
            ("preempt", self.preempt.and_then(word)),
        ];
        said.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// The group's settings, as an agent takes them.
    pub(super) fn wish(&self) -> Vec<String> {
        self.said().iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Refuses what means nothing to the log.
    pub(super) fn refuse(&self) -> Result {
        let mut said = self.said().into_iter().map(|(name, _)| name);
        let report = self.report.map(|_| "report");
        let change = (!self.change_electors.is_empty()).then_some("change-electors");
        match said.next().or(report).or(change) {
            Some(name) => Err(Failure::usage(format!("--{name} is for --algorithm bully"))),
            None => Ok(()),
        }
    }
}
