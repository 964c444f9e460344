//! Peers' bytes: what is encoded decodes to itself, and nothing else does any harm.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use bytes::Bytes;
use node::Message;
use node::codec::{
    DecodeError, Envelope, FRAME_HEADER, FrameHeader, MAX_FRAME, decode_message, decode_packet,
    encode_message, encode_packet, frame, unframe,
};
use protocol::mesh::{Packet, View};
use protocol::raft::{self, Body, Entry, Mend, Parcel, Payload, ReadId, Rejection};
use protocol::{Index, NodeId, Position, Rng, Term};

fn position(rng: &mut Rng) -> Position {
    Position::new(Term(rng.below(5)), Index(rng.below(100)))
}

fn bytes(rng: &mut Rng, most: u64) -> Bytes {
    let size = rng.below(most);
    (0..size).map(|_| u8::try_from(rng.below(256)).unwrap()).collect()
}

fn entries(rng: &mut Rng, base: Position) -> Vec<Entry> {
    let mut at = base;
    let mut next = |rng: &mut Rng| {
        at = Position::new(Term(at.term.0 + rng.below(2)), at.index.next());
        let payload = match rng.below(3) {
            0 => Payload::Empty,
            1 => Payload::Command(bytes(rng, 40)),
            _ => Payload::Membership(bytes(rng, 40)),
        };
        Entry { position: at, payload }
    };
    (0..rng.below(6)).map(|_| next(rng)).collect()
}

fn message(rng: &mut Rng) -> Message {
    let flag = rng.below(2) == 1;
    let index = Index(rng.below(1000));
    let body = match rng.below(18) {
        0 => Body::PreVote { last: position(rng) },
        1 => Body::PreVoteReply { granted: flag },
        2 => Body::Vote { last: position(rng), transfer: flag },
        3 => Body::VoteReply { granted: flag },
        4 => {
            let base = position(rng);
            let entries = entries(rng, base);
            Body::Append { base, entries, commit: index, trim: Index(rng.below(9)) }
        }
        5 => Body::AppendAccepted { matched: index },
        6 => Body::AppendRejected(Rejection {
            base: index,
            conflict: flag.then(|| position(rng)),
            last: position(rng),
        }),
        7 => Body::Heartbeat { round: rng.next(), commit: index, trim: Index(rng.below(9)) },
        8 => Body::HeartbeatReply { round: rng.next() },
        9 => Body::Propose {
            parcel: Parcel { life: rng.next(), number: rng.next() },
            commands: (0..rng.below(4)).map(|_| bytes(rng, 30)).collect(),
        },
        10 => Body::ReadIndex { reads: (0..rng.below(4)).map(ReadId).collect() },
        11 => Body::ReadIndexReply {
            reads: (0..rng.below(4)).map(ReadId).collect(),
            index: flag.then_some(index),
        },
        12 => Body::TransferLeadership { to: NodeId(rng.next()) },
        13 => Body::TimeoutNow,
        14 => Body::Snapshot {
            last: position(rng),
            number: rng.next(),
            data: bytes(rng, 50),
            done: flag,
        },
        15 => Body::SnapshotReply { last: position(rng), next: flag.then(|| rng.next()) },
        16 => Body::Mend(Mend::Ask {
            life: rng.next(),
            wanted: (0..rng.below(4)).map(|_| position(rng)).collect(),
        }),
        _ => {
            let base = position(rng);
            Body::Mend(Mend::Reply {
                life: rng.next(),
                entries: entries(rng, base),
                absent: (0..rng.below(4)).map(|_| position(rng)).collect(),
                leads: flag.then(|| position(rng)),
            })
        }
    };
    raft::Message { term: Term(rng.below(7)), body }.into()
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    encode_message(message, &mut out);
    out
}

fn packet(rng: &mut Rng) -> Packet<Message> {
    match rng.below(4) {
        0 => Packet::Relayed {
            origin: NodeId(rng.next()),
            target: NodeId(rng.next()),
            life: rng.next(),
            message: message(rng),
        },
        1 => {
            let view = |rng: &mut Rng| View {
                node: NodeId(rng.next()),
                life: rng.next(),
                number: rng.next(),
                hears: (0..rng.below(4)).map(|n| NodeId(n * 7)).collect(),
            };
            Packet::Hello((0..rng.below(4)).map(|_| view(rng)).collect())
        }
        _ => Packet::Direct(message(rng)),
    }
}

fn packed(packet: &Packet<Message>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_packet(packet, &mut out);
    out
}

#[test]
fn what_is_passed_on_or_lists_too_many_or_out_of_order_is_refused() {
    let mut rng = Rng::new(9);
    let message = message(&mut rng);
    let inner = Packet::Relayed { origin: NodeId(1), target: NodeId(2), life: 3, message };
    let mut outer = packed(&inner)[..25].to_vec();
    outer.extend(packed(&inner));
    assert_eq!(decode_packet(outer.into()), Err(DecodeError::UnknownKind(41)), "twice relayed");
    let hears = |ids: Vec<u64>| {
        let hears = ids.into_iter().map(NodeId).collect();
        Packet::Hello(vec![View { node: NodeId(1), life: 2, number: 3, hears }])
    };
    let read = |packet| decode_packet(packed(&packet).into());
    assert_eq!(read(hears(vec![4, 4])), Err(DecodeError::Malformed));
    assert!(read(hears((0..256).collect())).is_ok());
    assert_eq!(read(hears((0..257).collect())), Err(DecodeError::TooLarge(257)));
    let lie = [&[40][..], &9_u32.to_le_bytes(), &[0; 40]].concat();
    assert_eq!(decode_packet(lie.into()), Err(DecodeError::Short));
}

#[test]
fn s1_07_a_message_decodes_to_itself() {
    let mut rng = Rng::new(1);
    for _ in 0..5_000 {
        let packet = packet(&mut rng);
        assert_eq!(decode_packet(packed(&packet).into()), Ok(packet));
    }
}

#[test]
fn every_cut_of_a_message_is_refused() {
    let mut rng = Rng::new(2);
    for _ in 0..500 {
        let whole = packed(&packet(&mut rng));
        for length in 0..whole.len() {
            let cut = Bytes::copy_from_slice(&whole[..length]);
            assert!(decode_packet(cut).is_err());
        }
        let mut longer = whole;
        longer.push(0);
        assert!(decode_packet(longer.into()).is_err());
    }
}

#[test]
fn arbitrary_bytes_are_refused_or_are_exactly_what_they_decode_to() {
    let mut rng = Rng::new(3);
    for round in 0..20_000 {
        // Half of them start from something valid, so that the depths are reached.
        let mut input =
            if round % 2 == 0 { bytes(&mut rng, 120).to_vec() } else { packed(&packet(&mut rng)) };
        for _ in 0..rng.below(4) {
            if !input.is_empty() {
                let at = usize::try_from(rng.below(input.len() as u64)).unwrap();
                input[at] = u8::try_from(rng.below(256)).unwrap();
            }
        }
        if let Ok(packet) = decode_packet(input.clone().into()) {
            // A rejection without a conflict ignores the position that stands in its place.
            let again = packed(&packet);
            assert_eq!(again.len(), input.len());
            assert_eq!(decode_packet(again.into()), Ok(packet));
        }
    }
}

#[test]
fn a_count_that_lies_is_refused_before_memory_is_reserved() {
    let mut lie = vec![10];
    lie.extend_from_slice(&7_u64.to_le_bytes());
    lie.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode_message(lie.into()), Err(DecodeError::Short));
}

#[test]
fn entries_with_gaps_or_sinking_terms_are_refused() {
    let entry = |term, index| Entry {
        position: Position::new(Term(term), Index(index)),
        payload: Payload::Empty,
    };
    let append = |entries| {
        let base = Position::new(Term(2), Index(4));
        let body = Body::Append { base, entries, commit: Index(0), trim: Index(0) };
        decode_message(encoded(&raft::Message { term: Term(3), body }.into()).into())
    };
    assert!(append(vec![entry(2, 5), entry(3, 6)]).is_ok());
    assert_eq!(append(vec![entry(2, 6)]), Err(DecodeError::Malformed));
    assert_eq!(append(vec![entry(3, 5), entry(2, 6)]), Err(DecodeError::Malformed));
    assert_eq!(append(vec![entry(1, 5)]), Err(DecodeError::Malformed));
}

#[test]
fn a_frame_knows_its_own_bytes() {
    let mut stream = Vec::new();
    frame(&mut stream, |out| out.extend_from_slice(b"hello")).unwrap();
    let header = FrameHeader::decode(stream[..FRAME_HEADER].try_into().unwrap()).unwrap();
    let body = Bytes::copy_from_slice(&stream[FRAME_HEADER..]);
    assert_eq!(unframe(header, body.clone()), Ok(body));
    for at in 0..stream.len() {
        for bit in 0..8 {
            let mut flipped = stream.clone();
            flipped[at] ^= 1 << bit;
            let header = FrameHeader::decode(flipped[..FRAME_HEADER].try_into().unwrap());
            let body = Bytes::copy_from_slice(&flipped[FRAME_HEADER..]);
            assert!(header.and_then(|header| unframe(header, body)).is_err());
        }
    }
}

#[test]
fn a_frame_beyond_the_limit_is_refused_by_its_header() {
    let mut header = [0; FRAME_HEADER];
    header[..4].copy_from_slice(&u32::try_from(MAX_FRAME + 1).unwrap().to_le_bytes());
    assert_eq!(FrameHeader::decode(header), Err(DecodeError::TooLarge(MAX_FRAME + 1)));
}

#[test]
fn an_envelope_keeps_its_return_address() {
    let command = store::Command::Compact { revision: 7 };
    let sealed = Envelope::seal(NodeId(3), 4, 5, &command);
    let envelope = Envelope::open(sealed.clone()).unwrap();
    assert_eq!((envelope.origin, envelope.incarnation, envelope.sequence), (NodeId(3), 4, 5));
    assert_eq!(store::Command::decode(envelope.command), Ok(command));
    assert_eq!(Envelope::open(sealed.slice(..23)), Err(DecodeError::Short));
}
