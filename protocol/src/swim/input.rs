//! What happens to a member.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use super::message::{Addr, Facts, Message, Name, PushPull};
use super::queue::Tag;

/// Where packets and streams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The address, byte for byte as it was told.
    pub addr: Addr,
    /// The port.
    pub port: u16,
}

/// Names an exchange that this member began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u64);

/// Names a stream that somebody else opened; chosen by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// Which messages of the layer above go first, when not all fit: those of the first lane. The
/// names are those of what Serf puts there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// First.
    Intent,
    /// Second.
    Query,
    /// Last.
    Event,
}

/// Who a member is, and what its last life left behind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// What is told of it.
    pub facts: Facts,
    /// The last [`super::Output::Incarnation`] of an earlier life under this name, where it is
    /// known. Without it a restarted member is believed dead until it has heard so and has
    /// answered; with it, it is believed at once.
    pub incarnation: Option<u32>,
}

/// What happens to a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The time given by `poll_timeout` has come. Harmless when it has not.
    Timeout,
    /// A packet: one message, or the parts of a compound in their order.
    Receive {
        /// Where it came from.
        from: Address,
        /// What it says.
        messages: Vec<Message>,
    },
    /// The ping with this number could not be sent at all: others are asked at once.
    Unsent {
        /// The number in the ping.
        seq: u32,
    },
    /// A ping over a stream was answered, by an acknowledgement of its number.
    StreamAcked {
        /// The number in the ping.
        seq: u32,
    },
    /// Somebody opened a stream and told all that it believes. Answered at once by
    /// [`super::Output::Answer`]. The driver bounds how many are under way at a time.
    Asked {
        /// The stream.
        id: StreamId,
        /// What came.
        state: PushPull,
    },
    /// How an exchange that this member began has ended. Every one ends, by its deadline.
    Exchanged {
        /// Which.
        id: ExchangeId,
        /// What the other side told; `None`: nothing, for whatever reason.
        state: Option<PushPull>,
    },
    /// Exchange everything with whoever is there, and so become a member of its pool. Answered by
    /// [`super::Output::Joined`] with the same tag; trying again, and elsewhere, is the driver's
    /// affair.
    Join {
        /// Given back.
        tag: Tag,
        /// Where somebody of the pool may be.
        to: Address,
    },
    /// Say something else of this member: it becomes a new incarnation, and everybody hears of it.
    /// Longer than [`super::Config::meta_bytes`] is refused and counted.
    Update {
        /// What is said of it from now on.
        meta: Bytes,
    },
    /// Pass a message of the layer above on to everybody. It must fit a packet; a longer one is
    /// refused and counted. [`super::Output::Sent`] gives the tag back once it was sent as often as
    /// is enough, or was replaced or dropped.
    Broadcast {
        /// How urgent it is.
        lane: Lane,
        /// A later message of this name in this lane replaces it.
        name: Option<Name>,
        /// Given back.
        tag: Option<Tag>,
        /// What.
        message: Bytes,
    },
    /// Send a message of the layer above to one address, in one packet, as well as packets go.
    Tell {
        /// Whom.
        to: Address,
        /// What.
        message: Bytes,
    },
    /// What acknowledgements carry from now on.
    Payload(Bytes),
    /// Say that this member goes, and wait until that was sent often enough, but not longer than
    /// this. [`super::Output::Gone`] tells the end. It goes on answering until it is dropped, and
    /// does not come back: the next one under its name is a new `Swim`.
    Leave {
        /// How long.
        patience: Duration,
    },
}

impl Lane {
    /// All, the most urgent first.
    pub const ALL: [Self; 3] = [Self::Intent, Self::Query, Self::Event];
}

impl Address {
    /// Where a member is.
    #[must_use]
    pub const fn of(facts: &Facts) -> Self {
        Self { addr: facts.addr, port: facts.port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.addr.as_bytes().len() == 4 {
            write!(f, "{}:{}", self.addr, self.port)
        } else {
            write!(f, "[{}]:{}", self.addr, self.port)
        }
    }
}
