//! What members say to each other, as values.
//!
//! Two enums, for the two ways that a message can take. A [`Message`] fits a packet, and any number
//! of them may share one. A [`StreamMessage`] opens a connection and is answered on it.
//!
//! ```text
//! Ping ─────────► Ack                     is it there?
//! IndirectPing ─► Ping ─► Ack ─► Ack      … and for somebody else? (or Nack: it did not answer me)
//! Suspect, Alive, Dead                    what is believed of a member; passed on by everybody
//! User                                    opaque to this layer; Serf's messages travel in it
//! PushPull ─────► PushPull                two members give each other all that they believe
//! ```
//!
//! Laws:
//!
//! - Names are bytes. Nothing promises that they are text, so nothing treats them as text but
//!   [`Display`](fmt::Display).
//! - An address is the bytes that arrived ([`Addr`]). Peers compare addresses byte by byte, so four
//!   bytes and the same four mapped into sixteen are two addresses, and whoever passes one on as
//!   the other splits a member in two.
//! - A member's versions are six bytes ([`Vsn`]). Peers die of other lengths, or believe them and
//!   then refuse each other for ever; so another length ends at the decoder, and no value here can
//!   say it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

/// The name of a member: any bytes, cheap to clone.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Bytes);

/// The address of a member, byte for byte as it arrived: 4 or 16 bytes when somebody lives there.
///
/// Addresses longer than [`Addr::MAX`] end at the decoder.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr {
    /// Bytes beyond the length are zero, so that equality is derived.
    bytes: [u8; Self::MAX],
    length: u8,
}

/// What a member speaks: least, most and current version of the protocol, then of the delegate
/// (the layer above, for Serf 2 to 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vsn(pub [u8; 6]);

/// What is told of a member beside its state. Immutable, so that all who know it share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facts {
    /// Its name: who it is.
    pub name: Name,
    /// Where it is.
    pub addr: Addr,
    /// Its port, for packets and for streams.
    pub port: u16,
    /// What the layer above says of it. Serf puts its tags here.
    pub meta: Bytes,
    /// What it speaks.
    pub vsn: Vsn,
}

/// What is believed of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It answers.
    Alive,
    /// It did not answer somebody; it may still say that it is there.
    Suspect,
    /// It did not say so in time.
    Dead,
    /// It said that it was going.
    Left,
}

/// Whatever fits a packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Is it there?
    Ping(Ping),
    /// Ask somebody for me.
    IndirectPing(IndirectPing),
    /// It is.
    Ack(Ack),
    /// It did not answer me.
    Nack(Nack),
    /// A member does not answer.
    Suspect(Suspect),
    /// A member is there, and these are its facts.
    Alive(Alive),
    /// A member is gone.
    Dead(Dead),
    /// A message of the layer above.
    User(Bytes),
}

/// Whatever opens a connection or is answered on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StreamMessage {
    /// Is it there? Asked again here when packets got no answer.
    Ping(Ping),
    /// It is.
    Ack(Ack),
    /// All that a member believes.
    PushPull(PushPull),
    /// A message of the layer above. It is not answered.
    User(Bytes),
    /// What the other side has to complain of, for its operator or ours.
    Error(Bytes),
}

/// A question to a member: are you there?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ping {
    /// Chosen by who asks; the answer repeats it.
    pub seq: u32,
    /// Whom it is meant for. Who has another name does not answer, unless this one is empty.
    pub node: Name,
    /// Where the answer goes; without it, to wherever the packet came from.
    pub source: Option<Source>,
}

/// A question to a member about another: does it answer you?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IndirectPing {
    /// Chosen by who asks; the answer repeats it.
    pub seq: u32,
    /// Where the other is.
    pub target: Addr,
    /// Its port.
    pub port: u16,
    /// Its name.
    pub node: Name,
    /// Whether to say so when it does not answer.
    pub nack: bool,
    /// Where the answer goes; without it, to wherever the packet came from.
    pub source: Option<Source>,
}

/// Where an answer goes.
///
/// The address is not empty and the port is not 0: the wire says "absent" that way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The address of who asks.
    pub addr: Addr,
    /// Its port.
    pub port: u16,
    /// Its name; older peers leave it empty.
    pub node: Name,
}

/// The answer to a ping.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ack {
    /// The number of the question.
    pub seq: u32,
    /// What the layer above adds: Serf's network coordinate, or nothing.
    pub payload: Bytes,
}

/// The answer of a helper whose own ping got none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nack {
    /// The number of the question.
    pub seq: u32,
}

/// An accusation: a member does not answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Suspect {
    /// The incarnation that is accused.
    pub incarnation: u32,
    /// Who is accused.
    pub node: Name,
    /// Who accuses.
    pub from: Name,
}

/// The end of a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dead {
    /// The incarnation that is gone.
    pub incarnation: u32,
    /// Who is gone.
    pub node: Name,
    /// Who says so. A member says it of itself when it leaves.
    pub from: Name,
}

/// A member says of itself that it is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Alive {
    /// Grows with every time that it had to say so again.
    pub incarnation: u32,
    /// Who and where it is.
    pub facts: Arc<Facts>,
}

/// All that a member believes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PushPull {
    /// Whether somebody joins, rather than compares.
    pub join: bool,
    /// Every member it knows.
    pub nodes: Vec<NodeState>,
    /// What the layer above adds.
    pub user: Bytes,
}

/// What one member believes of another: a row of [`PushPull`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeState {
    /// Who and where it is.
    pub facts: Arc<Facts>,
    /// Its incarnation, as far as is known.
    pub incarnation: u32,
    /// What is believed of it.
    pub state: State,
}

impl Name {
    /// A name that is known when the program is written.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        Self(Bytes::from_static(name.as_bytes()))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its bytes, shared.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The same name in memory of its own. A decoded name may share that of a whole packet or
    /// stream, which lives for as long as the name.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// Bytes of it.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none: in a ping, "whoever you are".
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Bytes> for Name {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(Bytes::copy_from_slice(name.as_bytes()))
    }
}

impl Addr {
    /// Bytes of the longest address that there is: one of IPv6.
    pub const MAX: usize = 16;

    /// These bytes as an address; `None` when there are more than [`Addr::MAX`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut all = [0; Self::MAX];
        all.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { bytes: all, length: u8::try_from(bytes.len()).ok()? })
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Whether it has no bytes: nobody can be reached there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl From<[u8; 4]> for Addr {
    fn from(v4: [u8; 4]) -> Self {
        let mut bytes = [0; Self::MAX];
        bytes[..4].copy_from_slice(&v4);
        Self { bytes, length: 4 }
    }
}

impl From<[u8; 16]> for Addr {
    fn from(bytes: [u8; 16]) -> Self {
        Self { bytes, length: 16 }
    }
}

impl Vsn {
    /// What a member of a pool of Serf, Consul or Nomad agents speaks. Such a pool lets in nobody
    /// whose delegate versions do not overlap with theirs.
    pub const SERF: Self = Self([1, 5, 2, 2, 5, 5]);

    /// What a member speaks that has no layer above with versions of its own.
    pub const PLAIN: Self = Self([1, 5, 2, 0, 0, 0]);

    /// The least version of the protocol that it understands.
    #[must_use]
    pub const fn protocol_min(self) -> u8 {
        self.0[0]
    }

    /// The latest that it understands: nacks from 4 on, checksums from 5 on.
    #[must_use]
    pub const fn protocol_max(self) -> u8 {
        self.0[1]
    }

    /// The one that it speaks.
    #[must_use]
    pub const fn protocol(self) -> u8 {
        self.0[2]
    }

    /// The least version of the delegate that it understands.
    #[must_use]
    pub const fn delegate_min(self) -> u8 {
        self.0[3]
    }

    /// The latest that it understands.
    #[must_use]
    pub const fn delegate_max(self) -> u8 {
        self.0[4]
    }

    /// The one that it speaks.
    #[must_use]
    pub const fn delegate(self) -> u8 {
        self.0[5]
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    _ if character.is_control() => write!(f, "{}", character.escape_default())?,
                    _ => fmt::Write::write_char(f, character)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.as_bytes();
        if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
            return write!(f, "{}", core::net::Ipv4Addr::from(v4));
        }
        if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
            return write!(f, "{}", core::net::Ipv6Addr::from(v6));
        }
        f.write_str("0x")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Vsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [least, most, now, delegate_least, delegate_most, delegate] = self.0;
        write!(f, "{least}-{most}/{now} {delegate_least}-{delegate_most}/{delegate}")
    }
}
