//! `conclave sim swim`.

use std::time::{Duration, Instant};

use clap::Args;
use protocol::swim::Config;
use serde::Serialize;
use serde_json::{Value, json};
use sim::pool::deaths::{self, Deaths};
use sim::pool::load::{self, Load};
use sim::pool::{Latency, Options, Pool, detection, spread};

use super::meter;
use super::progress::Progress;
use crate::cli::output::{self, Format, Output};
use crate::cli::table::table;
use crate::failure::{Failure, Result};

/// Measure a gossip pool of thousands of members, all in this process: what a member costs, how
/// soon the dead are found, how fast a message goes round, and whether anybody who lives is called
/// dead. Theory and published figures stand beside ours.
///
/// Exits with 1 when a living member was called dead although no more than 1 % was lost.
///
/// Examples:
///
///   conclave sim swim --members 10000 --seconds 300 --kills 100 --messages 10
///   conclave sim swim --curve
///   conclave sim swim --hours 24 --loss 1 --kills 0 --messages 0
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
    /// How many members die; one in twenty of a pool at most, in as many pools as that takes.
    #[arg(long, default_value_t = 50, value_name = "N")]
    kills: u32,
    /// How many messages go round.
    #[arg(long, default_value_t = 5, value_name = "N")]
    messages: u32,
    /// Hours of the pool's time in which nobody who lives may be called dead.
    #[arg(long, default_value_t = 0, value_name = "N")]
    hours: u64,
    /// Ask by packets alone: without streams, lost packets are all that there is.
    #[arg(long)]
    packets_only: bool,
    /// Measure the load of pools of 100, 1,000 and 10,000 members instead, and how much it differs.
    #[arg(long, conflicts_with_all = ["members", "kills", "messages", "hours"])]
    curve: bool,
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

/// The sizes of the curve.
const CURVE: [usize; 3] = [100, 1_000, 10_000];
/// With no more lost than this, in millionths, nobody who lives may be called dead.
const MODEST_LOSS: u64 = 10_000;

impl Swim {
    pub(crate) fn run(&self) -> Result {
        if self.curve {
            return self.curve();
        }
        let options = self.options(usize::try_from(self.members).unwrap_or(usize::MAX));
        let (mut pool, load, cost) = self.quiet(&options);
        let deaths = (self.hours > 0).then(|| self.long(&mut pool));
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        pool.listens = false;
        let spread = (self.messages > 0).then(|| spread::measure(&mut pool, count(self.messages)));
        drop(pool);
        let kills = count(self.kills);
        let detection = (kills > 0).then(|| detection::measure(&options, kills));
        match self.output.format {
            Format::Plain => {
                output::line(format!("{} members\n{load}\n{cost}", options.members))?;
                deaths.map_or(Ok(()), |deaths| output::line(format!("\n{deaths}")))?;
                spread.map_or(Ok(()), |spread| output::line(format!("\n{spread}").trim_end()))?;
                let detection = detection.map(|detection| format!("\n{detection}"));
                detection.map_or(Ok(()), |told| output::line(told.trim_end()))?;
            }
            Format::Json => output::json(&json!({
                "load": super::value(&load)?,
                "cost": super::value(&cost)?,
                "deaths": super::value(&deaths)?,
                "spread": super::value(&spread)?,
                "detection": super::value(&detection)?,
            }))?,
        }
        match deaths {
            Some(deaths) if deaths.false_deaths > 0 && self.loss <= MODEST_LOSS => {
                let times = deaths.false_deaths;
                Err(Failure::new(format!("living members were called dead {times} times")))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn options(&self, members: usize) -> Options {
        let config = Config { stream_ping: !self.packets_only, ..Config::LAN };
        Options { members, config, latency: Latency::LAN, loss: self.loss, seed: self.seed }
    }

    /// A pool that is left alone.
    fn quiet(&self, options: &Options) -> (Pool, Load, Cost) {
        let (begun, time) = (Instant::now(), Duration::from_secs(self.seconds));
        let mut pool = Pool::formed(options.clone());
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
        (pool, load, cost)
    }

    fn long(&self, pool: &mut Pool) -> Deaths {
        let mut progress = Progress::new();
        let time = Duration::from_secs(3600 * self.hours);
        deaths::measure(pool, time, |passed, wrong| {
            progress.show(|_| {
                let hours = passed.as_secs_f64() / 3600.0;
                format!("{hours:.2} of {} hours, {wrong} false deaths", self.hours)
            });
        })
    }

    fn curve(&self) -> Result {
        let mut measured = Vec::new();
        for members in CURVE {
            let (pool, load, cost) = self.quiet(&self.options(members));
            drop(pool);
            measured.push((load, cost));
        }
        let apart = |what: fn(&Load) -> f64| {
            let figures = measured.iter().map(|(load, _)| what(load));
            let (least, most) = figures.fold((f64::MAX, 0.0f64), |(least, most), figure| {
                (least.min(figure), most.max(figure))
            });
            (most / least - 1.0) * 100.0
        };
        let apart = [
            ("packets_out", apart(|load| load.packets_out)),
            ("packets_in", apart(|load| load.packets_in)),
            ("bytes_out", apart(|load| load.bytes_out)),
            ("bytes_in", apart(|load| load.bytes_in)),
        ];
        if self.output.format == Format::Json {
            let sizes: Result<Vec<_>> = measured
                .iter()
                .map(|(load, cost)| {
                    Ok(json!({ "load": super::value(load)?, "cost": super::value(cost)? }))
                })
                .collect();
            let apart: Value = apart.iter().map(|(what, by)| (*what, json!(by))).collect();
            return output::json(&json!({ "sizes": sizes?, "percent_apart": apart }));
        }
        let row = |(load, cost): &(Load, Cost)| {
            vec![
                load.members.to_string(),
                format!("{:.3}", load.packets_out),
                format!("{:.3}", load.packets_in),
                format!("{:.1}", load.bytes_out),
                format!("{:.1}", load.bytes_in),
                format!("{:.1}", load.exchanged_out),
                format!("{:.1}", load.exchanged_in_theory),
                format!("{:.1}", cost.speed),
                format!("{}", cost.peak_bytes.unwrap_or(0) >> 20),
            ]
        };
        let rows: Vec<_> = measured.iter().map(row).collect();
        let headings = [
            "MEMBERS",
            "OUT/S",
            "IN/S",
            "BYTES OUT/S",
            "BYTES IN/S",
            "EXCHANGED/S",
            "IN THEORY",
            "SPEED",
            "MIB",
        ];
        output::bytes(table(&headings, &rows).as_bytes())?;
        let apart = apart.map(|(what, by)| format!("{} {by:.2} %", what.replace('_', " ")));
        output::line(format!("apart: {}", apart.join(", ")))
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
