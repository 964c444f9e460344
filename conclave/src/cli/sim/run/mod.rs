//! `conclave sim run`.

pub(super) mod seed;
mod story;
mod tale;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sim::case::Case;
use sim::trace::{Picture, Record, Timeline, svg, timeline};

use super::files::Target;
use super::{panics, terminal};
use crate::cli::output::{self, Format, Output};
use crate::config::duration;
use crate::failure::{Failure, Result};

/// Run the world of a seed, or play a story of the gallery, and say what came of it. Exits with 1
/// when a law was broken.
///
/// A case is a seed, and what of its world is left out: `4711:length=12s,strikes=3+17`.
///
/// Examples:
///
///   conclave sim run 4711
///   conclave sim run 4711:length=12s,operations=90 --trace
///   conclave sim run s1_13 --svg partition.svg
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Run {
    /// A seed, a case, or the tag of a story (`conclave sim gallery` lists them).
    #[arg(value_name = "SEED|CASE|TAG")]
    what: String,
    /// Print everything that happened, line by line; a story always does.
    #[arg(long)]
    trace: bool,
    /// Show heartbeats, introductions and writes to the log too.
    #[arg(long)]
    routine: bool,
    /// Show nothing from before this time of the world, such as 12s or 1500ms.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    from: Option<Duration>,
    /// Draw it.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write everything that happened as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Run it a second time: it must be the same.
    #[arg(long)]
    twice: bool,
    #[command(flatten)]
    output: Output,
}

/// Files that can be written.
struct Files {
    svg: Option<Target>,
    json: Option<Target>,
}

impl Run {
    pub(crate) fn run(&self) -> Result {
        if self.trace && self.output.format == Format::Json {
            return Err(Failure::usage("--trace is for people; --json FILE is for programs"));
        }
        if let Some(scenario) = sim::gallery::find(&self.what) {
            panics::quieten();
            return story::run(self, &scenario, &self.files()?);
        }
        if let Some(tale) = tale::Tale::find(&self.what) {
            panics::quieten();
            return tale::run(self, &tale, &self.files()?);
        }
        let case = self.case()?;
        panics::quieten();
        seed::run(self, &case, &self.files()?)
    }

    fn case(&self) -> Result<Case> {
        self.what.parse().map_err(|bad| {
            let begins_as_seed = self.what.starts_with(|first: char| first.is_ascii_digit());
            if begins_as_seed {
                return Failure::usage(bad);
            }
            let what = &self.what;
            Failure::usage(format!(
                "`{what}` is neither a seed nor a tag: `conclave sim gallery` lists the tags"
            ))
        })
    }

    fn files(&self) -> Result<Files> {
        let files =
            Files { svg: Target::of(self.svg.as_ref())?, json: Target::of(self.json.as_ref())? };
        Ok(files)
    }

    fn begin_ns(&self) -> Option<u64> {
        self.from.map(|from| u64::try_from(from.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The timeline of a record, as wide as the terminal.
    fn tell(&self, record: &Record, look: Timeline) -> Result {
        let look = Timeline {
            width: terminal::width(&std::io::stdout()),
            colour: terminal::colour(),
            quiet: look.quiet || self.routine,
            from_ns: self.begin_ns().unwrap_or(look.from_ns),
        };
        output::bytes(timeline(record, &look).as_bytes())
    }

    /// The files that were asked for.
    fn write(&self, files: &Files, record: &Record, picture: Picture) -> Result {
        if let Some(file) = &files.json {
            file.write(&record.json())?;
        }
        if let Some(file) = &files.svg {
            let picture = Picture {
                from_ns: self.begin_ns().unwrap_or(picture.from_ns),
                routine: picture.routine || self.routine,
                ..picture
            };
            file.write(&svg(record, &picture))?;
        }
        Ok(())
    }
}
