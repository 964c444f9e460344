//! `conclave sim founding`.

use clap::Args;
use serde_json::json;
use sim::founding::Broken;
use sim::founding::explore::{Bounds, Explored, explore};
use sim::founding::world::{Told, run};

use super::parallel;
use super::progress::Progress;
use crate::cli::output::{self, Format, Output};
use crate::failure::{Failure, Result};

/// One of so many states is looked at to its end in calm.
const CALM_EVERY: u64 = 16;
/// Worlds that are run in one piece of work.
const PIECE: usize = 250;

/// Let servers that meet by gossip found one group, in worlds drawn from seeds: crashes before and
/// after each write, starts in any order, partitions, and tags that are seen late, twice or never.
/// Exits with 1 when a law is broken.
///
/// Examples:
///
///   conclave sim founding 0 10000
///   conclave sim founding 4711 4712
///   conclave sim founding 0 100 --expect 3 --servers 4
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Founding {
    /// The first seed.
    from: u64,
    /// The seed after the last one.
    to: u64,
    /// Besides, try every order of events of so many servers, with --expect.
    #[arg(long, requires = "expect", value_name = "M")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=5))]
    servers: Option<u16>,
    /// How many servers found the group there.
    #[arg(long, requires = "servers", value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=5))]
    expect: Option<u16>,
    /// Crashes on each path there.
    #[arg(long, default_value_t = 1, value_name = "N", requires = "servers")]
    crashes: u8,
    /// Take the living for dead there, too.
    #[arg(long, requires = "servers")]
    mistakes: bool,
    /// The most states there.
    #[arg(long, default_value_t = 20_000_000, value_name = "N", requires = "servers")]
    states: u64,
    #[command(flatten)]
    output: Output,
}

impl Founding {
    pub(crate) fn run(&self) -> Result {
        if self.to <= self.from {
            return Err(Failure::usage("there are no seeds between these two"));
        }
        let pieces: Vec<u64> = (self.from..self.to).step_by(PIECE).collect();
        let mut progress = Progress::new();
        let ran = parallel::each(
            &pieces,
            |from| worlds(*from, from.saturating_add(PIECE as u64).min(self.to)),
            |done| progress.show(|_| format!("{done} of {} pieces", pieces.len())),
        );
        progress.clear();
        let mut told = Told::default();
        let mut broken = Vec::new();
        for (some, laws) in ran {
            told = told.and(some);
            broken.extend(laws);
        }
        let explored = self.bounds().map(|bounds| explore(bounds, self.states));
        self.show(told, &broken, explored.as_ref())?;
        let is_broken = explored.as_ref().is_some_and(|found| found.broken.is_some());
        match broken.len() {
            0 if !is_broken => Ok(()),
            0 => Err(Failure::new("an order of events breaks a law")),
            count => Err(Failure::new(format!("{count} worlds break a law"))),
        }
    }

    fn bounds(&self) -> Option<Bounds> {
        let (expect, servers) = (usize::from(self.expect?), usize::from(self.servers?));
        let (crashes, mistakes) = (self.crashes, self.mistakes);
        Some(Bounds { expect, servers, crashes, mistakes, calm_every: CALM_EVERY })
    }

    fn show(&self, told: Told, broken: &[(u64, Broken)], explored: Option<&Explored>) -> Result {
        let worlds = self.to - self.from;
        if self.output.format == Format::Json {
            let laws = broken.iter().map(|(seed, broken)| json!([seed, broken.to_string()]));
            return output::json(&json!({
                "worlds": worlds,
                "groups": told.groups,
                "founded_in_the_storm": told.early,
                "pledges_left": told.left,
                "crashes": told.crashes,
                "splits": told.splits,
                "stale_sightings": told.stale,
                "broken": laws.collect::<Vec<_>>(),
                "states": explored.map(|found| found.states),
                "complete": explored.map(|found| found.is_complete),
            }));
        }
        for (seed, broken) in broken {
            output::line(format!("seed {seed}: {broken}"))?;
        }
        output::line(format!("{worlds} worlds: {told}"))?;
        let Some(found) = explored else { return Ok(()) };
        if let Some((broken, steps)) = &found.broken {
            output::line(format!("{broken}\n  {}", steps.join("\n  ")))?;
        }
        let all = if found.is_complete { "all of them" } else { "not all of them" };
        let Explored { states, steps, calmed, .. } = found;
        output::line(format!("{states} states ({all}), {steps} steps, {calmed} ended in calm"))
    }
}

fn worlds(from: u64, to: u64) -> (Told, Vec<(u64, Broken)>) {
    let mut told = Told::default();
    let mut laws = Vec::new();
    for seed in from..to {
        match run(seed) {
            Ok(some) => told = told.and(some),
            Err(broken) => laws.push((seed, broken)),
        }
    }
    (told, laws)
}
