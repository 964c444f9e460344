//! A server's part in the pool: founding a group, following one, and clearing up after the dead.
//!
//! ```text
//! pool ──tags of servers──▶ ┌──────────┐ ──pledge──▶ DIR/PLEDGE
//!      ◀──own tags───────── │ observer │
//!                           └──────────┘ ──▶ found a group, or ask one to be taken in
//! ```
//!
//! Who founds what is decided by `protocol::bootstrap`; here its outputs are carried out:
//!
//! - `note`: the pledge on the disk;
//! - `tags`: what servers show of themselves in the pool;
//! - `observer`: the core between the pool and the disk;
//! - `meeting`: from an empty data directory to a group;
//! - `herald`: what a member of a group goes on showing, and whom it warns of;
//! - `removal`: members that have been gone for long are removed.
//!
//! A data directory that belongs to a cluster wins over everything: whoever has one neither meets
//! nor pledges any more, and needs no flag to come back.

mod herald;
mod meeting;
mod note;
mod observer;
mod removal;
mod tags;

use std::collections::BTreeMap;
use std::path::Path;

use storage::Identity;

use crate::config::{Config, InitialMember};
use crate::gossip::PoolHandle;
use crate::runtime::StartError;

pub(crate) use herald::Herald;
pub(crate) use meeting::{Met, WAITS, meet};
pub(crate) use removal::Removal;
pub(crate) use tags::is_reserved;

use note::Note;

/// The pool, for a server, and what its agent says of itself besides.
#[derive(Clone, Debug)]
pub struct PoolSide {
    /// The pool.
    pub pool: PoolHandle,
    /// Tags that were given on the command line.
    pub tags: BTreeMap<String, String>,
}

/// Fills in who founded the cluster that a data directory belongs to, so that nobody has to say it
/// again: from the pledge, if it was that which was founded. One that cannot be read is no
/// hindrance: who the members are stands in the log. Of a server that keeps to itself the settings
/// say it, whether its directory is from before there were pledges or not.
pub(crate) fn recall(config: &mut Config, identity: Identity) {
    let meets = config.bootstrap_expect.is_some() && !config.keeps_to_itself();
    let Some(path) = config.data_dir.clone().filter(|_| meets) else { return };
    let note = note::read(&path).unwrap_or_else(|error| {
        let path = note::path(&path);
        tracing::warn!(%error, "{} cannot be read, and is not needed any more", path.display());
        None
    });
    let founders = note.and_then(|note| note.founders());
    let founded = |founders: &Vec<InitialMember>| {
        crate::runtime::cluster_id(founders, &config.token()) == identity.cluster
    };
    match founders.filter(founded) {
        Some(founders) => config.initial_cluster = founders,
        None => config.join = true,
    }
}

fn read(path: &Path) -> Result<Option<Note>, StartError> {
    note::read(path).map_err(|error| {
        StartError::Config(format!(
            "cannot read {}: {error}. If this server never was a member of a cluster, and the \
             others of its pledge can be stopped, too: stop them, remove that file from each one's \
             data directory, and start all again",
            note::path(path).display()
        ))
    })
}
