//! A running hash of all that is seen: two runs are one run when their hashes are equal.
//!
//! It is always on, so it is cheap: a few words an event, one multiplication a word. For a given
//! state every step is a bijection of the word, and for a given word one of the state: two streams
//! that differ in a single word never agree. Payloads are read once, where a node hands them to its
//! log; in messages an entry is its position and its length.

use std::hash::{Hash, Hasher};

use node::{Body as ReplyBody, Reply, Request};
use protocol::raft::{Body, Entry, Mend, Message, Payload, Role, Write, WriteId};
use protocol::{Index, Position, Time};
use xxhash_rust::xxh3::xxh3_64;

use crate::seen::{Fate, Place, Seen, View};

/// The state of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mix(u64);

/// Odd, with bits everywhere: the fractional part of the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Mix {
    pub(super) const fn new() -> Self {
        Self(0)
    }

    /// The hash so far, with the high bits brought down.
    pub(super) const fn value(self) -> u64 {
        let mut z = self.0;
        z = (z ^ (z >> 32)).wrapping_mul(FACTOR);
        z ^ (z >> 29)
    }

    const fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }

    /// Two numbers as one word: without loss while both are below 2³², as counters are.
    const fn pair(&mut self, one: u64, two: u64) {
        self.word(one.rotate_left(32) ^ two);
    }

    const fn position(&mut self, position: Position) {
        self.pair(position.term.0, position.index.0);
    }

    /// What can be told at a glance: up to four small numbers.
    fn head(&mut self, kind: u64, at: usize, to: usize, more: u64) {
        let (at, to) = (at as u64, to as u64);
        self.word(kind | at.rotate_left(8) | to.rotate_left(24) | more.rotate_left(40));
    }

    /// Takes one event in.
    pub(super) fn see(&mut self, now: Time, seen: &Seen<'_>) {
        self.word(now.0);
        match *seen {
            Seen::Started { at, life, restored } => {
                self.head(1, at, 0, life);
                restored.hash(self);
            }
            Seen::Refused { at, why } => self.text(2, at, why),
            Seen::Crashed { at } => self.head(3, at, 0, 0),
            Seen::Halted { at, why } => self.text(4, at, why),
            Seen::Paused { at } => self.head(5, at, 0, 0),
            Seen::Resumed { at } => self.head(6, at, 0, 0),
            Seen::Fault(fault) => self.text(7, 0, &format!("{fault:?}")),
            Seen::Handed { at, id, write } => {
                self.head(8, at, 0, u64::from(write.hard_state.is_some()));
                self.word(id.0);
                self.write_to_log(write);
            }
            Seen::Cut { at, id, through } => self.named(27, at, through.0, id),
            Seen::Durable { at, id } => self.named(9, at, 0, id),
            Seen::Trimmed { at, base } => self.placed(10, at, base),
            Seen::Surrendered { at, leader, last } => {
                self.head(22, at, leader, 0);
                self.position(last);
            }
            Seen::Sent { from, to, number, message, fate } => {
                self.head(11, from, to, 0);
                self.word(number);
                self.message(message);
                self.fate(fate);
            }
            Seen::Passed { by, to, origin, target, number } => {
                self.head(23, by, to, (origin << 8 | target) as u64);
                self.word(number);
            }
            // The message was taken in when it was sent, under this number.
            Seen::Delivered { from, to, number, message: _ } => {
                self.head(12, from, to, 0);
                self.word(number);
            }
            Seen::Turn { at, view, .. } => self.view(at, view),
            Seen::Asked { at, id, request } => {
                self.head(14, at, 0, request_kind(request));
                self.word(id.0);
                self.request(request);
            }
            Seen::Replied { at, id, reply } => self.reply(at, id.0, reply),
            Seen::Watched { at, stream, response } => {
                self.head(16, at, 0, 0);
                self.pair(stream, response.cost() as u64);
            }
            Seen::Note(text) => self.text(17, 0, text),
            Seen::Flushed { at, applied } => self.placed(18, at, applied),
            Seen::Installing { at, last } => self.placed(19, at, last),
            Seen::Installed { at, last } => self.placed(20, at, last),
        }
    }

    /// Something about a write.
    fn named(&mut self, kind: u64, at: Place, more: u64, id: WriteId) {
        self.head(kind, at, 0, more);
        self.word(id.0);
    }

    /// Something about a place in the log.
    fn placed(&mut self, kind: u64, at: Place, position: Position) {
        self.head(kind, at, 0, 0);
        self.position(position);
    }

    fn request(&mut self, request: &Request) {
        let plain = match request {
            Request::Once { stamp, request } => {
                stamp.hash(self);
                &**request
            }
            other => other,
        };
        if let Request::Write(command) = plain {
            command.hash(self);
        }
    }

    fn text(&mut self, kind: u64, at: usize, text: &str) {
        self.head(kind, at, 0, 0);
        self.write(text.as_bytes());
    }

    fn write_to_log(&mut self, write: &Write) {
        if let Some(hard) = write.hard_state {
            self.pair(hard.term.0, hard.commit.0);
            self.word(hard.vote.map_or(0, |vote| vote.0));
        }
        if let Some(reset) = write.reset {
            self.word(u64::MAX);
            self.position(reset);
        }
        self.word(write.entries.len() as u64);
        for entry in &write.entries {
            self.position(entry.position);
            match &entry.payload {
                Payload::Empty => self.word(0),
                Payload::Command(bytes) | Payload::Membership(bytes) => self.word(xxh3_64(bytes)),
            }
        }
    }

    const fn fate(&mut self, fate: Fate) {
        match fate {
            Fate::Arrives(time) => self.word(time.0),
            Fate::Doubled(one, two) => {
                self.word(one.0);
                self.word(two.0);
            }
            Fate::Lost => self.word(1),
            Fate::Cut => self.word(2),
        }
    }

    fn view(&mut self, at: usize, view: &View) {
        let role = match view.role {
            Role::Follower => 0,
            Role::PreCandidate => 1,
            Role::Candidate => 2,
            Role::Leader => 3,
        };
        self.head(13, at, 0, role);
        self.pair(view.term.0, view.commit.0);
        self.word(view.leader.map_or(0, |leader| leader.0));
        self.position(view.applied);
        self.position(view.last);
        self.pair(view.revision.cast_unsigned(), view.compact_revision.cast_unsigned());
        self.word(view.digest.unwrap_or(0));
    }

    fn reply(&mut self, at: usize, id: u64, reply: &Reply) {
        let kind = match &reply.body {
            Ok(ReplyBody::Outcome(_)) => 1,
            Ok(ReplyBody::View(_)) => 2,
            Ok(ReplyBody::TxnView(_)) => 3,
            Ok(ReplyBody::TimeToLive(_)) => 4,
            Ok(ReplyBody::Renewed(_)) => 5,
            Ok(ReplyBody::Leases(_)) => 6,
            Ok(ReplyBody::Hash { .. }) => 7,
            Ok(ReplyBody::Members(_)) => 8,
            Ok(ReplyBody::Alarms(_)) => 9,
            Ok(ReplyBody::Status(_)) => 10,
            Ok(ReplyBody::Done) => 11,
            Err(_) => 12,
        };
        self.head(15, at, 0, kind);
        self.pair(id, reply.header.revision.cast_unsigned());
        self.word(reply.header.term.0);
        if let Err(failure) = &reply.body {
            failure.hash(self);
        }
    }

    fn message(&mut self, message: &Message) {
        self.word(message.term.0);
        match &message.body {
            Body::PreVote { last } => self.tagged(1, *last),
            Body::PreVoteReply { granted } => self.pair(2, u64::from(*granted)),
            Body::Vote { last, transfer } => self.tagged(3 + u64::from(*transfer) * 64, *last),
            Body::VoteReply { granted } => self.pair(4, u64::from(*granted)),
            Body::Append { base, entries, commit, trim } => {
                self.tagged(5, *base);
                self.pair(commit.0, trim.0);
                self.entries(entries);
            }
            Body::AppendAccepted { matched: Index(matched) } => self.pair(6, *matched),
            Body::AppendRejected(rejection) => {
                self.pair(7, rejection.base.0);
                self.position(rejection.conflict.unwrap_or(Position::ORIGIN));
                self.position(rejection.last);
            }
            Body::Heartbeat { round, commit, trim } => {
                self.pair(8, *round);
                self.pair(commit.0, trim.0);
            }
            Body::HeartbeatReply { round } => self.pair(9, *round),
            Body::Propose { parcel, commands } => {
                self.word(parcel.life);
                self.word(parcel.number);
                self.pair(10, commands.iter().map(|command| command.len() as u64).sum());
            }
            Body::ReadIndex { reads } => {
                self.pair(11, reads.first().map_or(0, |read| read.0));
            }
            Body::ReadIndexReply { reads, index } => {
                self.pair(12, reads.first().map_or(0, |read| read.0));
                self.word(index.map_or(u64::MAX, |index| index.0));
            }
            Body::TransferLeadership { to } => self.pair(13, to.0),
            Body::TimeoutNow => self.word(14),
            Body::Snapshot { last, number, data, done } => {
                self.tagged(15 + u64::from(*done) * 64, *last);
                self.pair(*number, data.len() as u64);
            }
            Body::SnapshotReply { last, next } => {
                self.tagged(16, *last);
                self.word(next.unwrap_or(u64::MAX));
            }
            Body::Mend(Mend::Ask { life, wanted }) => {
                self.pair(17, *life);
                wanted.iter().for_each(|position| self.position(*position));
            }
            Body::Mend(Mend::Reply { life, entries, absent, leads }) => {
                self.pair(18, *life);
                self.entries(entries);
                absent.iter().for_each(|position| self.position(*position));
                self.position(leads.unwrap_or(Position::ORIGIN));
            }
        }
    }

    const fn tagged(&mut self, tag: u64, position: Position) {
        self.word(tag);
        self.position(position);
    }

    fn entries(&mut self, entries: &[Entry]) {
        self.word(entries.len() as u64);
        for entry in entries {
            let length = match &entry.payload {
                Payload::Empty => 0,
                Payload::Command(bytes) | Payload::Membership(bytes) => bytes.len() as u64,
            };
            self.word(length);
            self.position(entry.position);
        }
    }
}

const fn request_kind(request: &Request) -> u64 {
    match request {
        Request::Write(_) => 1,
        Request::Compact { .. } => 2,
        Request::Range { .. } => 3,
        Request::ReadTxn { .. } => 4,
        Request::LeaseRenew(_) => 5,
        Request::LeaseTimeToLive { .. } => 6,
        Request::Leases => 7,
        Request::HashKv { .. } => 8,
        Request::Members { .. } => 9,
        Request::Alarms => 10,
        Request::Status => 11,
        Request::Barrier => 12,
        Request::MoveLeader(_) => 13,
        Request::Once { .. } => 14,
        Request::Settle => 15,
        Request::MemberChange(_) => 16,
    }
}

/// For the values that are rare enough to be hashed whole.
impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.value()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        self.word(xxh3_64(bytes));
    }

    fn write_u64(&mut self, word: u64) {
        self.word(word);
    }

    fn write_u32(&mut self, word: u32) {
        self.word(u64::from(word));
    }

    fn write_u8(&mut self, word: u8) {
        self.word(u64::from(word));
    }

    fn write_i64(&mut self, word: i64) {
        self.word(word.cast_unsigned());
    }

    fn write_usize(&mut self, word: usize) {
        self.word(word as u64);
    }
}
