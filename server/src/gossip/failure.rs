//! Why joining came to nothing, told apart as far as this side can know.

use std::io::{self, ErrorKind};

use protocol::swim::message::Name;
use protocol::swim::{self, Address, JoinError};

use super::refusal::Refusal;

/// Why an exchange of states came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no connection.
    Connect(io::Error),
    /// There was none in time.
    Unconnected,
    /// There was one, and no answer in time.
    Unanswered,
    /// It ended before the answer. Whoever is of another label is told no more than that.
    Closed,
    /// The other side refuses, and says why.
    Told(String),
    /// The answer cannot be taken.
    Answer(Refusal),
}

/// Why nobody was joined.
#[derive(Debug)]
pub(super) enum NotJoined {
    /// The exchange came to nothing.
    Failed(Failure),
    /// Nothing that was told of members can be believed, such as of this one.
    Incompatible { member: Name, reason: swim::Refusal },
}

impl Failure {
    /// What it is counted as.
    pub(super) const fn refusal(&self) -> Refusal {
        match self {
            Self::Connect(_) | Self::Closed => Refusal::Broken,
            Self::Unconnected | Self::Unanswered => Refusal::Slow,
            Self::Told(_) => Refusal::Remote,
            Self::Answer(refusal) => *refusal,
        }
    }

    /// In words, and what to do about it.
    pub(super) fn told(&self, to: Address) -> String {
        match self {
            Self::Connect(error) if error.kind() == ErrorKind::ConnectionRefused => format!(
                "nobody listens at {to}: is that agent up, and is it where that one listens for \
                 the pool (--listen-gossip)?"
            ),
            Self::Connect(error) => {
                format!("{to} cannot be reached: {error}; look at the address and the network")
            }
            Self::Unconnected => format!(
                "{to} did not take the connection in time: is its machine up, and does no firewall \
                 drop what goes there?"
            ),
            Self::Unanswered => format!(
                "{to} took the connection and has not answered in time: is an agent there, and \
                 does it keep up?"
            ),
            Self::Closed => format!(
                "{to} hung up without an answer: its pool may have another label \
                 (--gossip-label), or no agent is there. If it is one, its log says more"
            ),
            Self::Told(text) => format!("{to} refuses this agent: {text}"),
            Self::Answer(Refusal::Key) => format!(
                "{to} answers with a key that this agent does not have: give it the pool's \
                 (--encrypt)"
            ),
            Self::Answer(Refusal::NoKeys) => format!(
                "{to} is of a pool that is encrypted: give this agent the pool's key (--encrypt)"
            ),
            Self::Answer(Refusal::Plaintext) => format!(
                "{to} does not encrypt, and this agent takes nothing else: give that one the key, \
                 too, or start this one without --encrypt"
            ),
            Self::Answer(refusal) => format!(
                "{to} does not answer as a member of a pool: {refusal}. Is that where an agent \
                 listens for the pool?"
            ),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Broken => Self::Closed,
            refusal => Self::Answer(refusal),
        }
    }
}

impl NotJoined {
    /// What the member says, and what the stream has seen.
    pub(super) fn new(error: JoinError, failure: Option<Failure>) -> Self {
        match error {
            JoinError::NoAnswer => Self::Failed(failure.unwrap_or(Failure::Unanswered)),
            JoinError::Incompatible { member, reason } => Self::Incompatible { member, reason },
        }
    }

    /// In words, and what to do about it.
    pub(super) fn told(&self, to: Address) -> String {
        match self {
            Self::Failed(failure) => failure.told(to),
            Self::Incompatible { member, reason } => format!(
                "{to} is of a pool that this agent cannot be of: nothing that it told of members \
                 can be believed, such as of {member}: {reason:?}"
            ),
        }
    }
}
