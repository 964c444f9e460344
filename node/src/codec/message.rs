//! Raft's messages as bytes: `kind u8 | term u64 | …` in the order of the fields.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::raft::{Body, Entry, Mend, Message, Parcel, Payload, ReadId, Rejection};
use protocol::{NodeId, Position};

use super::DecodeError;
use super::reader::Reader;

mod kind {
    pub(super) const PRE_VOTE: u8 = 1;
    pub(super) const PRE_VOTE_REPLY: u8 = 2;
    pub(super) const VOTE: u8 = 3;
    pub(super) const VOTE_REPLY: u8 = 4;
    pub(super) const APPEND: u8 = 5;
    pub(super) const APPEND_ACCEPTED: u8 = 6;
    pub(super) const APPEND_REJECTED: u8 = 7;
    pub(super) const HEARTBEAT: u8 = 8;
    pub(super) const HEARTBEAT_REPLY: u8 = 9;
    pub(super) const PROPOSE: u8 = 10;
    pub(super) const READ_INDEX: u8 = 11;
    pub(super) const READ_INDEX_REPLY: u8 = 12;
    pub(super) const TRANSFER_LEADERSHIP: u8 = 13;
    pub(super) const TIMEOUT_NOW: u8 = 14;
    pub(super) const SNAPSHOT: u8 = 15;
    pub(super) const SNAPSHOT_REPLY: u8 = 16;
    pub(super) const MEND_ASK: u8 = 27;
    pub(super) const MEND_REPLY: u8 = 28;
}

/// The least bytes of an encoded entry: term, index, kind, length.
const LEAST_ENTRY: usize = 8 + 8 + 1 + 4;

/// Appends a message's bytes.
pub fn encode_message(message: &Message, out: &mut Vec<u8>) {
    out.push(kind_of(&message.body));
    put_u64(out, message.term.0);
    match &message.body {
        Body::PreVote { last } => put_position(out, *last),
        Body::PreVoteReply { granted } | Body::VoteReply { granted } => put_flag(out, *granted),
        Body::Vote { last, transfer } => {
            put_position(out, *last);
            put_flag(out, *transfer);
        }
        Body::Append { base, entries, commit, trim } => {
            put_position(out, *base);
            put_u64(out, commit.0);
            put_u64(out, trim.0);
            put_count(out, entries.len());
            entries.iter().for_each(|entry| put_entry(out, entry));
        }
        Body::AppendAccepted { matched } => put_u64(out, matched.0),
        Body::AppendRejected(rejection) => put_rejection(out, rejection),
        Body::Heartbeat { round, commit, trim } => {
            put_u64(out, *round);
            put_u64(out, commit.0);
            put_u64(out, trim.0);
        }
        Body::HeartbeatReply { round } => put_u64(out, *round),
        Body::Propose { parcel, commands } => {
            put_u64(out, parcel.life);
            put_u64(out, parcel.number);
            put_count(out, commands.len());
            commands.iter().for_each(|command| put_bytes(out, command));
        }
        Body::ReadIndex { reads } => put_reads(out, reads),
        Body::ReadIndexReply { reads, index } => {
            put_reads(out, reads);
            put_option(out, index.map(|index| index.0));
        }
        Body::TransferLeadership { to } => put_u64(out, to.0),
        Body::TimeoutNow => {}
        Body::Snapshot { last, number, data, done } => {
            put_position(out, *last);
            put_u64(out, *number);
            put_flag(out, *done);
            put_bytes(out, data);
        }
        Body::SnapshotReply { last, next } => {
            put_position(out, *last);
            put_option(out, *next);
        }
        Body::Mend(word) => put_mend(out, word),
    }
}

fn kind_of(body: &Body) -> u8 {
    match body {
        Body::PreVote { .. } => kind::PRE_VOTE,
        Body::PreVoteReply { .. } => kind::PRE_VOTE_REPLY,
        Body::Vote { .. } => kind::VOTE,
        Body::VoteReply { .. } => kind::VOTE_REPLY,
        Body::Append { .. } => kind::APPEND,
        Body::AppendAccepted { .. } => kind::APPEND_ACCEPTED,
        Body::AppendRejected(_) => kind::APPEND_REJECTED,
        Body::Heartbeat { .. } => kind::HEARTBEAT,
        Body::HeartbeatReply { .. } => kind::HEARTBEAT_REPLY,
        Body::Propose { .. } => kind::PROPOSE,
        Body::ReadIndex { .. } => kind::READ_INDEX,
        Body::ReadIndexReply { .. } => kind::READ_INDEX_REPLY,
        Body::TransferLeadership { .. } => kind::TRANSFER_LEADERSHIP,
        Body::TimeoutNow => kind::TIMEOUT_NOW,
        Body::Snapshot { .. } => kind::SNAPSHOT,
        Body::SnapshotReply { .. } => kind::SNAPSHOT_REPLY,
        Body::Mend(Mend::Ask { .. }) => kind::MEND_ASK,
        Body::Mend(Mend::Reply { .. }) => kind::MEND_REPLY,
    }
}

/// Reads a message. Entries of an append are slices of `bytes`.
///
/// # Errors
/// [`DecodeError`] when the bytes are not exactly one message of this version.
pub fn decode_message(bytes: Bytes) -> Result<Message, DecodeError> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u8()?;
    let term = reader.term()?;
    let body = match kind {
        kind::PRE_VOTE => Body::PreVote { last: reader.position()? },
        kind::PRE_VOTE_REPLY => Body::PreVoteReply { granted: reader.flag()? },
        kind::VOTE => Body::Vote { last: reader.position()?, transfer: reader.flag()? },
        kind::VOTE_REPLY => Body::VoteReply { granted: reader.flag()? },
        kind::APPEND => decode_append(&mut reader)?,
        kind::APPEND_ACCEPTED => Body::AppendAccepted { matched: reader.index()? },
        kind::APPEND_REJECTED => Body::AppendRejected(decode_rejection(&mut reader)?),
        kind::HEARTBEAT => {
            Body::Heartbeat { round: reader.u64()?, commit: reader.index()?, trim: reader.index()? }
        }
        kind::HEARTBEAT_REPLY => Body::HeartbeatReply { round: reader.u64()? },
        kind::PROPOSE => {
            let parcel = Parcel { life: reader.u64()?, number: reader.u64()? };
            let count = reader.count(4)?;
            let commands = (0..count).map(|_| reader.bytes()).collect::<Result<_, _>>()?;
            Body::Propose { parcel, commands }
        }
        kind::READ_INDEX => Body::ReadIndex { reads: decode_reads(&mut reader)? },
        kind::READ_INDEX_REPLY => Body::ReadIndexReply {
            reads: decode_reads(&mut reader)?,
            index: decode_option(&mut reader)?.map(protocol::Index),
        },
        kind::TRANSFER_LEADERSHIP => Body::TransferLeadership { to: NodeId(reader.u64()?) },
        kind::TIMEOUT_NOW => Body::TimeoutNow,
        kind::SNAPSHOT => {
            let (last, number, done) = (reader.position()?, reader.u64()?, reader.flag()?);
            Body::Snapshot { last, number, data: reader.bytes()?, done }
        }
        kind::SNAPSHOT_REPLY => {
            Body::SnapshotReply { last: reader.position()?, next: decode_option(&mut reader)? }
        }
        kind::MEND_ASK => {
            let (life, wanted) = (reader.u64()?, decode_positions(&mut reader)?);
            Body::Mend(Mend::Ask { life, wanted })
        }
        kind::MEND_REPLY => decode_mend_reply(&mut reader)?,
        unknown => return Err(DecodeError::UnknownKind(unknown)),
    };
    reader.end()?;
    Ok(Message { term, body })
}

fn decode_append(reader: &mut Reader) -> Result<Body, DecodeError> {
    let base = reader.position()?;
    let (commit, trim) = (reader.index()?, reader.index()?);
    let count = reader.count(LEAST_ENTRY)?;
    let mut entries = Vec::with_capacity(count);
    let mut previous = base;
    for _ in 0..count {
        let entry = decode_entry(reader)?;
        // Log matching (Raft §5.3) presupposes contiguous indexes and terms that never sink.
        let follows = previous.index.0.checked_add(1) == Some(entry.position.index.0);
        if !follows || entry.position.term < previous.term {
            return Err(DecodeError::Malformed);
        }
        previous = entry.position;
        entries.push(entry);
    }
    Ok(Body::Append { base, entries, commit, trim })
}

fn decode_entry(reader: &mut Reader) -> Result<Entry, DecodeError> {
    let position = reader.position()?;
    let kind = reader.u8()?;
    let bytes = reader.bytes()?;
    let payload = match kind {
        0 if bytes.is_empty() => Payload::Empty,
        0 => return Err(DecodeError::Malformed),
        1 => Payload::Command(bytes),
        2 => Payload::Membership(bytes),
        unknown => return Err(DecodeError::UnknownKind(unknown)),
    };
    Ok(Entry { position, payload })
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    put_position(out, entry.position);
    match &entry.payload {
        Payload::Empty => {
            out.push(0);
            put_count(out, 0);
        }
        Payload::Command(bytes) => {
            out.push(1);
            put_bytes(out, bytes);
        }
        Payload::Membership(bytes) => {
            out.push(2);
            put_bytes(out, bytes);
        }
    }
}

fn put_rejection(out: &mut Vec<u8>, rejection: &Rejection) {
    put_u64(out, rejection.base.0);
    out.push(u8::from(rejection.conflict.is_some()));
    put_position(out, rejection.conflict.unwrap_or(Position::ORIGIN));
    put_position(out, rejection.last);
}

fn decode_rejection(reader: &mut Reader) -> Result<Rejection, DecodeError> {
    let base = reader.index()?;
    let present = reader.flag()?;
    let conflict = reader.position()?;
    let last = reader.position()?;
    Ok(Rejection { base, conflict: present.then_some(conflict), last })
}

fn put_mend(out: &mut Vec<u8>, word: &Mend) {
    match word {
        Mend::Ask { life, wanted } => {
            put_u64(out, *life);
            put_positions(out, wanted);
        }
        Mend::Reply { life, entries, absent, leads } => {
            put_u64(out, *life);
            put_count(out, entries.len());
            entries.iter().for_each(|entry| put_entry(out, entry));
            put_positions(out, absent);
            out.push(u8::from(leads.is_some()));
            put_position(out, leads.unwrap_or(Position::ORIGIN));
        }
    }
}

fn decode_mend_reply(reader: &mut Reader) -> Result<Body, DecodeError> {
    let life = reader.u64()?;
    let count = reader.count(LEAST_ENTRY)?;
    let entries = (0..count).map(|_| decode_entry(reader)).collect::<Result<_, _>>()?;
    let absent = decode_positions(reader)?;
    let (present, last) = (reader.flag()?, reader.position()?);
    Ok(Body::Mend(Mend::Reply { life, entries, absent, leads: present.then_some(last) }))
}

fn put_positions(out: &mut Vec<u8>, positions: &[Position]) {
    put_count(out, positions.len());
    positions.iter().for_each(|position| put_position(out, *position));
}

fn decode_positions(reader: &mut Reader) -> Result<Vec<Position>, DecodeError> {
    let count = reader.count(16)?;
    (0..count).map(|_| reader.position()).collect()
}

fn put_reads(out: &mut Vec<u8>, reads: &[ReadId]) {
    put_count(out, reads.len());
    reads.iter().for_each(|read| put_u64(out, read.0));
}

fn decode_reads(reader: &mut Reader) -> Result<Vec<ReadId>, DecodeError> {
    let count = reader.count(8)?;
    (0..count).map(|_| reader.u64().map(ReadId)).collect()
}

fn put_option(out: &mut Vec<u8>, value: Option<u64>) {
    out.push(u8::from(value.is_some()));
    put_u64(out, value.unwrap_or(0));
}

fn decode_option(reader: &mut Reader) -> Result<Option<u64>, DecodeError> {
    let present = reader.flag()?;
    let value = reader.u64()?;
    Ok(present.then_some(value))
}

fn put_position(out: &mut Vec<u8>, position: Position) {
    put_u64(out, position.term.0);
    put_u64(out, position.index.0);
}

fn put_flag(out: &mut Vec<u8>, flag: bool) {
    out.push(u8::from(flag));
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Counts and lengths are bounded by the frame, which is far below 4 GiB; one that is not makes a
/// frame that is refused for its size.
fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &Bytes) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}
