//! One member on the virtual network: the production core, and its machine around it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use protocol::Time;
use protocol::swim::message::{Addr, Facts, Message, Name, Ping, PushPull, Vsn};
use protocol::swim::{Address, ExchangeId, Label, StreamId, Swim};
use serde::Serialize;

use super::meter::Meter;

/// Packets that wait in the socket of a member that stands still: 416 KiB of buffers, which is
/// Linux's default, hold about so many small ones. Further ones are lost.
pub(super) const SOCKET_PACKETS: usize = 512;

/// What arrives at a member.
#[derive(Debug)]
pub(super) enum Arrival {
    Packet {
        from: usize,
        messages: Vec<Message>,
        bytes: u64,
    },
    /// A ping over a stream.
    Knock {
        from: usize,
        life: u32,
        ping: Ping,
        deadline: Time,
    },
    /// Its answer.
    Knocked {
        seq: u32,
    },
    /// One half of an exchange, and of which life's.
    Asked {
        from: usize,
        life: u32,
        id: ExchangeId,
        state: PushPull,
        bytes: u64,
    },
    /// The other half, or that there is none.
    Exchanged {
        id: ExchangeId,
        state: Option<PushPull>,
        bytes: u64,
    },
    /// It goes on, in this life.
    Resume(u32),
    /// It reads the next of what waited, in this life.
    Read(u32),
}

/// What keeps a member from its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Slow {
    /// It does not run at all.
    Still,
    /// It runs, and what it sends and what comes for it waits.
    Mute,
}

impl Slow {
    /// Both ways.
    pub const ALL: [Self; 2] = [Self::Still, Self::Mute];

    /// What a reader calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Still => "stand still",
            Self::Mute => "are mute",
        }
    }
}

/// A member and its machine.
#[derive(Debug)]
pub(super) struct Member {
    /// `None` while it does not run.
    pub(super) swim: Option<Swim>,
    pub(super) facts: Arc<Facts>,
    /// Which life of it this is, so that what comes for an earlier one is dropped.
    pub(super) life: u32,
    /// When it is to be woken.
    pub(super) wake: Time,
    /// What keeps it from its work.
    pub(super) slow: Option<Slow>,
    /// Reads what arrived meanwhile, one after the other.
    pub(super) reading: bool,
    pub(super) waiting: VecDeque<Arrival>,
    pub(super) waiting_packets: usize,
    /// Packets that it could not send.
    pub(super) unsent: Vec<(Address, Vec<Message>, bool)>,
    /// Streams that wait for an answer: of whom, of which life, which exchange.
    pub(super) asked: BTreeMap<StreamId, (usize, u32, ExchangeId)>,
    /// Which pool it says that it is of; it drops what others say.
    pub(super) label: Label,
    /// What its disk has.
    pub(super) incarnation: Option<u32>,
    /// What the layer above tells in exchanges.
    pub(super) state: Bytes,
    /// What of the layer above it has heard.
    pub(super) heard: Vec<Bytes>,
    /// When it was pinged first while it did not run.
    pub(super) unanswered: Option<Time>,
    pub(super) meter: Meter,
}

/// What names begin with.
pub(super) const NAME: &str = "member-";
/// No wake-up is under way.
pub(super) const NEVER: Time = Time(u64::MAX);

impl Member {
    pub(super) fn new(facts: Arc<Facts>) -> Self {
        Self {
            swim: None,
            facts,
            life: 0,
            wake: NEVER,
            slow: None,
            reading: false,
            waiting: VecDeque::new(),
            waiting_packets: 0,
            unsent: Vec::new(),
            asked: BTreeMap::new(),
            label: Label::default(),
            incarnation: None,
            state: Bytes::new(),
            heard: Vec::new(),
            unanswered: None,
            meter: Meter {
                packets_out: 0,
                packets_in: 0,
                bytes_out: 0,
                bytes_in: 0,
                exchanged_out: 0,
                exchanged_in: 0,
            },
        }
    }
}

/// What is told of a member. All names are equally long, so that members cost the same.
pub(super) fn facts(member: usize) -> Facts {
    let name = Name::from(format!("{NAME}{member:06}").as_str());
    let [_, one, two, three] = u32::try_from(member).unwrap_or(u32::MAX).to_be_bytes();
    let addr = Addr::from([10, one, two, three]);
    let meta = Bytes::from_static(b"role=agent");
    Facts { name, addr, port: 7946, meta, vsn: Vsn::SERF }
}

/// Who lives at an address, among so many.
pub(super) fn place(address: &Address, members: usize) -> Option<usize> {
    let &[10, one, two, three] = address.addr.as_bytes() else { return None };
    let member = usize::try_from(u32::from_be_bytes([0, one, two, three])).ok()?;
    (member < members).then_some(member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_places() {
        for member in [0, 1, 255, 256, 70_000] {
            assert_eq!(place(&Address::of(&facts(member)), 70_001), Some(member));
        }
        assert_eq!(place(&Address::of(&facts(7)), 7), None);
    }
}
