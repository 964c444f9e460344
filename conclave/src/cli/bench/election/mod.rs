//! `conclave bench election`.
//!
//! ```text
//! this process ──kills, starts──▶ agent ◀─stands─ conclave elect ──▶ holder ──▶ ledger
//!                                 … N times                                      ▲
//! this process ──────────────────────── reads ───────────────────────────────────┘
//! ```
//!
//! A holder is the command that runs while its agent leads. It notes when it begins and ends, by
//! the clock that all processes of a machine have in common. The agent that leads is killed; its
//! holder is told to end, and its lease counts as used until it runs out, whenever that was.

mod cast;
mod ledger;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use protocol::Time;
use serde_json::json;
use server::elections::boot_time;

use self::cast::Cast;
pub(super) use self::ledger::Holder;
use self::ledger::Term;
use crate::cli::output::{self, Format, Output};
use crate::failure::{Failure, Result};

/// How long a leader may take to come.
const PATIENCE: Duration = Duration::from_secs(120);
/// The time between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Kill the leader of a group of agents again and again: the time to the next one, and the proof
/// that no two leases overlapped.
///
/// The agents are processes of this machine and elect by gossip, without servers. At each of them
/// a program stands. The agent that leads is killed as by `kill -9`, and started again once another
/// one leads. It fails when a lease began before another one had ended.
///
/// Examples:
///
///   conclave bench election --agents 10 --kills 50
///   conclave bench election --agents 3 --kills 5 --ttl 5 -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Election {
    /// How many agents elect; all of them decide.
    #[arg(long, default_value_t = 10, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u8).range(2..=16))]
    agents: u8,
    /// How often the leader is killed.
    #[arg(long, default_value_t = 50, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    kills: u16,
    /// How many seconds a lease lasts.
    #[arg(long, default_value_t = 2, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u16).range(2..=60))]
    ttl: u16,
    /// Where the agents keep their files and logs; a new folder [default: one that is removed
    /// when all went well].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// One kill, and what came of it.
#[derive(Clone, Copy, Debug)]
struct Kill {
    /// From the kill to the next leader's program.
    takes: Duration,
    /// From the end of the lease of the one that was killed.
    after_lease: Duration,
}

impl Election {
    pub(crate) fn run(&self) -> Result {
        let name = format!("conclave-election-{}", std::process::id());
        let dir = self.dir.clone().unwrap_or_else(|| std::env::temp_dir().join(name));
        std::fs::create_dir(&dir).map_err(|error| {
            Failure::new(format!("{}: {error}; --dir has to be a new folder", dir.display()))
        })?;
        let mut cast = Cast::new(&dir, usize::from(self.agents), self.ttl)?;
        let kills = self.play(&mut cast).map_err(|failure| {
            Failure::new(format!("{}; logs are in {}", failure.text(), dir.display()))
        })?;
        drop(cast);
        if self.dir.is_none() {
            std::fs::remove_dir_all(&dir)?;
        }
        self.report(&kills)
    }

    fn play(&self, cast: &mut Cast) -> Result<Vec<Kill>> {
        cast.start_all()?;
        let mut term = self.next_leader(cast, None)?;
        let mut kills = Vec::new();
        for _ in 0..self.kills {
            cast.settle(PATIENCE)?;
            // Who leads may have changed by itself.
            term = cast.ledger.last()?.unwrap_or(term);
            let killed = boot_time();
            cast.kill(term.member)?;
            let next = self.next_leader(cast, Some(term))?;
            let until = cast.lease_of(term)?;
            kills.push(Kill {
                takes: next.start.since(killed),
                after_lease: next.start.since(until),
            });
            cast.ledger.check(&cast.leases)?;
            cast.start_again(term.member)?;
            term = next;
        }
        Ok(kills)
    }

    /// Waits for a term of office after this one.
    fn next_leader(&self, cast: &Cast, before: Option<Term>) -> Result<Term> {
        let deadline = Instant::now() + PATIENCE;
        let known = before.map_or(0, |term| term.fence);
        loop {
            if let Some(term) = cast.ledger.last()?.filter(|term| term.fence > known) {
                return Ok(term);
            }
            if Instant::now() >= deadline {
                let text = format!("nobody leads {} s after the last leader", PATIENCE.as_secs());
                return Err(Failure::new(text));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn report(&self, kills: &[Kill]) -> Result {
        let takes = spread(kills.iter().map(|kill| kill.takes));
        let after = spread(kills.iter().map(|kill| kill.after_lease));
        let names = ["min", "p50", "p90", "max"];
        match self.output.format {
            Format::Json => {
                let object = |values: [f64; 4]| -> serde_json::Value {
                    names.iter().zip(values).map(|(name, value)| (*name, value)).collect()
                };
                output::json(&json!({
                    "agents": self.agents,
                    "kills": kills.len(),
                    "ttl_s": self.ttl,
                    "next_leader_ms": object(takes),
                    "after_lease_ms": object(after),
                    "overlaps": 0,
                }))
            }
            Format::Plain => {
                let row = |values: [f64; 4]| {
                    let cells = names.iter().zip(values);
                    cells.map(|(name, value)| format!("{name} {value:.0} ms")).collect::<Vec<_>>()
                };
                output::line(format!(
                    "{} agents, {} kills of the leader, leases of {} s: no two overlapped\n\
                     from the kill to the next leader      {}\n\
                     from the end of the lease             {}",
                    self.agents,
                    kills.len(),
                    self.ttl,
                    row(takes).join("  "),
                    row(after).join("  "),
                ))
            }
        }
    }
}

/// The least, the middle, the ninth of ten and the most, in milliseconds; by nearest rank.
fn spread(values: impl Iterator<Item = Duration>) -> [f64; 4] {
    let mut values: Vec<Duration> = values.collect();
    values.sort_unstable();
    let at = |percent: usize| {
        let rank = (values.len() * percent).div_ceil(100).max(1);
        values.get(rank - 1).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    [at(0), at(50), at(90), at(100)]
}

/// A time in the words of a log.
fn shown(time: Time) -> String {
    format!("{:.3} s", Duration::from_nanos(time.0).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_go_by_the_nearest_rank() {
        let of = |count: u64| spread((1..=count).rev().map(Duration::from_millis));
        assert_eq!(of(10), [1.0, 5.0, 9.0, 10.0]);
        assert_eq!(of(1), [1.0; 4]);
        assert_eq!(of(50), [1.0, 25.0, 45.0, 50.0]);
    }
}
