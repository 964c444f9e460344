//! The directory of a member that does not run, for whoever wants to read it. Nothing in it is
//! changed, not even where it would be mended.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{DataDir, DataDirError, FOLDERS, LOCK, classify};
use crate::Identity;

/// A data directory that is only read, and that no member can start on meanwhile.
#[derive(Debug)]
pub struct Reading {
    path: PathBuf,
    identity: Identity,
    /// `None` of a copy that came without the file.
    _lock: Option<File>,
}

impl Reading {
    /// Locks the directory, if there is one. `Ok(None)`: nothing was ever stored there.
    ///
    /// # Errors
    /// [`DataDirError`]: [`DataDirError::Locked`] when a member runs on it.
    pub fn open(path: impl AsRef<Path>) -> Result<Option<Self>, DataDirError> {
        let path = path.as_ref().to_owned();
        let lock = match File::open(path.join(LOCK)) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(classify(&path)(error)),
        };
        let locked = lock.as_ref().map(|it| flock(it, FlockOperation::NonBlockingLockExclusive));
        match locked {
            None | Some(Ok(())) => {}
            Some(Err(rustix::io::Errno::WOULDBLOCK)) => return Err(DataDirError::Locked(path)),
            Some(Err(error)) => return Err(classify(&path)(error.into())),
        }
        let identity = DataDir::identity(&path)?;
        Ok(identity.map(|identity| Self { path, identity, _lock: lock }))
    }

    /// Whose directory it is.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the log's segments are.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path.join(FOLDERS[0])
    }

    /// Where the state backend's files are.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.path.join(FOLDERS[1])
    }
}
