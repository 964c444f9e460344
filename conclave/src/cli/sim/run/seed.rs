//! The world of a seed: what it was like, what befell it, and the verdict.

use std::panic::{self, AssertUnwindSafe};

use protocol::raft::ReadMode;
use serde_json::{Value, json};
use sim::Kind;
use sim::case::Case;
use sim::marks::Mark;
use sim::run::Report;
use sim::seen::{Violation, seconds};
use sim::swarm::Options;
use sim::trace::{Picture, Timeline};

use super::super::sheet::{Sheet, counts};
use super::{Files, Run};
use crate::cli::output::{self, Format};
use crate::failure::{Failure, Result};

pub(super) fn run(run: &Run, case: &Case, files: &Files) -> Result {
    let mut options = case.options();
    options.record = run.trace || files.svg.is_some() || files.json.is_some();
    let report = world(&options, case)?;
    let same = if run.twice {
        let again = world(&Options { record: false, ..options.clone() }, case)?;
        Some(again.trace.hash() == report.trace.hash())
    } else {
        None
    };
    if let Some(record) = report.trace.record() {
        if run.trace {
            run.tell(record, Timeline::default())?;
            output::line("")?;
        }
        let story = told(&report);
        let title = format!("Seed {case}");
        run.write(files, record, Picture { title, story, ..Picture::default() })?;
    }
    match run.output.format {
        Format::Plain => output::bytes(summary(case, &options, &report, same).text().as_bytes())?,
        Format::Json => output::json(&document(case, &report, same))?,
    }
    match &report.violation {
        Some(violation) => Err(broken(case, violation)),
        None if same == Some(false) => {
            Err(Failure::new("the same seed ran twice, and differently"))
        }
        None => Ok(()),
    }
}

/// Runs a world. A panic that nobody in it caught is told like a failure.
fn world(options: &Options, case: &Case) -> Result<Report> {
    let run = AssertUnwindSafe(|| sim::run::world(options.clone(), case.seed));
    panic::catch_unwind(run).map_err(|_| {
        Failure::new(format!("an assertion of the product does not hold in the world of {case}"))
    })
}

fn broken(case: &Case, violation: &Violation) -> Failure {
    let law = violation.law;
    Failure::new(format!(
        "{law} is broken: `conclave sim shrink {case}` looks for the least case that does it, \
         --trace shows what happened"
    ))
}

fn told(report: &Report) -> String {
    match &report.violation {
        Some(violation) => violation.to_string(),
        None => format!(
            "{} faults, {} operations, no law broken.",
            report.marks.faults(),
            report.counts.all.called
        ),
    }
}

fn summary(case: &Case, options: &Options, report: &Report, same: Option<bool>) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.fact("case", case);
    sheet.fact("nodes", nodes(options));
    sheet.fact("timing", timing(options));
    sheet.fact("clients", clients(options));
    sheet.fact("time", format!("{:.3} s in {} steps", report.time.as_secs_f64(), report.steps));
    let all = report.counts.all;
    sheet.fact(
        "operations",
        format!(
            "{} called, {} answered, {} refused, {} unknown, {} reached nobody",
            all.called, all.answered, all.refused, all.unknown, all.unreachable
        ),
    );
    sheet.fact("judged", judged(report));
    sheet.fact("faults", format!("{}: {}", report.marks.faults(), counts(faults(report))));
    sheet.fact("marks", counts(marks(report)));
    sheet.fact("hash", format!("{:016x}", report.trace.hash()));
    if let Some(same) = same {
        sheet.fact("twice", if same { "the same" } else { "NOT the same" });
    }
    match &report.violation {
        None => sheet.fact("verdict", "no law broken"),
        Some(violation) => sheet.fact("verdict", format!("VIOLATION: {violation}")),
    }
    sheet
}

fn nodes(options: &Options) -> String {
    let consensus = &options.consensus;
    let reads = match consensus.reads {
        ReadMode::Quorum => "a quorum".to_owned(),
        ReadMode::Lease { drift_per_mille } => format!("leases (drift ≤ {drift_per_mille} ‰)"),
    };
    let guards = [
        ("pre-vote", consensus.pre_vote),
        ("quorum check", consensus.check_quorum),
        ("stickiness", consensus.stickiness),
    ];
    let off: Vec<_> = guards.iter().filter(|(_, on)| !on).map(|(name, _)| *name).collect();
    let off = if off.is_empty() { String::new() } else { format!(", without {}", off.join(", ")) };
    let tables = if options.disks.tables { "tables on disk" } else { "memory" };
    format!("{}, reads by {reads}, state in {tables}{off}", options.nodes)
}

fn timing(options: &Options) -> String {
    let consensus = &options.consensus;
    let milliseconds = |time: &std::time::Duration| time.as_secs_f64() * 1e3;
    format!(
        "election {}–{} ms, heartbeat {} ms, sync {:.1}–{:.1} ms, links {:.1} ms",
        milliseconds(consensus.election.start()),
        milliseconds(consensus.election.end()),
        milliseconds(&consensus.heartbeat),
        milliseconds(options.disks.sync.start()),
        milliseconds(options.disks.sync.end()),
        milliseconds(&options.weather.delay),
    )
}

fn clients(options: &Options) -> String {
    let crowd = &options.crowd;
    format!("{}, and {} that watch, on {} keys", crowd.clients, crowd.watchers, crowd.keys)
}

fn judged(report: &Report) -> String {
    let judged = &report.judged;
    let (answers, watches) = (&judged.answers, &judged.watches);
    format!(
        "{} writes, {} reads, {} events on {} watches, {} entries, revision {}; searched for an \
         order: {} operations on {} keys, {} undecided",
        answers.writes,
        answers.reads,
        watches.events,
        watches.watches,
        judged.entries,
        judged.revision,
        judged.searched.operations,
        judged.searched.keys,
        judged.searched.undecided,
    )
}

fn faults(report: &Report) -> impl Iterator<Item = (String, u64)> {
    let marks = &report.marks;
    Kind::ALL.iter().map(|kind| (kind.name().to_owned(), marks.strikes(*kind)))
}

fn marks(report: &Report) -> impl Iterator<Item = (String, u64)> {
    Mark::ALL.into_iter().map(|mark| (format!("{mark:?}"), report.marks.reached(mark)))
}

fn document(case: &Case, report: &Report, same: Option<bool>) -> Value {
    let all = report.counts.all;
    let named = |counts: &mut dyn Iterator<Item = (String, u64)>| -> Value {
        counts
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (name, Value::from(count)))
            .collect()
    };
    json!({
        "case": case.to_string(),
        "seed": case.seed,
        "nodes": report.nodes,
        "seconds": report.time.as_secs_f64(),
        "steps": report.steps,
        "strikes": report.strikes,
        "operations": {
            "called": all.called,
            "answered": all.answered,
            "refused": all.refused,
            "unknown": all.unknown,
            "unreachable": all.unreachable,
        },
        "faults": named(&mut faults(report)),
        "marks": named(&mut marks(report)),
        "hash": format!("{:016x}", report.trace.hash()),
        "same": same,
        "violation": report.violation.as_ref().map(violation),
    })
}

/// A violation for programs.
pub(in crate::cli::sim) fn violation(violation: &Violation) -> Value {
    json!({ "law": violation.law, "seconds": seconds(violation.at), "what": violation.what })
}
