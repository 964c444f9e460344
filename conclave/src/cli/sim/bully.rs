//! `conclave sim bully`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sim::bully::Broken;
use sim::bully::classic::{Detector, count};
use sim::bully::flaps::{Policy, changes};
use sim::bully::world::{Told, sweep};

use super::parallel;
use super::progress::Progress;
use crate::cli::output::{self, Format, Output};
use crate::failure::{Failure, Result};

/// Worlds that are run in one piece of work.
const PIECE: usize = 250;
/// Candidates among whom the best one flaps, how long it is up and down, and how often.
const FLAPS: (usize, Duration, usize) = (5, Duration::from_secs(20), 10);

/// Let candidates elect the best of them over gossip, with epochs and leases, in worlds drawn from
/// seeds: datagrams that are lost, late and doubled, one-way cuts, crashes before and after each
/// write, pauses, clocks that differ, electorates that change. Exits with 1 when a law is broken.
///
/// Examples:
///
///   conclave sim bully 0 10000
///   conclave sim bully 4711 4712
///   conclave sim bully 0 1 --flaps
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Bully {
    /// The first seed.
    from: u64,
    /// The seed after the last one.
    to: u64,
    /// Besides, count the messages of the classic algorithm, and how often the leader changes when
    /// the best candidate comes and goes.
    #[arg(long)]
    flaps: bool,
    #[command(flatten)]
    output: Output,
}

/// What the classic algorithm and a flapping favourite cost.
#[derive(Default)]
struct Tables {
    /// Messages among so many, when the lowest notices, and when the second highest does.
    messages: BTreeMap<usize, (u64, u64)>,
    /// Changes of leaders under each policy.
    changes: BTreeMap<&'static str, usize>,
}

impl Bully {
    pub(crate) fn run(&self) -> Result {
        if self.to <= self.from {
            return Err(Failure::usage("there are no seeds between these two"));
        }
        let pieces: Vec<u64> = (self.from..self.to).step_by(PIECE).collect();
        let mut progress = Progress::new();
        let ran = parallel::each(
            &pieces,
            |from| sweep(*from..from.saturating_add(PIECE as u64).min(self.to)),
            |done| progress.show(|_| format!("{done} of {} pieces", pieces.len())),
        );
        progress.clear();
        let mut told = Told::default();
        let mut broken = Vec::new();
        for (some, laws) in ran {
            told = told.and(some);
            broken.extend(laws);
        }
        let tables = if self.flaps { Some(tables().map_err(Failure::new)?) } else { None };
        self.show(told, &broken, tables.as_ref())?;
        match broken.len() {
            0 => Ok(()),
            count => Err(Failure::new(format!("{count} worlds break a law"))),
        }
    }

    fn show(&self, told: Told, broken: &[(u64, Broken)], tables: Option<&Tables>) -> Result {
        let worlds = self.to - self.from;
        if self.output.format == Format::Json {
            let laws = broken.iter().map(|(seed, broken)| json!([seed, broken.to_string()]));
            return output::json(&json!({
                "worlds": worlds,
                "told": BTreeMap::from(told.parts()),
                "broken": laws.collect::<Vec<_>>(),
                "messages": tables.map(|tables| &tables.messages),
                "changes": tables.map(|tables| &tables.changes),
            }));
        }
        for (seed, broken) in broken {
            output::line(format!("seed {seed}: {broken}"))?;
        }
        output::line(format!("{worlds} worlds: {told}"))?;
        if broken.is_empty() {
            output::line("no law was broken")?;
        }
        let Some(tables) = tables else { return Ok(()) };
        for (n, (lowest, second)) in &tables.messages {
            let text = format!("{n} candidates: {lowest} messages at worst, {second} at best");
            output::line(text)?;
        }
        for (policy, changes) in &tables.changes {
            output::line(format!("{policy}: {changes} changes of leaders"))?;
        }
        Ok(())
    }
}

fn tables() -> std::result::Result<Tables, Broken> {
    let mut tables = Tables::default();
    for n in 3..=9 {
        let total = |detector| Ok(count(n, detector)?.values().sum::<u64>());
        let both = (total(Detector::Lowest)?, total(Detector::SecondHighest)?);
        tables.messages.insert(n, both);
    }
    let (candidates, turn, cycles) = FLAPS;
    for policy in Policy::ALL {
        tables.changes.insert(policy.name(), changes(policy, candidates, turn, cycles)?);
    }
    Ok(tables)
}
