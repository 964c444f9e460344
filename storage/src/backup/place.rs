//! A backup on its way to its place in a file system.
//!
//! ```text
//! FILE.part   written and synced little by little, then read back and verified
//! FILE        the same file, renamed; its folder synced
//! ```
//!
//! Whatever ends it, there is no file of that name, or a whole one. A part that was left by a crash
//! is written over by the next attempt.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use super::{BLOCK_BYTES, BackupError, BackupReader, Header};

/// Bytes written between two syncs: so that the last one is not a long one, and other writers of
/// the disk get their turn.
const SYNC_BYTES: u64 = 8 << 20;

/// Why a backup did not get to its place. There is no new file of that name.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// There is a file of that name, and it was not to be replaced.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// Another process writes the same backup right now.
    #[error("{} is being written by another process", .0.display())]
    Busy(PathBuf),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was written does not read back whole.
    #[error("{}: {source}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BackupError,
    },
}

/// A backup that is being written. Dropped before it is [`placed`](BackupFile::place), it is
/// removed.
#[derive(Debug)]
pub struct BackupFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
    written: u64,
    synced: u64,
    replace: bool,
    placed: bool,
}

impl BackupFile {
    /// Begins a backup that is to stand at `path`; `replace` allows it to take the place of another
    /// file.
    ///
    /// # Errors
    /// [`PlaceError`], but for [`PlaceError::Unsound`].
    pub fn create(path: impl AsRef<Path>, replace: bool) -> Result<Self, PlaceError> {
        let path = path.as_ref().to_owned();
        if !replace && path.symlink_metadata().is_ok() {
            return Err(PlaceError::Exists(path));
        }
        let mut part = OsString::from(&path);
        part.push(".part");
        let part = PathBuf::from(part);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&part).map_err(failed(&part))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(PlaceError::Busy(part)),
            Err(error) => return Err(failed(&part)(error.into())),
        }
        // What an earlier attempt has left.
        file.set_len(0).map_err(failed(&part))?;
        Ok(Self { path, part, file, written: 0, synced: 0, replace, placed: false })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`PlaceError::Io`]: give it up.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PlaceError> {
        let failed = failed(&self.part);
        self.written += bytes.len() as u64;
        let mut written = self.file.write_all(bytes);
        if self.written - self.synced >= SYNC_BYTES {
            self.synced = self.written;
            written = written.and_then(|()| self.file.sync_data());
        }
        written.map_err(failed)
    }

    /// The bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Syncs it, reads it back, and gives it its name. `look` gets each verified piece's end, in
    /// bytes, for whoever shows how far it has come.
    ///
    /// # Errors
    /// [`PlaceError`]; the part is removed.
    pub fn place(mut self, mut look: impl FnMut(u64)) -> Result<Header, PlaceError> {
        self.file.sync_all().map_err(failed(&self.part))?;
        let header = self.read_back(&mut look).map_err(|source| match source {
            BackupError::Io(source) => PlaceError::Io { path: self.part.clone(), source },
            source => PlaceError::Unsound { path: self.part.clone(), source },
        })?;
        self.rename()?;
        self.placed = true;
        let folder = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))?;
        Ok(header)
    }

    /// Gives it its name; where it must not replace, that is asked of the file system, since
    /// somebody else may have put a file there meanwhile.
    fn rename(&self) -> Result<(), PlaceError> {
        if !self.replace {
            match renameat_with(CWD, &self.part, CWD, &self.path, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => return Err(PlaceError::Exists(self.path.clone())),
                // Not every file system can be asked.
                Err(Errno::INVAL | Errno::NOSYS) if self.path.symlink_metadata().is_ok() => {
                    return Err(PlaceError::Exists(self.path.clone()));
                }
                Err(Errno::INVAL | Errno::NOSYS) => {}
                Err(error) => return Err(failed(&self.path)(error.into())),
            }
        }
        fs::rename(&self.part, &self.path).map_err(failed(&self.path))
    }

    fn read_back(&self, look: &mut impl FnMut(u64)) -> Result<Header, BackupError> {
        let file = BufReader::with_capacity(4 * BLOCK_BYTES, File::open(&self.part)?);
        let mut reader = BackupReader::open(file)?;
        while reader.piece()?.is_some() {
            look(reader.offset());
        }
        Ok(*reader.header())
    }
}

impl Drop for BackupFile {
    fn drop(&mut self) {
        if !self.placed {
            // What cannot be removed is written over by the next attempt.
            let _left = fs::remove_file(&self.part);
        }
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PlaceError + use<> {
    let path = path.to_owned();
    move |source| PlaceError::Io { path, source }
}
