//! Zab's messages as bytes: frames of links, and in them words, `word u8 | …` in the order of the
//! fields.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::link::{Frame, Session};
use protocol::zab::{Message, Mode, Notification, Refusal, Stance, Tail, Vote};
use protocol::{NodeId, Tag};

use super::DecodeError;
use super::reader::Reader;
use super::writer::{
    put_bytes, put_count, put_entries, put_flag, put_option, put_position, put_positions,
    put_reads, put_u64,
};

const OPEN: u8 = 50;
const BEAT: u8 = 51;
const WORD: u8 = 52;

mod word {
    pub(super) const NOTIFICATION: u8 = 1;
    pub(super) const LEARNER_INFO: u8 = 2;
    pub(super) const NOT_LEADING: u8 = 3;
    pub(super) const LEADER_INFO: u8 = 4;
    pub(super) const ACK_EPOCH: u8 = 5;
    pub(super) const SYNC: u8 = 6;
    pub(super) const RESUME: u8 = 7;
    pub(super) const STORED: u8 = 8;
    pub(super) const NEW_LEADER: u8 = 9;
    pub(super) const ACK_LEADER: u8 = 10;
    pub(super) const UP_TO_DATE: u8 = 11;
    pub(super) const PROPOSALS: u8 = 12;
    pub(super) const INFORM: u8 = 13;
    pub(super) const ACK: u8 = 14;
    pub(super) const COMMIT: u8 = 15;
    pub(super) const PING: u8 = 16;
    pub(super) const PONG: u8 = 17;
    pub(super) const REQUESTS: u8 = 18;
    pub(super) const REQUESTS_REFUSED: u8 = 19;
    pub(super) const READ_INDEX: u8 = 20;
    pub(super) const READ_INDEX_REPLY: u8 = 21;
    pub(super) const SNAPSHOT: u8 = 22;
    pub(super) const SNAPSHOT_REPLY: u8 = 23;
}

/// Stands where no session is named.
const NOBODY: Session = Session { life: 0, number: 0 };

/// The least bytes of a request: its name and its length.
const LEAST_REQUEST: usize = 8 + 4;

pub(super) const fn is_frame(kind: u8) -> bool {
    matches!(kind, OPEN | BEAT | WORD)
}

pub(super) fn encode(frame: &Frame<Message>, out: &mut Vec<u8>) {
    match frame {
        Frame::Open { mine, yours } => {
            out.push(OPEN);
            put_session(out, *mine);
            put_flag(out, yours.is_some());
            put_session(out, yours.unwrap_or(NOBODY));
        }
        Frame::Beat { mine, yours, said } => {
            out.push(BEAT);
            [*mine, *yours].into_iter().for_each(|end| put_session(out, end));
            put_u64(out, *said);
        }
        Frame::Word { mine, yours, number, message } => {
            out.push(WORD);
            [*mine, *yours].into_iter().for_each(|end| put_session(out, end));
            put_u64(out, *number);
            put_word(out, message);
        }
    }
}

pub(super) fn decode(bytes: Bytes) -> Result<Frame<Message>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u8()?;
    let mine = read_session(&mut reader)?;
    let frame = match kind {
        OPEN => {
            let yours = match (reader.flag()?, read_session(&mut reader)?) {
                (true, yours) => Some(yours),
                (false, NOBODY) => None,
                (false, _) => return Err(DecodeError::Malformed),
            };
            Frame::Open { mine, yours }
        }
        BEAT => Frame::Beat { mine, yours: read_session(&mut reader)?, said: reader.u64()? },
        WORD => {
            let (yours, number) = (read_session(&mut reader)?, reader.u64()?);
            Frame::Word { mine, yours, number, message: read_word(&mut reader)? }
        }
        unknown => return Err(DecodeError::UnknownKind(unknown)),
    };
    reader.end()?;
    Ok(frame)
}

fn put_word(out: &mut Vec<u8>, message: &Message) {
    out.push(word_of(message));
    match message {
        Message::Notification(notification) => put_notification(out, *notification),
        Message::LearnerInfo { accepted, observer } => {
            put_u64(out, accepted.0);
            put_flag(out, *observer);
        }
        Message::NotLeading => {}
        Message::LeaderInfo { epoch } | Message::NewLeader { epoch } => put_u64(out, epoch.0),
        Message::AckEpoch { current, tail } => {
            put_option(out, current.map(|epoch| epoch.0));
            put_tail(out, tail);
        }
        Message::Sync(mode) => put_mode(out, *mode),
        Message::Resume { tail } => put_tail(out, tail),
        Message::AckLeader { epoch, through } => {
            put_u64(out, epoch.0);
            put_u64(out, through.0);
        }
        Message::Stored { through: index }
        | Message::UpToDate { commit: index }
        | Message::Ack { through: index }
        | Message::Commit { through: index } => put_u64(out, index.0),
        Message::Proposals { base, entries } | Message::Inform { base, entries } => {
            put_position(out, *base);
            put_entries(out, entries);
        }
        Message::Ping { round, trim } => {
            put_u64(out, *round);
            put_u64(out, trim.0);
        }
        Message::Pong { round } => put_u64(out, *round),
        Message::Requests { requests } => {
            put_count(out, requests.len());
            for (tag, command) in requests {
                put_u64(out, tag.0);
                put_bytes(out, command);
            }
        }
        Message::RequestsRefused { tags, reason } => {
            put_count(out, tags.len());
            tags.iter().for_each(|tag| put_u64(out, tag.0));
            out.push(refusal(*reason));
        }
        Message::ReadIndex { reads } => put_reads(out, reads),
        Message::ReadIndexReply { reads, index } => {
            put_reads(out, reads);
            put_u64(out, index.0);
        }
        Message::Snapshot { last, number, data, done } => {
            put_position(out, *last);
            put_u64(out, *number);
            put_flag(out, *done);
            put_bytes(out, data);
        }
        Message::SnapshotReply { last, next } => {
            put_position(out, *last);
            put_option(out, *next);
        }
    }
}

const fn word_of(message: &Message) -> u8 {
    match message {
        Message::Notification(_) => word::NOTIFICATION,
        Message::LearnerInfo { .. } => word::LEARNER_INFO,
        Message::NotLeading => word::NOT_LEADING,
        Message::LeaderInfo { .. } => word::LEADER_INFO,
        Message::AckEpoch { .. } => word::ACK_EPOCH,
        Message::Sync(_) => word::SYNC,
        Message::Resume { .. } => word::RESUME,
        Message::Stored { .. } => word::STORED,
        Message::NewLeader { .. } => word::NEW_LEADER,
        Message::AckLeader { .. } => word::ACK_LEADER,
        Message::UpToDate { .. } => word::UP_TO_DATE,
        Message::Proposals { .. } => word::PROPOSALS,
        Message::Inform { .. } => word::INFORM,
        Message::Ack { .. } => word::ACK,
        Message::Commit { .. } => word::COMMIT,
        Message::Ping { .. } => word::PING,
        Message::Pong { .. } => word::PONG,
        Message::Requests { .. } => word::REQUESTS,
        Message::RequestsRefused { .. } => word::REQUESTS_REFUSED,
        Message::ReadIndex { .. } => word::READ_INDEX,
        Message::ReadIndexReply { .. } => word::READ_INDEX_REPLY,
        Message::Snapshot { .. } => word::SNAPSHOT,
        Message::SnapshotReply { .. } => word::SNAPSHOT_REPLY,
    }
}

fn read_word(reader: &mut Reader) -> Result<Message, DecodeError> {
    Ok(match reader.u8()? {
        word::NOTIFICATION => Message::Notification(read_notification(reader)?),
        word::LEARNER_INFO => {
            Message::LearnerInfo { accepted: reader.term()?, observer: reader.flag()? }
        }
        word::NOT_LEADING => Message::NotLeading,
        word::LEADER_INFO => Message::LeaderInfo { epoch: reader.term()? },
        word::ACK_EPOCH => {
            let current = reader.option()?.map(protocol::Term);
            Message::AckEpoch { current, tail: read_tail(reader)? }
        }
        word::SYNC => Message::Sync(read_mode(reader)?),
        word::RESUME => Message::Resume { tail: read_tail(reader)? },
        word::STORED => Message::Stored { through: reader.index()? },
        word::NEW_LEADER => Message::NewLeader { epoch: reader.term()? },
        word::ACK_LEADER => Message::AckLeader { epoch: reader.term()?, through: reader.index()? },
        word::UP_TO_DATE => Message::UpToDate { commit: reader.index()? },
        word::PROPOSALS => {
            let base = reader.position()?;
            Message::Proposals { base, entries: reader.suffix(base)? }
        }
        word::INFORM => {
            let base = reader.position()?;
            Message::Inform { base, entries: reader.suffix(base)? }
        }
        word::ACK => Message::Ack { through: reader.index()? },
        word::COMMIT => Message::Commit { through: reader.index()? },
        word::PING => Message::Ping { round: reader.u64()?, trim: reader.index()? },
        word::PONG => Message::Pong { round: reader.u64()? },
        word::REQUESTS => {
            let count = reader.count(LEAST_REQUEST)?;
            let request = |_| Ok((Tag(reader.u64()?), reader.bytes()?));
            Message::Requests { requests: (0..count).map(request).collect::<Result<_, _>>()? }
        }
        word::REQUESTS_REFUSED => {
            let count = reader.count(8)?;
            let tags = (0..count).map(|_| reader.u64().map(Tag)).collect::<Result<_, _>>()?;
            Message::RequestsRefused { tags, reason: read_refusal(reader)? }
        }
        word::READ_INDEX => Message::ReadIndex { reads: reader.reads()? },
        word::READ_INDEX_REPLY => {
            Message::ReadIndexReply { reads: reader.reads()?, index: reader.index()? }
        }
        word::SNAPSHOT => {
            let (last, number, done) = (reader.position()?, reader.u64()?, reader.flag()?);
            Message::Snapshot { last, number, data: reader.bytes()?, done }
        }
        word::SNAPSHOT_REPLY => {
            Message::SnapshotReply { last: reader.position()?, next: reader.option()? }
        }
        unknown => return Err(DecodeError::UnknownKind(unknown)),
    })
}

fn put_session(out: &mut Vec<u8>, session: Session) {
    put_u64(out, session.life);
    put_u64(out, session.number);
}

fn read_session(reader: &mut Reader) -> Result<Session, DecodeError> {
    Ok(Session { life: reader.u64()?, number: reader.u64()? })
}

fn put_notification(out: &mut Vec<u8>, word: Notification) {
    out.push(match word.stance {
        Stance::Looking => 0,
        Stance::Following => 1,
        Stance::Leading => 2,
    });
    put_u64(out, word.round);
    put_flag(out, word.vote.is_some());
    if let Some(Vote { epoch, last, leader }) = word.vote {
        put_u64(out, epoch.0);
        put_position(out, last);
        put_u64(out, leader.0);
    }
}

fn read_notification(reader: &mut Reader) -> Result<Notification, DecodeError> {
    let stance = match reader.u8()? {
        0 => Stance::Looking,
        1 => Stance::Following,
        2 => Stance::Leading,
        _ => return Err(DecodeError::Malformed),
    };
    let (round, votes) = (reader.u64()?, reader.flag()?);
    let vote = if votes {
        let (epoch, last) = (reader.term()?, reader.position()?);
        Some(Vote { epoch, last, leader: NodeId(reader.u64()?) })
    } else {
        None
    };
    Ok(Notification { stance, round, vote })
}

fn put_tail(out: &mut Vec<u8>, tail: &Tail) {
    put_positions(out, &tail.runs);
    put_position(out, tail.last);
}

fn read_tail(reader: &mut Reader) -> Result<Tail, DecodeError> {
    Ok(Tail { runs: reader.positions()?, last: reader.position()? })
}

fn put_mode(out: &mut Vec<u8>, mode: Mode) {
    match mode {
        Mode::Diff(position) => {
            out.push(0);
            put_position(out, position);
        }
        Mode::Trunc(position) => {
            out.push(1);
            put_position(out, position);
        }
        Mode::Snap => out.push(2),
    }
}

fn read_mode(reader: &mut Reader) -> Result<Mode, DecodeError> {
    match reader.u8()? {
        0 => reader.position().map(Mode::Diff),
        1 => reader.position().map(Mode::Trunc),
        2 => Ok(Mode::Snap),
        _ => Err(DecodeError::Malformed),
    }
}

const fn refusal(reason: Refusal) -> u8 {
    match reason {
        Refusal::NoLeader => 0,
        Refusal::Overloaded => 1,
        Refusal::LeaderChanged => 2,
    }
}

fn read_refusal(reader: &mut Reader) -> Result<Refusal, DecodeError> {
    match reader.u8()? {
        0 => Ok(Refusal::NoLeader),
        1 => Ok(Refusal::Overloaded),
        2 => Ok(Refusal::LeaderChanged),
        _ => Err(DecodeError::Malformed),
    }
}
