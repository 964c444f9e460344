//! What travels on a link, as bytes: a message as it is, or behind a header that says for whom it
//! is, or who hears whom.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::NodeId;
use protocol::mesh::{Packet, View};

use super::DecodeError;
use super::message::{decode_message, encode_message};
use super::reader::Reader;
use super::writer::{put_count, put_u64};
use crate::consensus::Message;

/// No message has these kinds.
const HELLO: u8 = 40;
const RELAYED: u8 = 41;

/// Members of which one hello tells, and members that one of them hears.
const MAX_VIEWS: usize = 256;
/// The least bytes of a view: node, life, number, count.
const LEAST_VIEW: usize = 8 + 8 + 8 + 4;

/// Appends a packet's bytes.
pub fn encode_packet(packet: &Packet<Message>, out: &mut Vec<u8>) {
    match packet {
        Packet::Direct(message) => encode_message(message, out),
        Packet::Relayed { origin, target, life, message } => {
            out.push(RELAYED);
            [origin.0, target.0, *life].into_iter().for_each(|word| put_u64(out, word));
            encode_message(message, out);
        }
        Packet::Hello(views) => {
            out.push(HELLO);
            put_count(out, views.len());
            for View { node, life, number, hears } in views {
                [node.0, *life, *number].into_iter().for_each(|word| put_u64(out, word));
                put_count(out, hears.len());
                hears.iter().for_each(|id| put_u64(out, id.0));
            }
        }
    }
}

/// Reads a packet. Entries of an append are slices of `bytes`.
///
/// # Errors
/// [`DecodeError`] when the bytes are not exactly one packet of this version.
pub fn decode_packet(bytes: Bytes) -> Result<Packet<Message>, DecodeError> {
    match bytes.first() {
        Some(&HELLO) => {
            let mut reader = Reader::new(bytes.slice(1..));
            let count = limited(reader.count(LEAST_VIEW)?)?;
            let views = (0..count).map(|_| decode_view(&mut reader)).collect::<Result<_, _>>()?;
            reader.end()?;
            Ok(Packet::Hello(views))
        }
        Some(&RELAYED) => {
            let mut reader = Reader::new(bytes.slice(1..));
            let (origin, target) = (NodeId(reader.u64()?), NodeId(reader.u64()?));
            let life = reader.u64()?;
            // No packet within a packet: what has been passed on once has no room for a way.
            let message = decode_message(reader.rest())?;
            Ok(Packet::Relayed { origin, target, life, message })
        }
        _ => decode_message(bytes).map(Packet::Direct),
    }
}

fn decode_view(reader: &mut Reader) -> Result<View, DecodeError> {
    let (node, life, number) = (NodeId(reader.u64()?), reader.u64()?, reader.u64()?);
    let count = limited(reader.count(8)?)?;
    let hears: Vec<NodeId> =
        (0..count).map(|_| reader.u64().map(NodeId)).collect::<Result<_, _>>()?;
    if hears.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(DecodeError::Malformed);
    }
    Ok(View { node, life, number, hears })
}

fn limited(count: usize) -> Result<usize, DecodeError> {
    if count > MAX_VIEWS { Err(DecodeError::TooLarge(count)) } else { Ok(count) }
}
