//! `conclave sim swim`.

use std::time::{Duration, Instant};

use clap::Args;
use protocol::swim::Config;
use serde::Serialize;
use serde_json::json;
use sim::pool::load::{self, Load};
use sim::pool::{Latency, Options, Pool};

use super::meter;
use crate::cli::output::{self, Format, Output};
use crate::failure::Result;

/// Measure a gossip pool of thousands of members, all in this process: what a member costs.
///
/// Examples:
///
///   conclave sim swim --members 10000
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Swim {
    /// Members of the pool.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=100_000))]
    members: u32,
    /// Seconds of the pool's time in which it is left alone and its load is measured.
    #[arg(long, default_value_t = 60, value_name = "S")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Percent of all packets that are lost.
    #[arg(long, default_value = "0", value_name = "PERCENT", value_parser = percent)]
    loss: u64,
    /// Where the seeds come from.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,
    #[command(flatten)]
    output: Output,
}

/// What the simulation itself took.
#[derive(Clone, Copy, Debug, Serialize)]
struct Cost {
    /// Seconds of the pool's time in a second of this machine's.
    speed: f64,
    /// Processor seconds.
    processor: f64,
    /// Nanoseconds of processor for each call of a core.
    nanos_an_input: f64,
    /// Seconds to set the pool up.
    formed: f64,
    /// The most bytes that were resident.
    peak_bytes: Option<u64>,
}

impl Swim {
    pub(crate) fn run(&self) -> Result {
        let (load, cost) = self.quiet();
        match self.output.format {
            Format::Plain => output::line(format!("{load}\n{cost}")),
            Format::Json => output::json(&json!({
                "load": super::value(&load)?,
                "cost": super::value(&cost)?,
            })),
        }
    }

    fn options(&self) -> Options {
        Options {
            members: usize::try_from(self.members).unwrap_or(usize::MAX),
            config: Config::LAN,
            latency: Latency::LAN,
            loss: self.loss,
            seed: self.seed,
        }
    }

    fn quiet(&self) -> (Load, Cost) {
        let (begun, time) = (Instant::now(), Duration::from_secs(self.seconds));
        let mut pool = Pool::formed(self.options());
        let formed = begun.elapsed().as_secs_f64();
        let (begun, before) = (Instant::now(), pool.inputs());
        let (processor, load) = meter::timed(|| load::measure(&mut pool, time));
        let inputs = (pool.inputs() - before).max(1) as f64;
        let cost = Cost {
            speed: time.as_secs_f64() / begun.elapsed().as_secs_f64(),
            processor: processor.as_secs_f64(),
            nanos_an_input: processor.as_secs_f64() * 1e9 / inputs,
            formed,
            peak_bytes: meter::peak_bytes(),
        };
        (load, cost)
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} seconds in one of this machine's, {:.0} ns of processor a call; set up in \
             {:.1} s, {} MiB at most",
            self.speed,
            self.nanos_an_input,
            self.formed,
            self.peak_bytes.unwrap_or(0) >> 20,
        )
    }
}

/// Percent with up to four digits behind the point, as parts of a million.
pub(super) fn percent(text: &str) -> std::result::Result<u64, String> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{part:0<4}");
    let parts = digits.parse::<u64>().ok().filter(|_| part.len() <= 4);
    parts
        .filter(|&parts| parts <= sim::pool::MILLION)
        .ok_or_else(|| "0 to 100, with up to four digits behind the point".to_owned())
}
