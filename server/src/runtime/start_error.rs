//! Why a server does not start, each with what to do about it.

use std::io;
use std::net::SocketAddr;

use storage::datadir::{DataDir, DataDirError};
use thiserror::Error;

use super::peers::Refused;

/// Why a server did not start. Nothing was changed, but for a data directory made anew.
#[derive(Debug, Error)]
pub enum StartError {
    /// The settings contradict each other.
    #[error("{0}")]
    Config(String),
    /// A port could not be had.
    #[error("cannot listen on {address} for {what}: {source}{}", advice(.source, .flag))]
    Listen {
        /// What the port is for.
        what: &'static str,
        /// The flag that chooses another.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory: {0}; {remedy}", remedy = remedy(.0))]
    DataDir(#[from] DataDirError),
    /// The log cannot be used.
    #[error("cannot open the log: {0}")]
    Log(String),
    /// The state cannot be used.
    #[error("cannot open the state: {0}")]
    State(String),
    /// No member of the cluster that exists takes this one in.
    #[error("{0}")]
    Join(String),
    /// It was told to end while it waited to be taken in.
    #[error("stopped before any member of the cluster had answered")]
    Stopped,
    /// A thread or a runtime could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

impl From<Refused> for StartError {
    fn from(refused: Refused) -> Self {
        Self::Join(refused.to_string())
    }
}

fn advice(error: &io::Error, flag: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("; another process has it: stop that one, or choose another with {flag}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("; ports below 1024 need rights: choose another with {flag}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("; this machine has no such address: choose one with {flag}")
        }
        _ => String::new(),
    }
}

fn remedy(error: &DataDirError) -> &'static str {
    match error {
        DataDirError::Locked(_) => "stop that one, or choose another directory with --data-dir",
        DataDirError::Foreign { path, .. } if DataDir::is_of_zab(path) => {
            "choose this member's own with --data-dir, or correct --name, --listen-peer, \
             --initial-cluster, --cluster-token or --consensus: this one is of a group that runs \
             Zab"
        }
        DataDirError::Foreign { .. } => {
            "choose this member's own with --data-dir, or correct --name, --listen-peer, \
             --initial-cluster, --cluster-token or --consensus: this one is of a group that runs \
             Raft"
        }
        DataDirError::NotADirectory(_) | DataDirError::NotWritable { .. } => {
            "choose another one with --data-dir"
        }
        DataDirError::Version { .. } => "run the version of this program that has written it",
        DataDirError::NotEmpty(_) => "choose another one with --data-dir",
        DataDirError::DamagedNote(_) => {
            "restore it; or empty the directory: this member is then taken in again as a new one, \
             while a majority of the others is up"
        }
        DataDirError::Unfinished(_) => {
            "run `conclave snapshot restore` or `conclave recover` for it once more"
        }
        DataDirError::Damaged(_) => {
            "restore it, or choose an empty directory with --data-dir and join as a new member"
        }
        DataDirError::Io { .. } => "look at the disk, or choose another directory with --data-dir",
    }
}
