//! How many bytes a message takes in a packet, without making them.
//!
//! A packet is filled to its last byte again and again from one queue, so lengths must be known
//! before anything is encoded. They are those of the canonical encoding; a test holds the one
//! against the other.

use super::message::{Message, Name, Source};

/// Bytes of a message alone in a packet, its type byte included.
#[must_use]
pub fn encoded_len(message: &Message) -> usize {
    /// The type byte and the head of the map.
    const HEAD: usize = 2;
    match message {
        Message::Ping(ping) => {
            HEAD + key("Node")
                + text(&ping.node)
                + key("SeqNo")
                + number(ping.seq)
                + source(ping.source.as_ref())
        }
        Message::IndirectPing(ping) => {
            HEAD + key("Nack")
                + 1
                + key("Node")
                + text(&ping.node)
                + key("Port")
                + number(u32::from(ping.port))
                + key("SeqNo")
                + number(ping.seq)
                + key("Target")
                + bytes(ping.target.as_bytes().len())
                + source(ping.source.as_ref())
        }
        Message::Ack(ack) => {
            HEAD + key("Payload") + bytes(ack.payload.len()) + key("SeqNo") + number(ack.seq)
        }
        Message::Nack(nack) => HEAD + key("SeqNo") + number(nack.seq),
        Message::Suspect(told) => HEAD + accusation(told.incarnation, &told.node, &told.from),
        Message::Dead(told) => HEAD + accusation(told.incarnation, &told.node, &told.from),
        Message::Alive(alive) => {
            let facts = &alive.facts;
            HEAD + key("Addr")
                + bytes(facts.addr.as_bytes().len())
                + key("Incarnation")
                + number(alive.incarnation)
                + key("Meta")
                + bytes(facts.meta.len())
                + key("Node")
                + text(&facts.name)
                + key("Port")
                + number(u32::from(facts.port))
                + key("Vsn")
                + bytes(facts.vsn.0.len())
        }
        Message::User(message) => 1 + message.len(),
    }
}

const fn key(name: &str) -> usize {
    1 + name.len()
}

const fn text(name: &Name) -> usize {
    bytes(name.len())
}

const fn bytes(length: usize) -> usize {
    let head = match length {
        0..=31 => 1,
        32..=0xffff => 3,
        _ => 5,
    };
    head + length
}

const fn number(number: u32) -> usize {
    match number {
        0..=0x7f => 1,
        0x80..=0xff => 2,
        0x100..=0xffff => 3,
        _ => 5,
    }
}

const fn accusation(incarnation: u32, node: &Name, from: &Name) -> usize {
    key("From") + text(from) + key("Incarnation") + number(incarnation) + key("Node") + text(node)
}

/// Whoever asks; an empty name is left out.
fn source(source: Option<&Source>) -> usize {
    let Some(source) = source else { return 0 };
    let node = if source.node.is_empty() { 0 } else { key("SourceNode") + text(&source.node) };
    let addr = key("SourceAddr") + bytes(source.addr.as_bytes().len());
    addr + key("SourcePort") + number(u32::from(source.port)) + node
}
