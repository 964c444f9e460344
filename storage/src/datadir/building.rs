//! A data directory that is put together in its place, and that nobody may use before it is whole.
//!
//! ```text
//! DIR/   LOCK RESTORING              begun
//! DIR/   … log/ state/ (scratch/)    without FORMAT: no member starts on it
//! DIR/   … FORMAT                    whole
//! DIR/   RESTORING removed
//! ```
//!
//! A crash leaves a directory that says that it is not whole: a member refuses it, instead of
//! beginning anew with nothing, and the next attempt clears it and goes on. It is not put together
//! elsewhere and renamed, since a data directory may be a file system of its own.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{
    DataDirError, FOLDERS, FORMAT, FORMAT_NEW, LOCK, MARK, classify, create_folder, lock,
    sync_folder, write_format,
};
use crate::Identity;

/// What a file system has at its root.
const LOST: &str = "lost+found";
/// What is needed on the way.
const SCRATCH: &str = "scratch";

/// A data directory that is being put together.
#[derive(Debug)]
pub struct Building {
    path: PathBuf,
    _lock: File,
}

impl Building {
    /// Begins a directory, where nothing may stand but an empty one, or one that was begun and not
    /// finished.
    ///
    /// # Errors
    /// [`DataDirError`]: [`DataDirError::NotEmpty`], or [`DataDirError::Locked`] when another
    /// process is at work there.
    pub fn begin(path: impl AsRef<Path>) -> Result<Self, DataDirError> {
        let path = path.as_ref().to_owned();
        refuse_filled(&path)?;
        create_folder(&path)?;
        let lock = lock(&path)?;
        // Somebody else may have been there before the lock was.
        refuse_filled(&path)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(path.join(MARK)).map_err(classify(&path))?;
        sync_folder(&path)?;
        remove_folder(&path.join(SCRATCH))?;
        for folder in FOLDERS {
            let folder = path.join(folder);
            remove_folder(&folder)?;
            create_folder(&folder)?;
        }
        sync_folder(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where the state backend's files are put.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path.join(FOLDERS[1])
    }

    /// Where the log's files are put.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join(FOLDERS[0])
    }

    /// A folder for what is needed on the way, and is gone when the directory is whole.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn scratch(&self) -> Result<PathBuf, DataDirError> {
        let folder = self.path.join(SCRATCH);
        create_folder(&folder)?;
        Ok(folder)
    }

    /// Nothing is to come of it: removes what was begun.
    ///
    /// # Errors
    /// [`DataDirError`]; what is left says that it is not whole.
    pub fn give_up(self) -> Result<(), DataDirError> {
        for folder in FOLDERS.iter().chain(&[SCRATCH]) {
            remove_folder(&self.path.join(folder))?;
        }
        forget(&self.path)?;
        // The lock's file goes too: it would be all that is left.
        fs::remove_file(self.path.join(LOCK)).map_err(classify(&self.path))?;
        sync_folder(&self.path)
    }

    /// All is written and durable: from here on it is the directory of this node.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn finish(self, identity: Identity) -> Result<(), DataDirError> {
        remove_folder(&self.path.join(SCRATCH))?;
        write_format(&self.path, identity)?;
        fs::remove_file(self.path.join(MARK)).map_err(classify(&self.path))?;
        sync_folder(&self.path)
    }
}

/// Removes a folder, if it is there.
fn remove_folder(folder: &Path) -> Result<(), DataDirError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(classify(folder)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Refuses what has anything in it that is not left from an attempt to put it together.
fn refuse_filled(path: &Path) -> Result<(), DataDirError> {
    let names = match fs::read_dir(path) {
        Ok(names) => names,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(classify(path)(error)),
    };
    let unfinished = is_unfinished(path);
    for name in names {
        let name = name.map_err(classify(path))?.file_name();
        let left = [MARK, FORMAT_NEW, SCRATCH].iter().chain(&FOLDERS).any(|left| *left == name);
        if name != LOCK && name != LOST && !(unfinished && left) {
            return Err(DataDirError::NotEmpty(path.to_owned()));
        }
    }
    Ok(())
}

/// Whether a directory was begun and not finished.
pub(super) fn is_unfinished(path: &Path) -> bool {
    path.join(MARK).exists() && !path.join(FORMAT).exists()
}

/// Of a directory that is whole, the mark has nothing more to say.
pub(super) fn forget(path: &Path) -> Result<(), DataDirError> {
    match fs::remove_file(path.join(MARK)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(classify(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
