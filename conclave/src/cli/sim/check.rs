//! `conclave sim check`.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use sim::check::corpus;
use sim::check::wgl::Verdict;

use crate::cli::output;
use crate::failure::{Failure, Result};

/// Judge recorded histories of a register, in the format that Jepsen logs: could one copy that
/// does one thing at a time have answered like this?
///
/// Prints a line for each file, in order: its name, a tab, and `linearizable`, `not`, or `unknown`
/// when the search had to be given up. Exits with 0 whatever the verdicts are, and with 2 when a
/// file cannot be read or understood; the others are judged all the same.
///
/// Examples:
///
///   conclave sim check etcd_000.log etcd_001.log
///   conclave sim check - < history.log
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Check {
    /// Logs to judge; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Check {
    pub(crate) fn run(&self) -> Result {
        let mut unreadable = 0;
        for path in &self.files {
            let name = path.display();
            match judge(path) {
                Ok(verdict) => output::line(format!("{name}\t{}", verdict.word()))?,
                Err(error) => {
                    unreadable += 1;
                    eprintln!("conclave: {error}");
                }
            }
        }
        if unreadable == 0 {
            return Ok(());
        }
        let count = self.files.len();
        Err(Failure::usage(format!("{unreadable} of {count} files were not judged")))
    }
}

fn judge(path: &Path) -> Result<Verdict, String> {
    let name = path.display();
    let bytes = read(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let text = str::from_utf8(&bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        format!("{name}:{line}: expected text in UTF-8, found other bytes")
    })?;
    corpus::judge(text).map_err(|error| error.in_file(name.to_string()).to_string())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
