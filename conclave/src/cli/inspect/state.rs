//! `conclave inspect state`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use storage::datadir::DataDir;
use storage::state::{CopyInspection, Inspection, TableInspection, Verified};

use crate::cli::output::{self, Format, Output};
use crate::cli::recover;
use crate::cli::table::table;
use crate::failure::{Failure, Result};

/// Print what a state holds: its tables, how far it has come, and what is damaged. Exits with 1
/// when something is damaged.
///
/// Examples:
///
///   conclave inspect state /var/lib/conclave
///   conclave inspect state /var/lib/conclave --verify -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct State {
    /// The data directory.
    dir: PathBuf,
    /// Read every record, and check it.
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    output: Output,
}

impl State {
    pub(crate) fn run(&self) -> Result {
        let shown = self.dir.display();
        let identity = match DataDir::identity(&self.dir) {
            Ok(Some(identity)) => identity,
            Ok(None) => return Err(Failure::new(format!("{shown} is no data directory"))),
            Err(error) => return Err(Failure::new(error)),
        };
        let state = storage::state::inspect(&self.dir.join("state"), identity, self.verify)
            .map_err(|error| Failure::new(format!("{shown}: {error}")))?;
        match self.output.format {
            Format::Json => output::json(&document(&state))?,
            Format::Plain => output::bytes(render(&state).as_bytes())?,
        }
        let damaged = damaged(&state);
        if damaged == 0 {
            return Ok(());
        }
        Err(Failure::new(format!("{shown}: {damaged} places are damaged")))
    }
}

/// How many places do not verify. What stands behind a copy's last whole record may be a write
/// that was torn by a crash, and is no damage.
fn damaged(state: &Inspection) -> usize {
    let tables = state.tables.iter().filter(|table| table.summary.is_err()).count();
    tables + state.verified.as_ref().map_or(0, |verified| verified.damage.len())
}

fn render(state: &Inspection) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<12}{value}");
    };
    let none = || "nothing was flushed yet".to_owned();
    line("applied", state.applied.map_or_else(none, |position| position.to_string()));
    line("newest", state.newest.map_or_else(none, |revision| format!("{revision:?}")));
    line("metadata", format!("{} values, {} bytes", state.meta.0, state.meta.1));
    for (at, recovery) in &state.recoveries {
        line("recovered", recover::words(*at, recovery));
    }
    if let Some(verified) = &state.verified {
        let Verified { tables, blocks, records, bytes, damage } = verified;
        line(
            "verified",
            format!("{tables} tables, {blocks} blocks, {records} records, {bytes} bytes"),
        );
        for place in damage {
            line("damage", place.clone());
        }
    }
    for stray in &state.strays {
        line("stray", stray.clone());
    }
    text.push('\n');
    let headings = ["MANIFEST", "BYTES", "SEQUENCE", "APPLIED", "USED", "CLEAN"];
    text += &table(&headings, &state.copies.iter().map(copy_cells).collect::<Vec<_>>());
    text.push('\n');
    let headings = ["TABLE", "BYTES", "RECORDS", "BLOCKS", "FIRST", "LAST"];
    text += &table(&headings, &state.tables.iter().map(table_cells).collect::<Vec<_>>());
    text
}

fn copy_cells(copy: &CopyInspection) -> Vec<String> {
    let dash = || "-".to_owned();
    vec![
        copy.file.clone(),
        copy.bytes.to_string(),
        copy.sequence.map_or_else(dash, |sequence| sequence.to_string()),
        copy.applied.map_or_else(dash, |applied| applied.to_string()),
        copy.used.to_string(),
        if copy.clean { "yes" } else { "no" }.to_owned(),
    ]
}

fn table_cells(table: &TableInspection) -> Vec<String> {
    let mut cells = vec![table.file.clone(), table.bytes.to_string()];
    match &table.summary {
        Ok(summary) => cells.extend([
            summary.records.to_string(),
            summary.blocks.to_string(),
            format!("{:?}", summary.first),
            format!("{:?}", summary.last),
        ]),
        Err(error) => {
            cells.extend(["-".to_owned(), "-".to_owned(), "-".to_owned(), error.clone()]);
        }
    }
    cells
}

fn document(state: &Inspection) -> Value {
    let copy = |copy: &CopyInspection| {
        json!({
            "file": copy.file,
            "bytes": copy.bytes,
            "sequence": copy.sequence,
            "applied": copy.applied.map(|applied| applied.to_string()),
            "used": copy.used,
            "clean": copy.clean,
        })
    };
    let table = |table: &TableInspection| match &table.summary {
        Ok(summary) => json!({
            "file": table.file,
            "bytes": table.bytes,
            "records": summary.records,
            "blocks": summary.blocks,
            "first": format!("{:?}", summary.first),
            "last": format!("{:?}", summary.last),
        }),
        Err(error) => json!({ "file": table.file, "bytes": table.bytes, "damage": error }),
    };
    let verified = |verified: &Verified| {
        json!({
            "tables": verified.tables,
            "blocks": verified.blocks,
            "records": verified.records,
            "bytes": verified.bytes,
            "damage": verified.damage,
        })
    };
    json!({
        "applied": state.applied.map(|applied| applied.to_string()),
        "newest": state.newest.map(|newest| format!("{newest:?}")),
        "metadata": { "values": state.meta.0, "bytes": state.meta.1 },
        "recoveries": state.recoveries.iter().map(recover::document).collect::<Vec<_>>(),
        "manifests": state.copies.iter().map(copy).collect::<Vec<_>>(),
        "tables": state.tables.iter().map(table).collect::<Vec<_>>(),
        "strays": state.strays,
        "verified": state.verified.as_ref().map(verified),
    })
}
