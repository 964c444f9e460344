//! A story of a gossip pool on the terminal.

use serde_json::json;
use sim::pool::gallery::Story;

use super::story::rows;
use super::{Files, Run};
use crate::cli::output::{self, Format};
use crate::failure::{Failure, Result};

pub(super) fn run(run: &Run, story: &Story, files: &Files) -> Result {
    let outcome = story.run();
    let tag = story.tag;
    if let Some(file) = &files.svg {
        file.write(&outcome.to_svg(story))?;
    }
    if let Some(file) = &files.json {
        let lines: Vec<String> = outcome.record.iter().map(ToString::to_string).collect();
        file.write(&json!(lines).to_string())?;
    }
    let same = !run.twice || story.run().record == outcome.record;
    let verdict = outcome.verdict.as_ref().map(|()| "it is so");
    match run.output.format {
        Format::Json => output::json(&json!({
            "tag": tag,
            "title": story.title,
            "story": story.story,
            "seed": outcome.seed,
            "broken": outcome.verdict.as_ref().err(),
            "same": run.twice.then_some(same),
        }))?,
        Format::Plain => {
            output::line(format!("{tag} · {}\n", story.title))?;
            for row in rows(story.story) {
                output::line(row)?;
            }
            output::line("")?;
            output::bytes(outcome.timeline(run.routine).as_bytes())?;
            output::line(format!("\nseed     {}", outcome.seed))?;
            if run.twice {
                let same = if same { "the same" } else { "NOT the same" };
                output::line(format!("twice    {same}"))?;
            }
            output::line(format!("verdict  {}", verdict.unwrap_or_else(|what| what)))?;
        }
    }
    match outcome.verdict {
        Ok(()) if same => Ok(()),
        Ok(()) => Err(Failure::new(format!("{tag} was played twice, and differently"))),
        Err(what) => Err(Failure::new(format!("{tag} does not hold: {what}"))),
    }
}
