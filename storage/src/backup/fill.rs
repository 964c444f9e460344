//! From a backup to a state that a new cluster begins with.

use std::io::Read;

use bytes::Bytes;
use protocol::Position;
use store::snapshot::Piece;
use store::{BackendError, Bump, Limits, RestoreError, Restoring, Store, inherit};

use super::{BackupError, BackupReader};
use crate::state::{Files, State};

/// Why a state was not filled. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The backup is of no use.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The state could not be written.
    #[error(transparent)]
    State(#[from] BackendError),
}

/// Puts the content of a backup in the place of what a state holds, in one atomic step after all of
/// it was verified; gives the revision that the new cluster goes on from. `look` gets how many
/// bytes of the backup have been read.
///
/// # Errors
/// [`FillError`]; what was staged is gone with the next start.
pub fn fill<R: Read, F: Files>(
    state: &mut State<F>,
    reader: &mut BackupReader<R>,
    bump: Bump,
    look: impl FnMut(u64),
) -> Result<i64, FillError> {
    fill_as(state, reader, |meta, applied| inherit(meta, applied, bump), look)
}

/// The same, with another judgement of what of the metadata is inherited.
///
/// # Errors
/// As [`fill`].
pub fn fill_as<R: Read, F: Files>(
    state: &mut State<F>,
    reader: &mut BackupReader<R>,
    inherit: impl Fn(Vec<(Bytes, Bytes)>, Position) -> Result<Vec<(Bytes, Bytes)>, RestoreError>,
    mut look: impl FnMut(u64),
) -> Result<i64, FillError> {
    let applied = reader.header().applied;
    let mut meta: Vec<(Bytes, Bytes)> = Vec::new();
    let mut building: Option<Restoring> = None;
    let begin = |meta: &mut Vec<_>| {
        *meta = inherit(std::mem::take(meta), applied).map_err(BackupError::State)?;
        Store::restore(Limits::default(), meta.clone()).map_err(BackupError::State)
    };
    state.stage_begin()?;
    while let Some(piece) = reader.piece()? {
        match piece {
            Piece::Meta(more) => meta.extend(more),
            Piece::Records(records) => {
                let building = match &mut building {
                    Some(building) => building,
                    none => none.insert(begin(&mut meta)?),
                };
                records.iter().for_each(|(revision, record)| building.record(*revision, record));
                state.stage(&records)?;
            }
            Piece::End(_) => {}
        }
        look(reader.offset());
    }
    let building = match building {
        Some(building) => building,
        None => begin(&mut meta)?,
    };
    // That it makes a state is known before it takes the place of another.
    let (store, _) = building.finish().map_err(BackupError::State)?;
    state.install(&meta, applied)?;
    Ok(store.revision())
}
