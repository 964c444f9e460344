//! Whether a data directory is that of the member that is to start, before anything in it changes.
//!
//! What can be told without the log is told without it: it is long. Where state and settings
//! contradict each other, the log is read as an operator would look at it; it may say who the
//! members are. What is damaged is left to whoever opens it in earnest, who says so.

use protocol::Index;
use storage::Identity;
use storage::datadir::DataDir;
use storage::disk::RealDisk;
use storage::log::Inspection;
use store::Store;

use super::StartError;
use super::who::{claim, is_founder};
use crate::config::Config;

/// Who a data directory says that its member is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) identity: Identity,
    /// Whether it has ever met another member.
    pub(super) met: bool,
}

/// Refuses a directory that is not that of the member which the settings name, and one with a
/// cluster of its own where another cluster is to be joined.
pub(super) fn check(
    config: &Config,
    directory: &DataDir,
    owner: Owner,
    store: &Store,
) -> Result<(), StartError> {
    // Whatever the log says, it is this member's name or it is not.
    claim(config, owner.identity, store, true)?;
    let claimed = claim(config, owner.identity, store, false);
    let founder = is_founder(config, owner.identity);
    // A member that was taken in has met those who took it in, or has nothing yet.
    let lone = config.join && !founder && !owner.met && store.membership().is_none();
    if claimed.is_ok() && !lone {
        return Ok(());
    }
    let Ok(disk) = RealDisk::open_read_only(directory.log()) else { return Ok(()) };
    let Ok(log) = storage::log::inspect(&disk) else { return Ok(()) };
    if log.as_ref().is_some_and(may_tell) {
        return Ok(());
    }
    claimed?;
    let last = log.map_or(Index(0), |log| log.last.index).max(store.applied().index);
    if last > Index(0) {
        return Err(founded(config, last));
    }
    Ok(())
}

/// Whether a log says who the members are, as far as it can be read.
fn may_tell(log: &Inspection) -> bool {
    let writes = log.segments.iter().flat_map(|segment| &segment.writes);
    let mut entries = writes.flat_map(|write| &write.entries);
    entries.any(|entry| matches!(entry.kind, None | Some("membership")))
}

fn founded(config: &Config, last: Index) -> StartError {
    let path = config.data_dir.clone().unwrap_or_default();
    let shown = path.display();
    // As a shell takes it, whatever the directory is called.
    let quoted = shown.to_string().replace('\'', "'\\''");
    StartError::Join(format!(
        "{shown} holds a cluster of its own, which this member founded when it was started \
         without --initial-cluster-state existing. Its log has entries, up to {last}: clients \
         may have been told that they are kept, so it is not put aside by itself. To join the \
         other cluster, run `mv '{quoted}' '{quoted}.founded'` and start this member again with \
         the same command; to go on with the cluster that it holds, start it as it was started \
         then"
    ))
}
