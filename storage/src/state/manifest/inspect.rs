//! The manifest as a person wants to see it.

use protocol::Position;

use super::super::error::OpenError;
use super::super::files::Files;
use super::edit::Contents;
use super::recover::{candidates, winner};
use crate::Identity;

/// One copy of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyInspection {
    /// The file.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The number of its last whole record; `None` when it has none.
    pub sequence: Option<u64>,
    /// The log position of that record.
    pub applied: Option<Position>,
    /// Bytes up to the end of that record.
    pub used: u64,
    /// Nothing but zeros stands behind it. Otherwise a write was torn there, or it is damaged.
    pub clean: bool,
}

/// Every copy that is found, and what the one that holds says.
pub(in super::super) fn inspect<F: Files>(
    files: &F,
    identity: Identity,
) -> Result<(Vec<CopyInspection>, Option<Contents>), OpenError> {
    let candidates = candidates(files, identity)?;
    let copies = candidates.iter().map(|candidate| {
        let valid = candidate.valid.as_ref();
        CopyInspection {
            file: candidate.name.clone(),
            bytes: candidate.bytes.len() as u64,
            sequence: valid.map(|v| v.sequence),
            applied: valid.map(|v| v.contents.applied),
            used: valid.map_or(0, |v| v.end as u64),
            clean: candidate.is_clean(),
        }
    });
    let copies = copies.collect();
    Ok((copies, winner(&candidates).map(|(_, valid)| valid.contents.clone())))
}
