//! Commands as bytes.

use alloc::vec::Vec;

use bytes::Bytes;
use protocol::{Index, NodeId};

use super::{DecodeError, Reader, put_bytes, put_i64, put_len, put_u64};
use crate::member::{read_change, read_refusal, write_change, write_refusal};
use crate::recovery::{read_recovery, write_recovery};
use crate::{
    Alarm, AlarmAction, ClientId, Command, Compare, Comparison, Condition, DeleteRange, Filter,
    KeyRange, LeaseId, MAX_TXN_DEPTH, Member, Operation, Put, Range, SortOrder, SortTarget, Stamp,
    Txn,
};

/// The format version.
const VERSION: u8 = 1;
/// The tag of a stamped command; stamp, tag and body of the command itself follow.
const ONCE: u8 = 13;

impl Command {
    /// Appends the command's bytes.
    ///
    /// # Panics
    /// When a key, a value or a list has 4 Gi elements, or transactions are nested beyond
    /// [`MAX_TXN_DEPTH`]: [`crate::Store::validate`] refuses such commands.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.encode_body(out);
    }

    /// The tag and what follows it.
    fn encode_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Put(put) => tagged(out, 1, |out| write_put(out, put)),
            Self::DeleteRange(delete) => tagged(out, 2, |out| write_delete(out, delete)),
            Self::Txn(txn) => tagged(out, 3, |out| write_txn(out, txn, MAX_TXN_DEPTH)),
            Self::Compact { revision } => tagged(out, 4, |out| put_i64(out, *revision)),
            Self::LeaseGrant { id, ttl } => tagged(out, 5, |out| {
                put_i64(out, id.0);
                put_i64(out, *ttl);
            }),
            Self::LeaseRevoke { id } => tagged(out, 6, |out| put_i64(out, id.0)),
            Self::LeaseRenew { ids } => tagged(out, 7, |out| {
                put_len(out, ids.len());
                ids.iter().for_each(|id| put_i64(out, id.0));
            }),
            Self::Tick { elapsed_ms } => {
                tagged(out, 8, |out| out.extend_from_slice(&elapsed_ms.to_le_bytes()));
            }
            Self::Alarm { action, member, alarm } => tagged(out, 9, |out| {
                out.push(match action {
                    AlarmAction::Activate => 1,
                    AlarmAction::Deactivate => 2,
                });
                out.push(u8::from(member.is_some()));
                if let Some(member) = member {
                    put_u64(out, member.0);
                }
                out.push(alarm.map_or(0, alarm_tag));
            }),
            Self::Publish(member) => tagged(out, 10, |out| write_member(out, member)),
            Self::StateHash { member, told } => tagged(out, 15, |out| {
                put_u64(out, member.0);
                out.push(u8::from(told.is_some()));
                if let Some((at, hash)) = told {
                    put_u64(out, at.0);
                    put_u64(out, *hash);
                }
            }),
            Self::Once { stamp, command } => tagged(out, ONCE, |out| {
                write_stamp(out, stamp);
                command.encode_body(out);
            }),
            Self::SpaceReport { member, short } => tagged(out, 14, |out| {
                put_u64(out, member.0);
                out.push(u8::from(*short));
            }),
            Self::Member(change) => tagged(out, 11, |out| write_change(out, change)),
            Self::Settle { ticket, refusal } => tagged(out, 12, |out| {
                put_u64(out, *ticket);
                write_refusal(out, *refusal);
            }),
            Self::Recovered(recovery) => tagged(out, 16, |out| write_recovery(out, recovery)),
        }
    }

    /// The command that these bytes are. Keys and values are slices of them.
    ///
    /// # Errors
    /// Whatever is not the encoding of a command.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let r = &mut reader;
        let command = match r.u8()? {
            tag @ 1..=6 => read_stampable(r, tag)?,
            7 => Self::LeaseRenew { ids: r.list(|r| r.i64().map(LeaseId))? },
            8 => Self::Tick { elapsed_ms: r.u32()? },
            9 => read_alarm(r)?,
            10 => Self::Publish(read_member(r)?),
            15 => {
                let (member, told) = (NodeId(r.u64()?), r.flag()?);
                let told = if told { Some((Index(r.u64()?), r.u64()?)) } else { None };
                Self::StateHash { member, told }
            }
            ONCE => {
                let stamp = read_stamp(r)?;
                let tag = r.u8()?;
                Self::Once { stamp, command: read_stampable(r, tag)?.into() }
            }
            14 => Self::SpaceReport { member: NodeId(r.u64()?), short: r.flag()? },
            11 => Self::Member(read_change(r)?),
            12 => Self::Settle { ticket: r.u64()?, refusal: read_refusal(r)? },
            16 => Self::Recovered(read_recovery(r)?),
            _ => return Err(DecodeError::Tag("command")),
        };
        reader.end(command)
    }
}

fn write_stamp(out: &mut Vec<u8>, stamp: &Stamp) {
    out.extend_from_slice(&stamp.client.0);
    put_u64(out, stamp.sequence);
    put_u64(out, stamp.oldest);
}

fn read_stamp(r: &mut Reader) -> Result<Stamp, DecodeError> {
    let stamp = Stamp::new(ClientId(r.array()?), r.u64()?, r.u64()?);
    stamp.ok_or(DecodeError::Number("sequence of a stamp"))
}

/// A command that a client may stamp.
fn read_stampable(r: &mut Reader, tag: u8) -> Result<Command, DecodeError> {
    Ok(match tag {
        1 => Command::Put(read_put(r)?),
        2 => Command::DeleteRange(read_delete(r)?),
        3 => Command::Txn(read_txn(r, MAX_TXN_DEPTH)?),
        4 => Command::Compact { revision: r.i64()? },
        5 => Command::LeaseGrant { id: LeaseId(r.i64()?), ttl: r.i64()? },
        6 => Command::LeaseRevoke { id: LeaseId(r.i64()?) },
        _ => return Err(DecodeError::Tag("stamped command")),
    })
}

fn tagged(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    body(out);
}

/// Flags: 1 a value follows, 2 a lease follows, 4 answer with what was before.
fn write_put(out: &mut Vec<u8>, put: &Put) {
    let value = u8::from(put.value.is_some());
    let lease = u8::from(put.lease.is_some()) << 1;
    out.push(value | lease | u8::from(put.prev_kv) << 2);
    put_bytes(out, &put.key);
    if let Some(value) = &put.value {
        put_bytes(out, value);
    }
    if let Some(lease) = put.lease {
        put_i64(out, lease.map_or(0, |id| id.0));
    }
}

fn read_put(r: &mut Reader) -> Result<Put, DecodeError> {
    let flags = r.u8()?;
    if flags > 7 {
        return Err(DecodeError::Tag("flags of a put"));
    }
    let key = r.bytes()?;
    let value = if flags & 1 == 0 { None } else { Some(r.bytes()?) };
    let lease = if flags & 2 == 0 { None } else { Some(r.i64()?) };
    let lease = lease.map(|id| Some(id).filter(|id| *id != 0).map(LeaseId));
    Ok(Put { key, value, lease, prev_kv: flags & 4 != 0 })
}

fn write_keys(out: &mut Vec<u8>, keys: &KeyRange) {
    put_bytes(out, &keys.key);
    put_bytes(out, &keys.end);
}

fn read_keys(r: &mut Reader) -> Result<KeyRange, DecodeError> {
    Ok(KeyRange { key: r.bytes()?, end: r.bytes()? })
}

fn write_delete(out: &mut Vec<u8>, delete: &DeleteRange) {
    out.push(u8::from(delete.prev_kv));
    write_keys(out, &delete.range);
}

fn read_delete(r: &mut Reader) -> Result<DeleteRange, DecodeError> {
    let prev_kv = r.flag()?;
    Ok(DeleteRange { range: read_keys(r)?, prev_kv })
}

fn write_txn(out: &mut Vec<u8>, txn: &Txn, depth: usize) {
    assert!(depth > 0, "transactions are validated before they are encoded");
    put_len(out, txn.compare.len());
    txn.compare.iter().for_each(|compare| write_compare(out, compare));
    for operations in [&txn.success, &txn.failure] {
        put_len(out, operations.len());
        for operation in operations {
            match operation {
                Operation::Range(range) => tagged(out, 0, |out| write_range(out, range)),
                Operation::Put(put) => tagged(out, 1, |out| write_put(out, put)),
                Operation::DeleteRange(it) => tagged(out, 2, |out| write_delete(out, it)),
                Operation::Txn(txn) => tagged(out, 3, |out| write_txn(out, txn, depth - 1)),
            }
        }
    }
}

fn read_txn(r: &mut Reader, depth: usize) -> Result<Txn, DecodeError> {
    if depth == 0 {
        return Err(DecodeError::Depth);
    }
    Ok(Txn {
        compare: r.list(read_compare)?,
        success: r.list(|r| read_operation(r, depth))?,
        failure: r.list(|r| read_operation(r, depth))?,
    })
}

fn read_operation(r: &mut Reader, depth: usize) -> Result<Operation, DecodeError> {
    match r.u8()? {
        0 => read_range(r).map(Operation::Range),
        1 => read_put(r).map(Operation::Put),
        2 => read_delete(r).map(Operation::DeleteRange),
        3 => read_txn(r, depth - 1).map(Operation::Txn),
        _ => Err(DecodeError::Tag("operation")),
    }
}

fn write_compare(out: &mut Vec<u8>, compare: &Compare) {
    write_keys(out, &compare.range);
    out.push(match compare.comparison {
        Comparison::Equal => 0,
        Comparison::Greater => 1,
        Comparison::Less => 2,
        Comparison::NotEqual => 3,
    });
    match &compare.condition {
        Condition::Version(it) => tagged(out, 0, |out| put_i64(out, *it)),
        Condition::CreateRevision(it) => tagged(out, 1, |out| put_i64(out, *it)),
        Condition::ModRevision(it) => tagged(out, 2, |out| put_i64(out, *it)),
        Condition::Value(it) => tagged(out, 3, |out| put_bytes(out, it)),
        Condition::Lease(it) => tagged(out, 4, |out| put_i64(out, *it)),
    }
}

fn read_compare(r: &mut Reader) -> Result<Compare, DecodeError> {
    let range = read_keys(r)?;
    let comparison = match r.u8()? {
        0 => Comparison::Equal,
        1 => Comparison::Greater,
        2 => Comparison::Less,
        3 => Comparison::NotEqual,
        _ => return Err(DecodeError::Tag("comparison")),
    };
    let condition = match r.u8()? {
        0 => Condition::Version(r.i64()?),
        1 => Condition::CreateRevision(r.i64()?),
        2 => Condition::ModRevision(r.i64()?),
        3 => Condition::Value(r.bytes()?),
        4 => Condition::Lease(r.i64()?),
        _ => return Err(DecodeError::Tag("condition")),
    };
    Ok(Compare { range, comparison, condition })
}

/// Flags: 1 keys only, 2 count only.
fn write_range(out: &mut Vec<u8>, range: &Range) {
    write_keys(out, &range.keys);
    put_i64(out, range.revision);
    put_i64(out, range.limit);
    out.push(match range.target {
        SortTarget::Key => 0,
        SortTarget::Version => 1,
        SortTarget::Create => 2,
        SortTarget::Mod => 3,
        SortTarget::Value => 4,
    });
    out.push(match range.order {
        SortOrder::None => 0,
        SortOrder::Ascend => 1,
        SortOrder::Descend => 2,
    });
    out.push(u8::from(range.keys_only) | u8::from(range.count_only) << 1);
    put_i64(out, range.filter.min_mod);
    put_i64(out, range.filter.max_mod);
    put_i64(out, range.filter.min_create);
    put_i64(out, range.filter.max_create);
}

fn read_range(r: &mut Reader) -> Result<Range, DecodeError> {
    let keys = read_keys(r)?;
    let (revision, limit) = (r.i64()?, r.i64()?);
    let target = match r.u8()? {
        0 => SortTarget::Key,
        1 => SortTarget::Version,
        2 => SortTarget::Create,
        3 => SortTarget::Mod,
        4 => SortTarget::Value,
        _ => return Err(DecodeError::Tag("sort target")),
    };
    let order = match r.u8()? {
        0 => SortOrder::None,
        1 => SortOrder::Ascend,
        2 => SortOrder::Descend,
        _ => return Err(DecodeError::Tag("sort order")),
    };
    let flags = r.u8()?;
    if flags > 3 {
        return Err(DecodeError::Tag("flags of a range"));
    }
    let (keys_only, count_only) = (flags & 1 != 0, flags & 2 != 0);
    let (min_mod, max_mod) = (r.i64()?, r.i64()?);
    let filter = Filter { min_mod, max_mod, min_create: r.i64()?, max_create: r.i64()? };
    Ok(Range { keys, revision, limit, target, order, keys_only, count_only, filter })
}

/// The byte of an alarm; 0 stands for none.
pub(crate) fn alarm_tag(alarm: Alarm) -> u8 {
    match alarm {
        Alarm::NoSpace => 1,
        Alarm::Corrupt => 2,
    }
}

/// The alarm of a byte.
pub(crate) fn alarm_of(tag: u8) -> Result<Alarm, DecodeError> {
    match tag {
        1 => Ok(Alarm::NoSpace),
        2 => Ok(Alarm::Corrupt),
        _ => Err(DecodeError::Tag("alarm")),
    }
}

fn read_alarm(r: &mut Reader) -> Result<Command, DecodeError> {
    let action = match r.u8()? {
        1 => AlarmAction::Activate,
        2 => AlarmAction::Deactivate,
        _ => return Err(DecodeError::Tag("alarm action")),
    };
    let member = if r.flag()? { Some(NodeId(r.u64()?)) } else { None };
    let alarm = match r.u8()? {
        0 => None,
        tag => Some(alarm_of(tag)?),
    };
    Ok(Command::Alarm { action, member, alarm })
}

pub(crate) fn write_member(out: &mut Vec<u8>, member: &Member) {
    put_u64(out, member.id.0);
    put_bytes(out, member.name.as_bytes());
    for urls in [&member.peer_urls, &member.client_urls] {
        put_len(out, urls.len());
        urls.iter().for_each(|url| put_bytes(out, url.as_bytes()));
    }
}

pub(crate) fn read_member(r: &mut Reader) -> Result<Member, DecodeError> {
    Ok(Member {
        id: NodeId(r.u64()?),
        name: r.text()?,
        peer_urls: r.list(Reader::text)?,
        client_urls: r.list(Reader::text)?,
    })
}
