//! What replicas say to each other, whichever core they run.

use core::fmt::{self, Display, Formatter};

use protocol::link::Frame;
use protocol::{raft, zab};

/// A message of one replica to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Of a group that runs Raft; in any group, a word of mending.
    Raft(raft::Message),
    /// Of a group that runs Zab: on links, or about them.
    Zab(Frame<zab::Message>),
}

impl Message {
    /// Whether nobody says it again should it get lost: commands that are passed on to a leader of
    /// Raft. On the links of Zab whatever gets lost ends the link, and is not said again at all.
    #[must_use]
    pub const fn is_said_once(&self) -> bool {
        matches!(self, Self::Raft(raft::Message { body: raft::Body::Propose { .. }, .. }))
    }
}

impl From<raft::Message> for Message {
    fn from(message: raft::Message) -> Self {
        Self::Raft(message)
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raft(message) => message.fmt(f),
            Self::Zab(Frame::Open { mine, yours }) => {
                write!(f, "open {:x}.{}", mine.life, mine.number)?;
                yours.map_or(Ok(()), |it| write!(f, " to {:x}.{}", it.life, it.number))
            }
            Self::Zab(Frame::Word { number, message, .. }) => write!(f, "#{number} {message}"),
            Self::Zab(Frame::Beat { said, .. }) => write!(f, "beat #{said}"),
        }
    }
}
