//! `conclave inspect log`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use protocol::raft::HardState;
use serde_json::{Value, json};
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
        match self.output.format {
            Format::Json => output::json(&document(&log, self.entries))?,
            Format::Plain => output::bytes(render(&log, self.entries).as_bytes())?,
        }
        if log.damage.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("{shown}: {} places are damaged", log.damage.len())))
    }
}

fn render(log: &Inspection, entries: bool) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<12}{value}");
    };
    line("identity", identity(log));
    line("format", log.version.to_string());
    line("hard state", format!("{} (written {} times)", hard_state(log), log.generation));
    line("base", log.base.to_string());
    line("last", log.last.to_string());
    let terms: Vec<_> =
        log.terms.iter().map(|(from, term)| format!("{term} from {from}")).collect();
    line("terms", terms.join(", "));
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
        let headings = ["INDEX@TERM", "KIND", "FILE", "OFFSET", "PAYLOAD", "CRC"];
        text += &table(&headings, &entry_rows(log));
    }
    text
}

fn identity(log: &Inspection) -> String {
    format!("node {:016x} of cluster {:016x}", log.identity.node.0, log.identity.cluster.0)
}

/// What the member has promised, and how far it knew entries to be committed.
fn hard_state(log: &Inspection) -> String {
    let HardState { term, vote, commit } = log.hard_state;
    let vote = vote.map_or_else(|| "no vote in it".to_owned(), |id| format!("its vote for {id}"));
    format!("term {term}, {vote}, committed up to {commit} at least")
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

fn document(log: &Inspection, entries: bool) -> Value {
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
        "hard_state": {
            "term": log.hard_state.term.0,
            "vote": log.hard_state.vote.map(|id| id.to_string()),
            "commit": log.hard_state.commit.0,
        },
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
