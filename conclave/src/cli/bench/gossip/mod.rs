//! `conclave bench gossip`.
//!
//! ```text
//!            this process                     processes of their own
//! ┌──────────────────────────────────┐      ┌───────┐    ┌──────┐
//! │ others: a core and two sockets   │◀────▶│ agent │    │ serf │
//! │ each, all on one thread          │      └───────┘    └──────┘
//! └──────────────────────────────────┘◀───────────────────▶
//! ```
//!
//! Whoever has just joined tells everybody of everybody, which takes a pool of a thousand a minute
//! and a half. That is waited for; what is measured is a pool in which nothing happens.

mod codec;
mod subject;
mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use protocol::swim::retransmit_limit;
use serde_json::json;
use server::gossip::{Crowd, PoolHandle, Settings};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use self::subject::{Kind, Subject};
use self::usage::Usage;
use crate::cli::block_on;
use crate::cli::measured::{Row, Target, show};
use crate::cli::output::{self, Format, Output};
use crate::config::duration;
use crate::failure::{Failure, Result};
use crate::preflight;

/// The processor time that an idle agent may take, in percent of a core.
const MOST_CPU: f64 = 0.5;
/// The memory that it may hold, in megabytes.
const MOST_MEGABYTES: f64 = 20.0;
/// How long a pool may take to know all of its members.
const PATIENCE: Duration = Duration::from_secs(180);
/// The time between two looks at whether it does.
const LOOK: Duration = Duration::from_millis(250);

/// Measure an agent in a pool in which nothing happens, and the codec of gossip; beside what is
/// asked of each.
///
/// The agent is a process of this program. All others of its pool are in this process: the same
/// member, with sockets of its own on loopback and the timers of a local network. Once everybody
/// knows everybody and has said so often enough, which takes a minute and a half for a thousand,
/// the agent is measured in slices of time, and then the codec in rounds. The spread stands behind
/// the median.
///
/// With --serf, an agent of Serf joins the same pool and is measured in the same slices.
///
/// Examples:
///
///   conclave bench gossip
///   conclave bench gossip --serf /usr/bin/serf
///   conclave bench gossip --others 99 --time 20s --slices 4 -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Gossip {
    /// How many others are in the pool.
    #[arg(long, default_value_t = 999, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=9_999))]
    others: u16,
    /// How long is measured, in all slices together.
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "TIME")]
    time: Duration,
    /// In how many slices.
    #[arg(long, default_value_t = 6, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    slices: u16,
    /// How often each measurement of the codec is repeated; 0 leaves the codec out.
    #[arg(long, default_value_t = 11, value_name = "N")]
    rounds: u16,
    /// A program of Serf to measure beside ours.
    #[arg(long, value_name = "PROGRAM")]
    serf: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Gossip {
    pub(crate) fn run(&self) -> Result {
        if cfg!(debug_assertions) {
            eprintln!("conclave: this build has its assertions on: build with --release");
        }
        if self.time.is_zero() {
            return Err(Failure::usage("--time has to be longer than no time at all"));
        }
        preflight::open_files();
        let (stop, stopping) = watch::channel(false);
        let crowd = (1..=self.others).map(|number| {
            let mut settings = Settings::single(&format!("other-{number:04}"));
            settings.listen.set_port(0);
            settings
        });
        let crowd = Crowd::start(crowd, stopping).map_err(Failure::new)?;
        let rows = self.measure(crowd.members());
        stop.send_replace(true);
        if !crowd.finish() {
            return Err(Failure::new("the others of the pool ended by a bug"));
        }
        let mut rows = rows?;
        if self.rounds > 0 {
            rows.extend(codec::rows(self.rounds));
        }
        match self.output.format {
            Format::Plain => output::bytes(show(&rows).as_bytes()),
            Format::Json => {
                output::json(&json!(rows.iter().map(Row::document).collect::<Vec<_>>()))
            }
        }
    }

    fn measure(&self, others: &[PoolHandle]) -> Result<Vec<Row>> {
        let first = others.first().ok_or_else(|| Failure::new("there are no others"))?;
        let mut subjects = vec![Subject::start(Kind::Ours, first.advertised())?];
        if let Some(program) = &self.serf {
            subjects.push(Subject::start(Kind::Serf(program.clone()), first.advertised())?);
        }
        block_on(async {
            all_are_there(others, &mut subjects).await?;
            self.slices(&subjects).await
        })
    }

    async fn slices(&self, subjects: &[Subject]) -> Result<Vec<Row>> {
        let slice = self.time / u32::from(self.slices);
        let traffic = subjects[0].traffic()?;
        let begun = Instant::now();
        let looks = |of: &[Subject]| -> Result<Vec<Usage>> {
            let processes = of.iter().map(Subject::process).chain([std::process::id()]);
            processes.map(Usage::of).collect()
        };
        let mut taken: Vec<Vec<Sample>> = (0..=subjects.len()).map(|_| Vec::new()).collect();
        let (mut before, mut at) = (looks(subjects)?, begun);
        for _ in 0..self.slices {
            sleep(slice).await;
            let (now, usages) = (Instant::now(), looks(subjects)?);
            for ((samples, before), usage) in taken.iter_mut().zip(&before).zip(&usages) {
                samples.push(Sample::between(before, usage, now - at));
            }
            (before, at) = (usages, now);
        }
        let seconds = begun.elapsed().as_secs_f64();
        let traffic = subjects[0].traffic()?.since(&traffic, seconds);
        Ok(rows(subjects, &taken, traffic))
    }
}

/// What a process used in a slice of time.
struct Sample {
    /// In percent of a core.
    cpu: f64,
    /// In megabytes, as all of the following.
    resident: f64,
    /// Shared pages by the part of each sharer.
    proportional: Option<f64>,
}

impl Sample {
    fn between(before: &Usage, after: &Usage, time: Duration) -> Self {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        Self {
            cpu: 100.0 * after.cpu_since(before).as_secs_f64() / time.as_secs_f64(),
            resident: megabytes(after.resident),
            proportional: after.proportional.map(megabytes),
        }
    }
}

/// The samples of each subject, and at the end those of this process.
fn rows(subjects: &[Subject], taken: &[Vec<Sample>], traffic: Vec<Row>) -> Vec<Row> {
    let each = |samples: &[Sample], field: fn(&Sample) -> f64| -> Vec<f64> {
        samples.iter().map(field).collect()
    };
    let cpu: fn(&Sample) -> f64 = |sample| sample.cpu;
    let resident: fn(&Sample) -> f64 = |sample| sample.resident;
    let mut rows = Vec::new();
    for (subject, samples) in subjects.iter().zip(taken) {
        let ours = subject.is_ours();
        let asked = |row: Row, most| if ours { row.against(Target::AtMost(most)) } else { row };
        let named = |what: &str| format!("{}: {what}", subject.name());
        let row = Row::new(named("processor"), "% of a core", each(samples, cpu));
        rows.push(asked(row, MOST_CPU));
        let row = Row::new(named("resident"), "MB", each(samples, resident));
        rows.push(asked(row, MOST_MEGABYTES));
        let shares: Option<Vec<f64>> = samples.iter().map(|sample| sample.proportional).collect();
        rows.extend(shares.map(|shares| Row::new(named("proportional"), "MB", shares)));
    }
    if let ([ours, serf], [_, other]) = (taken.get(..2).unwrap_or_default(), subjects) {
        let ratio = |field: fn(&Sample) -> f64| {
            ours.iter().zip(serf).map(|(ours, serf)| field(ours) / field(serf)).collect()
        };
        let against = |what: &str| format!("{what}, agent ÷ {}", other.name());
        rows.push(Row::new(against("processor"), "", ratio(cpu)));
        rows.push(Row::new(against("resident"), "", ratio(resident)));
    }
    rows.extend(traffic);
    let others = taken.last().map(Vec::as_slice).unwrap_or_default();
    rows.push(Row::new("all others: processor", "% of a core", each(others, cpu)));
    rows
}

/// Waits until everybody knows everybody, and has passed that on as often as is enough.
async fn all_are_there(others: &[PoolHandle], subjects: &mut [Subject]) -> Result {
    let members = others.len() + subjects.len();
    let deadline = Instant::now() + PATIENCE;
    for subject in subjects.iter_mut() {
        while subject.members() != Some(members) {
            subject.look()?;
            wait(deadline, &format!("{} knows {members} members", subject.name())).await?;
        }
    }
    for other in others {
        while alive(other).await? != members {
            wait(deadline, &format!("{} knows {members} members", other.name())).await?;
        }
    }
    sleep(busy_for(members)).await;
    let deadline = Instant::now() + PATIENCE;
    while subjects[0].queued()? != 0 {
        wait(deadline, "all news have gone round").await?;
    }
    Ok(())
}

async fn alive(member: &PoolHandle) -> Result<usize> {
    Ok(member.status().await.map_err(Failure::new)?.swim.alive)
}

async fn wait(deadline: Instant, what: &str) -> Result {
    if Instant::now() >= deadline {
        return Err(Failure::new(format!(
            "in vain waited for this: {what}. Is the machine too busy, or too small? Try fewer \
             --others"
        )));
    }
    sleep(LOOK).await;
    Ok(())
}

/// How long a newcomer passes on that so many are there.
fn busy_for(members: usize) -> Duration {
    /// As memberlist has it for a local network: multiplier, period, and members told in each.
    const MULTIPLIER: u32 = 4;
    const PERIOD: Duration = Duration::from_millis(200);
    const TOLD: u32 = 3;
    /// Members of which a packet tells, when they say little of themselves.
    const IN_A_PACKET: u32 = 10;
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    let messages = members.saturating_mul(retransmit_limit(members as usize, MULTIPLIER));
    PERIOD * (messages / IN_A_PACKET / TOLD + 10)
}

/// Where nobody listens.
fn free_port() -> Result<SocketAddr> {
    preflight::free(SocketAddr::from(([127, 0, 0, 1], 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_among_a_thousand_is_busy_for_a_minute_and_a_half() {
        let (small, large) = (busy_for(21).as_secs(), busy_for(1000).as_secs());
        assert!(small < 5 && (90..130).contains(&large), "{small} {large}");
    }
}
