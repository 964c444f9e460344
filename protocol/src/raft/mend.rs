//! What members say to each other about entries that one of them has lost. No core takes part: the
//! drivers speak, a member that mends its log before its core begins and those that help it.

use alloc::vec::Vec;

use super::boundary::Entry;
use crate::Position;

/// A word between a member that lacks entries and one that may have them. The term of its message
/// is the sender's and moves nobody else's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mend {
    /// Have you got these entries?
    Ask {
        /// Names the asker's life, so that answers to an earlier one are known.
        life: u64,
        /// Which; may be none, when the asker only looks for a leader.
        wanted: Vec<Position>,
    },
    /// What the answerer has. It may leave some out, to be asked for again.
    Reply {
        /// The life that asked.
        life: u64,
        /// Those it has: exactly these positions, intact on its disk.
        entries: Vec<Entry>,
        /// Those it has not.
        absent: Vec<Position>,
        /// The end of its log, while it leads in the message's term.
        leads: Option<Position>,
    },
}
