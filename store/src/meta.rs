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
//! "installed"                   term u64 | index u64: where it came as a whole, if it did
//! ```
//!
//! Which keys hang on a lease is not kept: the newest record of each key says so.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::{Index, NodeId, Position, Term};

use crate::codec::{
    DecodeError, Reader, alarm_of, alarm_tag, put_i64, put_u64, read_member, write_member,
};
use crate::{Alarm, LeaseId, Member, Store};

const STATE: &[u8] = b"state";
const INSTALLED: &[u8] = b"installed";
/// Of a state that must not be served.
const CONDEMNED: &[u8] = b"h";
const VERSION: u8 = 1;
const LEASE: u8 = b'l';
const ALARM: u8 = b'a';
const MEMBER: u8 = b'm';
/// Where the kind of an alarm stands: it is the member's own report.
const SHORT: u8 = 3;

/// What a value is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Lease(LeaseId),
    Alarm(NodeId, Alarm),
    Short(NodeId),
    Member(NodeId),
    Condemned,
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
    Installed(Position),
    Condemned(Index),
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
            store.leases.terms(id).map(|(ttl, deadline)| {
                let mut value = Vec::new();
                put_i64(&mut value, ttl);
                value.push(u8::from(deadline.is_some()));
                put_u64(&mut value, deadline.unwrap_or(0));
                value
            })
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
    };
    (key.into(), value.map(Bytes::from))
}

/// The meaning of a value.
pub(crate) fn decode(name: &Bytes, value: Bytes) -> Result<Kept, DecodeError> {
    let mut value = Reader::new(value);
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
        _ => return Err(DecodeError::Tag("name of metadata")),
    };
    name.end(())?;
    value.end(kept)
}
