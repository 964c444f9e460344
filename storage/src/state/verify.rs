//! Reading everything, to find damage before somebody needs what is damaged.

use store::{BackendError, Revision};

use super::files::Files;
use super::table::Table;
use super::version::Version;
use crate::Identity;

/// What a scrub has read, and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Tables read.
    pub tables: u64,
    /// Blocks read.
    pub blocks: u64,
    /// Records that are whole.
    pub records: u64,
    /// Bytes of the tables.
    pub bytes: u64,
    /// Every damaged place: the file, and where in it.
    pub damage: Vec<String>,
}

pub(super) fn verify<F: Files>(files: &F, identity: Identity, version: &Version) -> Verified {
    let mut verified = Verified::default();
    for table in &version.tables {
        verified.tables += 1;
        verified.bytes += table.bytes;
        verify_table(files, identity, table, &mut verified);
    }
    verified
}

fn verify_table<F: Files>(files: &F, identity: Identity, table: &Table, into: &mut Verified) {
    match Table::open(files, identity, table.named()) {
        Ok(again) if again == *table => {}
        Ok(_) => into.damage.push(format!("{}: footer or index has changed", table.name())),
        Err(error) => into.damage.push(error.to_string()),
    }
    let mut last = None;
    for place in 0..table.blocks.len() {
        match verify_block(files, table, place, &mut last) {
            Ok(records) => into.records += records,
            Err(error) => into.damage.push(error.to_string()),
        }
        into.blocks += 1;
    }
}

/// The records of a block, all of which decode and ascend.
fn verify_block<F: Files>(
    files: &F,
    table: &Table,
    place: usize,
    last: &mut Option<Revision>,
) -> Result<u64, BackendError> {
    let at = table.blocks[place];
    let damaged = || table.damaged(at.offset);
    let block = table.block(files, place)?;
    let mut records = 0;
    for entry in block.iter() {
        let entry = entry.ok_or_else(damaged)?;
        entry.decode().ok_or_else(damaged)?;
        if *last >= Some(entry.revision) {
            return Err(damaged());
        }
        *last = Some(entry.revision);
        records += 1;
    }
    if records != at.records || block.records() != Some(records) {
        return Err(damaged());
    }
    Ok(u64::from(records))
}
