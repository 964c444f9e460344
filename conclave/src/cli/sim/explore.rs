//! `conclave sim explore`.

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use sim::explore::{BOXES, Explorer, NamedBox, Progress as Reached, Report};

use super::progress::{Progress, clock};
use super::{interrupt, panics};
use crate::cli::output::{self, Format, Output};
use crate::cli::table::table;
use crate::failure::{Failure, Result};

/// Try every behaviour of three Raft nodes within a box, to its end. Without a box, list them: the
/// small ones take moments, `half-hour` ten minutes and 6 GB. Exits with 1 and the fewest steps
/// that do it when a law is broken, and with 1 when Ctrl-C ended it.
///
/// Examples:
///
///   conclave sim explore
///   conclave sim explore tiny small two
///   conclave sim explore half-hour
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Explore {
    /// The boxes, by their names.
    #[arg(value_name = "BOX")]
    #[arg(value_parser = PossibleValuesParser::new(BOXES.iter().map(|b| b.name)))]
    boxes: Vec<String>,
    /// Stop when about so many states are known.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    states: Option<u64>,
    #[command(flatten)]
    output: Output,
}

impl Explore {
    pub(crate) fn run(&self) -> Result {
        if self.boxes.is_empty() {
            return self.list();
        }
        panics::quieten();
        interrupt::watch();
        let chosen = BOXES.iter().filter(|named| self.boxes.iter().any(|name| name == named.name));
        for (number, named) in chosen.enumerate() {
            if number > 0 && self.output.format == Format::Plain {
                output::line("")?;
            }
            self.explore(named)?;
        }
        Ok(())
    }

    fn list(&self) -> Result {
        if self.output.format == Format::Json {
            let document = |named: &NamedBox| {
                json!({
                    "box": named.name,
                    "about": named.about,
                    "bounds": named.bounds.to_string(),
                })
            };
            return output::json(&BOXES.iter().map(document).collect());
        }
        let row = |named: &NamedBox| {
            let bounds = &named.bounds;
            let numbers = [
                bounds.max_term,
                bounds.max_entries,
                bounds.in_flight,
                bounds.crashes,
                bounds.duplicates,
                bounds.writes,
                bounds.heartbeats,
            ];
            let numbers = numbers.iter().map(u8::to_string);
            let name = [named.name.to_owned()].into_iter();
            name.chain(numbers).chain([named.about.to_owned()]).collect()
        };
        let rows: Vec<Vec<String>> = BOXES.iter().map(row).collect();
        let headings = [
            "BOX",
            "TERMS",
            "COMMANDS",
            "IN FLIGHT",
            "CRASHES",
            "DUPLICATES",
            "WRITES",
            "HEARTBEATS",
            "ABOUT",
        ];
        output::bytes(table(&headings, &rows).as_bytes())
    }

    fn explore(&self, named: &NamedBox) -> Result {
        let mut progress = Progress::new();
        let mut explorer = Explorer::new(named.bounds);
        let report = explorer.run(self.states.unwrap_or(u64::MAX), &mut |reached| {
            progress.show(|elapsed| line(named, reached, elapsed));
            !interrupt::came()
        });
        let seconds = progress.elapsed().as_secs_f64();
        let speed = report.states as f64 / seconds.max(1e-3);
        progress.say(&format!("{}: {seconds:.1} s, {speed:.0} states/s", named.name));
        match self.output.format {
            Format::Plain => output::line(&report)?,
            Format::Json => output::json(&document(named, &report))?,
        }
        let name = named.name;
        match &report.violation {
            Some(example) => {
                let (broken, steps) = (&example.broken, example.events.len());
                Err(Failure::new(format!("{name}: after {steps} steps: {broken}")))
            }
            None if interrupt::came() => Err(Failure::new(format!("{name}: ended early"))),
            None => Ok(()),
        }
    }
}

fn line(named: &NamedBox, reached: &Reached, elapsed: std::time::Duration) -> String {
    format!(
        "{}  {} states  {:.0} states/s  {} wait  {} steps deep  {} MB  {}",
        named.name,
        reached.states,
        reached.states as f64 / elapsed.as_secs_f64().max(1e-3),
        reached.states - reached.explored,
        reached.depth,
        reached.bytes / 1_000_000,
        clock(elapsed),
    )
}

fn document(named: &NamedBox, report: &Report) -> Value {
    json!({
        "box": named.name,
        "bounds": report.bounds.to_string(),
        "states": report.states,
        "transitions": report.transitions,
        "depth": report.depth,
        "local_states": report.local_states,
        "messages": report.messages,
        "reactions": report.reactions,
        "finished": report.finished,
        "peak_bytes": report.peak_bytes,
        "violation": report.violation.as_ref().map(ToString::to_string),
    })
}
