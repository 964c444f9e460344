//! `conclave inspect log`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use node::epochs;
use protocol::raft::HardState;
use protocol::zab::Epochs;
use serde_json::{Value, json};
use storage::datadir::DataDir;
use storage::disk::RealDisk;
use storage::log::{EntryReport, Inspection, SegmentReport};

use crate::cli::output::{self, Format, Output};
use crate::cli::table::table;
use crate::failure::{Failure, Result};

/// Print what a log holds: its segments, what is damaged and, when asked, every entry. Exits
/// with 1 when something is damaged.
///
/// Examples:
///
///   conclave inspect log /var/lib/conclave
///   conclave inspect log /var/lib/conclave --entries -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Log {
    /// The data directory, or the directory of the log itself.
    dir: PathBuf,
    /// Print every entry.
    #[arg(long)]
    entries: bool,
    #[command(flatten)]
    output: Output,
}

impl Log {
    pub(crate) fn run(&self) -> Result {
        let dir = super::part(&self.dir, "log");
        let shown = dir.display();
        let disk = RealDisk::open_read_only(&dir)
            .map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
        let log = match storage::log::inspect(&disk) {
            Ok(Some(log)) => log,
            Ok(None) => return Err(Failure::new(format!("{shown} holds no log"))),
            Err(error) => return Err(Failure::new(format!("{shown}: {error}"))),
        };
        let protocol = if is_of_zab(&dir) { Protocol::Zab } else { Protocol::Raft };
        match self.output.format {
            Format::Json => output::json(&document(&log, protocol, self.entries))?,
            Format::Plain => output::bytes(render(&log, protocol, self.entries).as_bytes())?,
        }
        if log.damage.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("{shown}: {} places are damaged", log.damage.len())))
    }
}

/// How the member's group agrees: what the numbers of the log mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Raft,
    Zab,
}

/// Of the log's own directory, which stands in the node's.
fn is_of_zab(log: &Path) -> bool {
    log.parent().is_some_and(DataDir::is_of_zab)
}

impl Protocol {
    const fn name(self) -> &'static str {
        match self {
            Self::Raft => "raft",
            Self::Zab => "zab",
        }
    }

    /// What a leader's time is called.
    const fn term(self) -> &'static str {
        match self {
            Self::Raft => "term",
            Self::Zab => "epoch",
        }
    }

    /// What the member has promised, and how far it knew entries to be committed.
    fn promised(self, hard_state: &HardState) -> String {
        let commit = hard_state.commit;
        let promised = match self {
            Self::Raft => {
                let vote = |id| format!("its vote for {id}");
                let vote = hard_state.vote.map_or_else(|| "no vote in it".to_owned(), vote);
                format!("term {}, {vote}", hard_state.term)
            }
            Self::Zab => {
                let Epochs { accepted, current } = epochs(hard_state);
                format!("epoch {accepted} accepted, {current} current")
            }
        };
        format!("{promised}, committed up to {commit} at least")
    }

    fn document(self, hard_state: &HardState) -> Value {
        let commit = hard_state.commit.0;
        match self {
            Self::Raft => {
                let vote = hard_state.vote.map(|id| id.to_string());
                json!({ "term": hard_state.term.0, "vote": vote, "commit": commit })
            }
            Self::Zab => {
                let Epochs { accepted, current } = epochs(hard_state);
                json!({
                    "accepted_epoch": accepted.0, "current_epoch": current.0, "commit": commit,
                })
            }
        }
    }
}

fn render(log: &Inspection, protocol: Protocol, entries: bool) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<12}{value}");
    };
    line("identity", identity(log));
    line("protocol", protocol.name().to_owned());
    line("format", log.version.to_string());
    let promised = protocol.promised(&log.hard_state);
    line("hard state", format!("{promised} (written {} times)", log.generation));
    line("base", log.base.to_string());
    line("last", log.last.to_string());
    let terms: Vec<_> =
        log.terms.iter().map(|(from, term)| format!("{term} from {from}")).collect();
    line(&format!("{}s", protocol.term()), terms.join(", "));
    if let Some(index) = log.doubt {
        line("doubt", format!("entries up to {index} may have been acknowledged and are missing"));
    }
    for damage in &log.damage {
        line("damage", damage.to_string());
    }
    line("spares", log.spares.len().to_string());
    text.push('\n');
    let headings = ["SEGMENT", "FILE", "BYTES", "AFTER", "WRITES", "ENTRIES"];
    text += &table(&headings, &log.segments.iter().map(segment_cells).collect::<Vec<_>>());
    if entries {
        text.push('\n');
        let position = format!("INDEX@{}", protocol.term().to_uppercase());
        let headings = [position.as_str(), "KIND", "FILE", "OFFSET", "PAYLOAD", "CRC"];
        text += &table(&headings, &entry_rows(log));
    }
    text
}

fn identity(log: &Inspection) -> String {
    format!("node {:016x} of cluster {:016x}", log.identity.node.0, log.identity.cluster.0)
}

fn segment_cells(segment: &SegmentReport) -> Vec<String> {
    let entries: usize = segment.writes.iter().map(|write| write.entries.len()).sum();
    vec![
        segment.number.to_string(),
        segment.file.clone(),
        segment.bytes.to_string(),
        segment.begins_after.to_string(),
        segment.writes.len().to_string(),
        entries.to_string(),
    ]
}

/// Each entry with its segment, in the order they were written.
fn all_entries(log: &Inspection) -> impl Iterator<Item = (&SegmentReport, &EntryReport)> {
    log.segments.iter().flat_map(|segment| {
        let entries = segment.writes.iter().flat_map(|write| &write.entries);
        entries.map(move |entry| (segment, entry))
    })
}

fn entry_rows(log: &Inspection) -> Vec<Vec<String>> {
    let cells = |(segment, entry): (&SegmentReport, &EntryReport)| {
        vec![
            entry.position.to_string(),
            entry.kind.unwrap_or("damaged").to_owned(),
            segment.file.clone(),
            entry.offset.to_string(),
            entry.payload_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
            entry.checksum.map_or_else(|| "-".to_owned(), |crc| format!("{crc:08x}")),
        ]
    };
    all_entries(log).map(cells).collect()
}

fn document(log: &Inspection, protocol: Protocol, entries: bool) -> Value {
    let segment = |segment: &SegmentReport| {
        json!({
            "number": segment.number,
            "file": segment.file,
            "bytes": segment.bytes,
            "begins_after": segment.begins_after.to_string(),
            "writes": segment.writes.len(),
            "entries": segment.writes.iter().map(|write| write.entries.len()).sum::<usize>(),
        })
    };
    let mut value = json!({
        "identity": identity(log),
        "format": log.version,
        "protocol": protocol.name(),
        "hard_state": protocol.document(&log.hard_state),
        "base": log.base.to_string(),
        "last": log.last.to_string(),
        "doubt": log.doubt.map(|index| index.to_string()),
        "damage": log.damage.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "segments": log.segments.iter().map(segment).collect::<Vec<_>>(),
        "spares": log.spares,
    });
    if entries {
        let entry = |(segment, entry): (&SegmentReport, &EntryReport)| {
            json!({
                "position": entry.position.to_string(),
                "kind": entry.kind,
                "file": segment.file,
                "offset": entry.offset,
                "payload_bytes": entry.payload_bytes,
                "crc32c": entry.checksum,
            })
        };
        value["entries"] = all_entries(log).map(entry).collect();
    }
    value
}
