//! The laws that are checked, each with its source.

use core::fmt;

use protocol::raft::Status;

/// What must never be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// At most one leader a term, ever.
    ElectionSafety,
    /// A leader only appends to its log.
    LeaderAppendOnly,
    /// Equal index and term mean equal logs up to there.
    LogMatching,
    /// What was committed in a term is in the log of every leader of a later one.
    LeaderCompleteness,
    /// No two nodes ever commit different entries at one index.
    StateMachineSafety,
    /// A vote, and the wish for one, is told only when it is durable, and never changes.
    VoteDurable,
    /// Term and commit index never fall while a process lives, nor the term on its disk.
    Monotone,
    /// What is acknowledged is durable, and so is the term in which it is.
    AckDurable,
    /// What was ever committed is durable on a majority.
    CommitDurable,
    /// A leader commits by counting only in its own term.
    CommitOwnTerm,
    /// What is handed to the state machine is durable here.
    DeliverDurable,
    /// Writes leave no gap in the log on disk.
    LogContiguous,
    /// An assertion inside the core.
    CoreAssertion,
    /// Nodes are interchangeable: no behaviour depends on the order of their names.
    Symmetry,
    /// What the caller claimed of every state.
    Claim,
}

impl Law {
    /// Where the law is from.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Self::ElectionSafety => "Raft §5.2",
            Self::LeaderAppendOnly | Self::LogMatching | Self::CommitDurable => "Raft §5.3",
            Self::LeaderCompleteness => "Raft §5.4",
            Self::CommitOwnTerm => "Raft §5.4.2",
            Self::StateMachineSafety => "Raft §5.4.3",
            Self::VoteDurable | Self::Monotone | Self::AckDurable => "Raft figure 2",
            Self::DeliverDurable => "protocol::raft::Output::Commit",
            Self::LogContiguous => "protocol::raft::Write",
            Self::CoreAssertion => "protocol::raft",
            Self::Symmetry => "explore",
            Self::Claim => "caller",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} ({})", self.source())
    }
}

/// A law broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broken {
    /// Which law.
    pub law: Law,
    /// What was seen.
    pub seen: String,
}

impl Broken {
    pub(super) fn new(law: Law, seen: impl Into<String>) -> Self {
        Self { law, seen: seen.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.seen)
    }
}

/// `Ok` when `holds`.
pub(super) fn demand(holds: bool, law: Law, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken::new(law, seen())) }
}

/// Something said of the three nodes of a state, to be refuted by the shortest way to a state in
/// which it is false.
pub type Claim = fn(&[&Status; super::NODES]) -> bool;
