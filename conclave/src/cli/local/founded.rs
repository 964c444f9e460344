//! What a local cluster was founded with: its directory is of no use to another one.
//!
//! ```text
//! DIR/LOCAL   {"servers":3,"consensus":"zab","base_port":2379}
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use serde_json::{Value, json};

use super::Local;
use crate::config::Consensus;
use crate::failure::{Failure, Result};

const LOCAL: &str = "LOCAL";
const LOCAL_NEW: &str = "LOCAL.new";

/// The flags that have to be the same for as long as the directory is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Founded {
    pub(super) servers: u16,
    pub(super) consensus: Consensus,
    pub(super) base_port: u16,
}

impl Founded {
    fn flags(self) -> String {
        let Self { servers, consensus, base_port } = self;
        format!("--servers {servers} --consensus {} --base-port {base_port}", word(consensus))
    }

    fn write(self) -> String {
        let Self { servers, consensus, base_port } = self;
        let consensus = word(consensus);
        json!({ "servers": servers, "consensus": consensus, "base_port": base_port }).to_string()
    }

    fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let number = |name: &str| u16::try_from(value[name].as_u64()?).ok();
        Some(Self {
            servers: number("servers")?,
            consensus: Consensus::from_str(value["consensus"].as_str()?, false).ok()?,
            base_port: number("base_port")?,
        })
    }
}

fn word(consensus: Consensus) -> String {
    consensus.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Refuses a directory in which servers have begun with other flags, and notes these in one that is
/// new.
pub(super) fn check(local: &Local) -> Result {
    let Local { dir, servers, consensus, base_port, .. } = local;
    let given = Founded { servers: *servers, consensus: *consensus, base_port: *base_port };
    let begun = (1..=u16::MAX).map(|number| dir.join(format!("n{number}")));
    let has_begun = begun.take(99).any(|server: PathBuf| server.join("FORMAT").exists());
    if !has_begun {
        return note(dir, given).map_err(|error| {
            Failure::new(format!("cannot write {}: {error}", dir.join(LOCAL).display()))
        });
    }
    let Ok(text) = fs::read_to_string(dir.join(LOCAL)) else { return Ok(()) };
    match Founded::read(&text) {
        Some(founded) if founded != given => Err(Failure::new(format!(
            "{} was founded with {}: say the same, or choose another --dir",
            dir.display(),
            founded.flags()
        ))),
        // A note that is none says nothing against it.
        Some(_) | None => Ok(()),
    }
}

fn note(dir: &Path, given: Founded) -> std::io::Result<()> {
    fs::write(dir.join(LOCAL_NEW), given.write())?;
    fs::rename(dir.join(LOCAL_NEW), dir.join(LOCAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read() {
        let founded = Founded { servers: 5, consensus: Consensus::Zab, base_port: 7_000 };
        assert_eq!(Founded::read(&founded.write()), Some(founded));
        assert_eq!(founded.flags(), "--servers 5 --consensus zab --base-port 7000");
        for text in ["", "{}", "{\"servers\":70000,\"consensus\":\"zab\",\"base_port\":1}"] {
            assert_eq!(Founded::read(text), None, "{text}");
        }
    }
}
