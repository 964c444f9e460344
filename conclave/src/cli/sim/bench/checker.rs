//! The checker: recorded histories of one register, and one long history of many keys.

use std::fs;
use std::path::Path;

use sim::check::{corpus, judge};

use super::{Bench, histories, meter};
use crate::cli::measured::{Row, Target};
use crate::failure::{Failure, Result};

/// Seconds for the whole corpus.
const MOST_CORPUS: f64 = 0.25;
/// Seconds for a million operations.
const MOST_MILLION: f64 = 5.0;

/// The logs of a folder.
pub(super) fn logs(folder: &Path) -> Result<Vec<String>> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read {}: {error}", path.display()))
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let path = entry.map_err(|error| failed(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Failure::new(format!("{} holds no *.log", folder.display())));
    }
    paths.sort();
    let logs = paths.iter().map(|path| {
        let text = fs::read_to_string(path).map_err(|error| failed(path, &error))?;
        corpus::parse(&text)
            .map_err(|error| Failure::new(error.in_file(path.to_string_lossy())))?;
        Ok(text)
    });
    logs.collect()
}

/// Judges all logs: those of a corpus, or made ones.
pub(super) fn recorded(bench: &Bench, logs: Option<Vec<String>>) -> Vec<Row> {
    let name = if logs.is_some() { "recorded histories" } else { "made histories" };
    let logs = logs.unwrap_or_else(|| (0..histories::LOGS).map(histories::log).collect());
    let mut accepted = 0;
    let seconds = (0..bench.repeat).map(|_| {
        let (took, count) = meter::timed(|| {
            let verdicts = logs.iter().filter_map(|log| corpus::judge(log).ok());
            verdicts.filter(sim::check::wgl::Verdict::is_linearizable).count()
        });
        accepted = count;
        took.as_secs_f64()
    });
    let seconds: Vec<f64> = seconds.collect();
    let name = format!("checker: {} {name}, {accepted} linearizable", logs.len());
    vec![Row::new(name, "CPU-s", seconds).against(Target::AtMost(MOST_CORPUS))]
}

/// Judges a long history of plain puts and reads.
pub(super) fn long(bench: &Bench) -> Result<Vec<Row>> {
    let history = histories::history(bench.operations)?;
    let mut seconds = Vec::new();
    for _ in 0..bench.repeat {
        let (took, judged) = meter::timed(|| judge(&history));
        judged.map_err(|broken| Failure::new(format!("a right history is refused: {broken}")))?;
        seconds.push(took.as_secs_f64());
    }
    let row = Row::new(format!("checker: {} operations", bench.operations), "CPU-s", seconds);
    let asked = bench.operations == histories::MILLION;
    Ok(vec![if asked { row.against(Target::AtMost(MOST_MILLION)) } else { row }])
}
