//! A directory of the file system.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use protocol::mutant::{Mutant, planted};

use super::{Disk, FileInfo};

/// Files are filled with zeros in pieces of this many bytes.
const FILL_BYTES: usize = 1 << 20;

/// The regular files of one directory, all kept open.
///
/// - The directory belongs to one process: files that others add later are not seen.
/// - Files are filled with zeros when created, not only allocated: the first write to an
///   allocated extent changes the file system's journal, and a sync then costs a third more.
#[derive(Debug)]
pub struct RealDisk {
    path: PathBuf,
    directory: File,
    /// Names have changed since the directory was last synced, by this process or, for all that it
    /// knows at first, by an earlier one.
    stale_directory: bool,
    files: BTreeMap<String, File>,
}

impl RealDisk {
    /// Opens the files of an existing directory for reading and writing.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_as(path.as_ref(), true, |_| true)
    }

    /// Opens only files of these names, in a directory that holds others, too.
    pub fn open_named(path: impl AsRef<Path>, names: &[&str]) -> io::Result<Self> {
        Self::open_as(path.as_ref(), true, |name| names.contains(&name))
    }

    /// Opens the files of an existing directory such that no call can change them.
    pub fn open_read_only(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_as(path.as_ref(), false, |_| true)
    }

    fn open_as(path: &Path, writable: bool, is_meant: impl Fn(&str) -> bool) -> io::Result<Self> {
        let directory = File::open(path)?;
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !is_meant(&name) {
                continue;
            }
            let file = OpenOptions::new().read(true).write(writable).open(entry.path())?;
            files.insert(name, file);
        }
        Ok(Self { path: path.to_owned(), directory, stale_directory: true, files })
    }

    fn file(&self, name: &str) -> io::Result<&File> {
        self.files.get(name).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no file {name} in the directory"))
        })
    }
}

impl Disk for RealDisk {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        let mut list = Vec::with_capacity(self.files.len());
        for (name, file) in &self.files {
            list.push(FileInfo { name: name.clone(), bytes: file.metadata()?.len() });
        }
        Ok(list)
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        if let Err(error) = fill(&file, bytes).and_then(|()| file.sync_all()) {
            // Gives the space back; a remainder that cannot be removed has the wrong length and is
            // recognised by that.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        self.directory.sync_all()?;
        self.stale_directory = false;
        self.files.insert(name.to_owned(), file);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.file(from)?;
        if self.files.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(self.path.join(from), self.path.join(to))?;
        self.stale_directory = true;
        if let Some(file) = self.files.remove(from) {
            self.files.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?;
        fs::remove_file(self.path.join(name))?;
        self.stale_directory = true;
        self.files.remove(name);
        Ok(())
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.file(name)?.read_exact_at(into, offset)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all_at(bytes, offset)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()?;
        if self.stale_directory && !planted(Mutant::W4) {
            self.directory.sync_all()?;
            self.stale_directory = false;
        }
        Ok(())
    }
}

fn fill(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        // Not every file system can reserve space; writing the zeros does it as well.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    let zeros = vec![0; FILL_BYTES];
    let mut offset = 0;
    while offset < bytes {
        let piece = usize::try_from(bytes - offset).map_or(FILL_BYTES, |n| n.min(FILL_BYTES));
        file.write_all_at(&zeros[..piece], offset)?;
        offset += piece as u64;
    }
    Ok(())
}
