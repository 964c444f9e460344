//! Bytes to begin with, and what happens to them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::bootstrap::Pledge;
use protocol::bully::message::{Body, Terms};
use protocol::bully::wire::{self, Group, Letter, Says};
use protocol::bully::{self, Ballot, Durable, Electorate, Epoch, Rank, Shown};
use protocol::swim::message::{
    Ack, Alive, Dead, Facts, IndirectPing, Message, Nack, Name, NodeState, Ping, PushPull, Source,
    State, StreamMessage, Suspect, Vsn,
};
use protocol::swim::serf::{self, Filter, Tags};
use protocol::swim::wire::{Packer, checksum, encode, encode_stream};
use protocol::{NodeId, Rng, Time};

/// Bytes that lengths, kinds and signs turn on.
const EDGES: [u8; 16] =
    [0, 1, 2, 7, 9, 12, 0x1f, 0x7f, 0x80, 0x9f, 0xa0, 0xc0, 0xcf, 0xda, 0xdf, 0xff];
/// Longest bytes that come of joining and repeating.
const LONGEST: usize = 4096;

fn facts(name: &str) -> Arc<Facts> {
    let [.., last] = name.as_bytes() else { unreachable!("invariant: named") };
    let (addr, meta) = ([127, 0, 0, *last].into(), Bytes::from_static(b"\xff\x80"));
    Arc::new(Facts { name: Name::from(name), addr, port: 7946, meta, vsn: Vsn::SERF })
}

/// One of each message between members of a pool.
fn messages() -> Vec<Message> {
    let source = Some(Source { addr: [127, 0, 0, 1].into(), port: 7946, node: Name::from("b") });
    let (node, from) = (Name::from("a"), Name::from("b"));
    let target = [127, 0, 0, 3].into();
    let ask = IndirectPing { seq: 8, target, port: 1, node: from.clone(), nack: true, source };
    let source = ask.source.clone();
    vec![
        Message::Ping(Ping { seq: 7, node: node.clone(), source }),
        Message::IndirectPing(ask),
        Message::Ack(Ack { seq: 7, payload: Bytes::from_static(b"payload") }),
        Message::Nack(Nack { seq: 7 }),
        Message::Suspect(Suspect { incarnation: 1, node: node.clone(), from: from.clone() }),
        Message::Dead(Dead { incarnation: u32::MAX, node, from: from.clone() }),
        Message::Dead(Dead { incarnation: 2, node: from.clone(), from }),
        Message::Alive(Alive { incarnation: 3, facts: facts("b") }),
        Message::Alive(Alive { incarnation: 1, facts: facts("c") }),
        Message::User(Bytes::from_static(b"\x03\x81\xa4Name\xa1x")),
    ]
}

/// Datagrams: each message, all of them together, and with a checksum.
pub(crate) fn packets() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut packer = Packer::new(1400);
    for message in &messages() {
        let mut bytes = Vec::new();
        encode(message, &mut bytes);
        found.push(bytes);
        packer.push(message);
    }
    for packet in packer.finish() {
        found.push(checksum::seal(&packet));
        found.push(packet.to_vec());
    }
    found
}

/// Connections; what stands first is the size of the pieces.
pub(crate) fn streams() -> Vec<Vec<u8>> {
    let states = [State::Alive, State::Suspect, State::Dead, State::Left];
    let rows = states.into_iter().zip(["b", "c", "d", "e"]);
    let row = |(state, name)| NodeState { facts: facts(name), incarnation: 2, state };
    let user = Bytes::from_static(b"\x02\x80");
    let state = PushPull { join: true, nodes: rows.map(row).collect(), user };
    let ping = Ping { seq: 9, node: Name::from("a"), source: None };
    let all = [StreamMessage::PushPull(state), StreamMessage::Ping(ping)];
    let encoded = all.map(|message| {
        let mut bytes = vec![7];
        encode_stream(&message, &mut bytes);
        bytes
    });
    encoded.into()
}

/// What candidates say to each other, and what they keep.
pub(crate) fn letters() -> Vec<Vec<u8>> {
    let (own, other) = (NodeId(1), NodeId(2));
    let rank = Rank { freshness: 3, priority: 2, id: own };
    let electorate = Electorate::first([own, other].into_iter().collect());
    let (epoch, sent, lease) = (Epoch(7), Time(9), Duration::from_secs(1));
    let terms = Terms { epoch, sent, lease };
    let bodies = [
        Body::Victory,
        Body::Answer { free: true, stands: false, seen: epoch },
        Body::Claim(terms),
        Body::Grant { epoch, sent },
        Body::Refuse { epoch, ballot: epoch },
        Body::Renew(terms),
        Body::Ack { epoch, sent, up: lease, stands: true },
        Body::Release { epoch, successor: Some(other) },
    ];
    let message = |body| {
        Says::Message(bully::message::Message { electorate: Some(electorate.clone()), rank, body })
    };
    let (pledge, group) = (Pledge::new([own, other]), Some(electorate.group));
    let shown = Shown { rank, expect: Some(2), pledge: pledge.clone(), group };
    let says = bodies.map(message).into_iter().chain([Says::Shown(shown), Says::Gone(own)]);
    let group = Group::new("web").unwrap();
    let letter = |says| wire::encode(&Letter { group: group.clone(), says }).unwrap();
    let mut found: Vec<Vec<u8>> = says.map(letter).collect();
    let ballot = Some(Ballot { epoch, holder: own, lease });
    let durable = Durable { ballot, electorate: Some(electorate.clone()), pledge };
    let mut bytes = Vec::new();
    wire::encode_durable(&durable, &mut bytes).unwrap();
    found.push(bytes);
    found
}

/// Messages of Serf, tags and filters.
pub(crate) fn serfs() -> Vec<Vec<u8>> {
    let event = serf::UserEvent {
        ltime: serf::LTime(3),
        name: Bytes::from_static(b"deploy"),
        payload: Bytes::from_static(b"payload"),
        coalesce: true,
    };
    let query = serf::Query {
        ltime: serf::LTime(2),
        id: 7,
        addr: [127, 0, 0, 1].into(),
        port: 7946,
        source: Name::from("a"),
        filters: vec![Filter::Nodes(vec![Name::from("a")]).encode()],
        flags: serf::Query::ACK,
        relay_factor: 1,
        timeout_ns: 15_000_000_000,
        name: Bytes::from_static(b"load"),
        payload: Bytes::new(),
    };
    let join = serf::Join { ltime: serf::LTime(300), node: Name::from("a") };
    let leave = serf::Leave { ltime: serf::LTime(5), node: Name::from("a"), prune: false };
    let state = serf::PushPull { ltime: serf::LTime(1), ..serf::PushPull::default() };
    let all = [
        serf::Message::Event(event),
        serf::Message::Query(query),
        serf::Message::Join(join),
        serf::Message::Leave(leave),
        serf::Message::PushPull(state),
    ];
    let mut found: Vec<Vec<u8>> = all
        .iter()
        .map(|message| {
            let mut bytes = Vec::new();
            serf::encode(message, &mut bytes);
            bytes
        })
        .collect();
    let tags = [(&b"role"[..], &b"web"[..]), (b"dc", b"x")];
    let tags = tags.map(|(name, value)| (Bytes::from_static(name), Bytes::from_static(value)));
    found.push(Tags(tags.into()).encode().to_vec());
    found
}

/// One of the bytes, changed in some places.
pub(crate) fn harmed(corpus: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = pick(corpus, rng).clone();
    for _ in 0..=rng.below(6) {
        harm(&mut bytes, corpus, rng);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn harm(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], rng: &mut Rng) {
    let at = place(bytes.len(), rng);
    match rng.below(8) {
        _ if bytes.is_empty() => bytes.push(*pick(&EDGES, rng)),
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = *pick(&EDGES, rng),
        2 => bytes[at] = rng.next().to_le_bytes()[0],
        3 => bytes.insert(at, *pick(&EDGES, rng)),
        4 => drop(bytes.drain(at..(at + 1 + place(8, rng)).min(bytes.len()))),
        5 => bytes.truncate(at),
        6 => {
            let other = pick(corpus, rng);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[place(other.len(), rng)..]);
        }
        _ => {
            let again = bytes[at..(at + 1 + place(32, rng)).min(bytes.len())].to_vec();
            let times = 1 + place(8, rng);
            bytes.splice(at..at, again.repeat(times));
        }
    }
}

fn pick<'a, T>(all: &'a [T], rng: &mut Rng) -> &'a T {
    &all[place(all.len(), rng)]
}

fn place(length: usize, rng: &mut Rng) -> usize {
    let length = u64::try_from(length).expect("invariant: a length fits");
    usize::try_from(rng.below(length)).expect("invariant: below a length")
}
