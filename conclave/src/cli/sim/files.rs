//! Files to write: whether they can be written is known before any work is done.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// A file that can be written.
#[derive(Debug)]
pub(super) struct Target(PathBuf);

impl Target {
    /// Makes sure that a file can be written; what it holds stays until then.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        opened.map_err(|error| unwritable(path, &error))?;
        Ok(Self(path.to_owned()))
    }

    /// The same, where one was asked for.
    pub(super) fn of(path: Option<&PathBuf>) -> Result<Option<Self>> {
        path.map(|path| Self::open(path)).transpose()
    }

    /// Makes sure that a folder is there, and that a file in it can be written.
    pub(super) fn within(folder: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        Self::open(&folder.join(name))
    }

    /// Writes it.
    pub(super) fn write(&self, content: &str) -> Result {
        fs::write(&self.0, content).map_err(|error| unwritable(&self.0, &error))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot write {}: {error}", path.display()))
}
