//! A story of the gallery on the terminal.

use serde_json::json;
use sim::gallery::Scenario;

use super::{Files, Run};
use crate::cli::output::{self, Format};
use crate::failure::{Failure, Result};

pub(super) fn run(run: &Run, scenario: &Scenario, files: &Files) -> Result {
    let outcome = scenario.run();
    let tag = scenario.tag;
    let record = outcome.trace.record();
    let record = record.ok_or_else(|| Failure::new(format!("{tag} was not recorded")))?;
    let same = !run.twice || scenario.run().trace.hash() == outcome.trace.hash();
    let verdict = outcome.verdict.as_ref().map(|()| "it is so");
    run.write(files, record, scenario.picture(&outcome))?;
    match run.output.format {
        Format::Json => output::json(&json!({
            "tag": tag,
            "title": scenario.title,
            "story": scenario.story,
            "seed": outcome.seed,
            "hash": format!("{:016x}", outcome.trace.hash()),
            "broken": outcome.verdict.as_ref().err(),
            "same": run.twice.then_some(same),
        }))?,
        Format::Plain => {
            output::line(format!("{tag} · {}\n", scenario.title))?;
            for row in rows(scenario.story) {
                output::line(row)?;
            }
            output::line("")?;
            run.tell(record, scenario.timeline(&outcome, 0, false))?;
            output::line(format!("\nseed     {}", outcome.seed))?;
            output::line(format!("hash     {:016x}", outcome.trace.hash()))?;
            if run.twice {
                output::line(format!(
                    "twice    {}",
                    if same { "the same" } else { "NOT the same" }
                ))?;
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

/// A paragraph in lines.
pub(super) fn rows(text: &str) -> Vec<String> {
    const ROOM: usize = 90;
    let mut rows = vec![String::new()];
    for word in text.split_whitespace() {
        let last = rows.len() - 1;
        let row = &mut rows[last];
        if row.is_empty() {
            row.push_str(word);
        } else if row.chars().count() + 1 + word.chars().count() <= ROOM {
            row.push(' ');
            row.push_str(word);
        } else {
            rows.push(word.to_owned());
        }
    }
    rows
}
