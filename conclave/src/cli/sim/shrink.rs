//! `conclave sim shrink`.

use std::thread;

use clap::Args;
use serde_json::json;
use sim::case::Case;
use sim::shrink::{Shrunk, shrink};

use super::panics;
use super::progress::Progress;
use super::run::seed::violation;
use super::sheet::Sheet;
use crate::cli::output::{self, Format, Output};
use crate::failure::{Failure, Result};

/// Look for the least case that still breaks the law that a case breaks: shorter, with fewer
/// faults, operations and clients. Exits with 1 when the case breaks none.
///
/// Examples:
///
///   conclave sim shrink 4711
///   conclave sim shrink 4711:busy --budget 500
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Shrink {
    /// A case that fails, such as 4711 or 4711:length=12s.
    case: Case,
    /// The most worlds that are tried.
    #[arg(long, default_value_t = 300, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    budget: u32,
    #[command(flatten)]
    output: Output,
}

impl Shrink {
    pub(crate) fn run(&self) -> Result {
        panics::quieten();
        let shrunk = quietly(|| {
            let mut progress = Progress::new();
            let mut tried = 0;
            shrink(&self.case, self.budget, &mut |case, report| {
                tried += 1;
                let (steps, faults) = (report.steps, report.marks.faults());
                progress.show(|_| format!("{tried}: {steps} steps, {faults} faults: {case}"));
            })
        })?;
        let Some(shrunk) = shrunk else {
            return Err(Failure::new(format!("{} breaks no law", self.case)));
        };
        match self.output.format {
            Format::Plain => output::bytes(summary(&shrunk).text().as_bytes()),
            Format::Json => output::json(&json!({
                "case": shrunk.case.to_string(),
                "violation": shrunk.report.violation.as_ref().map(violation),
                "steps": shrunk.report.steps,
                "faults": shrunk.report.marks.faults(),
                "operations": shrunk.report.counts.all.called,
                "tried": shrunk.tried,
            })),
        }
    }
}

/// Does something on a thread of its own, where worlds may panic in silence.
pub(super) fn quietly<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    let done = thread::scope(|scope| scope.spawn(work).join());
    done.map_err(|_| Failure::new("an assertion of the product does not hold"))
}

fn summary(shrunk: &Shrunk) -> Sheet {
    let Shrunk { case, report, tried } = shrunk;
    let mut sheet = Sheet::default();
    if let Some(violation) = &report.violation {
        sheet.fact("violation", violation);
    }
    sheet.fact("case", case);
    sheet.fact(
        "left",
        format!(
            "{} steps, {} faults, {} operations, {:.3} s",
            report.steps,
            report.marks.faults(),
            report.counts.all.called,
            report.time.as_secs_f64()
        ),
    );
    sheet.fact("tried", format!("{tried} worlds"));
    sheet.fact("show it", format!("conclave sim run {case} --trace"));
    sheet
}
