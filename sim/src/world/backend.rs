//! Where a node's state goes: in memory, or through the real tables on a faulty disk. Either is
//! production's; only the disk below is the world's.

use std::sync::Arc;

use parking_lot::RwLock;
use storage::Identity;
use storage::disk::{FaultPlan, FaultyDisk};
use storage::state::{FaultyFiles, OpenError, StateOptions};
use store::MemoryBackend;

/// The state of a running node.
pub(crate) type State = storage::state::State<FaultyFiles>;
/// One flush of it, pinned.
pub(crate) type View = storage::state::View<FaultyFiles>;

/// Blocks, tables and steps so small that a few records make several of each.
const STATE: StateOptions =
    StateOptions { block_bytes: 200, table_bytes: 6_000, step_bytes: 1_000, manifest_bytes: 1 };
/// Files of the state have this many bytes at least: a table of a whole flush fits in.
pub(crate) const ROOM: u64 = 1 << 20;

/// What of the state outlives the node.
#[derive(Clone, Debug)]
pub(crate) enum Medium {
    /// The contract's atomic flushes, without files.
    Memory(Arc<RwLock<MemoryBackend>>),
    /// Production's files.
    Disk(FaultyFiles),
}

impl Medium {
    /// What is there is damaged: it is put aside, where nobody reads it.
    pub(crate) fn set_aside(&self, seed: u64) {
        match self {
            Self::Memory(memory) => *memory.write() = MemoryBackend::default(),
            Self::Disk(files) => {
                *files.disk() = FaultyDisk::new(FaultPlan { seed, ..FaultPlan::default() });
            }
        }
    }

    /// Opens what is there.
    pub(crate) fn open(&self, identity: Identity) -> Result<State, OpenError> {
        match self {
            Self::Memory(memory) => Ok(State::Memory(Arc::clone(memory))),
            Self::Disk(files) => State::on(files.clone(), identity, STATE),
        }
    }
}
