//! From a backup to the data directory of a member of a new cluster.
//!
//! Each member of the new cluster restores the same file, under its own name: they then begin with
//! equal states and equal positions of their logs, which begin after what the backup holds. The new
//! cluster has ids of its own, from its members and its token, so that no member of the old one can
//! take part in it by mistake. That is why the token, or a member's address, must differ: a state
//! from yesterday in the old cluster's name could take back what that cluster has promised since.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use protocol::{ClusterId, NodeId};
use storage::backup::{BackupError, BackupReader, FillError, Header, fill};
use storage::datadir::{Building, DataDirError};
use storage::state::{State, StateOptions};
use store::Bump;
use thiserror::Error;

use super::StartError;
use super::who::founder_of;
use crate::config::{Config, InitialMember};

/// Bytes read from the backup at once.
const BUFFER: usize = 256 << 10;

/// What is to be made of a backup.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The directory to make; nothing may stand there but an empty one.
    pub data_dir: PathBuf,
    /// The member whose directory it is.
    pub name: String,
    /// All members of the new cluster, this one among them.
    pub initial_cluster: Vec<InitialMember>,
    /// The new cluster's token.
    pub cluster_token: String,
    /// How revisions go on.
    pub bump: Bump,
}

/// What was made.
#[derive(Clone, Copy, Debug)]
pub struct Restored {
    /// The new cluster.
    pub cluster: ClusterId,
    /// The member in it.
    pub member: NodeId,
    /// The revision (main) that it goes on from.
    pub revision: i64,
    /// What the backup says of itself.
    pub backup: Header,
}

/// Why there is no new directory. Nothing of it is left, unless the text says so; and after a crash
/// what is left says so itself: no member starts on it, and the next attempt goes over it.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The members and the name contradict each other.
    #[error(transparent)]
    Config(StartError),
    /// The new cluster would be the old one.
    #[error(
        "the backup is of cluster {0:x}, and so would the new one be: members of the old cluster \
         could take part in it. Give the new cluster a token of its own with --cluster-token, and \
         start its members with the same"
    )]
    SameCluster(u64),
    /// The backup cannot be used.
    #[error("{}: {source}", path.display())]
    Backup {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: BackupError,
    },
    /// The directory cannot be made.
    #[error("cannot make the data directory: {source}{}", advice(.source))]
    DataDir {
        /// What stands in the way.
        #[from]
        source: DataDirError,
    },
    /// The state cannot be written.
    #[error("cannot write the state: {0}")]
    State(String),
    /// It failed, and what was begun could not be removed.
    #[error(
        "{why}. What was begun in {} is still there, as it cannot be removed ({left}): no member \
         starts on it, and the next restore goes over it", path.display()
    )]
    Left {
        /// Why it failed.
        why: Box<RestoreError>,
        /// The directory.
        path: PathBuf,
        /// Why it is still there.
        left: DataDirError,
    },
}

fn advice(error: &DataDirError) -> &'static str {
    match error {
        DataDirError::NotEmpty(_) => {
            "; a backup is restored into a new directory: choose another one with --data-dir, or \
             move that one away"
        }
        DataDirError::Locked(_) => "; wait for that one to end",
        DataDirError::NotADirectory(_)
        | DataDirError::NotWritable { .. }
        | DataDirError::Version { .. }
        | DataDirError::Foreign { .. }
        | DataDirError::Damaged(_)
        | DataDirError::DamagedNote(_)
        | DataDirError::Unfinished(_)
        | DataDirError::Io { .. } => "",
    }
}

/// Makes the directory. `look` gets how many bytes of the backup have been read.
///
/// # Errors
/// [`RestoreError`].
pub fn restore(
    file: &Path,
    restore: &Restore,
    look: impl FnMut(u64),
) -> Result<Restored, RestoreError> {
    let identity = founder_of(&Config {
        initial_cluster: restore.initial_cluster.clone(),
        cluster_token: restore.cluster_token.clone(),
        ..Config::single(&restore.name)
    })
    .map_err(RestoreError::Config)?;
    let unusable = |source| RestoreError::Backup { path: file.to_owned(), source };
    let input = File::open(file).map_err(|error| unusable(error.into()))?;
    let mut reader =
        BackupReader::open(BufReader::with_capacity(BUFFER, input)).map_err(unusable)?;
    let backup = *reader.header();
    if backup.origin.identity.cluster == identity.cluster {
        return Err(RestoreError::SameCluster(identity.cluster.0));
    }
    let is_new = !restore.data_dir.exists();
    let building = Building::begin(&restore.data_dir)?;
    let failed = |error: &dyn std::fmt::Display| RestoreError::State(error.to_string());
    let state = State::open(&building.state(), identity, StateOptions::default());
    let filled = state.map_err(|error| failed(&error)).and_then(|mut state| {
        fill(&mut state, &mut reader, restore.bump, look).map_err(|error| match error {
            FillError::Backup(source) => unusable(source),
            FillError::State(error) => failed(&error),
        })
    });
    let revision = match filled {
        Ok(revision) => revision,
        Err(why) => return Err(give_up(building, (&restore.data_dir, is_new), why)),
    };
    building.finish(identity)?;
    let storage::Identity { cluster, node: member } = identity;
    Ok(Restored { cluster, member, revision, backup })
}

/// Removes what was begun, and the directory itself where it was made for this.
fn give_up(building: Building, (path, is_new): (&Path, bool), why: RestoreError) -> RestoreError {
    if let Err(left) = building.give_up() {
        return RestoreError::Left { why: Box::new(why), path: path.to_owned(), left };
    }
    if is_new {
        // An empty directory is in nobody's way.
        let _kept = std::fs::remove_dir(path);
    }
    why
}
