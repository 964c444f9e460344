//! A directory that goes over to another node: the member it was of cannot come back, and the
//! process goes on as a new one.
//!
//! ```text
//! DIR/SUCCESSOR            who is to own the directory, as FORMAT has it: from here on it does
//! DIR/outdated-N/…         all there was, moved there; of such folders only the last is kept
//! DIR/FORMAT               SUCCESSOR, renamed: done
//! ```
//!
//! After a crash in the middle, the next start goes on where it ended.

use std::fs;
use std::path::{Path, PathBuf};

use super::{
    DataDirError, FOLDERS, FORMAT, LOCK, Note, classify, create_folder, encode_format, lock,
    numbered, sync_folder, write_whole,
};
use crate::Identity;

pub(super) const SUCCESSOR: &str = "SUCCESSOR";
const SUCCESSOR_NEW: &str = "SUCCESSOR.new";
const ASIDE: &str = "outdated-";

/// Gives the directory to another node. What was in it is put aside, for people to look at.
pub(super) fn hand_over(path: &Path, heir: Identity) -> Result<PathBuf, DataDirError> {
    let _lock = lock(path)?;
    write_whole(path, (SUCCESSOR_NEW, SUCCESSOR), &encode_format(heir))?;
    complete(path)
}

/// Brings a succession to its end. Gives where the old content is.
pub(super) fn complete(path: &Path) -> Result<PathBuf, DataDirError> {
    let older = numbered(path, ASIDE)?;
    let last = older.iter().max_by_key(|(number, _)| *number);
    // A crash in the middle has left a folder that lacks `FORMAT`, or that has all.
    let begun =
        last.filter(|(_, folder)| !folder.join(FORMAT).exists() || !path.join(FORMAT).exists());
    let next = last.map_or(1, |(number, _)| number + 1);
    let aside =
        begun.map_or_else(|| path.join(format!("{ASIDE}{next}")), |(_, folder)| folder.clone());
    create_folder(&aside)?;
    // `FORMAT` goes last: while it stands there, there may be more to move.
    let notes = [Note::Acquaintances.name(), Note::Life.name()];
    for name in FOLDERS.into_iter().chain(notes).chain([FORMAT]) {
        let from = path.join(name);
        if from.exists() {
            fs::rename(&from, aside.join(name)).map_err(classify(&from))?;
        }
    }
    sync_folder(&aside)?;
    sync_folder(path)?;
    fs::rename(path.join(SUCCESSOR), path.join(FORMAT)).map_err(classify(path))?;
    sync_folder(path)?;
    for (_, folder) in older.into_iter().filter(|(_, folder)| *folder != aside) {
        fs::remove_dir_all(&folder).map_err(classify(&folder))?;
    }
    debug_assert!(path.join(LOCK).exists(), "the lock stays where it is");
    Ok(aside)
}
