//! What a person asks for.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub(crate) const USAGE: &str = "\
usage: cargo xtask bench [options]
       cargo xtask bench partitions [options]   members that reach some others and not all
       cargo xtask bench growth|leases|hang|cost [--help]

  --slices N           measured slices of each load and system, after one to warm up (5)
  --seconds S          the length of a slice (4)
  --loads LIST         put:CLIENTS and range:CLIENTS (put:1,put:64,put:256,range:64)
  --startup-keys N     keys in the store whose start is timed; 0 leaves that out (1000000)
  --dir D              where the members keep their data: the disk matters (target/bench)
  --binary FILE        measure this program instead of building one
  --json FILE          write every slice there, for programs
";

/// The most of anything countable; far beyond what a person waits for.
const COUNT_MAX: u64 = 1_000_000_000;

/// One kind of request from a number of clients, each with one request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) kind: Kind,
    pub(crate) clients: u32,
}

/// What is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Writes of 256 bytes.
    Put,
    /// Linearizable reads of one key.
    Range,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// How many measured slices each load has on each system.
    pub(crate) slices: u64,
    /// The length of a slice.
    pub(crate) seconds: u64,
    pub(crate) loads: Vec<Load>,
    /// How many keys the store holds whose start is timed; none leaves it out.
    pub(crate) startup_keys: Option<u64>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) binary: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let put = |clients| Load { kind: Kind::Put, clients };
        Self {
            slices: 5,
            seconds: 4,
            loads: vec![put(1), put(64), put(256), Load { kind: Kind::Range, clients: 64 }],
            startup_keys: Some(1_000_000),
            dir: None,
            binary: None,
            json: None,
        }
    }
}

impl Options {
    /// Reads `--flag value` pairs. An error names the flag.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Box<dyn Error>> {
        let mut options = Self::default();
        for pair in words.chunks(2) {
            let &[flag, value] = pair else {
                return Err(format!("{} needs a value\n\n{USAGE}", pair[0]).into());
            };
            let refuse = |error: String| format!("{flag} {value}: {error}");
            match flag {
                "--slices" => options.slices = number(value, 1).map_err(refuse)?,
                "--seconds" => options.seconds = number(value, 1).map_err(refuse)?,
                "--loads" => options.loads = loads(value).map_err(refuse)?,
                "--startup-keys" => {
                    let keys = number(value, 0).map_err(refuse)?;
                    options.startup_keys = (keys > 0).then_some(keys);
                }
                "--dir" => options.dir = Some(value.into()),
                "--binary" => options.binary = Some(value.into()),
                "--json" => options.json = Some(value.into()),
                _ => return Err(format!("no option {flag}\n\n{USAGE}").into()),
            }
        }
        Ok(options)
    }
}

fn number(text: &str, least: u64) -> Result<u64, String> {
    let parsed = text.parse().ok().filter(|number| (least..=COUNT_MAX).contains(number));
    parsed.ok_or_else(|| format!("not a whole number from {least} to {COUNT_MAX}"))
}

fn loads(text: &str) -> Result<Vec<Load>, String> {
    text.split(',').map(str::parse).collect()
}

impl Kind {
    /// The word for it on `conclave bench`'s command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Range => "range",
        }
    }
}

impl FromStr for Load {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(kind, clients)| {
            let kind = [Kind::Put, Kind::Range].into_iter().find(|one| one.word() == kind)?;
            let clients = clients.parse().ok().filter(|clients| (1..=100_000).contains(clients))?;
            Some(Self { kind, clients })
        });
        parsed.ok_or_else(|| format!("`{text}` is no load; write `put:64` or `range:64`"))
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.word(), self.clients)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_given_is_the_default_and_its_loads_print_as_they_are_written() {
        let options = Options::parse(&[]).unwrap();
        assert_eq!(options, Options::default());
        let printed: Vec<String> = options.loads.iter().map(Load::to_string).collect();
        let text = printed.join(",");
        assert!(USAGE.contains(&text), "{text}");
        assert_eq!(loads(&text).unwrap(), options.loads);
    }

    #[test]
    fn every_option_is_taken() {
        let words = "--slices 2 --seconds 3 --loads range:7 --startup-keys 0 --dir d --binary b \
                     --json j";
        let words: Vec<&str> = words.split_whitespace().collect();
        let expected = Options {
            slices: 2,
            seconds: 3,
            loads: vec![Load { kind: Kind::Range, clients: 7 }],
            startup_keys: None,
            dir: Some("d".into()),
            binary: Some("b".into()),
            json: Some("j".into()),
        };
        assert_eq!(Options::parse(&words).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_flag_in_the_answer() {
        let bad = [
            "--slices 0",
            "--slices many",
            "--seconds -1",
            "--loads put",
            "--loads put:0",
            "--loads del:1",
            "--loads put:1,,put:2",
            "--startup-keys 2000000000",
            "--nothing 1",
            "--json",
        ];
        for text in bad {
            let words: Vec<&str> = text.split_whitespace().collect();
            let error = Options::parse(&words).unwrap_err().to_string();
            assert!(error.contains(words[0]), "{text}: {error}");
        }
    }
}
