//! `conclave sim bench`.

mod checker;
mod histories;
mod worlds;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sim::case::Case;
use sim::explore::{BOXES, Explorer};

use super::progress::Progress;
use super::{meter, panics};
use crate::cli::measured::{Row, Target, show};
use crate::cli::output::{self, Format, Output};
use crate::config::duration;
use crate::failure::{Failure, Result};

/// The box whose exploration is measured: too large to end in the time given.
const BOX: &str = "vast";
/// States a second and core.
const LEAST_STATES: f64 = 200_000.0;

/// Measure the simulator on one core: worlds, their memory, the checker, the explorer; beside what
/// is asked of each. Each is measured several times over the same work; the spread stands behind
/// the median.
///
/// Times are processor time, so that a busy machine disturbs little; build with --release.
///
/// Examples:
///
///   conclave sim bench
///   conclave sim bench --time 60s --repeat 5 -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Bench {
    /// Processor time for one repetition of a measurement, about.
    #[arg(long, default_value = "10s", value_parser = positive, value_name = "TIME")]
    time: Duration,
    /// How often each is repeated.
    #[arg(long, default_value_t = 3, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    repeat: u16,
    /// Worlds of each kind that run in a process of their own, to see how much memory one takes.
    #[arg(long, default_value_t = 10, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Operations of the history that the checker judges.
    #[arg(long, default_value_t = histories::MILLION, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    operations: u32,
    /// Recorded histories (*.log) to judge, instead of made ones.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Run one world, and print the most bytes that this process ever held.
    #[arg(long, hide = true, value_name = "CASE")]
    memory_of: Option<Case>,
    #[command(flatten)]
    output: Output,
}

fn positive(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| {
        if time.is_zero() { Err(format!("{text:?} is no time at all")) } else { Ok(time) }
    })
}

impl Bench {
    pub(crate) fn run(&self) -> Result {
        panics::quieten();
        if let Some(case) = &self.memory_of {
            return worlds::memory_of(case);
        }
        let logs = self.corpus.as_ref().map(|folder| checker::logs(folder)).transpose()?;
        if cfg!(debug_assertions) {
            eprintln!("conclave: this build has its assertions on: build with --release");
        }
        let mut progress = Progress::new();
        let mut rows = Vec::new();
        let measures = self.measures(logs);
        let count = measures.len();
        for (number, (name, measure)) in measures.into_iter().enumerate() {
            progress.show(|_| format!("{} of {count}: {name}", number + 1));
            rows.extend(measure(self)?);
        }
        progress.clear();
        match self.output.format {
            Format::Plain => output::bytes(show(&rows).as_bytes()),
            Format::Json => {
                output::json(&json!(rows.iter().map(Row::document).collect::<Vec<_>>()))
            }
        }
    }

    fn measures(&self, logs: Option<Vec<String>>) -> Vec<(&'static str, Measure)> {
        vec![
            ("busy worlds", Box::new(worlds::busy)),
            ("worlds of all kinds", Box::new(worlds::mixed)),
            ("memory", Box::new(worlds::memory)),
            ("recorded histories", Box::new(move |bench| Ok(checker::recorded(bench, logs)))),
            ("a long history", Box::new(checker::long)),
            ("exploration", Box::new(Bench::exploration)),
        ]
    }

    fn exploration(&self) -> Result<Vec<Row>> {
        let named = BOXES.iter().find(|named| named.name == BOX);
        let named = named.ok_or_else(|| Failure::new(format!("there is no box {BOX}")))?;
        let speeds = (0..self.repeat).map(|_| {
            let begun = meter::cpu();
            let mut explorer = Explorer::new(named.bounds);
            let report = explorer.run(u64::MAX, &mut |_| meter::cpu() - begun < self.time);
            report.states as f64 / (meter::cpu() - begun).as_secs_f64().max(1e-9)
        });
        let row = Row::new("explorer", "states/CPU-s", speeds.collect());
        Ok(vec![row.against(Target::AtLeast(LEAST_STATES))])
    }
}

/// Something to measure.
type Measure = Box<dyn FnOnce(&Bench) -> Result<Vec<Row>>>;
