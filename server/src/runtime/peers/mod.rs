//! Links between members: framed TCP, one connection for each direction.
//!
//! A member dials every other one and *sends* on the connection it dialled; what it *receives*
//! comes in on connections that the others dialled. Both ends show first who they are:
//!
//! ```text
//! dialler:  "CNCLPEER" | version u32 | cluster u64 | from u64 | to u64 | incarnation u64
//! acceptor: "CNCLPEER" | version u32 | cluster u64 | id u64 | verdict u8
//! ```
//!
//! Then frames follow in the dialler's direction alone. A link loses messages when it breaks or
//! when the other side does not read: consensus is made for that, and is told by
//! [`node::Input::Unreachable`].

mod accept;
mod dial;
mod handshake;
mod outbox;

pub(crate) use accept::{Acceptor, listen};
pub(crate) use dial::{Links, Peer};
pub(crate) use handshake::Identity;

use node::Input;
use protocol::NodeId;
use protocol::raft::Message;

/// What links tell the driver.
#[derive(Debug)]
pub(crate) enum FromPeers {
    /// Messages that came in together.
    Messages(NodeId, Vec<Message>),
    /// A link broke, or dropped something.
    Unreachable(NodeId),
}

impl FromPeers {
    /// As inputs of the node.
    pub(crate) fn for_each_input(self, mut feed: impl FnMut(Input)) {
        match self {
            Self::Messages(from, messages) => {
                messages.into_iter().for_each(|message| feed(Input::Receive { from, message }));
            }
            Self::Unreachable(peer) => feed(Input::Unreachable(peer)),
        }
    }
}
