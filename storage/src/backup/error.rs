//! Why a file cannot be used as a backup.

use std::io;

use store::RestoreError;

/// Why a file cannot be used as a backup. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It is something else.
    #[error("this is no backup of Conclave: it does not begin as one")]
    Foreign,
    /// It is etcd's own database.
    #[error(
        "this is a bbolt database, as etcd's snapshots are: only etcd can restore it. Restore it \
         there, and copy the keys over with `conclave kv` or a mirror"
    )]
    Bbolt,
    /// A later version of this program wrote it, which must be used.
    #[error("this backup has format version {found}; this program knows {known}")]
    Version {
        /// The version found.
        found: u32,
        /// The version that this code knows.
        known: u32,
    },
    /// A byte is not what was written.
    #[error("the backup is damaged: {what}, at byte {offset}")]
    Damaged {
        /// Where: the first byte of the smallest part with a checksum of its own.
        offset: u64,
        /// What that part is, and what is wrong.
        what: String,
    },
    /// The rest is missing, or there is too much.
    #[error("the backup has {found} bytes and should have {expected}: it was cut or added to")]
    Length {
        /// The bytes that its header promises.
        expected: u64,
        /// The bytes that there are; at least so many, when it is too long.
        found: u64,
    },
    /// All checksums are right, and what they cover cannot be.
    #[error("the backup contradicts itself: {0}")]
    State(#[from] RestoreError),
    /// The file could not be read.
    #[error("cannot read the backup: {0}")]
    Io(#[from] io::Error),
}

impl BackupError {
    pub(super) fn damaged(offset: u64, what: impl Into<String>) -> Self {
        Self::Damaged { offset, what: what.into() }
    }
}
