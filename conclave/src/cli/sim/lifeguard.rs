//! `conclave sim lifeguard`.

use std::path::PathBuf;

use clap::Args;
use sim::pool::Slow;
use sim::pool::lifeguard::{self, Kind, Table};

use super::files::Target;
use super::parallel;
use super::progress::{Progress, bar, left};
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
    /// Draw lifeguard-still-by-pause.svg and three like it into this folder.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Lifeguard {
    pub(crate) fn run(&self) -> Result {
        let files = self.files()?;
        let mut tables = Vec::new();
        let mut files = files.chunks(2);
        for how in Slow::ALL {
            let table = self.measure(how);
            if let Some([by_pause, by_slow]) = files.next() {
                by_pause.write(&table.by_pause())?;
                by_slow.write(&table.by_slow())?;
            }
            if self.output.format == Format::Plain {
                // The other half may take as long again.
                let between = if tables.is_empty() { "" } else { "\n" };
                output::bytes(format!("{between}{table}").as_bytes())?;
            }
            tables.push(table);
        }
        if self.output.format == Format::Json {
            output::json(&super::value(&tables)?)?;
        }
        if self.rounds < ENOUGH {
            return Ok(());
        }
        for table in &tables {
            if let Some(fewer) = table.fewer(Kind::Ours).filter(|&fewer| fewer < FEWER) {
                return Err(Failure::new(format!(
                    "where slow members {}, healthy ones are called dead only {fewer:.1} times \
                     less often than by SWIM",
                    table.how.name()
                )));
            }
        }
        Ok(())
    }

    fn measure(&self, how: Slow) -> Table {
        let jobs: Vec<_> = lifeguard::all(how).collect();
        let mut progress = Progress::new();
        let cells = parallel::each(
            &jobs,
            |&(kind, slowness)| lifeguard::measure(kind, slowness, self.rounds, self.seed),
            |done| {
                let share = done as f64 / jobs.len() as f64;
                progress.show(|elapsed| {
                    let (bar, left, name) = (bar(share), left(share, elapsed), how.name());
                    format!("{bar} slow members {name}: {done}/{} cells  {left}", jobs.len())
                });
            },
        );
        Table { how, rounds: self.rounds, cells }
    }

    fn files(&self) -> Result<Vec<Target>> {
        let Some(folder) = &self.svg else { return Ok(Vec::new()) };
        let names = ["still-by-pause", "still-by-slow", "mute-by-pause", "mute-by-slow"];
        let names = names.map(|name| format!("lifeguard-{name}.svg"));
        names.iter().map(|name| Target::within(folder, name)).collect()
    }
}
