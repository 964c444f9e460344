//! `conclave sim mutants`.

use clap::Args;

use crate::cli::output::Output;
#[cfg(not(feature = "mutants"))]
use crate::failure::{Failure, Result};

/// Plant known bugs, one after the other, and tell how many seeds and how much processor time it
/// takes until a law is seen broken, and which. Exits with 1 when one survives.
///
/// Needs a build with the bugs in it: `cargo run --release --features mutants -- sim mutants`.
///
/// Examples:
///
///   conclave sim mutants --core --seeds 500
///   conclave sim mutants --only R5,W3 --shrink 300
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[cfg_attr(not(feature = "mutants"), allow(dead_code, reason = "without bugs nothing is read"))]
pub(crate) struct Mutants {
    /// Seeds that each has to survive.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    from: u64,
    /// Only these, such as R5,W3.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
    /// Only the core set, which every change is tried with.
    #[arg(long, conflicts_with = "only")]
    core: bool,
    /// Shrink what killed each, trying at most so many worlds.
    #[arg(long, default_value_t = 0, value_name = "N")]
    shrink: u32,
    /// Worlds at once; as many as there are cores, when it is not said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(flatten)]
    output: Output,
}

#[cfg(not(feature = "mutants"))]
impl Mutants {
    #[allow(clippy::unused_self, reason = "the same with and without bugs")]
    pub(crate) fn run(&self) -> Result {
        Err(Failure::usage(
            "no bugs are planted in this build; \
             `cargo run --release --features mutants -- sim mutants` makes and runs one with them",
        ))
    }
}

#[cfg(feature = "mutants")]
mod hunting;
