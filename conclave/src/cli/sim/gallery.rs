//! `conclave sim gallery`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use sim::gallery::{Scenario, all};
use sim::trace::svg;

use super::files::Target;
use super::progress::Progress;
use super::{panics, parallel};
use crate::cli::output::{self, Format, Output};
use crate::cli::table::table;
use crate::failure::{Failure, Result};

/// List the stories that `conclave sim run TAG` plays, or draw them all. Exits with 1 when one
/// that is drawn does not hold.
///
/// Examples:
///
///   conclave sim gallery
///   conclave sim gallery --svg pictures
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Gallery {
    /// Play all of them and draw each into this folder.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Gallery {
    pub(crate) fn run(&self) -> Result {
        let scenarios = all();
        let files = self.files(&scenarios)?;
        let broken = if files.is_empty() { Vec::new() } else { draw(&scenarios, &files)? };
        match self.output.format {
            Format::Json => {
                output::json(&scenarios.iter().map(document).collect::<Vec<_>>().into())?;
            }
            Format::Plain => {
                let row = |scenario: &Scenario| vec![scenario.tag.into(), scenario.title.into()];
                let rows: Vec<Vec<String>> = scenarios.iter().map(row).collect();
                output::bytes(table(&["TAG", "STORY"], &rows).as_bytes())?;
            }
        }
        if broken.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("{} stories do not hold: {}", broken.len(), broken.join("; "))))
    }

    /// A file for each story, in their order; none when none is to be drawn.
    fn files(&self, scenarios: &[Scenario]) -> Result<Vec<Target>> {
        let Some(folder) = &self.svg else { return Ok(Vec::new()) };
        let file = |scenario: &Scenario| Target::within(folder, &format!("{}.svg", scenario.tag));
        scenarios.iter().map(file).collect()
    }
}

/// Draws all; gives what did not hold.
fn draw(scenarios: &[Scenario], files: &[Target]) -> Result<Vec<String>> {
    panics::quieten();
    let mut progress = Progress::new();
    let count = scenarios.len();
    let drawn = parallel::each(
        scenarios,
        |scenario| {
            let outcome = scenario.run();
            let picture = scenario.picture(&outcome);
            let drawn = outcome.trace.record().map(|record| svg(record, &picture));
            (drawn.unwrap_or_default(), outcome.verdict)
        },
        |done| progress.show(|_| format!("{done} of {count} stories")),
    );
    let mut broken = Vec::new();
    for ((scenario, file), (drawn, verdict)) in scenarios.iter().zip(files).zip(drawn) {
        file.write(&drawn)?;
        if let Err(what) = verdict {
            broken.push(format!("{}: {what}", scenario.tag));
        }
    }
    Ok(broken)
}

fn document(scenario: &Scenario) -> Value {
    json!({ "tag": scenario.tag, "title": scenario.title, "story": scenario.story })
}
