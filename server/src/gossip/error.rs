//! Why a pool does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use super::keyring::KeyError;

/// Why a member of a pool did not start. Nothing was told to anybody.
#[derive(Debug, Error)]
pub enum PoolError {
    /// A setting cannot be.
    #[error("{0}")]
    Setting(String),
    /// A port cannot be opened.
    #[error(
        "cannot listen on {address} ({what}) for the pool: {source}; choose another address \
             with --listen-gossip"
    )]
    Listen {
        /// Packets or streams.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The keyring cannot be read.
    #[error("cannot read the keyring {}: {source}; put it right, or remove it and give the \
             pool's key with --encrypt", path.display())]
    Keyring {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another agent has the data directory; it must end first.
    #[error("cannot use the data directory: {} is in use by another process; stop that one, or \
             choose another directory with --data-dir", .0.display())]
    Locked(PathBuf),
    /// The folder cannot be made.
    #[error("cannot keep the pool's files in {}: {source}", path.display())]
    Folder {
        /// The data directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the agent has kept of its groups cannot be used, or a group cannot be joined.
    #[error("{0}")]
    Elections(String),
    /// A key is none.
    #[error("--encrypt: {0}")]
    Key(#[from] KeyError),
    /// A thread or a socket could not be made.
    #[error("cannot start the pool: {0}")]
    Thread(io::Error),
}
