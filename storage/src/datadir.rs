//! The data directory: one node's, one process's, one format's.
//!
//! ```text
//! DIR/LOCK      empty; held with flock while a process uses the directory
//! DIR/FORMAT    32 bytes: who owns the directory and how it is laid out
//! DIR/log/      the log's segments
//! DIR/state/    the state backend's files
//! DIR/ZAB       empty; the group of the node agrees by Zab
//! DIR/LIFE, DIR/ACQUAINTANCES   notes (`datadir/note.rs`): its life, and whom it has met
//! DIR/state.damaged-N/   a state that was put aside, the last one only; nobody reads it
//! DIR/outdated-N/        all there was of a member that was replaced, the last one only
//! ```
//!
//! ```text
//! FORMAT   0  u32  CRC32C of bytes 4..32     4  u32  format version
//!          8  8 bytes  "CNCLVDIR"           16  u64  cluster   24  u64  node
//! ```
//!
//! `FORMAT` is written whole under another name and then renamed, before either folder exists. So
//! a folder without it is damage and not a beginning. A directory that is made from a backup has a
//! file `RESTORING` until it is whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use protocol::{ClusterId, NodeId};
use rustix::fs::{FlockOperation, flock};

mod building;
mod note;
mod reading;
mod succession;

pub use building::Building;
pub use note::{Note, Notes};
pub use reading::Reading;

use crate::Identity;
use crate::disk::RealDisk;

/// The version of the layout that this code writes, and the only one it reads.
pub const DATA_DIR_FORMAT_VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"CNCLVDIR";
const FORMAT_BYTES: usize = 32;
const LOCK: &str = "LOCK";
const FORMAT: &str = "FORMAT";
/// There when the group agrees by Zab, for whoever looks at the directory: that no other protocol
/// opens it follows from the cluster's id.
const ZAB: &str = "ZAB";
const FORMAT_NEW: &str = "FORMAT.new";
/// There while the directory is being put together.
const MARK: &str = "RESTORING";
const FOLDERS: [&str; 2] = ["log", "state"];
/// A state that was put aside, before its number.
const ASIDE: &str = "state.damaged-";

/// Why a data directory cannot be used. Nothing in it has been changed, unless it is new.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The path names something else. The operator must choose another.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// This process may not write there. The operator must change permissions, or the path.
    #[error("{} is not writable: {source}", path.display())]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process is running on it; it must end first.
    #[error("{} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// It was written by another version of this program, which must be used.
    #[error("{} has format version {found}; this program knows {known}", path.display())]
    Version {
        /// The directory.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The version that this code knows.
        known: u32,
    },
    /// It belongs to another node, or another cluster. The operator gave the wrong directory.
    #[error(
        "{} belongs to node {:x} of cluster {:x}, not to node {:x} of cluster {:x}",
        path.display(), found.node.0, found.cluster.0, wanted.node.0, wanted.cluster.0
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Who owns it.
        found: Identity,
        /// Who was to use it.
        wanted: Identity,
    },
    /// Its `FORMAT` file is damaged or missing although there is data.
    #[error("{}: the file FORMAT is damaged or missing", .0.display())]
    Damaged(PathBuf),
    /// A note in it is not what was written there.
    #[error("{} is damaged", .0.display())]
    DamagedNote(PathBuf),
    /// It was to be made from a backup, and that did not come to its end: do that once more.
    #[error("{} was not restored to its end", .0.display())]
    Unfinished(PathBuf),
    /// A new directory was to be made there, and there is something.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// The system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A data directory that is locked for this process. Dropping it unlocks.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates (for its owner only) or opens the directory of this node, and locks it.
    pub fn open(path: impl AsRef<Path>, identity: Identity) -> Result<Self, DataDirError> {
        let path = path.as_ref().to_owned();
        create_folder(&path)?;
        let lock = lock(&path)?;
        match Self::identity(&path)? {
            Some(found) if found == identity => {
                building::forget(&path)?;
                if path.join(succession::SUCCESSOR).exists() {
                    succession::complete(&path)?;
                }
            }
            Some(found) => return Err(DataDirError::Foreign { path, found, wanted: identity }),
            None => write_format(&path, identity)?,
        }
        for folder in FOLDERS {
            create_folder(&path.join(folder))?;
        }
        sync_folder(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Who owns the directory; `None` when nothing was ever stored there. Takes no lock and
    /// changes nothing.
    pub fn identity(path: impl AsRef<Path>) -> Result<Option<Identity>, DataDirError> {
        let path = path.as_ref();
        let heir = fs::read(path.join(succession::SUCCESSOR));
        let bytes = match heir.or_else(|_| fs::read(path.join(FORMAT))) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if building::is_unfinished(path) {
                    return Err(DataDirError::Unfinished(path.to_owned()));
                }
                if FOLDERS.iter().any(|folder| path.join(folder).exists()) {
                    return Err(DataDirError::Damaged(path.to_owned()));
                }
                return Ok(None);
            }
            Err(error) => return Err(classify(&path.join(FORMAT))(error)),
        };
        decode_format(&bytes, path).map(Some)
    }

    /// Gives the directory of a member that cannot come back to another one, which begins with
    /// nothing: all there was is put aside, for people to look at. Of what was put aside before,
    /// nothing is kept. Gives where it is now.
    ///
    /// # Errors
    /// [`DataDirError`]: nothing has changed, or the directory is the new one's and the next
    /// [`DataDir::open`] brings it to its end.
    pub fn hand_over(path: impl AsRef<Path>, heir: Identity) -> Result<PathBuf, DataDirError> {
        succession::hand_over(path.as_ref(), heir)
    }

    /// Notes that the node's group agrees by Zab.
    ///
    /// # Errors
    /// [`DataDirError::Io`].
    pub fn note_zab(&self) -> Result<(), DataDirError> {
        if Self::is_of_zab(&self.path) {
            return Ok(());
        }
        let path = self.path.join(ZAB);
        File::create(&path).and_then(|file| file.sync_all()).map_err(classify(&path))?;
        sync_folder(&self.path)
    }

    /// Whether the directory is noted to be of a node whose group agrees by Zab.
    #[must_use]
    pub fn is_of_zab(path: impl AsRef<Path>) -> bool {
        path.as_ref().join(ZAB).exists()
    }

    /// What the node keeps besides log and state.
    ///
    /// # Errors
    /// [`DataDirError`]: they cannot be opened.
    pub fn notes(&self) -> Result<Notes<RealDisk>, DataDirError> {
        let disk = RealDisk::open_named(&self.path, &Note::NAMES).map_err(classify(&self.path))?;
        Ok(Notes::new(disk, &self.path))
    }

    /// The directory itself.
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

    /// Puts the state aside, for people to look at, and makes an empty folder in its place. Of
    /// states that were put aside before, none is kept. Gives where it is now.
    ///
    /// # Errors
    /// [`DataDirError::Io`]: the state is where it was, or aside; it is safe to try again.
    pub fn set_state_aside(&self) -> Result<PathBuf, DataDirError> {
        let older = numbered(&self.path, ASIDE)?;
        let number = older.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
        let aside = self.path.join(format!("{ASIDE}{number}"));
        match fs::rename(self.state(), &aside) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(classify(&aside)(error));
            }
            Ok(()) | Err(_) => {}
        }
        create_folder(&self.state())?;
        sync_folder(&self.path)?;
        for (_, path) in older {
            fs::remove_dir_all(&path).map_err(classify(&path))?;
        }
        Ok(aside)
    }
}

/// Folders of a name with a number: their numbers and places.
fn numbered(path: &Path, name: &str) -> Result<Vec<(u64, PathBuf)>, DataDirError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(classify(path))? {
        let entry = entry.map_err(classify(path))?;
        let file = entry.file_name();
        let number = file.to_str().and_then(|file| file.strip_prefix(name)?.parse().ok());
        found.extend(number.map(|number: u64| (number, entry.path())));
    }
    Ok(found)
}

fn lock(path: &Path) -> Result<File, DataDirError> {
    let name = path.join(LOCK);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(name);
    let file = file.map_err(classify(path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(DataDirError::Locked(path.to_owned())),
        Err(error) => Err(classify(path)(error.into())),
    }
}

fn create_folder(path: &Path) -> Result<(), DataDirError> {
    let new = path.ancestors().take_while(|folder| !folder.exists()).count();
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => {}
        // A file in the place of the directory, or of one above it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(DataDirError::NotADirectory(path.to_owned()));
        }
        Err(error) => return Err(classify(path)(error)),
    }
    // Each new name stands in the directory above it, which may not be ours to open.
    path.ancestors().skip(1).take(new.max(1)).try_for_each(|above| match sync_folder(above) {
        Err(DataDirError::NotWritable { .. }) => Ok(()),
        other => other,
    })
}

fn sync_folder(path: &Path) -> Result<(), DataDirError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|folder| folder.sync_all()).map_err(classify(path))
}

fn write_format(path: &Path, identity: Identity) -> Result<(), DataDirError> {
    write_whole(path, (FORMAT_NEW, FORMAT), &encode_format(identity))
}

/// Writes a file under its first name, syncs it, and gives it its second name, durably.
fn write_whole(folder: &Path, (new, name): (&str, &str), bytes: &[u8]) -> Result<(), DataDirError> {
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

fn encode_format(identity: Identity) -> [u8; FORMAT_BYTES] {
    let mut bytes = [0; FORMAT_BYTES];
    bytes[4..8].copy_from_slice(&DATA_DIR_FORMAT_VERSION.to_le_bytes());
    bytes[8..16].copy_from_slice(MAGIC);
    bytes[16..24].copy_from_slice(&identity.cluster.0.to_le_bytes());
    bytes[24..32].copy_from_slice(&identity.node.0.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode_format(bytes: &[u8], path: &Path) -> Result<Identity, DataDirError> {
    let damaged = || DataDirError::Damaged(path.to_owned());
    let field = |at: usize| {
        let bytes = bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_le_bytes).ok_or_else(damaged)
    };
    let half = |at: usize| {
        let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).ok_or_else(damaged)
    };
    let covered = bytes.get(4..FORMAT_BYTES).ok_or_else(damaged)?;
    if crc32c::crc32c(covered) != half(0)? || field(8)? != u64::from_le_bytes(*MAGIC) {
        return Err(damaged());
    }
    let found = half(4)?;
    if found != DATA_DIR_FORMAT_VERSION {
        let path = path.to_owned();
        return Err(DataDirError::Version { path, found, known: DATA_DIR_FORMAT_VERSION });
    }
    Ok(Identity { cluster: ClusterId(field(16)?), node: NodeId(field(24)?) })
}

fn classify(path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    move |source| match source.kind() {
        ErrorKind::NotADirectory => DataDirError::NotADirectory(path),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            DataDirError::NotWritable { path, source }
        }
        _ => DataDirError::Io { path, source },
    }
}
