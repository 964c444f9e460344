//! Where the repository is and which files it has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folders that hold nothing of ours.
const FOREIGN: [&str; 2] = [".git", "target"];

/// A checkout of the project.
pub(crate) struct Repo {
    root: PathBuf,
}

impl Repo {
    /// The checkout that cargo runs this program for; two checkouts may share what cargo builds.
    pub(crate) fn here() -> Self {
        let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = crate_folder.parent().expect("xtask stands in the root of the repository");
        Self { root: root.to_path_buf() }
    }

    /// The path of a file given relative to the root.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), PathBuf::from)
    }

    /// Every file under `folder`, relative to the root, sorted, without build output.
    pub(crate) fn files(&self, folder: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut pending = vec![self.path(folder)];
        while let Some(folder) = pending.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let path = entry.path();
                if entry.file_type()?.is_dir() {
                    if !FOREIGN.iter().any(|name| entry.file_name() == *name) {
                        pending.push(path);
                    }
                } else {
                    let relative = path.strip_prefix(&self.root).map_err(io::Error::other)?;
                    found.push(relative.to_path_buf());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}
