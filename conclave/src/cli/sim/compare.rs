//! `conclave sim compare`.

use std::path::PathBuf;

use clap::Args;
use sim::compare::comparison::{self, Comparison};
use sim::compare::picture;

use super::files::Target;
use super::parallel;
use super::progress::{Progress, bar, left};
use crate::cli::output::{self, Format, Output};
use crate::failure::Result;

/// Compare three ways to a leader: Raft (with and without pre-vote), Zab and Bully (classic and
/// safe), the product's cores on one network with the same faults and seeds. Counts messages, hops
/// and writes, takes times, and tells what each does under every partition and when the best node
/// comes and goes; beside it stands what books and papers say.
///
/// Examples:
///
///   conclave sim compare
///   conclave sim compare --seeds 20 --nodes 3,5
///   conclave sim compare --svg pictures
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Compare {
    /// Trials of each election; a tenth of it for each partition, ten times for each vote.
    #[arg(long, default_value_t = 200, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    /// Where the seeds come from.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,
    /// How many nodes, one number after the other.
    #[arg(long, value_delimiter = ',', default_value = "3,4,5,6,7,8,9", value_name = "N,…")]
    #[arg(value_parser = clap::value_parser!(u16).range(3..=9))]
    nodes: Vec<u16>,
    /// Draw compare-messages.svg and four like it into this folder.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Compare {
    pub(crate) fn run(&self) -> Result {
        let files = self.files()?;
        let comparison = self.measure();
        for (file, picture) in files.iter().zip(comparison.pictures()) {
            file.write(&picture)?;
        }
        match self.output.format {
            Format::Plain => output::line(comparison.to_string().trim_end()),
            Format::Json => output::json(&super::value(&comparison)?),
        }
    }

    fn files(&self) -> Result<Vec<Target>> {
        let Some(folder) = &self.svg else { return Ok(Vec::new()) };
        let names = picture::NAMES.map(|name| format!("compare-{name}.svg"));
        names.iter().map(|name| Target::within(folder, name)).collect()
    }

    fn measure(&self) -> Comparison {
        let mut nodes: Vec<usize> = self.nodes.iter().copied().map(usize::from).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let jobs = comparison::jobs(&nodes);
        let mut progress = Progress::new();
        let done = parallel::each(
            &jobs,
            |job| job.run(self.seeds, self.seed),
            |done| {
                let share = done as f64 / jobs.len() as f64;
                progress.show(|elapsed| {
                    let (bar, left) = (bar(share), left(share, elapsed));
                    format!("{bar} {done}/{} measurements  {left}", jobs.len())
                });
            },
        );
        Comparison::of(&nodes, self.seeds, done)
    }
}
