//! Messages and bytes, drawn.

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::swim::message::{
    Ack, Addr, Alive, Dead, Facts, IndirectPing, Message, Nack, Name, NodeState, Ping, PushPull,
    Source, State, StreamMessage, Suspect, Vsn,
};
use protocol::swim::serf;

/// Bytes whose length is now and then one where the encoding of lengths changes.
pub(crate) fn bytes() -> impl Strategy<Value = Bytes> {
    let length = prop_oneof![8 => 0..40_usize, 1 => 30..35_usize, 1 => 250..260_usize];
    length.prop_flat_map(|length| vec(any::<u8>(), length)).prop_map(Bytes::from)
}

fn name() -> impl Strategy<Value = Name> {
    bytes().prop_map(Name::from)
}

fn addr() -> impl Strategy<Value = Addr> {
    let length = prop_oneof![4 => Just(4), 4 => Just(16), 1 => 0..=16_usize];
    length
        .prop_flat_map(|length| vec(any::<u8>(), length))
        .prop_map(|bytes| Addr::new(&bytes).unwrap())
}

fn source() -> impl Strategy<Value = Option<Source>> {
    let somewhere = addr().prop_filter("somewhere", |addr| !addr.is_empty());
    let source = (somewhere, 1..=u16::MAX, name());
    prop::option::of(source.prop_map(|(addr, port, node)| Source { addr, port, node }))
}

fn facts() -> impl Strategy<Value = Arc<Facts>> {
    let named = name().prop_filter("named", |name| !name.is_empty());
    (named, addr(), any::<u16>(), bytes(), any::<[u8; 6]>()).prop_map(
        |(name, addr, port, meta, vsn)| Arc::new(Facts { name, addr, port, meta, vsn: Vsn(vsn) }),
    )
}

pub(crate) fn message() -> impl Strategy<Value = Message> {
    let number = any::<u32>;
    prop_oneof![
        (number(), name(), source()).prop_map(|(seq, node, source)| Message::Ping(Ping {
            seq,
            node,
            source
        })),
        (number(), addr(), any::<u16>(), name(), any::<bool>(), source()).prop_map(
            |(seq, target, port, node, nack, source)| {
                Message::IndirectPing(IndirectPing { seq, target, port, node, nack, source })
            }
        ),
        (number(), bytes()).prop_map(|(seq, payload)| Message::Ack(Ack { seq, payload })),
        number().prop_map(|seq| Message::Nack(Nack { seq })),
        (number(), name(), name()).prop_map(|(incarnation, node, from)| Message::Suspect(
            Suspect { incarnation, node, from }
        )),
        (number(), name(), name()).prop_map(|(incarnation, node, from)| Message::Dead(Dead {
            incarnation,
            node,
            from
        })),
        (number(), facts())
            .prop_map(|(incarnation, facts)| Message::Alive(Alive { incarnation, facts })),
        bytes().prop_map(Message::User),
    ]
}

fn row() -> impl Strategy<Value = NodeState> {
    let state =
        prop_oneof![Just(State::Alive), Just(State::Suspect), Just(State::Dead), Just(State::Left)];
    (facts(), any::<u32>(), state).prop_map(|(facts, incarnation, state)| NodeState {
        facts,
        incarnation,
        state,
    })
}

pub(crate) fn stream() -> impl Strategy<Value = StreamMessage> {
    prop_oneof![
        1 => (any::<u32>(), name(), source())
            .prop_map(|(seq, node, source)| StreamMessage::Ping(Ping { seq, node, source })),
        1 => (any::<u32>(), bytes())
            .prop_map(|(seq, payload)| StreamMessage::Ack(Ack { seq, payload })),
        4 => (any::<bool>(), vec(row(), 0..20), bytes()).prop_map(|(join, nodes, user)| {
            StreamMessage::PushPull(PushPull { join, nodes, user })
        }),
        1 => bytes().prop_map(StreamMessage::User),
        1 => bytes().prop_map(StreamMessage::Error),
    ]
}

fn ltime() -> impl Strategy<Value = serf::LTime> {
    prop_oneof![0..300_u64, any::<u64>()].prop_map(serf::LTime)
}

fn ring() -> impl Strategy<Value = serf::Ring> {
    let happening =
        (bytes(), bytes()).prop_map(|(name, payload)| serf::Happening { name, payload });
    let moment =
        (ltime(), vec(happening, 0..4)).prop_map(|(ltime, events)| serf::Moment { ltime, events });
    vec(prop_oneof![3 => Just(None), 1 => moment.prop_map(Some)], 0..30)
        .prop_map(serf::Ring::from_slots)
}

fn member() -> impl Strategy<Value = serf::Member> {
    let status = prop_oneof![
        Just(serf::Status::None),
        Just(serf::Status::Alive),
        Just(serf::Status::Leaving),
        Just(serf::Status::Left),
        Just(serf::Status::Failed)
    ];
    let speaks = any::<([u8; 3], [u8; 3])>();
    let tags = prop::collection::btree_map(bytes(), bytes(), 0..5).prop_map(serf::Tags);
    (name(), addr(), any::<u16>(), tags, status, speaks).prop_map(
        |(name, addr, port, tags, status, (protocol, delegate))| serf::Member {
            name,
            addr,
            port,
            tags,
            status,
            protocol,
            delegate,
        },
    )
}

fn query() -> impl Strategy<Value = serf::Message> {
    let place = (addr(), any::<u16>(), name());
    let how = (any::<u32>(), any::<u8>(), any::<i64>());
    (ltime(), any::<u32>(), place, vec(bytes(), 0..4), how, bytes(), bytes()).prop_map(
        |(ltime, id, (addr, port, source), filters, how, name, payload)| {
            let (flags, relay_factor, timeout_ns) = how;
            serf::Message::Query(serf::Query {
                ltime,
                id,
                addr,
                port,
                source,
                filters,
                flags,
                relay_factor,
                timeout_ns,
                name,
                payload,
            })
        },
    )
}

fn push_pull() -> impl Strategy<Value = serf::Message> {
    let status = vec((name(), ltime()), 0..20);
    (ltime(), status, vec(name(), 0..20), ltime(), ring(), ltime()).prop_map(
        |(ltime, status, left, event_ltime, events, query_ltime)| {
            serf::Message::PushPull(serf::PushPull {
                ltime,
                status,
                left,
                event_ltime,
                events,
                query_ltime,
            })
        },
    )
}

pub(crate) fn serf() -> impl Strategy<Value = serf::Message> {
    use serf::Message as M;
    prop_oneof![
        (ltime(), name(), any::<bool>()).prop_map(|(ltime, node, prune)| M::Leave(serf::Leave {
            ltime,
            node,
            prune
        })),
        (ltime(), name()).prop_map(|(ltime, node)| M::Join(serf::Join { ltime, node })),
        push_pull(),
        (ltime(), bytes(), bytes(), any::<bool>()).prop_map(|(ltime, name, payload, coalesce)| {
            M::Event(serf::UserEvent { ltime, name, payload, coalesce })
        }),
        query(),
        (ltime(), any::<u32>(), name(), any::<u32>(), bytes()).prop_map(
            |(ltime, id, from, flags, payload)| M::Response(serf::Response {
                ltime,
                id,
                from,
                flags,
                payload
            })
        ),
        prop::option::of(member()).prop_map(M::Conflict),
        bytes().prop_map(|key| M::KeyRequest(serf::KeyRequest { key })),
        (any::<bool>(), bytes(), vec(bytes(), 0..5), bytes()).prop_map(
            |(result, message, keys, primary_key)| M::KeyResponse(serf::KeyResponse {
                result,
                message,
                keys,
                primary_key
            })
        ),
        (addr(), any::<u16>(), bytes(), name(), bytes()).prop_map(
            |(addr, port, zone, node, message)| M::Relay(serf::Relay {
                addr,
                port,
                zone,
                node,
                message
            })
        ),
    ]
}

/// What may become of bytes on their way.
#[derive(Clone, Debug)]
pub(crate) enum Harm {
    Flip(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, u16),
}

pub(crate) fn harm() -> impl Strategy<Value = Vec<Harm>> {
    let place = any::<usize>;
    let bomb = prop::sample::select(vec![
        vec![0xdb, 0xff, 0xff, 0xff, 0xff],
        vec![0xda, 0xff, 0xff],
        vec![0xdd, 0xff, 0xff, 0xff, 0xff],
        vec![0xdc, 0xff, 0xff],
        vec![0xdf, 0xff, 0xff, 0xff, 0xff],
        vec![0x8f],
        vec![0x9f],
        vec![0xc0],
        vec![0xce, 0x80, 0, 0, 0],
        vec![0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![7, 0xff],
    ]);
    vec(
        prop_oneof![
            (place(), any::<u8>()).prop_map(|(at, with)| Harm::Flip(at, with)),
            place().prop_map(Harm::Cut),
            (place(), 1..9_usize).prop_map(|(at, count)| Harm::Remove(at, count)),
            (place(), bomb).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
            (place(), vec(any::<u8>(), 0..9)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
            (place(), 0..2000_u16).prop_map(|(at, times)| Harm::Repeat(at, times)),
        ],
        0..6,
    )
}

/// The bytes after all that.
pub(crate) fn harmed(bytes: &[u8], harm: &[Harm]) -> Bytes {
    let mut bytes = bytes.to_vec();
    for harm in harm {
        let place = |at: usize| at % (bytes.len() + 1);
        match harm {
            Harm::Flip(at, with) => {
                let at = place(*at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= with;
                }
            }
            Harm::Cut(at) => bytes.truncate(place(*at)),
            Harm::Remove(at, count) => {
                let at = place(*at);
                let end = bytes.len().min(at + count);
                bytes.drain(at..end);
            }
            Harm::Insert(at, more) => {
                let at = place(*at);
                bytes.splice(at..at, more.iter().copied());
            }
            Harm::Repeat(at, times) => {
                let at = place(*at);
                if let Some(&byte) = bytes.get(at) {
                    bytes.splice(at..at, std::iter::repeat_n(byte, usize::from(*times)));
                }
            }
        }
    }
    bytes.into()
}
