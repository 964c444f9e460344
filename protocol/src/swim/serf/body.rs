//! What follows the kind of a message of Serf's layer: each struct's fields, read and written.
//!
//! Names for reading stand as Serf declares them, for writing in the order of the alphabet.

use alloc::vec::Vec;

use bytes::Bytes;

use super::limit;
use super::message::{
    Happening, Join, KeyRequest, KeyResponse, LTime, Leave, Member, Moment, PushPull, Query, Relay,
    Response, Ring, Status, UserEvent,
};
use super::tags::Tags;
use crate::swim::message::{Addr, Name};
use crate::swim::wire::Error;
use crate::swim::wire::msgpack::{
    Reader, Sink, array, boolean, field, map, nil, number, raw, raw_or_nil, signed,
};

fn ltime(reader: &mut Reader<'_>) -> Result<LTime, Error> {
    reader.number().map(LTime)
}

pub(super) fn read_leave(reader: &mut Reader<'_>) -> Result<Leave, Error> {
    let mut leave = Leave { ltime: LTime(0), node: Name::default(), prune: false };
    reader.record(&["LTime", "Node", "Prune"], |reader, field| {
        match field {
            0 => leave.ltime = ltime(reader)?,
            1 => leave.node = reader.name()?,
            _ => leave.prune = reader.boolean()?,
        }
        Ok(())
    })?;
    Ok(leave)
}

pub(super) fn write_leave(out: &mut impl Sink, leave: &Leave) {
    map(out, 3);
    field(out, "LTime");
    number(out, leave.ltime.0);
    field(out, "Node");
    raw(out, leave.node.as_bytes());
    field(out, "Prune");
    boolean(out, leave.prune);
}

pub(super) fn read_join(reader: &mut Reader<'_>) -> Result<Join, Error> {
    let mut join = Join { ltime: LTime(0), node: Name::default() };
    reader.record(&["LTime", "Node"], |reader, field| {
        match field {
            0 => join.ltime = ltime(reader)?,
            _ => join.node = reader.name()?,
        }
        Ok(())
    })?;
    Ok(join)
}

pub(super) fn write_join(out: &mut impl Sink, join: &Join) {
    map(out, 2);
    field(out, "LTime");
    number(out, join.ltime.0);
    field(out, "Node");
    raw(out, join.node.as_bytes());
}

pub(super) fn read_push_pull(reader: &mut Reader<'_>) -> Result<PushPull, Error> {
    let mut state = PushPull::default();
    let names = ["LTime", "StatusLTimes", "LeftMembers", "EventLTime", "Events", "QueryLTime"];
    reader.record(&names, |reader, field| {
        match field {
            0 => state.ltime = ltime(reader)?,
            1 => {
                state.status.clear();
                for _ in 0..reader.map(limit::MEMBERS)? {
                    let name = reader.name()?;
                    state.status.push((name, ltime(reader)?));
                }
            }
            2 => {
                state.left.clear();
                for _ in 0..reader.array(limit::MEMBERS)? {
                    state.left.push(reader.name()?);
                }
            }
            3 => state.event_ltime = ltime(reader)?,
            4 => state.events = read_ring(reader)?,
            _ => state.query_ltime = ltime(reader)?,
        }
        Ok(())
    })?;
    Ok(state)
}

pub(super) fn write_push_pull(out: &mut impl Sink, state: &PushPull) {
    map(out, 6);
    field(out, "EventLTime");
    number(out, state.event_ltime.0);
    field(out, "Events");
    write_ring(out, &state.events);
    field(out, "LTime");
    number(out, state.ltime.0);
    field(out, "LeftMembers");
    array(out, state.left.len());
    state.left.iter().for_each(|name| raw(out, name.as_bytes()));
    field(out, "QueryLTime");
    number(out, state.query_ltime.0);
    field(out, "StatusLTimes");
    map(out, state.status.len());
    for (name, ltime) in &state.status {
        raw(out, name.as_bytes());
        number(out, ltime.0);
    }
}

fn read_ring(reader: &mut Reader<'_>) -> Result<Ring, Error> {
    let mut ring = Ring::default();
    let mut room = limit::EVENTS;
    for _ in 0..reader.array(limit::SLOTS)? {
        let slot = if reader.nil() { None } else { Some(read_moment(reader, &mut room)?) };
        ring.push(slot);
    }
    Ok(ring)
}

fn read_moment(reader: &mut Reader<'_>, room: &mut u64) -> Result<Moment, Error> {
    let mut moment = Moment { ltime: LTime(0), events: Vec::new() };
    reader.record(&["LTime", "Events"], |reader, field| {
        match field {
            0 => moment.ltime = ltime(reader)?,
            _ => {
                let count = reader.array(*room)?;
                *room -= count;
                for _ in 0..count {
                    moment.events.push(read_happening(reader)?);
                }
            }
        }
        Ok(())
    })?;
    Ok(moment)
}

fn read_happening(reader: &mut Reader<'_>) -> Result<Happening, Error> {
    let mut happening = Happening { name: Bytes::new(), payload: Bytes::new() };
    reader.record(&["Name", "Payload"], |reader, field| {
        match field {
            0 => happening.name = reader.shared()?,
            _ => happening.payload = reader.shared()?,
        }
        Ok(())
    })?;
    Ok(happening)
}

fn write_ring(out: &mut impl Sink, ring: &Ring) {
    array(out, ring.slots());
    let mut next = 0;
    for (slot, moment) in ring.iter() {
        (next..slot).for_each(|_| nil(out));
        next = slot + 1;
        map(out, 2);
        field(out, "Events");
        array(out, moment.events.len());
        for happening in &moment.events {
            map(out, 2);
            field(out, "Name");
            raw(out, &happening.name);
            field(out, "Payload");
            raw_or_nil(out, &happening.payload);
        }
        field(out, "LTime");
        number(out, moment.ltime.0);
    }
    (next..ring.slots()).for_each(|_| nil(out));
}

pub(super) fn read_event(reader: &mut Reader<'_>) -> Result<UserEvent, Error> {
    let mut event =
        UserEvent { ltime: LTime(0), name: Bytes::new(), payload: Bytes::new(), coalesce: false };
    reader.record(&["LTime", "Name", "Payload", "CC"], |reader, field| {
        match field {
            0 => event.ltime = ltime(reader)?,
            1 => event.name = reader.shared()?,
            2 => event.payload = reader.shared()?,
            _ => event.coalesce = reader.boolean()?,
        }
        Ok(())
    })?;
    Ok(event)
}

pub(super) fn write_event(out: &mut impl Sink, event: &UserEvent) {
    map(out, 4);
    field(out, "CC");
    boolean(out, event.coalesce);
    field(out, "LTime");
    number(out, event.ltime.0);
    field(out, "Name");
    raw(out, &event.name);
    field(out, "Payload");
    raw_or_nil(out, &event.payload);
}

pub(super) fn read_query(reader: &mut Reader<'_>) -> Result<Query, Error> {
    let mut query = Query {
        ltime: LTime(0),
        id: 0,
        addr: Addr::default(),
        port: 0,
        source: Name::default(),
        filters: Vec::new(),
        flags: 0,
        relay_factor: 0,
        timeout_ns: 0,
        name: Bytes::new(),
        payload: Bytes::new(),
    };
    let names = [
        "LTime",
        "ID",
        "Addr",
        "Port",
        "SourceNode",
        "Filters",
        "Flags",
        "RelayFactor",
        "Timeout",
        "Name",
        "Payload",
    ];
    reader.record(&names, |reader, field| {
        match field {
            0 => query.ltime = ltime(reader)?,
            1 => query.id = reader.number()?,
            2 => query.addr = reader.addr()?,
            3 => query.port = reader.number()?,
            4 => query.source = reader.name()?,
            5 => query.filters = read_list(reader, limit::FILTERS)?,
            6 => query.flags = reader.number()?,
            7 => query.relay_factor = reader.number()?,
            8 => query.timeout_ns = reader.signed()?,
            9 => query.name = reader.shared()?,
            _ => query.payload = reader.shared()?,
        }
        Ok(())
    })?;
    Ok(query)
}

pub(super) fn write_query(out: &mut impl Sink, query: &Query) {
    map(out, 11);
    field(out, "Addr");
    raw_or_nil(out, query.addr.as_bytes());
    field(out, "Filters");
    write_list(out, &query.filters);
    field(out, "Flags");
    number(out, query.flags);
    field(out, "ID");
    number(out, query.id);
    field(out, "LTime");
    number(out, query.ltime.0);
    field(out, "Name");
    raw(out, &query.name);
    field(out, "Payload");
    raw_or_nil(out, &query.payload);
    field(out, "Port");
    number(out, query.port);
    field(out, "RelayFactor");
    number(out, query.relay_factor);
    field(out, "SourceNode");
    raw(out, query.source.as_bytes());
    field(out, "Timeout");
    signed(out, query.timeout_ns);
}

pub(super) fn read_response(reader: &mut Reader<'_>) -> Result<Response, Error> {
    let mut response =
        Response { ltime: LTime(0), id: 0, from: Name::default(), flags: 0, payload: Bytes::new() };
    reader.record(&["LTime", "ID", "From", "Flags", "Payload"], |reader, field| {
        match field {
            0 => response.ltime = ltime(reader)?,
            1 => response.id = reader.number()?,
            2 => response.from = reader.name()?,
            3 => response.flags = reader.number()?,
            _ => response.payload = reader.shared()?,
        }
        Ok(())
    })?;
    Ok(response)
}

pub(super) fn write_response(out: &mut impl Sink, response: &Response) {
    map(out, 5);
    field(out, "Flags");
    number(out, response.flags);
    field(out, "From");
    raw(out, response.from.as_bytes());
    field(out, "ID");
    number(out, response.id);
    field(out, "LTime");
    number(out, response.ltime.0);
    field(out, "Payload");
    raw_or_nil(out, &response.payload);
}

pub(super) fn read_conflict(reader: &mut Reader<'_>) -> Result<Option<Member>, Error> {
    if reader.nil() {
        return Ok(None);
    }
    let mut member = Member {
        name: Name::default(),
        addr: Addr::default(),
        port: 0,
        tags: Tags::default(),
        status: Status::None,
        protocol: [0; 3],
        delegate: [0; 3],
    };
    let names = [
        "Name",
        "Addr",
        "Port",
        "Tags",
        "Status",
        "ProtocolMin",
        "ProtocolMax",
        "ProtocolCur",
        "DelegateMin",
        "DelegateMax",
        "DelegateCur",
    ];
    reader.record(&names, |reader, field| {
        match field {
            0 => member.name = reader.name()?,
            1 => member.addr = reader.addr()?,
            2 => member.port = reader.number()?,
            3 => member.tags = Tags::read(reader)?,
            4 => member.status = read_status(reader)?,
            5..=7 => member.protocol[field - 5] = reader.number()?,
            _ => member.delegate[field - 8] = reader.number()?,
        }
        Ok(())
    })?;
    Ok(Some(member))
}

pub(super) fn write_conflict(out: &mut impl Sink, member: Option<&Member>) {
    let Some(member) = member else { return nil(out) };
    let ([least, most, current], [delegate_least, delegate_most, delegate]) =
        (member.protocol, member.delegate);
    map(out, 11);
    field(out, "Addr");
    raw_or_nil(out, member.addr.as_bytes());
    field(out, "DelegateCur");
    number(out, delegate);
    field(out, "DelegateMax");
    number(out, delegate_most);
    field(out, "DelegateMin");
    number(out, delegate_least);
    field(out, "Name");
    raw(out, member.name.as_bytes());
    field(out, "Port");
    number(out, member.port);
    field(out, "ProtocolCur");
    number(out, current);
    field(out, "ProtocolMax");
    number(out, most);
    field(out, "ProtocolMin");
    number(out, least);
    field(out, "Status");
    number(out, write_status(member.status));
    field(out, "Tags");
    member.tags.write(out);
}

fn read_status(reader: &mut Reader<'_>) -> Result<Status, Error> {
    match reader.signed()? {
        0 => Ok(Status::None),
        1 => Ok(Status::Alive),
        2 => Ok(Status::Leaving),
        3 => Ok(Status::Left),
        4 => Ok(Status::Failed),
        _ => Err(Error::State),
    }
}

const fn write_status(status: Status) -> u8 {
    match status {
        Status::None => 0,
        Status::Alive => 1,
        Status::Leaving => 2,
        Status::Left => 3,
        Status::Failed => 4,
    }
}

pub(super) fn read_key_request(reader: &mut Reader<'_>) -> Result<KeyRequest, Error> {
    let mut request = KeyRequest { key: Bytes::new() };
    reader.record(&["Key"], |reader, _| {
        request.key = reader.shared()?;
        Ok(())
    })?;
    Ok(request)
}

pub(super) fn write_key_request(out: &mut impl Sink, request: &KeyRequest) {
    map(out, 1);
    field(out, "Key");
    raw_or_nil(out, &request.key);
}

pub(super) fn read_key_response(reader: &mut Reader<'_>) -> Result<KeyResponse, Error> {
    let mut response = KeyResponse::default();
    reader.record(&["Result", "Message", "Keys", "PrimaryKey"], |reader, field| {
        match field {
            0 => response.result = reader.boolean()?,
            1 => response.message = reader.shared()?,
            2 => response.keys = read_list(reader, limit::KEYS)?,
            _ => response.primary_key = reader.shared()?,
        }
        Ok(())
    })?;
    Ok(response)
}

pub(super) fn write_key_response(out: &mut impl Sink, response: &KeyResponse) {
    map(out, 4);
    field(out, "Keys");
    write_list(out, &response.keys);
    field(out, "Message");
    raw(out, &response.message);
    field(out, "PrimaryKey");
    raw(out, &response.primary_key);
    field(out, "Result");
    boolean(out, response.result);
}

pub(super) fn read_relay(reader: &mut Reader<'_>) -> Result<Relay, Error> {
    let (mut addr, mut port, mut zone) = (Addr::default(), 0, Bytes::new());
    let mut node = Name::default();
    reader.record(&["DestAddr", "DestName"], |reader, field| {
        match field {
            0 => reader.record(&["IP", "Port", "Zone"], |reader, field| {
                match field {
                    0 => addr = reader.addr()?,
                    1 => port = reader.number()?,
                    _ => zone = reader.shared()?,
                }
                Ok(())
            })?,
            _ => node = reader.name()?,
        }
        Ok(())
    })?;
    Ok(Relay { addr, port, zone, node, message: reader.rest() })
}

pub(super) fn write_relay(out: &mut impl Sink, relay: &Relay) {
    map(out, 2);
    field(out, "DestAddr");
    map(out, 3);
    field(out, "IP");
    raw_or_nil(out, relay.addr.as_bytes());
    field(out, "Port");
    number(out, relay.port);
    field(out, "Zone");
    raw(out, &relay.zone);
    field(out, "DestName");
    raw(out, relay.node.as_bytes());
    out.put(&relay.message);
}

/// A list of byte strings.
fn read_list(reader: &mut Reader<'_>, most: u64) -> Result<Vec<Bytes>, Error> {
    let count = reader.array(most)?;
    (0..count).map(|_| reader.shared()).collect()
}

/// A list of byte strings; nil when it is empty: what a slice without memory is in Go.
fn write_list(out: &mut impl Sink, list: &[Bytes]) {
    if list.is_empty() {
        return nil(out);
    }
    array(out, list.len());
    list.iter().for_each(|bytes| raw(out, bytes));
}
