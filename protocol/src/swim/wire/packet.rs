//! Packets: what a datagram holds once it is decrypted and its label is gone.

use alloc::vec::Vec;

use bytes::Bytes;

use super::body;
use super::compound::Compound;
use super::msgpack::{Length, Reader, Sink};
use super::{Compressed, Error, checksum, kind};
use crate::swim::message::Message;

/// How deep compounds may stand within compounds. Nobody nests them; nothing forbids it.
const NESTING_MAX: usize = 4;

/// Appends a message: its kind and its body.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    write(message, out);
}

/// How many bytes [`encode`] appends.
#[must_use]
pub fn encoded_len(message: &Message) -> usize {
    let mut length = Length::default();
    write(message, &mut length);
    length.0
}

fn write(message: &Message, out: &mut impl Sink) {
    match message {
        Message::Ping(ping) => {
            out.put(&[kind::PING]);
            body::write_ping(out, ping);
        }
        Message::IndirectPing(ping) => {
            out.put(&[kind::INDIRECT_PING]);
            body::write_indirect_ping(out, ping);
        }
        Message::Ack(ack) => {
            out.put(&[kind::ACK]);
            body::write_ack(out, ack);
        }
        Message::Nack(nack) => {
            out.put(&[kind::NACK]);
            body::write_nack(out, *nack);
        }
        Message::Suspect(suspect) => {
            out.put(&[kind::SUSPECT]);
            body::write_suspect(out, suspect);
        }
        Message::Alive(alive) => {
            out.put(&[kind::ALIVE]);
            body::write_alive(out, alive);
        }
        Message::Dead(dead) => {
            out.put(&[kind::DEAD]);
            body::write_dead(out, dead);
        }
        Message::User(bytes) => {
            out.put(&[kind::USER]);
            out.put(bytes);
        }
    }
}

/// One thing that a packet holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A message.
    Message(Message),
    /// Compressed bytes. What becomes of them is a packet to be taken apart by [`parts`], once:
    /// whoever compresses what is compressed has something else in mind.
    Compressed(Compressed),
}

/// Takes a packet apart, checksum and compounds included.
///
/// Messages share the packet's memory, except for what is believed of members, which is copied. So
/// whoever keeps messages for long hands in a packet of its own and not a slice of a large buffer.
#[must_use]
pub fn parts(packet: Bytes) -> Parts {
    let (first, refused) = match checksum::open(packet) {
        Ok(packet) => (Some(packet), None),
        Err(error) => (None, Some(error)),
    };
    Parts { first, refused, compounds: Vec::new() }
}

/// The messages of a packet, in order. See [`parts`].
#[derive(Debug)]
pub struct Parts {
    /// The packet, until it is looked at.
    first: Option<Bytes>,
    /// Why there is none.
    refused: Option<Error>,
    /// The compounds that are being taken apart, each within the one before it.
    compounds: Vec<Compound>,
}

impl Iterator for Parts {
    type Item = Result<Part, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.refused.take() {
            return Some(Err(error));
        }
        loop {
            let message = match self.first.take() {
                Some(packet) => packet,
                None => match self.compounds.last_mut()?.next() {
                    Some(Ok(message)) => message,
                    Some(Err(error)) => return Some(Err(error)),
                    None => {
                        self.compounds.pop();
                        continue;
                    }
                },
            };
            if message.first() != Some(&kind::COMPOUND) {
                return Some(decode(&message));
            }
            if self.compounds.len() == NESTING_MAX {
                return Some(Err(Error::Nesting));
            }
            match Compound::open(&message.slice(1..)) {
                Ok(compound) => self.compounds.push(compound),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A message that is no compound.
fn decode(message: &Bytes) -> Result<Part, Error> {
    let &kind = message.first().ok_or(Error::Short)?;
    let mut reader = Reader::new(message, 1);
    let reader = &mut reader;
    Ok(Part::Message(match kind {
        kind::PING => Message::Ping(body::read_ping(reader)?),
        kind::INDIRECT_PING => Message::IndirectPing(body::read_indirect_ping(reader)?),
        kind::ACK => Message::Ack(body::read_ack(reader)?),
        kind::NACK => Message::Nack(body::read_nack(reader)?),
        kind::SUSPECT => Message::Suspect(body::read_suspect(reader)?),
        kind::ALIVE => Message::Alive(body::read_alive(reader)?),
        kind::DEAD => Message::Dead(body::read_dead(reader)?),
        kind::USER => Message::User(reader.rest()),
        kind::COMPRESSED => return Compressed::read(reader).map(Part::Compressed),
        _ => return Err(Error::Kind),
    }))
}
