//! The messages of Serf's layer as bytes: a kind, then a map, as below.

use alloc::vec::Vec;

use bytes::Bytes;

use super::body;
use super::message::Message;
use crate::swim::wire::Error;
use crate::swim::wire::msgpack::{Length, Reader, Sink};

const LEAVE: u8 = 0;
const JOIN: u8 = 1;
const PUSH_PULL: u8 = 2;
const EVENT: u8 = 3;
const QUERY: u8 = 4;
const RESPONSE: u8 = 5;
const CONFLICT: u8 = 6;
const KEY_REQUEST: u8 = 7;
const KEY_RESPONSE: u8 = 8;
const RELAY: u8 = 9;

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
        Message::Leave(leave) => {
            out.put(&[LEAVE]);
            body::write_leave(out, leave);
        }
        Message::Join(join) => {
            out.put(&[JOIN]);
            body::write_join(out, join);
        }
        Message::PushPull(state) => {
            out.put(&[PUSH_PULL]);
            body::write_push_pull(out, state);
        }
        Message::Event(event) => {
            out.put(&[EVENT]);
            body::write_event(out, event);
        }
        Message::Query(query) => {
            out.put(&[QUERY]);
            body::write_query(out, query);
        }
        Message::Response(response) => {
            out.put(&[RESPONSE]);
            body::write_response(out, response);
        }
        Message::Conflict(member) => {
            out.put(&[CONFLICT]);
            body::write_conflict(out, member.as_ref());
        }
        Message::KeyRequest(request) => {
            out.put(&[KEY_REQUEST]);
            body::write_key_request(out, request);
        }
        Message::KeyResponse(response) => {
            out.put(&[KEY_RESPONSE]);
            body::write_key_response(out, response);
        }
        Message::Relay(relay) => {
            out.put(&[RELAY]);
            body::write_relay(out, relay);
        }
    }
}

/// Reads a message.
///
/// # Errors
/// Why it is none. [`Error::Kind`] for one that only later versions know, which is no fault.
pub fn decode(bytes: &Bytes) -> Result<Message, Error> {
    let &kind = bytes.first().ok_or(Error::Short)?;
    let mut reader = Reader::new(bytes, 1);
    let reader = &mut reader;
    Ok(match kind {
        LEAVE => Message::Leave(body::read_leave(reader)?),
        JOIN => Message::Join(body::read_join(reader)?),
        PUSH_PULL => Message::PushPull(body::read_push_pull(reader)?),
        EVENT => Message::Event(body::read_event(reader)?),
        QUERY => Message::Query(body::read_query(reader)?),
        RESPONSE => Message::Response(body::read_response(reader)?),
        CONFLICT => Message::Conflict(body::read_conflict(reader)?),
        KEY_REQUEST => Message::KeyRequest(body::read_key_request(reader)?),
        KEY_RESPONSE => Message::KeyResponse(body::read_key_response(reader)?),
        RELAY => Message::Relay(body::read_relay(reader)?),
        _ => return Err(Error::Kind),
    })
}
