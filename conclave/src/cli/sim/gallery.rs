//! `conclave sim gallery`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use sim::compare::gallery as leaders;
use sim::gallery::{Scenario, all};
use sim::pool::gallery::{self as pools, Story};
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
        let mut tales: Vec<Tale> = all().into_iter().map(Tale::Cluster).collect();
        tales.extend(pools::all().into_iter().map(Tale::Pool));
        tales.extend(leaders::all().into_iter().map(Tale::Leaders));
        tales.sort_by_key(Tale::tag);
        let files = self.files(&tales)?;
        let broken = if files.is_empty() { Vec::new() } else { draw(&tales, &files)? };
        match self.output.format {
            Format::Json => output::json(&tales.iter().map(document).collect::<Vec<_>>().into())?,
            Format::Plain => {
                let row = |tale: &Tale| vec![tale.tag().into(), tale.title().into()];
                let rows: Vec<Vec<String>> = tales.iter().map(row).collect();
                output::bytes(table(&["TAG", "STORY"], &rows).as_bytes())?;
            }
        }
        if broken.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("{} stories do not hold: {}", broken.len(), broken.join("; "))))
    }

    /// A file for each story, in their order; none when none is to be drawn.
    fn files(&self, tales: &[Tale]) -> Result<Vec<Target>> {
        let Some(folder) = &self.svg else { return Ok(Vec::new()) };
        let file = |tale: &Tale| Target::within(folder, &format!("{}.svg", tale.tag()));
        tales.iter().map(file).collect()
    }
}

/// A story, of a cluster, of a pool, or of ways to a leader.
enum Tale {
    Cluster(Scenario),
    Pool(Story),
    Leaders(leaders::Story),
}

impl Tale {
    const fn tag(&self) -> &'static str {
        match self {
            Self::Cluster(scenario) => scenario.tag,
            Self::Pool(story) => story.tag,
            Self::Leaders(story) => story.tag,
        }
    }

    const fn title(&self) -> &'static str {
        match self {
            Self::Cluster(scenario) => scenario.title,
            Self::Pool(story) => story.title,
            Self::Leaders(story) => story.title,
        }
    }

    const fn story(&self) -> &'static str {
        match self {
            Self::Cluster(scenario) => scenario.story,
            Self::Pool(story) => story.story,
            Self::Leaders(story) => story.story,
        }
    }

    /// Plays it: its picture, and what did not hold.
    fn draw(&self) -> (String, std::result::Result<(), String>) {
        match self {
            Self::Cluster(scenario) => {
                let outcome = scenario.run();
                let picture = scenario.picture(&outcome);
                let drawn = outcome.trace.record().map(|record| svg(record, &picture));
                (drawn.unwrap_or_default(), outcome.verdict)
            }
            Self::Pool(story) => {
                let outcome = story.run();
                (outcome.to_svg(story), outcome.verdict)
            }
            Self::Leaders(story) => {
                let outcome = story.run();
                (outcome.to_svg(story), outcome.verdict)
            }
        }
    }
}

/// Draws all; gives what did not hold.
fn draw(tales: &[Tale], files: &[Target]) -> Result<Vec<String>> {
    panics::quieten();
    let mut progress = Progress::new();
    let count = tales.len();
    let drawn = parallel::each(tales, Tale::draw, |done| {
        progress.show(|_| format!("{done} of {count} stories"));
    });
    let mut broken = Vec::new();
    for ((tale, file), (drawn, verdict)) in tales.iter().zip(files).zip(drawn) {
        file.write(&drawn)?;
        if let Err(what) = verdict {
            broken.push(format!("{}: {what}", tale.tag()));
        }
    }
    Ok(broken)
}

fn document(tale: &Tale) -> Value {
    json!({ "tag": tale.tag(), "title": tale.title(), "story": tale.story() })
}
