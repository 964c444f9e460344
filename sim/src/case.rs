//! A case: a seed, and what of its world is left out.
//!
//! ```text
//! 4711                                         the world of the seed, whole
//! 4711:length=12s,strikes=3+17,operations=90   its first 12 s, two of its faults, 90 operations
//! ```
//!
//! It can also name another ground: `kinds=kill+split` for other faults, `unguarded` for leaders
//! without quorum checks and stickiness, `lease=200` for lease reads while clocks differ by so many
//! parts per thousand, `mix=put+compact` for clients that do nothing else, `repeat` for clients
//! that all number their writes and repeat them, `spares=8` for so many trimmed segments that are
//! used again, `cache=0` for so many bytes of applied entries that are kept in memory, `keep=0` for
//! so many bytes of the log that are kept for those who lag, `nodes=5` and `joiners=3` for a
//! cluster of so many nodes and so many machines that may join it, `mesh` for nodes that find ways
//! around broken links, `busy` for three nodes with much to do and every fault, `zab` for a group
//! that runs Zab, with the faults that can befall one. A name that stands twice is chosen twice as
//! often.
//!
//! Written on one line, so that a failure can be repeated by whoever reads it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use protocol::raft::ReadMode;
use thiserror::Error;

use crate::crowd::{self, Mix};
use crate::storm::Kind;
use crate::swarm::Options;

/// A seed, and what of its world is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// The seed.
    pub seed: u64,
    /// Three busy nodes with every fault, instead of what the seed draws.
    pub busy: bool,
    /// The group runs Zab.
    pub zab: bool,
    /// How long the storm lasts, in milliseconds.
    pub length: Option<u64>,
    /// Which strikes of the storm are carried out, counted from 1.
    pub strikes: Option<BTreeSet<u32>>,
    /// The most operations of all clients.
    pub operations: Option<u64>,
    /// How many clients there are.
    pub clients: Option<u32>,
    /// The kinds of faults that strike, instead of what the seed draws.
    pub kinds: Option<Vec<Kind>>,
    /// What clients do, instead of what the seed draws.
    pub mix: Option<Vec<crowd::Kind>>,
    /// How many trimmed segments of the log are kept, to be used again.
    pub spares: Option<usize>,
    /// How many bytes of applied entries are kept in memory.
    pub cache: Option<usize>,
    /// How many bytes of the log are kept for those who lag.
    pub keep: Option<u64>,
    /// All clients number their writes and repeat them.
    pub repeat: bool,
    /// How many nodes the cluster begins with.
    pub nodes: Option<usize>,
    /// How many machines may join.
    pub joiners: Option<usize>,
    /// Neither quorum checks nor stickiness protect leaders.
    pub unguarded: bool,
    /// Nodes find ways around broken links.
    pub mesh: bool,
    /// Reads are served by leases, for clocks that differ by so many parts per thousand.
    pub lease: Option<u32>,
}

/// Why a case could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{case}` is no case: {why}")]
pub struct BadCase {
    case: String,
    why: String,
}

/// The most nodes that a case may ask for, and the most joiners.
const MOST_NODES: usize = 8;

/// What may follow a seed, each at most once.
const PARTS: &str = "busy, zab, length=12s, strikes=3+17, operations=90, clients=4, \
                     kinds=kill+split, mix=put+get, spares=8, cache=0, keep=0, repeat, nodes=3, \
                     joiners=3, unguarded, mesh, lease=200";

impl Case {
    /// The whole world of a seed.
    #[must_use]
    pub fn whole(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The options of its world.
    #[must_use]
    pub fn options(&self) -> Options {
        let mut options =
            if self.busy { Options::busy(self.seed) } else { Options::of_seed(self.seed) };
        if self.zab {
            options = options.with_zab();
        }
        if let Some(length) = self.length {
            options.storm.length = Duration::from_millis(length);
        }
        if self.strikes.is_some() {
            options.storm.only.clone_from(&self.strikes);
        }
        if self.operations.is_some() {
            options.crowd.max_operations = self.operations;
        }
        if let Some(clients) = self.clients {
            options.crowd.clients = clients;
        }
        if let Some(kinds) = &self.kinds {
            options.storm.kinds.clone_from(kinds);
            if kinds.iter().any(|kind| kind.damages()) {
                options.storm.damaged = options.storm.damaged.max(1);
            }
        }
        if let Some(mix) = &self.mix {
            let more = |mix: Mix, kind: &crowd::Kind| {
                let weight = mix.weight(*kind) + 1;
                mix.with(*kind, weight)
            };
            options.crowd.mix = mix.iter().fold(Mix::none(), more);
        }
        options.disks.spares = self.spares.unwrap_or(options.disks.spares);
        options.consensus.cache_bytes = self.cache.unwrap_or(options.consensus.cache_bytes);
        options.stores.log_keep_bytes = self.keep.unwrap_or(options.stores.log_keep_bytes);
        if self.repeat {
            options.crowd.repeats = crowd::Repeats::all();
        }
        options.nodes = self.nodes.unwrap_or(options.nodes);
        options.joiners = self.joiners.unwrap_or(options.joiners);
        if self.unguarded {
            options.consensus.check_quorum = false;
            options.consensus.stickiness = false;
            options.consensus.reads = ReadMode::Quorum;
        }
        options.mesh |= self.mesh;
        if let Some(drift_per_mille) = self.lease {
            options.consensus.reads = ReadMode::Lease { drift_per_mille };
            options.consensus.check_quorum = true;
            options.consensus.stickiness = true;
            options.storm.drift_per_mille = drift_per_mille;
            // A clock that leaps breaks the one assumption of lease reads.
            options.storm.kinds.retain(|kind| *kind != Kind::Leap);
        }
        options.prolong = self.length.is_none() && self.operations.is_none();
        options
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)?;
        let mut parts = Vec::new();
        if self.busy {
            parts.push("busy".to_owned());
        }
        if self.zab {
            parts.push("zab".to_owned());
        }
        if let Some(length) = self.length {
            parts.push(format!("length={length}ms"));
        }
        if let Some(strikes) = &self.strikes {
            let strikes: Vec<_> = strikes.iter().map(u32::to_string).collect();
            parts.push(format!("strikes={}", strikes.join("+")));
        }
        if let Some(operations) = self.operations {
            parts.push(format!("operations={operations}"));
        }
        if let Some(clients) = self.clients {
            parts.push(format!("clients={clients}"));
        }
        if let Some(kinds) = &self.kinds {
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
            parts.push(format!("kinds={}", kinds.join("+")));
        }
        if let Some(mix) = &self.mix {
            let mix: Vec<_> = mix.iter().map(|kind| dashed(*kind)).collect();
            parts.push(format!("mix={}", mix.join("+")));
        }
        if let Some(spares) = self.spares {
            parts.push(format!("spares={spares}"));
        }
        if let Some(cache) = self.cache {
            parts.push(format!("cache={cache}"));
        }
        if let Some(keep) = self.keep {
            parts.push(format!("keep={keep}"));
        }
        if self.repeat {
            parts.push("repeat".to_owned());
        }
        if let Some(nodes) = self.nodes {
            parts.push(format!("nodes={nodes}"));
        }
        if let Some(joiners) = self.joiners {
            parts.push(format!("joiners={joiners}"));
        }
        if self.unguarded {
            parts.push("unguarded".to_owned());
        }
        if self.mesh {
            parts.push("mesh".to_owned());
        }
        if let Some(lease) = self.lease {
            parts.push(format!("lease={lease}"));
        }
        if parts.is_empty() { Ok(()) } else { write!(f, ":{}", parts.join(",")) }
    }
}

impl FromStr for Case {
    type Err = BadCase;

    fn from_str(text: &str) -> Result<Self, BadCase> {
        read(text).map_err(|why| BadCase { case: text.to_owned(), why })
    }
}

fn read(text: &str) -> Result<Case, String> {
    let (seed, rest) = match text.split_once(':') {
        Some((seed, rest)) => (seed, Some(rest)),
        None => (text, None),
    };
    let wrong = || "a seed is a number below 2^64, in decimal or after 0x".to_owned();
    let mut case = Case::whole(number(seed).ok_or_else(wrong)?);
    let mut names = BTreeSet::new();
    for part in rest.iter().flat_map(|rest| rest.split(',')) {
        let name = part.split('=').next().unwrap_or(part);
        if !names.insert(name) {
            return Err(format!("`{name}` stands twice"));
        }
        read_part(&mut case, part)?;
    }
    Ok(case)
}

fn read_part(case: &mut Case, part: &str) -> Result<(), String> {
    let wrong = |wanted: &str| format!("`{part}` should be {wanted}");
    match part.split_once('=') {
        None if part == "busy" => case.busy = true,
        None if part == "zab" => case.zab = true,
        None if part == "repeat" => case.repeat = true,
        None if part == "unguarded" => case.unguarded = true,
        None if part == "mesh" => case.mesh = true,
        Some(("lease", drift)) => {
            let drift = drift.parse().ok().filter(|it| *it < 1_000);
            case.lease = Some(drift.ok_or_else(|| wrong("a drift per mille, such as lease=200"))?);
        }
        Some(("kinds", kinds)) => {
            let unknown =
                |name: &str| format!("no fault is called `{name}`; `sim faults` lists them");
            case.kinds = Some(named(kinds, Kind::named, unknown)?);
        }
        Some(("mix", mix)) => {
            let all: Vec<_> = crowd::Kind::ALL.iter().map(|kind| dashed(*kind)).collect();
            let unknown =
                |name: &str| format!("no operation is called `{name}`: {}", all.join(", "));
            case.mix = Some(named(mix, operation, unknown)?);
        }
        Some(("spares", spares)) => {
            case.spares = Some(count(spares).ok_or_else(|| wrong("a number"))?)
        }
        Some(("cache", cache)) => case.cache = Some(count(cache).ok_or_else(|| wrong("bytes"))?),
        Some(("keep", keep)) => case.keep = Some(count(keep).ok_or_else(|| wrong("bytes"))?),
        Some(("nodes", nodes)) => {
            let nodes = count(nodes).filter(|nodes| (1..=MOST_NODES).contains(nodes));
            case.nodes = Some(nodes.ok_or_else(|| wrong("a number from 1 to 8"))?);
        }
        Some(("joiners", joiners)) => {
            let joiners = count(joiners).filter(|joiners| *joiners <= MOST_NODES);
            case.joiners = Some(joiners.ok_or_else(|| wrong("a number up to 8"))?);
        }
        Some(("length", length)) => {
            let length = milliseconds(length).ok_or_else(|| wrong("a time, such as length=12s"))?;
            case.length = Some(length);
        }
        Some(("strikes", strikes)) => {
            let strikes = strikes.split('+').filter(|strike| !strike.is_empty());
            let strikes = strikes.map(|strike| strike.parse().ok().filter(|strike| *strike > 0));
            let strikes = strikes.collect::<Option<_>>();
            case.strikes =
                Some(strikes.ok_or_else(|| wrong("numbers from 1 on, such as strikes=3+17"))?);
        }
        Some(("operations", operations)) => {
            case.operations = Some(count(operations).ok_or_else(|| wrong("a number"))?);
        }
        Some(("clients", clients)) => {
            let clients = count(clients).filter(|clients| *clients > 0);
            case.clients = Some(clients.ok_or_else(|| wrong("a number from 1 on"))?);
        }
        _ => return Err(format!("`{part}` is not one of {PARTS}")),
    }
    Ok(())
}

fn count<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// What names joined by `+` stand for.
fn named<T>(
    names: &str,
    find: impl Fn(&str) -> Option<T>,
    unknown: impl Fn(&str) -> String,
) -> Result<Vec<T>, String> {
    names.split('+').map(|name| find(name).ok_or_else(|| unknown(name))).collect()
}

/// The name of a kind of operation as a case has it, without spaces.
fn dashed(kind: crowd::Kind) -> String {
    kind.name().replace(' ', "-")
}

/// A kind of operation by its name, which is written without spaces.
fn operation(name: &str) -> Option<crowd::Kind> {
    crowd::Kind::ALL.iter().copied().find(|kind| dashed(*kind) == name)
}

/// A seed in decimal, or in hexadecimal after `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn milliseconds(text: &str) -> Option<u64> {
    if let Some(milliseconds) = text.strip_suffix("ms") {
        return milliseconds.parse().ok();
    }
    text.strip_suffix('s')?.parse::<u64>().ok()?.checked_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let kinds = "9:kinds=kill+log-rot+kill,mix=put+get-all,spares=8,cache=0,keep=0,repeat,\
                     unguarded,lease=500";
        let members = "9:kinds=add-voter+two-operators,nodes=5,joiners=3";
        let length = "4711:length=12000ms,strikes=3+17";
        for text in ["0", "18446744073709551615", "7:busy", length, kinds, members] {
            assert_eq!(text.parse::<Case>().unwrap().to_string(), text);
        }
        let case: Case = "0x1f:length=12s,strikes=,operations=90,clients=4".parse().unwrap();
        assert_eq!(case.to_string(), "31:length=12000ms,strikes=,operations=90,clients=4");
        assert_eq!(case.to_string().parse::<Case>().unwrap(), case);
    }

    #[test]
    fn what_is_no_case_is_refused() {
        for text in [
            "",
            "x",
            "-1",
            "7:",
            "7:length=12",
            "7:colour=red",
            "7:strikes=a",
            "1:2:3",
            "7:kinds=x",
            "7:mix=putt",
            "7:strikes=0",
            "7:length=1s,length=2s",
            "7:busy,",
            "7:clients=0",
            "7:nodes=0",
            "7:joiners=9",
        ] {
            let read = text.parse::<Case>();
            assert!(read.is_err(), "{text} was read as {read:?}");
        }
        let why = |text: &str| text.parse::<Case>().unwrap_err().to_string();
        assert_eq!(
            why("7:length=12"),
            "`7:length=12` is no case: `length=12` should be a time, such as length=12s"
        );
        assert!(
            why("7:kinds=killl").ends_with("no fault is called `killl`; `sim faults` lists them")
        );
    }
}
