//! `conclave sim`: worlds from seeds, the stories of the gallery, judges and measurements.
//!
//! The crate `sim` knows no clock, no file and no terminal. They are read and written here: how
//! long something takes, where pictures go, who presses Ctrl-C. Whatever stands on standard output
//! follows from the arguments alone, except where a command measures; progress goes to standard
//! error: drawn over and over on a terminal, a line a minute elsewhere.

mod bench;
mod bully;
mod check;
mod compare;
mod elections;
mod explore;
mod faults;
mod files;
mod founding;
mod gallery;
mod interrupt;
mod lifeguard;
mod meter;
mod mutants;
mod panics;
mod parallel;
mod progress;
mod run;
mod sheet;
mod shrink;
mod sweep;
mod swim;
mod terminal;
mod topologies;

use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Failure, Result};

#[derive(Debug, Subcommand)]
pub(crate) enum Sim {
    Run(run::Run),
    Sweep(sweep::Sweep),
    Shrink(shrink::Shrink),
    Gallery(gallery::Gallery),
    Check(check::Check),
    Explore(explore::Explore),
    Topologies(topologies::Topologies),
    Elections(elections::Elections),
    Compare(compare::Compare),
    Swim(swim::Swim),
    Lifeguard(lifeguard::Lifeguard),
    Faults(faults::Faults),
    Mutants(mutants::Mutants),
    Founding(founding::Founding),
    Bully(bully::Bully),
    Bench(bench::Bench),
}

impl Sim {
    pub(crate) fn run(self) -> Result {
        match self {
            Sim::Run(run) => run.run(),
            Sim::Sweep(sweep) => sweep.run(),
            Sim::Shrink(shrink) => shrink.run(),
            Sim::Gallery(gallery) => gallery.run(),
            Sim::Check(check) => check.run(),
            Sim::Explore(explore) => explore.run(),
            Sim::Topologies(topologies) => topologies.run(),
            Sim::Elections(elections) => elections.run(),
            Sim::Compare(compare) => compare.run(),
            Sim::Swim(swim) => swim.run(),
            Sim::Lifeguard(lifeguard) => lifeguard.run(),
            Sim::Faults(faults) => faults.run(),
            Sim::Mutants(mutants) => mutants.run(),
            Sim::Founding(founding) => founding.run(),
            Sim::Bully(bully) => bully.run(),
            Sim::Bench(bench) => bench.run(),
        }
    }
}

/// A table of the simulator's for programs.
fn value(table: &impl Serialize) -> Result<Value> {
    serde_json::to_value(table).map_err(Failure::new)
}
