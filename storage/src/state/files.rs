//! The files of a state as the backend sees them.
//!
//! The log's [`Disk`](crate::disk::Disk) has one owner and files of fixed length. The state needs
//! neither: readers read while the owner syncs, and a table grows to a length that nobody knows
//! when it is begun. So it has a trait of its own, of the same kind: named files in one directory.
//!
//! Laws that every implementation keeps:
//!
//! - what [`Files::sync`] has confirmed survives a crash, and so do all creations and removals
//!   that came before it; what it has not may survive in any subset of its sectors;
//! - a file that was created with a length has it, all zeros, and its space: writing within it
//!   does not fail for want of space where the file system can promise that;
//! - reads may run in other threads, beside anything else.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use crate::disk::FileInfo;

/// Named files in one directory, shared by one writer and any number of readers.
pub trait Files: Send + Sync + 'static {
    /// All files, ascending by name. A length may be larger than what was written.
    fn list(&self) -> io::Result<Vec<FileInfo>>;

    /// Creates a file of `bytes` zeros that writes may extend. It must not exist yet.
    fn create(&self, name: &str, bytes: u64) -> io::Result<()>;

    /// Fills `into` from `offset`; a file that ends before is an `UnexpectedEof`.
    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`. An error may leave a part.
    fn write(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes durable what was written to this file, and all changes of the directory so far.
    fn sync(&self, name: &str) -> io::Result<()>;

    /// Removes a file. Durable with the next `sync`.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// The regular files of one directory, all kept open.
///
/// The directory belongs to one process: files that others add later are not seen.
#[derive(Debug)]
pub struct RealFiles {
    path: PathBuf,
    directory: File,
    /// Names have changed since the directory was last synced, by this process or, for all that it
    /// knows at first, by an earlier one.
    stale_directory: AtomicBool,
    /// Held for a look-up or a change of names, never during I/O.
    files: RwLock<BTreeMap<String, Arc<File>>>,
}

impl RealFiles {
    /// Opens the files of an existing directory for reading and writing.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_as(path.as_ref(), true)
    }

    /// Opens the files of an existing directory such that no call can change them.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open_read_only(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_as(path.as_ref(), false)
    }

    fn open_as(path: &Path, writable: bool) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if entry.file_type()?.is_file() {
                let file = OpenOptions::new().read(true).write(writable).open(entry.path())?;
                files.insert(name, Arc::new(file));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            directory: File::open(path)?,
            stale_directory: AtomicBool::new(true),
            files: RwLock::new(files),
        })
    }

    fn file(&self, name: &str) -> io::Result<Arc<File>> {
        self.files.read().get(name).cloned().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no file {name} in the directory"))
        })
    }
}

impl Files for RealFiles {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        let files = self.files.read().clone();
        files
            .into_iter()
            .map(|(name, file)| Ok(FileInfo { name, bytes: file.metadata()?.len() }))
            .collect()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<()> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        self.stale_directory.store(true, Ordering::Relaxed);
        if let Err(error) = reserve(&file, bytes) {
            // Gives the space back; what cannot be removed is named by no manifest.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        self.files.write().insert(name.to_owned(), Arc::new(file));
        Ok(())
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.file(name)?.read_exact_at(into, offset)
    }

    fn write(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all_at(bytes, offset)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()?;
        if self.stale_directory.load(Ordering::Relaxed) {
            self.directory.sync_all()?;
            self.stale_directory.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.file(name)?;
        fs::remove_file(self.path.join(name))?;
        self.stale_directory.store(true, Ordering::Relaxed);
        self.files.write().remove(name);
        Ok(())
    }
}

/// Gives a new file its length and its space.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    const PIECE: usize = 1 << 16;
    if bytes == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Ok(()) => return Ok(()),
        // Not every file system can reserve space; writing the zeros does it as well.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    let zeros = vec![0; PIECE];
    let mut offset = 0;
    while offset < bytes {
        let piece = usize::try_from(bytes - offset).map_or(PIECE, |left| left.min(PIECE));
        file.write_all_at(&zeros[..piece], offset)?;
        offset += piece as u64;
    }
    Ok(())
}
