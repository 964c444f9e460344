//! What a run came to, for people: ratios first, because only they survive a noisy machine.

use serde_json::{Value, json};

use super::cluster::MEMBERS;
use super::machine::Machine;
use super::options::Options;
use super::process::Memory;
use super::slices::{Measured, Pair, Slice};
use super::spread::Spread;
use super::startup::Startup;
use super::system::System;
use super::table::table;

/// What is unknown, or does not apply.
const NONE: &str = "–";

/// Everything that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) loads: Vec<Measured>,
    pub(crate) memory: Option<[Rss; 2]>,
    pub(crate) startup: Option<Startup>,
    /// Why memory or start-up are missing, in words.
    pub(crate) failures: Vec<String>,
}

/// What the members of one system have in memory after all loads, and who led by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rss {
    pub(crate) members: [Memory; MEMBERS],
    pub(crate) leader: Option<usize>,
}

/// One figure of a slice. None where a slice does not have it.
type Figure = fn(&Slice) -> Option<f64>;

/// Heading, name in JSON, figure, and decimals of the absolute value.
const FIGURES: [(&str, &str, Figure, usize); 6] = [
    ("ops/s", "per_second", |slice| Some(slice.outcome.per_second), 0),
    ("p50 ms", "p50_ms", |slice| Some(slice.outcome.p50_ms), 2),
    ("p99 ms", "p99_ms", |slice| Some(slice.outcome.p99_ms), 2),
    ("CPU µs/op all", "cpu_us_all", |slice| Some(slice.cpu_all()), 1),
    ("leader", "cpu_us_leader", Slice::cpu_leader, 1),
    ("followers", "cpu_us_followers", Slice::cpu_followers, 1),
];

impl Report {
    /// Everything that should have been measured and was not.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &String> {
        self.loads.iter().flat_map(|measured| &measured.failures).chain(&self.failures)
    }

    /// The whole report. `small` makes a text step back on a terminal.
    pub(crate) fn text(&self, options: &Options, small: impl Fn(&str) -> String) -> String {
        let Options { slices, seconds, .. } = options;
        let mut text = small(&self.machine.text());
        text += &format!(
            "\nconclave ÷ etcd, pair by pair: median [least–greatest] of {slices} slices of \
             {seconds} s\nmore than 1 is better for ops/s, less than 1 for all others\n\n"
        );
        text += &self.ratios();
        if let Some(memory) = &self.memory {
            text += &memory_ratios(memory);
        }
        if let Some(startup) = &self.startup {
            text += &startup_ratio(startup);
        }
        let mut absolute =
            String::from("\nabsolute figures, true of this machine at this hour\n\n");
        absolute += &self.absolutes();
        if let Some(memory) = &self.memory {
            absolute.push('\n');
            absolute += &memory_table(memory);
        }
        if let Some(startup) = &self.startup {
            absolute.push('\n');
            absolute += &startup_table(startup);
        }
        text += &small(&absolute);
        for failure in self.missing() {
            text += &format!("missing: {failure}\n");
        }
        text
    }

    fn ratios(&self) -> String {
        let mut headings = vec!["load"];
        headings.extend(FIGURES.map(|(heading, ..)| heading.trim_end_matches(" ms")));
        let row = |measured: &Measured| {
            let cells = FIGURES.map(|(_, _, figure, _)| shown(ratio(&measured.pairs, figure), 2));
            [measured.load.to_string()].into_iter().chain(cells).collect()
        };
        table(&headings, &self.loads.iter().map(row).collect::<Vec<_>>())
    }

    fn absolutes(&self) -> String {
        let mut headings = vec!["load", "system"];
        headings.extend(FIGURES.map(|(heading, ..)| heading));
        let mut rows = Vec::new();
        for measured in &self.loads {
            for system in System::BOTH {
                let mut row = vec![measured.load.to_string(), system.to_string()];
                row.extend(FIGURES.map(|(_, _, figure, digits)| {
                    shown(absolute(&measured.pairs, system, figure), digits)
                }));
                rows.push(row);
            }
        }
        table(&headings, &rows)
    }

    /// For programs: every slice, and what was made of it.
    pub(crate) fn json(&self, options: &Options) -> Value {
        let rss = |rss: &Rss| {
            json!({
                "leader": rss.leader,
                "resident_kib": rss.members.map(|memory| memory.resident_kib),
                "peak_kib": rss.members.map(|memory| memory.peak_kib),
            })
        };
        json!({
            "machine": self.machine.json(),
            "slices": options.slices,
            "seconds": options.seconds,
            "loads": self.loads.iter().map(load_json).collect::<Vec<_>>(),
            "memory": self.memory.as_ref().map(|[ours, theirs]| {
                json!({"conclave": rss(ours), "etcd": rss(theirs)})
            }),
            "startup": self.startup.as_ref().map(|startup| json!({
                "keys": startup.keys,
                "ratio": spread_json(startup_spread(startup)),
                "rounds": startup.rounds.iter().map(|(ours, theirs)| json!({
                    "conclave_seconds": ours.as_secs_f64(),
                    "etcd_seconds": theirs.as_secs_f64(),
                })).collect::<Vec<_>>(),
            })),
            "failures": self.missing().collect::<Vec<_>>(),
        })
    }
}

impl Rss {
    fn sum(&self, kib: fn(&Memory) -> u64) -> u64 {
        self.members.iter().map(kib).sum()
    }
}

fn load_json(measured: &Measured) -> Value {
    let ratios = FIGURES
        .map(|(_, name, figure, _)| (name.to_owned(), spread_json(ratio(&measured.pairs, figure))));
    let slice = |slice: &Slice| {
        json!({
            "acknowledged": slice.outcome.acknowledged,
            "per_second": slice.outcome.per_second,
            "p50_ms": slice.outcome.p50_ms,
            "p99_ms": slice.outcome.p99_ms,
            "cpu_us": slice.cpu_us,
            "leader": slice.leader,
        })
    };
    let pair = |pair: &Pair| json!({"conclave": slice(&pair.conclave), "etcd": slice(&pair.etcd)});
    json!({
        "load": measured.load.to_string(),
        "ratios": ratios.into_iter().collect::<serde_json::Map<_, _>>(),
        "pairs": measured.pairs.iter().map(pair).collect::<Vec<_>>(),
    })
}

fn spread_json(spread: Option<Spread>) -> Value {
    spread.map_or(
        Value::Null,
        |Spread { median, min, max }| json!({"median": median, "min": min, "max": max}),
    )
}

/// A pair in which one system lacks the figure does not count.
fn ratio(pairs: &[Pair], figure: Figure) -> Option<Spread> {
    let both = |pair: &Pair| Some((figure(&pair.conclave)?, figure(&pair.etcd)?));
    Spread::of_ratios(pairs.iter().filter_map(both))
}

fn absolute(pairs: &[Pair], system: System, figure: Figure) -> Option<Spread> {
    let slice = |pair: &Pair| match system {
        System::Conclave => figure(&pair.conclave),
        System::Etcd => figure(&pair.etcd),
    };
    Spread::of(pairs.iter().filter_map(slice))
}

fn shown(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(|| NONE.to_owned(), |spread| format!("{spread:.digits$}"))
}

fn mib(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1024.0)
}

fn memory_ratios([ours, theirs]: &[Rss; 2]) -> String {
    let ratio = |kib: fn(&Memory) -> u64| ours.sum(kib) as f64 / theirs.sum(kib) as f64;
    let (resident, peak) = (ratio(|one| one.resident_kib), ratio(|one| one.peak_kib));
    format!("\nmemory of all members after the loads {resident:.2}, at its peak {peak:.2}\n")
}

fn memory_table(both: &[Rss; 2]) -> String {
    let mut rows = Vec::new();
    for (system, rss) in System::BOTH.into_iter().zip(both) {
        for (at, memory) in rss.members.into_iter().enumerate() {
            let role = if rss.leader == Some(at) { "leader" } else { "follower" };
            let role = if rss.leader.is_some() { role } else { NONE };
            let (resident, peak) = (mib(memory.resident_kib), mib(memory.peak_kib));
            rows.push(vec![system.to_string(), role.to_owned(), resident, peak]);
        }
    }
    table(&["memory", "role", "RSS MiB", "peak MiB"], &rows)
}

fn startup_spread(startup: &Startup) -> Option<Spread> {
    let seconds = |(ours, theirs): &(std::time::Duration, std::time::Duration)| {
        (ours.as_secs_f64(), theirs.as_secs_f64())
    };
    Spread::of_ratios(startup.rounds.iter().map(seconds))
}

fn startup_ratio(startup: &Startup) -> String {
    let (keys, rounds) = (startup.keys, startup.rounds.len());
    let spread = shown(startup_spread(startup), 2);
    format!("start of a member with {keys} keys {spread} of {rounds} rounds\n")
}

fn startup_table(startup: &Startup) -> String {
    let seconds = |times: Vec<std::time::Duration>| {
        shown(Spread::of(times.into_iter().map(|time| time.as_secs_f64())), 3)
    };
    let (ours, theirs) = startup.rounds.iter().copied().unzip();
    let rows = [(System::Conclave, seconds(ours)), (System::Etcd, seconds(theirs))];
    let rows = rows.map(|(system, seconds)| vec![system.to_string(), seconds]);
    table(&["start", "seconds"], &rows)
}

#[cfg(test)]
mod tests;
