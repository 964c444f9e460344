//! What follows the kind of a message: each struct's fields, read and written.
//!
//! The names for reading stand in the order in which memberlist declares them, which is the order
//! of an array that comes without names. Written are they in the order of the alphabet.

use alloc::sync::Arc;

use bytes::Bytes;

use super::Error;
use super::msgpack::{Reader, Sink, boolean, field, map, number, raw, raw_or_nil};
use crate::swim::message::{
    Ack, Addr, Alive, Dead, Facts, IndirectPing, Nack, Name, NodeState, Ping, Source, State,
    Suspect, Vsn,
};

/// What stands before the rows of a table that is pushed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Header {
    pub(super) nodes: i64,
    pub(super) user: i64,
    pub(super) join: bool,
}

pub(super) fn read_ping(reader: &mut Reader<'_>) -> Result<Ping, Error> {
    let mut ping = Ping { seq: 0, node: Name::default(), source: None };
    let mut source = Origin::default();
    let names = ["SeqNo", "Node", "SourceAddr", "SourcePort", "SourceNode"];
    reader.record(&names, |reader, field| {
        match field {
            0 => ping.seq = reader.number()?,
            1 => ping.node = reader.name()?,
            _ => source.read(reader, field - 2)?,
        }
        Ok(())
    })?;
    ping.source = source.known();
    Ok(ping)
}

pub(super) fn write_ping(out: &mut impl Sink, ping: &Ping) {
    map(out, 2 + source_fields(ping.source.as_ref()));
    field(out, "Node");
    raw(out, ping.node.as_bytes());
    field(out, "SeqNo");
    number(out, ping.seq);
    write_source(out, ping.source.as_ref());
}

pub(super) fn read_indirect_ping(reader: &mut Reader<'_>) -> Result<IndirectPing, Error> {
    let mut ping = IndirectPing {
        seq: 0,
        target: Addr::default(),
        port: 0,
        node: Name::default(),
        nack: false,
        source: None,
    };
    let mut source = Origin::default();
    let names =
        ["SeqNo", "Target", "Port", "Node", "Nack", "SourceAddr", "SourcePort", "SourceNode"];
    reader.record(&names, |reader, field| {
        match field {
            0 => ping.seq = reader.number()?,
            1 => ping.target = reader.addr()?,
            2 => ping.port = reader.number()?,
            3 => ping.node = reader.name()?,
            4 => ping.nack = reader.boolean()?,
            _ => source.read(reader, field - 5)?,
        }
        Ok(())
    })?;
    ping.source = source.known();
    Ok(ping)
}

pub(super) fn write_indirect_ping(out: &mut impl Sink, ping: &IndirectPing) {
    map(out, 5 + source_fields(ping.source.as_ref()));
    field(out, "Nack");
    boolean(out, ping.nack);
    field(out, "Node");
    raw(out, ping.node.as_bytes());
    field(out, "Port");
    number(out, ping.port);
    field(out, "SeqNo");
    number(out, ping.seq);
    write_source(out, ping.source.as_ref());
    field(out, "Target");
    raw_or_nil(out, ping.target.as_bytes());
}

pub(super) fn read_ack(reader: &mut Reader<'_>) -> Result<Ack, Error> {
    let mut ack = Ack { seq: 0, payload: Bytes::new() };
    reader.record(&["SeqNo", "Payload"], |reader, field| {
        match field {
            0 => ack.seq = reader.number()?,
            _ => ack.payload = reader.shared()?,
        }
        Ok(())
    })?;
    Ok(ack)
}

pub(super) fn write_ack(out: &mut impl Sink, ack: &Ack) {
    map(out, 2);
    field(out, "Payload");
    raw_or_nil(out, &ack.payload);
    field(out, "SeqNo");
    number(out, ack.seq);
}

pub(super) fn read_nack(reader: &mut Reader<'_>) -> Result<Nack, Error> {
    let mut nack = Nack { seq: 0 };
    reader.record(&["SeqNo"], |reader, _| {
        nack.seq = reader.number()?;
        Ok(())
    })?;
    Ok(nack)
}

pub(super) fn write_nack(out: &mut impl Sink, nack: Nack) {
    map(out, 1);
    field(out, "SeqNo");
    number(out, nack.seq);
}

pub(super) fn read_suspect(reader: &mut Reader<'_>) -> Result<Suspect, Error> {
    let (incarnation, node, from) = read_accusation(reader)?;
    Ok(Suspect { incarnation, node, from })
}

pub(super) fn write_suspect(out: &mut impl Sink, suspect: &Suspect) {
    write_accusation(out, suspect.incarnation, &suspect.node, &suspect.from);
}

pub(super) fn read_dead(reader: &mut Reader<'_>) -> Result<Dead, Error> {
    let (incarnation, node, from) = read_accusation(reader)?;
    Ok(Dead { incarnation, node, from })
}

pub(super) fn write_dead(out: &mut impl Sink, dead: &Dead) {
    write_accusation(out, dead.incarnation, &dead.node, &dead.from);
}

/// The names are kept: they outlive their packet in queues and suspicions.
fn read_accusation(reader: &mut Reader<'_>) -> Result<(u32, Name, Name), Error> {
    let (mut incarnation, mut node, mut from) = (0, Name::default(), Name::default());
    reader.record(&["Incarnation", "Node", "From"], |reader, field| {
        match field {
            0 => incarnation = reader.number()?,
            1 => node = reader.kept()?.into(),
            _ => from = reader.kept()?.into(),
        }
        Ok(())
    })?;
    Ok((incarnation, node, from))
}

fn write_accusation(out: &mut impl Sink, incarnation: u32, node: &Name, from: &Name) {
    map(out, 3);
    field(out, "From");
    raw(out, from.as_bytes());
    field(out, "Incarnation");
    number(out, incarnation);
    field(out, "Node");
    raw(out, node.as_bytes());
}

pub(super) fn read_alive(reader: &mut Reader<'_>) -> Result<Alive, Error> {
    let (mut incarnation, mut about) = (0, About::default());
    reader.record(&["Incarnation", "Node", "Addr", "Port", "Meta", "Vsn"], |reader, field| {
        match field {
            0 => incarnation = reader.number()?,
            1 => about.name = reader.kept()?,
            2 => about.addr = reader.addr()?,
            3 => about.port = reader.number()?,
            4 => about.meta = reader.kept()?,
            _ => about.vsn = read_vsn(reader)?,
        }
        Ok(())
    })?;
    Ok(Alive { incarnation, facts: about.facts()? })
}

pub(super) fn write_alive(out: &mut impl Sink, alive: &Alive) {
    let facts = &alive.facts;
    map(out, 6);
    field(out, "Addr");
    raw_or_nil(out, facts.addr.as_bytes());
    field(out, "Incarnation");
    number(out, alive.incarnation);
    field(out, "Meta");
    raw_or_nil(out, &facts.meta);
    field(out, "Node");
    raw(out, facts.name.as_bytes());
    field(out, "Port");
    number(out, facts.port);
    field(out, "Vsn");
    raw(out, &facts.vsn.0);
}

pub(super) fn read_row(reader: &mut Reader<'_>) -> Result<NodeState, Error> {
    let (mut incarnation, mut state, mut about) = (0, 0, About::default());
    let names = ["Name", "Addr", "Port", "Meta", "Incarnation", "State", "Vsn"];
    reader.record(&names, |reader, field| {
        match field {
            0 => about.name = reader.kept()?,
            1 => about.addr = reader.addr()?,
            2 => about.port = reader.number()?,
            3 => about.meta = reader.kept()?,
            4 => incarnation = reader.number()?,
            5 => state = reader.signed()?,
            _ => about.vsn = read_vsn(reader)?,
        }
        Ok(())
    })?;
    let state = match state {
        0 => State::Alive,
        1 => State::Suspect,
        2 => State::Dead,
        3 => State::Left,
        _ => return Err(Error::State),
    };
    Ok(NodeState { facts: about.facts()?, incarnation, state })
}

pub(super) fn write_row(out: &mut impl Sink, row: &NodeState) {
    let facts = &row.facts;
    map(out, 7);
    field(out, "Addr");
    raw_or_nil(out, facts.addr.as_bytes());
    field(out, "Incarnation");
    number(out, row.incarnation);
    field(out, "Meta");
    raw_or_nil(out, &facts.meta);
    field(out, "Name");
    raw(out, facts.name.as_bytes());
    field(out, "Port");
    number(out, facts.port);
    field(out, "State");
    number(
        out,
        match row.state {
            State::Alive => 0_u8,
            State::Suspect => 1,
            State::Dead => 2,
            State::Left => 3,
        },
    );
    field(out, "Vsn");
    raw(out, &facts.vsn.0);
}

pub(super) fn read_header(reader: &mut Reader<'_>) -> Result<Header, Error> {
    let mut header = Header::default();
    reader.record(&["Nodes", "UserStateLen", "Join"], |reader, field| {
        match field {
            0 => header.nodes = reader.signed()?,
            1 => header.user = reader.signed()?,
            _ => header.join = reader.boolean()?,
        }
        Ok(())
    })?;
    Ok(header)
}

pub(super) fn write_header(out: &mut impl Sink, header: Header) {
    map(out, 3);
    field(out, "Join");
    boolean(out, header.join);
    field(out, "Nodes");
    super::msgpack::signed(out, header.nodes);
    field(out, "UserStateLen");
    super::msgpack::signed(out, header.user);
}

pub(super) fn read_user_header(reader: &mut Reader<'_>) -> Result<i64, Error> {
    let mut size = 0;
    reader.record(&["UserMsgLen"], |reader, _| {
        size = reader.signed()?;
        Ok(())
    })?;
    Ok(size)
}

pub(super) fn write_user_header(out: &mut impl Sink, size: usize) {
    map(out, 1);
    field(out, "UserMsgLen");
    number(out, u64::try_from(size).unwrap_or(u64::MAX));
}

pub(super) fn read_error(reader: &mut Reader<'_>) -> Result<Bytes, Error> {
    let mut text = Bytes::new();
    reader.record(&["Error"], |reader, _| {
        text = reader.kept()?;
        Ok(())
    })?;
    Ok(text)
}

pub(super) fn write_error(out: &mut impl Sink, text: &[u8]) {
    map(out, 1);
    field(out, "Error");
    raw(out, text);
}

/// Where an answer goes, as the wire has it: absent when there is no address or no port.
#[derive(Debug, Default)]
struct Origin {
    addr: Addr,
    port: u16,
    node: Name,
}

impl Origin {
    fn read(&mut self, reader: &mut Reader<'_>, field: usize) -> Result<(), Error> {
        match field {
            0 => self.addr = reader.addr()?,
            1 => self.port = reader.number()?,
            _ => self.node = reader.name()?,
        }
        Ok(())
    }

    fn known(self) -> Option<Source> {
        let Self { addr, port, node } = self;
        (!addr.is_empty() && port != 0).then_some(Source { addr, port, node })
    }
}

/// What is left out when it is empty.
fn source_fields(source: Option<&Source>) -> usize {
    source.map_or(0, |source| {
        usize::from(!source.addr.is_empty())
            + usize::from(!source.node.is_empty())
            + usize::from(source.port != 0)
    })
}

fn write_source(out: &mut impl Sink, source: Option<&Source>) {
    let Some(source) = source else { return };
    if !source.addr.is_empty() {
        field(out, "SourceAddr");
        raw(out, source.addr.as_bytes());
    }
    if !source.node.is_empty() {
        field(out, "SourceNode");
        raw(out, source.node.as_bytes());
    }
    if source.port != 0 {
        field(out, "SourcePort");
        number(out, source.port);
    }
}

/// The facts of a member while they are read.
#[derive(Debug, Default)]
struct About {
    name: Bytes,
    addr: Addr,
    port: u16,
    meta: Bytes,
    vsn: Option<Vsn>,
}

impl About {
    /// Refuses whom no value may name: peers that pass them on are poisoned or die (`Vsn`).
    fn facts(self) -> Result<Arc<Facts>, Error> {
        let Self { name, addr, port, meta, vsn } = self;
        let vsn = vsn.ok_or(Error::Version)?;
        if name.is_empty() {
            return Err(Error::Name);
        }
        Ok(Arc::new(Facts { name: name.into(), addr, port, meta, vsn }))
    }
}

fn read_vsn(reader: &mut Reader<'_>) -> Result<Option<Vsn>, Error> {
    Ok(<[u8; 6]>::try_from(&*reader.bytes()?).ok().map(Vsn))
}
