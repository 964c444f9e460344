//! `conclave inspect`: a data directory as an operator sees it. Reads only.

mod log;
mod state;

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::failure::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum Inspect {
    Log(log::Log),
    State(state::State),
}

impl Inspect {
    pub(crate) fn run(self) -> Result {
        match self {
            Inspect::Log(log) => log.run(),
            Inspect::State(state) => state.run(),
        }
    }
}

/// The directory of a part of a data directory, or the given one if that is the part itself.
fn part(dir: &Path, name: &str) -> PathBuf {
    let below = dir.join(name);
    if below.is_dir() { below } else { dir.to_owned() }
}
