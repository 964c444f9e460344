//! A state as a person wants to see it, without changing anything.

use std::path::Path;

use protocol::{Index, Position};
use store::{Recovery, Revision};

use super::error::OpenError;
use super::files::{Files, RealFiles};
use super::manifest::{self, Contents, CopyInspection};
use super::table::{self, Table, TableName};
use super::verify::{Verified, verify};
use super::version::Version;
use crate::Identity;

/// What a directory of a state holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The position of the last flush; `None` when there is no state.
    pub applied: Option<Position>,
    /// The newest revision ever flushed.
    pub newest: Option<Revision>,
    /// Number and bytes of the metadata's values, names included.
    pub meta: (usize, u64),
    /// The recoveries that it has come through, each with the index of its entry.
    pub recoveries: Vec<(Index, Recovery)>,
    /// The copies of the manifest.
    pub copies: Vec<CopyInspection>,
    /// The tables that live, by ascending number.
    pub tables: Vec<TableInspection>,
    /// Files that nothing names: the next start removes those that are a state's.
    pub strays: Vec<String>,
    /// What reading all of it has found; `None` unless it was asked for.
    pub verified: Option<Verified>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInspection {
    /// The file.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// What its footer and index say, or what is wrong with them.
    pub summary: Result<TableSummary, String>,
}

/// What the end of a table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSummary {
    /// Records.
    pub records: u64,
    /// Blocks.
    pub blocks: u64,
    /// The first revision.
    pub first: Revision,
    /// The last revision.
    pub last: Revision,
}

/// Looks at the state in a directory. Every record is read when `thorough`.
///
/// # Errors
/// [`OpenError::Foreign`], [`OpenError::Version`] and [`OpenError::Io`]; damage is not an error
/// here but part of the answer.
pub fn inspect(
    directory: &Path,
    identity: Identity,
    thorough: bool,
) -> Result<Inspection, OpenError> {
    let files = RealFiles::open_read_only(directory)
        .map_err(|e| OpenError::io(&format!("open {}", directory.display()), &e))?;
    inspect_files(&files, identity, thorough)
}

/// As [`inspect`], of any files.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_files<F: Files>(
    files: &F,
    identity: Identity,
    thorough: bool,
) -> Result<Inspection, OpenError> {
    let (copies, contents) = manifest::inspect(files, identity)?;
    let list = files.list().map_err(|e| OpenError::io("list the state's files", &e))?;
    let mut inspection = Inspection { copies, ..Inspection::default() };
    let known = contents.clone().unwrap_or_default();
    inspection.strays = list
        .into_iter()
        .map(|info| info.name)
        .filter(|name| !manifest::is_file_name(name) && !is_live_table(name, &known))
        .collect();
    let Some(contents) = contents else { return Ok(inspection) };
    inspection.applied = Some(contents.applied);
    inspection.newest = Some(contents.newest);
    let meta_bytes = contents.meta.iter().map(|(name, value)| name.len() + value.len());
    inspection.recoveries =
        store::recoveries(contents.meta.iter().map(|(name, value)| (name.clone(), value.clone())));
    inspection.meta = (contents.meta.len(), meta_bytes.sum::<usize>() as u64);
    let mut sound = Vec::new();
    for named in contents.tables.values() {
        let table = Table::open(files, identity, *named);
        inspection.tables.push(describe(*named, table.as_ref()));
        sound.extend(table.ok().map(std::sync::Arc::new));
    }
    if thorough {
        inspection.verified = Some(verify(files, identity, &Version { tables: sound }));
    }
    Ok(inspection)
}

fn is_live_table(name: &str, contents: &Contents) -> bool {
    table::number_of_file_name(name).is_some_and(|id| contents.tables.contains_key(&id))
}

fn describe(named: TableName, table: Result<&Table, &store::BackendError>) -> TableInspection {
    let summary = |table: &Table| TableSummary {
        records: table.records,
        blocks: table.blocks.len() as u64,
        first: table.first,
        last: table.last,
    };
    TableInspection {
        file: table::file_name(named.id),
        bytes: named.bytes,
        summary: table.map(summary).map_err(ToString::to_string),
    }
}
