//! Raft's messages as bytes: `kind u8 | term u64 | …` in the order of the fields.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::raft::{Body, Mend, Message, Parcel, Rejection};
use protocol::{NodeId, Position};

use super::DecodeError;
use super::reader::Reader;
use super::writer::{
    put_bytes, put_count, put_entries, put_flag, put_option, put_position, put_positions,
    put_reads, put_u64,
};

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

/// Appends a message's bytes.
pub(super) fn encode(message: &Message, out: &mut Vec<u8>) {
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
            put_entries(out, entries);
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
pub(super) fn decode(bytes: Bytes) -> Result<Message, DecodeError> {
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
        kind::READ_INDEX => Body::ReadIndex { reads: reader.reads()? },
        kind::READ_INDEX_REPLY => Body::ReadIndexReply {
            reads: reader.reads()?,
            index: reader.option()?.map(protocol::Index),
        },
        kind::TRANSFER_LEADERSHIP => Body::TransferLeadership { to: NodeId(reader.u64()?) },
        kind::TIMEOUT_NOW => Body::TimeoutNow,
        kind::SNAPSHOT => {
            let (last, number, done) = (reader.position()?, reader.u64()?, reader.flag()?);
            Body::Snapshot { last, number, data: reader.bytes()?, done }
        }
        kind::SNAPSHOT_REPLY => {
            Body::SnapshotReply { last: reader.position()?, next: reader.option()? }
        }
        kind::MEND_ASK => {
            let (life, wanted) = (reader.u64()?, reader.positions()?);
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
    let entries = reader.suffix(base)?;
    Ok(Body::Append { base, entries, commit, trim })
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
            put_entries(out, entries);
            put_positions(out, absent);
            out.push(u8::from(leads.is_some()));
            put_position(out, leads.unwrap_or(Position::ORIGIN));
        }
    }
}

fn decode_mend_reply(reader: &mut Reader) -> Result<Body, DecodeError> {
    let life = reader.u64()?;
    let entries = reader.entries()?;
    let absent = reader.positions()?;
    let (present, last) = (reader.flag()?, reader.position()?);
    Ok(Body::Mend(Mend::Reply { life, entries, absent, leads: present.then_some(last) }))
}
