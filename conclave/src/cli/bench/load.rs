//! How much load, from how many clients, on which keys: what all measurements share.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use client::Client;

use crate::cli::target::Target;
use crate::config::duration;
use crate::failure::{Failure, Result};

/// The load.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// How many requests are under way at any time.
    #[arg(long, default_value_t = 1, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) clients: u32,
    /// How many connections carry them, spread over the endpoints; one to each unless given.
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    conns: Option<u32>,
    /// Stop after this many requests; 10000 unless --duration is given.
    #[arg(long, value_name = "N")]
    total: Option<u64>,
    /// Stop after this time, such as 30s.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    duration: Option<Duration>,
    /// Requests of this first part of the run are not counted.
    #[arg(long, value_parser = duration, value_name = "TIME", default_value = "0s")]
    #[arg(hide_default_value = true)]
    pub(crate) warmup: Duration,
    /// Start this many requests a second, and measure each from when it was due; without it,
    /// each client sends its next request when the last one is answered.
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) rate: Option<u64>,
    /// How many different keys there are.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    key_space: u64,
    /// What the keys begin with.
    #[arg(long, default_value = "bench/", value_name = "TEXT")]
    pub(crate) key_prefix: String,
    /// Makes the choice of keys repeatable.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Go on after errors, and report how long no request succeeded.
    #[arg(long)]
    pub(crate) tolerate: bool,
    /// Note every answer and every failure in this file: when it came, and after how long.
    #[arg(long, value_name = "FILE")]
    pub(crate) samples: Option<PathBuf>,
}

impl Load {
    /// How many requests are made at most.
    pub(crate) fn total(&self) -> u64 {
        match (self.total, self.duration) {
            (Some(total), _) => total,
            (None, Some(_)) => u64::MAX,
            (None, None) => 10_000,
        }
    }

    /// How long requests are made at most.
    pub(crate) fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// The key of the request with this number.
    pub(crate) fn key(&self, number: u64) -> Bytes {
        let key = scatter(number ^ scatter(self.seed)) % self.key_space;
        Bytes::from(format!("{}{key:012}", self.key_prefix))
    }

    /// The key with this number, where every key is written once.
    pub(crate) fn key_in_order(&self, number: u64) -> Bytes {
        Bytes::from(format!("{}{:012}", self.key_prefix, number % self.key_space))
    }

    /// A client with as many connections as were asked for.
    pub(crate) fn client(&self, target: &Target) -> Result<Client> {
        let endpoints = &target.endpoints;
        let conns = match self.conns {
            Some(conns) => usize::try_from(conns).map_err(Failure::usage)?,
            None => endpoints.len(),
        };
        let repeated = endpoints.iter().cycle().take(conns).cloned();
        Ok(Client::new(target.options(repeated.collect()))?)
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): spreads neighbouring numbers over
/// all 64-bit numbers, one to one.
pub(crate) fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::collections::BTreeSet;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Parsed {
        #[command(flatten)]
        load: Load,
    }

    fn load(arguments: &[&str]) -> Load {
        Parsed::try_parse_from(arguments).unwrap().load
    }

    #[test]
    fn a_run_ends_by_count_or_by_time() {
        assert_eq!((load(&[]).total(), load(&[]).duration()), (10_000, None));
        let timed = load(&["--duration", "2s"]);
        assert_eq!((timed.total(), timed.duration()), (u64::MAX, Some(Duration::from_secs(2))));
        assert_eq!(load(&["--duration", "2s", "--total", "5"]).total(), 5);
    }

    #[test]
    fn keys_are_repeatable_and_cover_the_space() {
        let load = load(&["--key-space", "50", "--key-prefix", "p/"]);
        let keys: BTreeSet<_> = (0..2_000).map(|number| load.key(number)).collect();
        assert_eq!(keys.len(), 50);
        assert!(keys.iter().all(|key| key.starts_with(b"p/")));
        assert_eq!(load.key(7), load.key(7));
        let keys: BTreeSet<_> = (0..50).map(|number| load.key_in_order(number)).collect();
        assert_eq!((keys.len(), load.key_in_order(51)), (50, load.key_in_order(1)));
    }

    #[test]
    fn scattering_meets_the_published_sequence() {
        // The first outputs of SplitMix64 from seed 0, and the state it reaches after one step.
        assert_eq!(scatter(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(scatter(0x9e37_79b9_7f4a_7c15), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn a_load_without_clients_is_refused() {
        assert!(Parsed::try_parse_from(["--clients", "0"]).is_err());
        assert!(Parsed::try_parse_from(["--key-space", "0"]).is_err());
        assert!(Parsed::try_parse_from(["--rate", "0"]).is_err());
    }
}
