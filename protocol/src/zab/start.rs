//! May this node start at all?

use core::fmt::{self, Display, Formatter};

use super::boundary::{Epochs, Restored};
use super::config::Config;
use crate::{NodeId, Position, Term};

/// Why a node must not start. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// This node is neither voter nor observer, or it is both.
    Place(NodeId),
    /// The current epoch is beyond the accepted one.
    Epochs(Epochs),
    /// The log has entries of an epoch that was never promised.
    Ahead {
        /// The end of the log.
        last: Position,
        /// The highest epoch promised.
        accepted: Term,
    },
    /// The parts of the log contradict each other.
    Log,
}

impl Display for StartError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(id) => write!(
                f,
                "the configuration names {id} as neither voter nor observer, or as both: give \
                 every member one place, the same in everybody's configuration"
            ),
            Self::Epochs(Epochs { accepted, current }) => write!(
                f,
                "the current epoch {current} is beyond the accepted epoch {accepted}: the epochs \
                 are damaged or of another member. Restore this member's data whole, or empty its \
                 directory and let it learn from the others, while they are a majority without it"
            ),
            Self::Ahead { last, accepted } => write!(
                f,
                "the log ends at {last}, of an epoch beyond the accepted epoch {accepted}: log and \
                 epochs are not of one member, or the epochs were restored from an older copy. \
                 Restore this member's data whole, or empty its directory and let it learn from \
                 the others, while they are a majority without it"
            ),
            Self::Log => f.write_str(
                "the log does not fit the state beside it: they are not of one moment. Restore \
                 this member's data whole, or empty its directory and let it learn from the \
                 others, while they are a majority without it",
            ),
        }
    }
}

impl core::error::Error for StartError {}

/// Whether the parts may be of one member.
pub(super) fn check(config: &Config, restored: &Restored) -> Result<(), StartError> {
    let id = config.id;
    if config.voters.contains(&id) == config.observers.contains(&id)
        || !config.voters.is_disjoint(&config.observers)
    {
        return Err(StartError::Place(id));
    }
    if restored.epochs.current > restored.epochs.accepted {
        return Err(StartError::Epochs(restored.epochs));
    }
    Ok(())
}

/// Whether the log is one that these epochs allow.
///
/// `ZooKeeper` also wants the end of the log not to be beyond the *current* epoch, and refuses to
/// start after a crash in the middle of synchronisation (ZOOKEEPER-1653). That state is sound:
/// `synchronization.rs` says why.
pub(super) fn check_epochs(epochs: Epochs, last: Position) -> Result<(), StartError> {
    let accepted = epochs.accepted;
    if last.term > accepted { Err(StartError::Ahead { last, accepted }) } else { Ok(()) }
}
