//! Small files of a data directory that are written whole: what its node keeps besides log and
//! state.
//!
//! ```text
//! 0  u32  CRC32C of all that follows   4  u32  version: 1   8  8 bytes  which file   16  content …
//! ```
//!
//! A note is written under another name, synced and renamed, and the directory is synced: it is the
//! old one or the new one, whole.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{DataDirError, classify, sync_folder};

const VERSION: u32 = 1;
const HEAD: usize = 16;

/// Which note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// `LIFE`: the directory's own life.
    Life,
    /// `ACQUAINTANCES`: the lives of the members that were met.
    Acquaintances,
}

impl Note {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Life => "LIFE",
            Self::Acquaintances => "ACQUAINTANCES",
        }
    }

    const fn new_name(self) -> &'static str {
        match self {
            Self::Life => "LIFE.new",
            Self::Acquaintances => "ACQUAINTANCES.new",
        }
    }

    const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Life => b"CNCLLIFE",
            Self::Acquaintances => b"CNCLACQU",
        }
    }
}

/// The notes of one directory. Whoever has them is the only one to write them.
#[derive(Clone, Debug)]
pub struct Notes {
    path: PathBuf,
}

impl Notes {
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The content of a note; `None` when there is none.
    ///
    /// # Errors
    /// [`DataDirError::DamagedNote`] when it is not what was written.
    pub fn read(&self, note: Note) -> Result<Option<Vec<u8>>, DataDirError> {
        let path = self.path.join(note.name());
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(classify(&path)(error)),
        };
        let sound = bytes.len() >= HEAD
            && bytes[..4] == crc32c::crc32c(&bytes[4..]).to_le_bytes()
            && bytes[4..8] == VERSION.to_le_bytes()
            && bytes[8..HEAD] == *note.magic();
        if sound { Ok(Some(bytes[HEAD..].to_vec())) } else { Err(DataDirError::DamagedNote(path)) }
    }

    /// What to say of a note whose content is not what its node writes.
    #[must_use]
    pub fn damaged(&self, note: Note) -> DataDirError {
        DataDirError::DamagedNote(self.path.join(note.name()))
    }

    /// Writes a note durably.
    ///
    /// # Errors
    /// [`DataDirError`]: the old one stands, or the new one.
    pub fn write(&self, note: Note, content: &[u8]) -> Result<(), DataDirError> {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(note.magic());
        bytes.extend_from_slice(content);
        let sum = crc32c::crc32c(&bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_le_bytes());
        write_whole(&self.path, (note.new_name(), note.name()), &bytes)
    }
}

/// Writes a file under its first name, syncs it, and gives it its second name, durably.
pub(super) fn write_whole(
    folder: &Path,
    (new, name): (&str, &str),
    bytes: &[u8],
) -> Result<(), DataDirError> {
    let new = folder.join(new);
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, folder.join(name)))
        .map_err(classify(folder))?;
    sync_folder(folder)
}
