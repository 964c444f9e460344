//! Letters: what candidates of a group say to each other, as bytes of one datagram each.
//!
//! `docs/formats.md` draws them. Numbers are little-endian. There is one way to write a letter, and
//! what is written in any other way is refused; so is what could not be a candidate's.
//!
//! - The first byte, [`KIND`], is none that Serf's layer has within user messages.
//! - A letter names its group in full: no two groups are taken for each other.
//! - The largest letter has [`LETTER_MAX`] bytes, which every datagram of a pool has room for, with
//!   whatever wraps it. For that an electorate has at most [`ELECTORS_MAX`] members on this wire,
//!   the outgoing ones included.

mod durable;
mod letter;
mod read;
mod write;

use alloc::string::String;
use core::fmt;

pub use durable::{decode_durable, encode_durable};
pub use letter::{decode, encode};

use super::boundary::Shown;
use super::message::Message;
use crate::NodeId;

/// What a letter begins with, among the user messages of a pool.
pub const KIND: u8 = 0xc0;
/// The version of letters.
pub const VERSION: u8 = 1;
/// Members of an electorate, the outgoing ones included, on the wire and on disks.
pub const ELECTORS_MAX: usize = 64;
/// Bytes of the largest letter.
pub const LETTER_MAX: usize = 700;

/// The name of a group: 1 to 64 bytes of text, without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(String);

impl Group {
    /// Bytes of the longest name.
    pub const MOST: usize = 64;

    /// The group of this name; `None` when it is no name.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=Self::MOST).contains(&name.len()) && !name.chars().any(char::is_control);
        fits.then(|| Self(name.into()))
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What a candidate says to another one of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// In which group.
    pub group: Group,
    /// What.
    pub says: Says,
}

/// What a letter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// This is what the sender shows of itself.
    Shown(Shown),
    /// This candidate is one no more.
    Gone(NodeId),
    /// A message of the election.
    Message(Message),
}

impl Says {
    /// Who says it.
    #[must_use]
    pub const fn sender(&self) -> NodeId {
        match self {
            Self::Shown(shown) => shown.rank.id,
            Self::Gone(id) => *id,
            Self::Message(message) => message.rank.id,
        }
    }
}
