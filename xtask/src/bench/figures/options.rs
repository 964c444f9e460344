//! What a person asks for.

use std::error::Error;
use std::path::PathBuf;

use super::super::steady::Rate;
use super::super::system::System;

pub(super) const USAGE: &str = "\
usage: cargo xtask bench growth|leases|hang|cost [options]

  --only SYSTEM        conclave or etcd instead of both
  --rate N             puts a second while something happens (growth, leases, hang: 500)
  --keys N             keys of 1 KiB that the new member must get (growth: 1000000)
  --leases N           leases that end together (leases: 100000)
  --ends-in S          seconds from their first grant to their end (leases: 90)
  --runs N             how often the disk hangs (hang: 10), pairs of slices (cost: 5)
  --seconds S          how long puts are watched before and after; a slice (10; cost: 4)
  --against FILE       compare with this build instead of request ids (cost)
  --dir D              where the members keep their data (target/bench)
  --binary FILE        measure this program instead of building one
";

/// Clients that carry the rate.
const CLIENTS: u64 = 64;
/// The most of anything countable.
const COUNT_MAX: u64 = 100_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) only: Option<System>,
    pub(super) per_second: u64,
    pub(super) keys: u64,
    pub(super) leases: u64,
    pub(super) ends_in: u64,
    pub(super) runs: Option<u64>,
    pub(super) seconds: Option<u64>,
    pub(super) against: Option<PathBuf>,
    pub(super) dir: Option<PathBuf>,
    pub(super) binary: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: None,
            per_second: 500,
            keys: 1_000_000,
            leases: 100_000,
            ends_in: 90,
            runs: None,
            seconds: None,
            against: None,
            dir: None,
            binary: None,
        }
    }
}

impl Options {
    /// Reads `--flag value` pairs. An error names the flag.
    pub(super) fn parse(words: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut options = Self::default();
        for pair in words.chunks(2) {
            let &[flag, value] = pair else {
                return Err(format!("{} needs a value\n\n{USAGE}", pair[0]).into());
            };
            let refuse = |error: String| format!("{flag} {value}: {error}");
            let number = || number(value).map_err(refuse);
            match flag {
                "--only" => options.only = Some(system(value).map_err(refuse)?),
                "--rate" => options.per_second = number()?,
                "--keys" => options.keys = number()?,
                "--leases" => options.leases = number()?,
                "--ends-in" => options.ends_in = number()?,
                "--runs" => options.runs = Some(number()?),
                "--seconds" => options.seconds = Some(number()?),
                "--against" => options.against = Some(value.into()),
                "--dir" => options.dir = Some(value.into()),
                "--binary" => options.binary = Some(value.into()),
                _ => return Err(format!("no option {flag}\n\n{USAGE}").into()),
            }
        }
        Ok(options)
    }

    pub(super) fn rate(&self) -> Rate {
        Rate { per_second: self.per_second, clients: CLIENTS }
    }
}

fn number(text: &str) -> Result<u64, String> {
    let parsed = text.parse().ok().filter(|number| (1..=COUNT_MAX).contains(number));
    parsed.ok_or_else(|| format!("not a whole number from 1 to {COUNT_MAX}"))
}

fn system(text: &str) -> Result<System, String> {
    let found = System::BOTH.into_iter().find(|system| system.to_string() == text);
    found.ok_or_else(|| "write conclave or etcd".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_and_what_cannot_be_meant_is_refused() {
        assert_eq!(Options::parse(&[]).unwrap(), Options::default());
        let words = "--only etcd --rate 7 --keys 8 --leases 9 --ends-in 10 --runs 11 --seconds 12 \
                     --against a --dir d --binary b";
        let words: Vec<&str> = words.split_whitespace().collect();
        let expected = Options {
            only: Some(System::Etcd),
            per_second: 7,
            keys: 8,
            leases: 9,
            ends_in: 10,
            runs: Some(11),
            seconds: Some(12),
            against: Some("a".into()),
            dir: Some("d".into()),
            binary: Some("b".into()),
        };
        assert_eq!(Options::parse(&words).unwrap(), expected);
        for bad in ["--only zookeeper", "--rate 0", "--keys x", "--nothing 1", "--runs"] {
            let words: Vec<&str> = bad.split_whitespace().collect();
            let error = Options::parse(&words).unwrap_err().to_string();
            assert!(error.contains(words[0]), "{bad}: {error}");
        }
    }
}
