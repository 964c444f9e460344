//! Several messages in one packet.
//!
//! ```text
//! 07 | count u8 | count × length u16, big-endian | the messages, each with its kind in front
//! ```

use alloc::vec::Vec;

use bytes::Bytes;

use super::{Error, encode, kind};
use crate::swim::message::Message;

/// The most messages in a compound. The byte that counts them could say 255, but memberlist 0.2.2
/// doubles it in eight bits and reads 128 as none.
pub const PARTS_MAX: usize = 127;

/// Bytes that a compound has of its own.
const FRONT: usize = 2;

/// Bytes that it has for each message.
const LENGTH: usize = 2;

/// Bytes that are set aside, at most, for a packet of several messages.
const RESERVED: usize = 1500;

/// Packs messages into packets.
///
/// - No packet is longer than the budget, unless it holds one message that is.
/// - A message alone goes bare; several go as a compound of at most [`PARTS_MAX`].
/// - No message is empty: an empty part kills memberlist 0.2.2.
/// - They stay in order.
#[derive(Debug)]
pub struct Packer {
    budget: usize,
    /// Complete packets.
    packets: Vec<Vec<u8>>,
    /// The messages of the packet that is being filled.
    body: Vec<u8>,
    lengths: Vec<u16>,
}

impl Packer {
    /// Packs into packets of `budget` bytes: what the network carries, less what envelopes add.
    #[must_use]
    pub const fn new(budget: usize) -> Self {
        Self { budget, packets: Vec::new(), body: Vec::new(), lengths: Vec::new() }
    }

    /// Adds a message.
    pub fn push(&mut self, message: &Message) {
        let start = self.body.len();
        encode(message, &mut self.body);
        self.settle(start);
    }

    /// Adds a message that is encoded already, or another compound. Nothing becomes of no bytes.
    pub fn push_encoded(&mut self, message: &[u8]) {
        let start = self.body.len();
        self.body.extend_from_slice(message);
        self.settle(start);
    }

    /// The packets.
    #[must_use]
    pub fn finish(mut self) -> Vec<Vec<u8>> {
        self.flush();
        self.packets
    }

    /// Finds a packet for the message that stands in the body from `start` on.
    fn settle(&mut self, start: usize) {
        let size = self.body.len() - start;
        if size == 0 {
            return;
        }
        if self.lengths.len() == 1 {
            self.body.reserve(self.budget.min(RESERVED));
        }
        let full = FRONT + LENGTH * (self.lengths.len() + 1) + self.body.len() > self.budget;
        let length = u16::try_from(size);
        if full || length.is_err() || self.lengths.len() == PARTS_MAX {
            let message = self.body.split_off(start);
            self.flush();
            self.body = message;
        }
        match length {
            Ok(length) => self.lengths.push(length),
            // No compound can say its length.
            Err(_) => self.packets.push(core::mem::take(&mut self.body)),
        }
    }

    fn flush(&mut self) {
        match self.lengths.len() {
            0 => {}
            1 => self.packets.push(core::mem::take(&mut self.body)),
            parts => {
                let parts = u8::try_from(parts).expect("invariant: at most PARTS_MAX parts");
                let mut packet =
                    Vec::with_capacity(FRONT + LENGTH * self.lengths.len() + self.body.len());
                packet.extend_from_slice(&[kind::COMPOUND, parts]);
                for length in &self.lengths {
                    packet.extend_from_slice(&length.to_be_bytes());
                }
                packet.extend_from_slice(&self.body);
                self.packets.push(packet);
                self.body.clear();
            }
        }
        self.lengths.clear();
    }
}

/// The messages of a compound that arrived.
#[derive(Debug)]
pub(super) struct Compound {
    lengths: Bytes,
    body: Bytes,
}

impl Compound {
    /// Reads what stands behind the kind.
    pub(super) fn open(bytes: &Bytes) -> Result<Self, Error> {
        let (&count, rest) = bytes.split_first().ok_or(Error::Short)?;
        let lengths = LENGTH * usize::from(count);
        if rest.len() < lengths {
            return Err(Error::Short);
        }
        Ok(Self { lengths: bytes.slice(1..=lengths), body: bytes.slice(1 + lengths..) })
    }
}

impl Iterator for Compound {
    type Item = Result<Bytes, Error>;

    /// The next part. Those that do not fit are lost, each with a word; those before them are not.
    fn next(&mut self) -> Option<Self::Item> {
        let length = u16::from_be_bytes(*self.lengths.first_chunk()?);
        let _ = self.lengths.split_to(LENGTH);
        let length = usize::from(length);
        if length > self.body.len() {
            self.body.clear();
            return Some(Err(Error::PartLost));
        }
        if length == 0 {
            return Some(Err(Error::PartEmpty));
        }
        Some(Ok(self.body.split_to(length)))
    }
}
