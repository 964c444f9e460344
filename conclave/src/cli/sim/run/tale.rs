//! A story of a gossip pool, or of ways to a leader, on the terminal.

use serde_json::json;
use sim::compare::gallery as leaders;
use sim::pool::gallery as pools;

use super::story::rows;
use super::{Files, Run};
use crate::cli::output::{self, Format};
use crate::failure::{Failure, Result};

/// A story that is told line by line.
pub(super) enum Tale {
    Pool(pools::Story),
    Leaders(leaders::Story),
}

/// What came of it.
struct Played {
    lines: Vec<String>,
    timeline: String,
    svg: String,
    seed: u64,
    verdict: std::result::Result<(), String>,
}

impl Tale {
    /// The one of a tag.
    pub(super) fn find(tag: &str) -> Option<Self> {
        pools::find(tag).map(Self::Pool).or_else(|| leaders::find(tag).map(Self::Leaders))
    }

    const fn told(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Pool(story) => (story.tag, story.title, story.story),
            Self::Leaders(story) => (story.tag, story.title, story.story),
        }
    }

    fn play(&self, routine: bool) -> Played {
        match self {
            Self::Pool(story) => {
                let outcome = story.run();
                let (timeline, svg) = (outcome.timeline(routine), outcome.to_svg(story));
                let lines = outcome.record.iter().map(ToString::to_string).collect();
                Played { lines, timeline, svg, seed: outcome.seed, verdict: outcome.verdict }
            }
            Self::Leaders(story) => {
                let outcome = story.run();
                let (timeline, svg) = (outcome.timeline(routine), outcome.to_svg(story));
                let lines = outcome.record.iter().map(ToString::to_string).collect();
                Played { lines, timeline, svg, seed: outcome.seed, verdict: outcome.verdict }
            }
        }
    }
}

pub(super) fn run(run: &Run, tale: &Tale, files: &Files) -> Result {
    let played = tale.play(run.routine);
    let (tag, title, story) = tale.told();
    if let Some(file) = &files.svg {
        file.write(&played.svg)?;
    }
    if let Some(file) = &files.json {
        file.write(&json!(played.lines).to_string())?;
    }
    let same = !run.twice || tale.play(run.routine).lines == played.lines;
    let verdict = played.verdict.as_ref().map(|()| "it is so");
    match run.output.format {
        Format::Json => output::json(&json!({
            "tag": tag,
            "title": title,
            "story": story,
            "seed": played.seed,
            "broken": played.verdict.as_ref().err(),
            "same": run.twice.then_some(same),
        }))?,
        Format::Plain => {
            output::line(format!("{tag} · {title}\n"))?;
            for row in rows(story) {
                output::line(row)?;
            }
            output::line("")?;
            output::bytes(played.timeline.as_bytes())?;
            output::line(format!("\nseed     {}", played.seed))?;
            if run.twice {
                let same = if same { "the same" } else { "NOT the same" };
                output::line(format!("twice    {same}"))?;
            }
            output::line(format!("verdict  {}", verdict.unwrap_or_else(|what| what)))?;
        }
    }
    match played.verdict {
        Ok(()) if same => Ok(()),
        Ok(()) => Err(Failure::new(format!("{tag} was played twice, and differently"))),
        Err(what) => Err(Failure::new(format!("{tag} does not hold: {what}"))),
    }
}
