//! What is kept besides records: small named values, each written when it has changed.
//!
//! ```text
//! name                          value
//! "state"                       version u8 = 1 | revision i64 | compact revision i64
//!                               | lease clock u64 (ms) | term u64 | index u64
//! "l" id i64 (big-endian)       time to live i64 (s) | has a deadline u8 | deadline u64 (ms)
//! "a" member u64 (BE) kind u8   nothing: an alarm that an operator has raised
//! "a" member u64 (BE) 3         nothing: the member reports itself short of space
//! "m" member u64 (BE)           id u64 | name | peer URLs | client URLs
//! "h"                           index u64: this state differs from the others' since about there
//! "s" client (16 bytes)         floor u64 | last use u64 (ms) | list of  number u64 | revision i64
//!                               | has content u8 [| answer bytes]
//! "c"                           the configuration, encoded as in the log
//! "q"                           the first one stands u8 | list of: ticket u64 | change
//! "x" member u64 (BE)           nothing: it was removed
//! "r" index u64 (BE)            a recovery; the index is that of its entry
//! "installed"                   term u64 | index u64: where it came as a whole, if it did
//! "bumped"                      from i64 | to i64: no record stands between these revisions
//! ```
//!
//! Which keys hang on a lease is not kept: the newest record of each key says so.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::raft::Membership;
use protocol::{Index, NodeId, Position, Term};

use crate::codec::{
    DecodeError, Reader, alarm_of, alarm_tag, put_bytes, put_i64, put_len, put_u64, read_answer,
    read_member, write_member,
};
use crate::member::Queue;
use crate::recovery::{read_recovery, write_recovery};
use crate::session::{self, Answer};
use crate::store::{FIRST_REVISION, NEVER_COMPACTED};
use crate::{Alarm, ClientId, LeaseId, Member, Recovery, RestoreError, Store};

const STATE: &[u8] = b"state";
const INSTALLED: &[u8] = b"installed";
/// Of a state that must not be served.
const CONDEMNED: &[u8] = b"h";
const BUMPED: &[u8] = b"bumped";
const VERSION: u8 = 1;
const LEASE: u8 = b'l';
const ALARM: u8 = b'a';
const MEMBER: u8 = b'm';
const SESSION: u8 = b's';
/// Where the kind of an alarm stands: it is the member's own report.
const SHORT: u8 = 3;
const REMOVED: u8 = b'x';
const RECOVERY: u8 = b'r';
const MEMBERSHIP: &[u8] = b"c";
const QUEUE: &[u8] = b"q";

/// What a value is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Lease(LeaseId),
    Alarm(NodeId, Alarm),
    Short(NodeId),
    Member(NodeId),
    Condemned,
    Session(ClientId),
    Membership,
    Removed(NodeId),
    Queue,
    Recovery(Index),
}

/// The numbers of the store, which every flush writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) revision: i64,
    pub(crate) compact_revision: i64,
    pub(crate) clock_ms: u64,
    pub(crate) applied: Position,
}

/// A value as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    State(State),
    Lease { id: LeaseId, ttl: i64, deadline: Option<u64> },
    Alarm(NodeId, Alarm),
    Short(NodeId),
    Member(Member),
    Session(ClientId, session::Kept),
    Membership(Membership),
    Removed(NodeId),
    Queue(Queue),
    Installed(Position),
    Condemned(Index),
    Bumped(Gap),
    Recovery(Index, Recovery),
}

/// Revisions that were skipped when a backup became a cluster of its own: until the first write
/// after that, the newest record is older than the revision says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// No record is newer, until there is one beyond `to`.
    pub(crate) from: i64,
    /// The revision (main) that the store went on from.
    pub(crate) to: i64,
}

/// The metadata of a state that is installed as a whole: of another, with the position at which it
/// was. A log that does not hold that position begins anew after it.
#[must_use]
pub fn installed(mut meta: Vec<(Bytes, Bytes)>, applied: Position) -> Vec<(Bytes, Bytes)> {
    meta.retain(|(name, _)| name != INSTALLED);
    let mut value = Vec::new();
    put_u64(&mut value, applied.term.0);
    put_u64(&mut value, applied.index.0);
    meta.push((Bytes::from_static(INSTALLED), value.into()));
    meta
}

/// The revision and the compact revision (main) that this metadata speaks of; those of a new store
/// when there is none.
///
/// # Errors
/// When a flush cannot have written this.
pub fn revisions(meta: &[(Bytes, Bytes)]) -> Result<(i64, i64), RestoreError> {
    let Some((name, value)) = meta.iter().find(|(name, _)| name == STATE) else {
        let fresh = (FIRST_REVISION, NEVER_COMPACTED);
        return if meta.is_empty() { Ok(fresh) } else { Err(RestoreError::NoState) };
    };
    match decode(name, value.clone()).map_err(RestoreError::Meta)? {
        Kept::State(state) => Ok((state.revision, state.compact_revision)),
        Kept::Lease { .. }
        | Kept::Alarm(..)
        | Kept::Short(_)
        | Kept::Member(_)
        | Kept::Membership(_)
        | Kept::Removed(_)
        | Kept::Queue(_)
        | Kept::Session(..)
        | Kept::Installed(_)
        | Kept::Condemned(_)
        | Kept::Bumped(_)
        | Kept::Recovery(..) => Err(RestoreError::NoState),
    }
}

/// The configuration that this metadata holds, whatever else is to be thought of it.
#[must_use]
pub fn membership(meta: &[(Bytes, Bytes)]) -> Option<Membership> {
    let (_, value) = meta.iter().find(|(name, _)| name == MEMBERSHIP)?;
    Membership::decode(value).ok()
}

/// The recoveries that this metadata tells of, whatever else is to be thought of it.
pub fn recoveries(meta: impl Iterator<Item = (Bytes, Bytes)>) -> Vec<(Index, Recovery)> {
    let of_one = |(name, value): (Bytes, Bytes)| {
        let named = name.first() == Some(&RECOVERY);
        match decode(&name, value).ok().filter(|_| named)? {
            Kept::Recovery(at, recovery) => Some((at, recovery)),
            Kept::State(_)
            | Kept::Lease { .. }
            | Kept::Alarm(..)
            | Kept::Short(_)
            | Kept::Member(_)
            | Kept::Membership(_)
            | Kept::Removed(_)
            | Kept::Queue(_)
            | Kept::Session(..)
            | Kept::Installed(_)
            | Kept::Condemned(_)
            | Kept::Bumped(_) => None,
        }
    };
    meta.filter_map(of_one).collect()
}

/// The name and value of a configuration.
pub(crate) fn encode_membership(membership: &Membership) -> (Bytes, Bytes) {
    (Bytes::from_static(MEMBERSHIP), membership.encode())
}

/// The name and value of skipped revisions.
pub(crate) fn encode_gap(gap: Gap) -> (Bytes, Bytes) {
    let mut value = Vec::new();
    put_i64(&mut value, gap.from);
    put_i64(&mut value, gap.to);
    (Bytes::from_static(BUMPED), value.into())
}

/// The name and value of a lease that counts its time from the next tick on.
pub(crate) fn encode_fresh_lease(id: LeaseId, ttl: i64) -> (Bytes, Bytes) {
    let mut name = Vec::from([LEASE]);
    name.extend_from_slice(&id.0.to_be_bytes());
    (name.into(), lease_value(ttl, None).into())
}

fn lease_value(ttl: i64, deadline: Option<u64>) -> Vec<u8> {
    let mut value = Vec::new();
    put_i64(&mut value, ttl);
    value.push(u8::from(deadline.is_some()));
    put_u64(&mut value, deadline.unwrap_or(0));
    value
}

/// The name and value of the store's numbers.
pub(crate) fn encode_state(state: &State) -> (Bytes, Option<Bytes>) {
    let mut value = Vec::from([VERSION]);
    put_i64(&mut value, state.revision);
    put_i64(&mut value, state.compact_revision);
    put_u64(&mut value, state.clock_ms);
    put_u64(&mut value, state.applied.term.0);
    put_u64(&mut value, state.applied.index.0);
    (Bytes::from_static(STATE), Some(value.into()))
}

/// The name and the present value of what changed; no value when it is gone.
pub(crate) fn encode(store: &Store, name: Name) -> (Bytes, Option<Bytes>) {
    let mut key = Vec::new();
    let value = match name {
        Name::Lease(id) => {
            key.push(LEASE);
            key.extend_from_slice(&id.0.to_be_bytes());
            store.leases.terms(id).map(|(ttl, deadline)| lease_value(ttl, deadline))
        }
        Name::Alarm(member, alarm) => {
            key.push(ALARM);
            key.extend_from_slice(&member.0.to_be_bytes());
            key.push(alarm_tag(alarm));
            store.alarms.contains(&(member, alarm)).then(Vec::new)
        }
        Name::Short(member) => {
            key.push(ALARM);
            key.extend_from_slice(&member.0.to_be_bytes());
            key.push(SHORT);
            store.short.contains(&member).then(Vec::new)
        }
        Name::Condemned => {
            key.extend_from_slice(CONDEMNED);
            store.condemned.map(|at| at.0.to_le_bytes().to_vec())
        }
        Name::Member(id) => {
            key.push(MEMBER);
            key.extend_from_slice(&id.0.to_be_bytes());
            store.members.get(&id).map(|member| {
                let mut value = Vec::new();
                write_member(&mut value, member);
                value
            })
        }
        Name::Session(client) => {
            key.push(SESSION);
            key.extend_from_slice(&client.0);
            store.sessions.kept(client).as_ref().map(write_session)
        }
        Name::Membership => {
            key.extend_from_slice(MEMBERSHIP);
            store.membership().map(|membership| membership.encode().to_vec())
        }
        Name::Removed(id) => {
            key.push(REMOVED);
            key.extend_from_slice(&id.0.to_be_bytes());
            store.was_removed(id).then(Vec::new)
        }
        Name::Queue => {
            key.extend_from_slice(QUEUE);
            store.roster.queue.encode()
        }
        Name::Recovery(at) => {
            key.push(RECOVERY);
            key.extend_from_slice(&at.0.to_be_bytes());
            store.recoveries.get(&at).map(|recovery| {
                let mut value = Vec::new();
                write_recovery(&mut value, recovery);
                value
            })
        }
    };
    (key.into(), value.map(Bytes::from))
}

/// The meaning of a value.
pub(crate) fn decode(name: &Bytes, value: Bytes) -> Result<Kept, DecodeError> {
    if name == MEMBERSHIP {
        let membership = Membership::decode(&value);
        return membership.map(Kept::Membership).map_err(|_| DecodeError::Tag("configuration"));
    }
    let mut value = Reader::new(value);
    if name == QUEUE {
        let queue = Queue::decode(&mut value)?;
        return value.end(Kept::Queue(queue));
    }
    if name == STATE {
        match value.u8()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let state = State {
            revision: value.i64()?,
            compact_revision: value.i64()?,
            clock_ms: value.u64()?,
            applied: Position::new(Term(value.u64()?), Index(value.u64()?)),
        };
        return value.end(Kept::State(state));
    }
    if name == CONDEMNED {
        let at = Index(value.u64()?);
        return value.end(Kept::Condemned(at));
    }
    if name == INSTALLED {
        let at = Position::new(Term(value.u64()?), Index(value.u64()?));
        return value.end(Kept::Installed(at));
    }
    if name == BUMPED {
        let gap = Gap { from: value.i64()?, to: value.i64()? };
        return value.end(Kept::Bumped(gap));
    }
    let mut name = Reader::new(name.clone());
    let kept = match name.u8()? {
        LEASE => {
            let id = LeaseId(name.u64_be()?.cast_signed());
            let (ttl, dated, deadline) = (value.i64()?, value.flag()?, value.u64()?);
            Kept::Lease { id, ttl, deadline: dated.then_some(deadline) }
        }
        ALARM => match (NodeId(name.u64_be()?), name.u8()?) {
            (member, SHORT) => Kept::Short(member),
            (member, kind) => Kept::Alarm(member, alarm_of(kind)?),
        },
        MEMBER => {
            let id = NodeId(name.u64_be()?);
            let member = read_member(&mut value)?;
            if member.id != id {
                return Err(DecodeError::Number("id of a member"));
            }
            Kept::Member(member)
        }
        SESSION => Kept::Session(ClientId(name.array()?), read_session(&mut value)?),
        REMOVED => Kept::Removed(NodeId(name.u64_be()?)),
        RECOVERY => Kept::Recovery(Index(name.u64_be()?), read_recovery(&mut value)?),
        _ => return Err(DecodeError::Tag("name of metadata")),
    };
    name.end(())?;
    value.end(kept)
}

fn write_session(kept: &session::Kept) -> Vec<u8> {
    let mut value = Vec::new();
    put_u64(&mut value, kept.floor);
    put_u64(&mut value, kept.used_ms);
    put_len(&mut value, kept.answers.len());
    for (number, answer) in &kept.answers {
        put_u64(&mut value, *number);
        put_i64(&mut value, answer.revision);
        value.push(u8::from(answer.told().is_some()));
        answer.told().iter().for_each(|told| put_bytes(&mut value, told));
    }
    value
}

/// A session: its numbers ascend, above its floor, and its answers have a meaning.
fn read_session(value: &mut Reader) -> Result<session::Kept, DecodeError> {
    let (floor, used_ms) = (value.u64()?, value.u64()?);
    let mut last = floor;
    let answers = value.list(|value| {
        let (number, revision) = (value.u64()?, value.i64()?);
        if number <= last {
            return Err(DecodeError::Number("sequence of a session"));
        }
        last = number;
        let told = if value.flag()? { Some(value.bytes()?) } else { None };
        if let Some(told) = &told {
            let _sound = read_answer(told.clone())?;
        }
        Ok((number, Answer::new(revision, told)))
    })?;
    Ok(session::Kept { floor, used_ms, answers })
}
