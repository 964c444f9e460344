//! `conclave sim lifeguard`.

use std::path::PathBuf;

use clap::Args;
use sim::pool::lifeguard::{self, Kind, Table};

use super::files::Target;
use super::parallel;
use super::progress::Progress;
use crate::cli::output::{self, Format, Output};
use crate::failure::{Failure, Result};

/// By how much the product must be better than plain SWIM: the least that Lifeguard's paper claims.
const FEWER: f64 = 50.0;
/// With fewer rounds chance has a say.
const ENOUGH: u32 = 3;

/// Measure how often slow members make a pool call healthy ones dead: plain SWIM, Lifeguard as its
/// paper has it, and this product, side by side. Exits with 1 when the product does so more often
/// than one fiftieth of SWIM's, in three rounds or more.
///
/// Examples:
///
///   conclave sim lifeguard
///   conclave sim lifeguard --rounds 10 --svg pictures
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Lifeguard {
    /// Worlds for each number of slow members, pause, run between, and kind of pool.
    #[arg(long, default_value_t = 3, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Where the seeds come from.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,
    /// Draw lifeguard-pauses.svg and lifeguard-slow.svg into this folder.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Lifeguard {
    pub(crate) fn run(&self) -> Result {
        let files = self.files()?;
        let jobs: Vec<_> = lifeguard::all().collect();
        let mut progress = Progress::new();
        let cells = parallel::each(
            &jobs,
            |&(kind, slowness)| lifeguard::measure(kind, slowness, self.rounds, self.seed),
            |done| progress.show(|_| format!("{done} of {} cells", jobs.len())),
        );
        let table = Table { rounds: self.rounds, cells };
        if let [pauses, slow] = &files[..] {
            pauses.write(&table.by_pause())?;
            slow.write(&table.by_slow())?;
        }
        match self.output.format {
            Format::Plain => output::bytes(table.to_string().as_bytes())?,
            Format::Json => output::json(&super::value(&table)?)?,
        }
        match table.fewer(Kind::Ours) {
            Some(fewer) if fewer < FEWER && self.rounds >= ENOUGH => Err(Failure::new(format!(
                "healthy members are called dead only {fewer:.1} times less often than by SWIM"
            ))),
            Some(_) | None => Ok(()),
        }
    }

    fn files(&self) -> Result<Vec<Target>> {
        let Some(folder) = &self.svg else { return Ok(Vec::new()) };
        let names = ["lifeguard-pauses.svg", "lifeguard-slow.svg"];
        names.iter().map(|name| Target::within(folder, name)).collect()
    }
}
