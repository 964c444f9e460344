//! `conclave sim elections`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sim::lab::figure16::{self, Figure16, Panel};
use sim::lab::theory::{self, Theory};
use sim::lab::wan::{self, Wan};

use super::files::Target;
use super::parallel;
use super::progress::Progress;
use crate::cli::output::{self, Format, Output};
use crate::failure::{Failure, Result};

/// How many trials the bands were set for: with fewer, chance alone may lead out of them.
const ENOUGH: u32 = 1_000;

/// Repeat the published measurements of elections with the production core: both panels of Raft's
/// figure 16, the thesis's continent, and how often votes are split. Ours stand beside theirs.
/// Exits with 1 when a line of the figure is outside of its band after 1,000 trials or more.
///
/// Examples:
///
///   conclave sim elections
///   conclave sim elections --trials 10000 --svg pictures
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Elections {
    /// Elections for each line.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    trials: u32,
    /// Where the seeds come from.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,
    /// Draw figure16a.svg, figure16b.svg and wan.svg into this folder.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// A line of one of the tables.
enum Job {
    Figure(figure16::Published),
    Wan(wan::Published),
    Votes((usize, usize), u32),
}

enum Done {
    Figure(Box<figure16::Line>),
    Wan(Box<wan::Curve>),
    Votes(theory::Point),
}

impl Elections {
    pub(crate) fn run(&self) -> Result {
        let files = self.files()?;
        let (figure, wan, votes) = self.measure();
        if let [first, second, third] = &files[..] {
            first.write(&figure.to_svg(Panel::Randomness))?;
            second.write(&figure.to_svg(Panel::Shortness))?;
            third.write(&wan.to_svg())?;
        }
        match self.output.format {
            Format::Plain => output::line(format!("{figure}\n{wan}\n{votes}").trim_end())?,
            Format::Json => output::json(&json!({
                "figure16": super::value(&figure)?,
                "wan": super::value(&wan)?,
                "votes": super::value(&votes)?,
            }))?,
        }
        let outside = figure.lines.iter().filter(|line| !line.within).count();
        if outside == 0 || self.trials < ENOUGH {
            return Ok(());
        }
        Err(Failure::new(format!("{outside} lines of the figure are outside of their bands")))
    }

    fn files(&self) -> Result<Vec<Target>> {
        let Some(folder) = &self.svg else { return Ok(Vec::new()) };
        let names = ["figure16a.svg", "figure16b.svg", "wan.svg"];
        names.iter().map(|name| Target::within(folder, name)).collect()
    }

    fn measure(&self) -> (Figure16, Wan, Theory) {
        let votes = theory::CLUSTERS.into_iter().flat_map(|cluster| {
            theory::LATENCIES.into_iter().map(move |latency| Job::Votes(cluster, latency))
        });
        let jobs: Vec<Job> = figure16::PUBLISHED
            .into_iter()
            .map(Job::Figure)
            .chain(wan::PUBLISHED.into_iter().map(Job::Wan))
            .chain(votes)
            .collect();
        let mut progress = Progress::new();
        let (trials, seed) = (self.trials, self.seed);
        let done = parallel::each(
            &jobs,
            |job| match job {
                Job::Figure(line) => Done::Figure(figure16::measure(line, trials, seed).into()),
                Job::Wan(curve) => Done::Wan(wan::measure(curve, trials, seed).into()),
                Job::Votes(cluster, latency) => {
                    Done::Votes(theory::measure(*cluster, *latency, trials, seed))
                }
            },
            |done| progress.show(|_| format!("{done} of {} lines", jobs.len())),
        );
        let (mut lines, mut curves, mut points) = (Vec::new(), Vec::new(), Vec::new());
        for done in done {
            match done {
                Done::Figure(line) => lines.push(*line),
                Done::Wan(curve) => curves.push(*curve),
                Done::Votes(point) => points.push(point),
            }
        }
        (Figure16 { lines }, Wan { curves }, Theory { points })
    }
}
