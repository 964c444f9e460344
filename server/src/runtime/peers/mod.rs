//! Links between members: framed TCP, one connection for each direction.
//!
//! A member dials every other one and *sends* on the connection it dialled; what it *receives*
//! comes in on connections that the others dialled. Both ends show first who they are:
//!
//! ```text
//! dialler:  "CNCLPEER" | version u32 | cluster u64 | from u64 | to u64 | incarnation u64
//!           | configuration u64 | address length u16 | address | life length u16 | life
//!           | acquaintances length u16 | acquaintances
//! acceptor: "CNCLPEER" | version u32 | cluster u64 | id u64 | verdict u8
//! ```
//!
//! The dialler tells its own address and the index of its configuration: whoever is dialled by a
//! member that it does not know yet can so dial back, and judge whether it may. Its life shows that
//! it is still the member that was met before (`node::Life`); it also tells whom it has met itself.
//! Whatever is new of that while a link is up, it tells with a second greeting beside it. A
//! connection that begins with "CNCLJOIN" is a newcomer's question (`join.rs`).
//!
//! Then frames follow in the dialler's direction alone. A link loses messages when it breaks or
//! when the other side does not read: consensus is made for that, and is told by
//! [`node::Input::Unreachable`]. What takes another way because its own is broken comes on a link
//! of whoever passes it on, and is judged by itself (`relayed.rs`).

mod accept;
mod dial;
mod handshake;
mod join;
mod outbox;
mod refusals;
mod relayed;
mod roster;

pub(crate) use accept::{Acceptor, listen};
pub(crate) use dial::{Links, Peer};
pub(crate) use handshake::Identity;
pub(crate) use join::{Admission, Ask, JoinRequest, Refused, join};
pub(crate) use roster::Roster;

use std::io;
use std::time::Duration;

use node::Message;
use protocol::NodeId;
use protocol::mesh::Packet;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// What is sent and not confirmed for this long ends a link. TCP by itself would repeat it for many
/// minutes, and so outlast by far a partition that swallows packets.
const UNCONFIRMED: Duration = Duration::from_secs(5);
/// A link without traffic is asked for a sign of life this often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// Sets a link's socket up: small messages leave at once, and a silent end is noticed.
fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(UNCONFIRMED))?;
    let keepalive = TcpKeepalive::new().with_time(SIGN_OF_LIFE).with_interval(SIGN_OF_LIFE);
    socket.set_tcp_keepalive(&keepalive.with_retries(3))
}

/// What links tell the driver.
#[derive(Debug)]
pub(crate) enum FromPeers {
    /// Packets that came in together, on a link of this member's.
    Packets(NodeId, Vec<Packet<Message>>),
    /// The last link on which this member was heard broke.
    Broke(NodeId),
    /// A link broke, or dropped something.
    Unreachable(NodeId),
    /// A member that was not known here dialled, and is reached at this address.
    Newcomer(NodeId, String),
    /// Somebody wants to join.
    Join(JoinRequest),
    /// A member says that this one was removed.
    Removed(Disowned),
    /// A member says that this one is not what it was any more.
    Disowned(Disowned),
}

/// A member does not take this one for the member that it has met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disowned {
    /// Where it listens.
    pub(crate) by: String,
    /// What it says, for an operator to read.
    pub(crate) why: &'static str,
}
