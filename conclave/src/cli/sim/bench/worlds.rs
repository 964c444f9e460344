//! Worlds: how many cluster-hours go into a minute of processor time, and how much memory one run
//! takes.

use std::env;
use std::process::Command;
use std::time::Duration;

use sim::case::Case;
use sim::run::Report;

use super::{Bench, meter};
use crate::cli::measured::{Row, Target};
use crate::cli::output;
use crate::failure::{Failure, Result};

/// Cluster-hours in a minute of processor time, on the busy cluster and on all kinds of worlds.
const LEAST_BUSY: f64 = 10.0;
const LEAST_MIXED: f64 = 60.0;
/// Operations a second that make a cluster busy.
const LEAST_OPERATIONS: f64 = 100.0;
/// Faults in a cluster-hour that a seed owes.
const LEAST_FAULTS: f64 = 60.0;
/// Megabytes of one run.
const MOST_MEGABYTES: f64 = 100.0;

/// What some worlds came to.
#[derive(Default)]
struct Sum {
    worlds: u64,
    cpu: Duration,
    time: Duration,
    operations: u64,
    faults: u64,
    steps: u64,
    violations: u64,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.worlds += 1;
        self.time += report.time;
        self.operations += report.counts.all.called;
        self.faults += report.marks.faults();
        self.steps += report.steps;
        self.violations += u64::from(report.violation.is_some());
    }

    fn hours(&self) -> f64 {
        self.time.as_secs_f64() / 3_600.0
    }

    fn hours_per_minute(&self) -> f64 {
        self.hours() * 60.0 / self.cpu.as_secs_f64().max(1e-9)
    }
}

/// Worlds of seeds from 0 on: so many, or as many as fit into the time.
fn run(busy: bool, worlds: Option<u64>, time: Duration) -> Sum {
    let begun = meter::cpu();
    let mut sum = Sum::default();
    for seed in 0.. {
        let over = match worlds {
            Some(worlds) => sum.worlds >= worlds,
            None => sum.worlds > 0 && meter::cpu() - begun >= time,
        };
        if over {
            break;
        }
        let case = Case { busy, ..Case::whole(seed) };
        sum.add(&sim::run::world(case.options(), seed));
    }
    sum.cpu = meter::cpu() - begun;
    sum
}

/// All repetitions run the worlds that fitted into the first.
fn repeated(bench: &Bench, busy: bool) -> Result<Vec<Sum>> {
    let mut sums = vec![run(busy, None, bench.time)];
    for _ in 1..bench.repeat {
        let again = run(busy, Some(sums[0].worlds), bench.time);
        if again.steps != sums[0].steps {
            return Err(Failure::new("the same seeds ran twice, and differently"));
        }
        sums.push(again);
    }
    Ok(sums)
}

fn speeds(name: &str, sums: &[Sum], least: f64) -> Vec<Row> {
    let first = &sums[0];
    let of = |what: &str| format!("{name}: {what}");
    let each = |value: fn(&Sum) -> f64| sums.iter().map(value).collect::<Vec<f64>>();
    let faults = first.faults as f64 / first.hours();
    vec![
        Row::new(of("speed"), "cluster-hours/CPU-min", each(Sum::hours_per_minute))
            .against(Target::AtLeast(least)),
        Row::new(of("steps"), "/CPU-s", each(|sum| sum.steps as f64 / sum.cpu.as_secs_f64())),
        Row::new(of("faults"), "/cluster-hour", vec![faults])
            .against(Target::AtLeast(LEAST_FAULTS)),
        Row::new(of("violations"), "", vec![first.violations as f64]).against(Target::AtMost(0.0)),
    ]
}

/// Three busy nodes, every kind of fault.
pub(super) fn busy(bench: &Bench) -> Result<Vec<Row>> {
    let sums = repeated(bench, true)?;
    let mut rows = speeds("busy cluster", &sums, LEAST_BUSY);
    let operations = sums[0].operations as f64 / sums[0].time.as_secs_f64();
    let row = Row::new("busy cluster: operations", "/simulated s", vec![operations]);
    rows.push(row.against(Target::AtLeast(LEAST_OPERATIONS)));
    Ok(rows)
}

/// Whatever seeds draw.
pub(super) fn mixed(bench: &Bench) -> Result<Vec<Row>> {
    Ok(speeds("mixed swarm", &repeated(bench, false)?, LEAST_MIXED))
}

/// The largest runs of both kinds, each in a process of its own.
pub(super) fn memory(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, busy) in [("busy cluster: largest run", true), ("mixed swarm: largest run", false)] {
        let mut largest = 0.0_f64;
        for seed in 0..u64::from(bench.runs) {
            let Some(bytes) = peak(&Case { busy, ..Case::whole(seed) })? else { return Ok(rows) };
            largest = largest.max(bytes as f64 / 1e6);
        }
        rows.push(Row::new(name, "MB", vec![largest]).against(Target::AtMost(MOST_MEGABYTES)));
    }
    Ok(rows)
}

/// The peak memory of one run; `None` where the system does not tell.
fn peak(case: &Case) -> Result<Option<u64>> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new(format!("cannot measure the memory of {case}: {why}"))
    };
    let program = env::current_exe().map_err(|error| failed(&error))?;
    let arguments = ["sim", "bench", "--memory-of", &case.to_string()];
    let ended = Command::new(program).args(arguments).output().map_err(|error| failed(&error))?;
    if !ended.status.success() {
        return Err(failed(&String::from_utf8_lossy(&ended.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).trim().parse().ok())
}

/// Runs one world, and prints the most bytes that this process ever held.
pub(super) fn memory_of(case: &Case) -> Result {
    let report = sim::run::world(case.options(), case.seed);
    if report.steps == 0 {
        return Err(Failure::new(format!("nothing happens in {case}")));
    }
    match meter::peak_bytes() {
        Some(bytes) => output::line(bytes),
        None => output::line("unknown"),
    }
}
