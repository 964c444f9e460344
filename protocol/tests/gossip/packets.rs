//! Packets: compounds that are packed and taken apart.

use bytes::Bytes;
use protocol::swim::message::{Message, Nack};
use protocol::swim::wire::{Error, PARTS_MAX, Packer};

use super::{all, encoded, hex};

fn nack(seq: u32) -> Message {
    Message::Nack(Nack { seq })
}

/// A compound of these parts, whatever they are.
fn compound(parts: &[&[u8]]) -> Bytes {
    let mut bytes = vec![7, u8::try_from(parts.len()).unwrap()];
    for part in parts {
        bytes.extend_from_slice(&u16::try_from(part.len()).unwrap().to_be_bytes());
    }
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.into()
}

#[test]
fn no_message_is_no_packet_and_one_goes_bare() {
    assert_eq!(Packer::new(1400).finish(), Vec::<Vec<u8>>::new());
    let mut packer = Packer::new(1400);
    packer.push(&nack(1));
    assert_eq!(packer.finish(), [encoded(&nack(1)).to_vec()]);
}

/// Trap P3: peers of old read 128 parts as none, and die of an empty one.
#[test]
fn compounds_have_at_most_127_parts_and_none_is_empty() {
    let messages: Vec<_> = (0..300).map(|_| nack(1)).collect();
    let mut packer = Packer::new(60_000);
    for message in &messages {
        packer.push_encoded(&[]);
        packer.push(message);
    }
    let packets = packer.finish();
    let counts: Vec<_> = packets.iter().map(|packet| (packet[0], packet[1])).collect();
    assert_eq!(counts, [(7, 127), (7, 127), (7, 46)]);
    assert_eq!(PARTS_MAX, 127);
    let back: Vec<_> = packets.into_iter().flat_map(|packet| all(&packet.into())).collect();
    assert_eq!(back, messages.into_iter().map(Ok).collect::<Vec<_>>());
}

#[test]
fn no_packet_exceeds_the_budget_unless_its_message_does() {
    for budget in 1..200 {
        let messages: Vec<_> =
            (0..40_u8).map(|size| Message::User(vec![size; usize::from(size)].into())).collect();
        let mut packer = Packer::new(budget);
        messages.iter().for_each(|message| packer.push(message));
        let packets = packer.finish();
        for packet in &packets {
            assert!(packet.len() <= budget || packet[0] != 7, "{budget}: {packet:?}");
        }
        let back: Vec<_> = packets.into_iter().flat_map(|packet| all(&packet.into())).collect();
        assert_eq!(back, messages.into_iter().map(Ok).collect::<Vec<_>>(), "all, in order");
    }
}

#[test]
fn the_budget_is_used_up() {
    let mut packer = Packer::new(2 + 4 * (2 + 9));
    (0..9).for_each(|_| packer.push(&nack(1)));
    let sizes: Vec<_> = packer.finish().iter().map(Vec::len).collect();
    assert_eq!(sizes, [46, 46, 9], "four fit to the byte, and the last goes bare");
}

#[test]
fn a_message_that_no_compound_can_hold_goes_alone() {
    let large = Message::User(vec![7; 70_000].into());
    let mut packer = Packer::new(1 << 20);
    for message in [&nack(1), &large, &nack(2)] {
        packer.push(message);
    }
    let sizes: Vec<_> = packer.finish().iter().map(Vec::len).collect();
    assert_eq!(sizes, [9, 70_001, 9]);
}

#[test]
fn of_a_compound_cut_off_what_fits_is_read() {
    let whole = compound(&[&encoded(&nack(1)), &encoded(&nack(2)), &encoded(&nack(3))]);
    let lost = Err(Error::PartLost);
    assert_eq!(all(&whole.slice(..whole.len() - 1)), [Ok(nack(1)), Ok(nack(2)), lost.clone()]);
    assert_eq!(all(&whole.slice(..8 + 9)), [Ok(nack(1)), lost.clone(), lost.clone()]);
    assert_eq!(all(&whole.slice(..8)), [lost.clone(), lost.clone(), lost]);
    assert_eq!(all(&whole.slice(..7)), [Err(Error::Short)], "not all lengths are there");
    assert_eq!(all(&whole.slice(..1)), [Err(Error::Short)]);
}

/// Trap P3: read, not only avoided.
#[test]
fn all_255_parts_of_a_compound_are_read() {
    let bytes = encoded(&nack(7));
    for count in [0, 1, 127, 128, 200, 255] {
        let packet = compound(&vec![&bytes[..]; count]);
        assert_eq!(all(&packet), vec![Ok(nack(7)); count]);
    }
}

/// Trap P3.
#[test]
fn an_empty_part_is_refused_and_its_neighbours_are_read() {
    let packet = compound(&[&encoded(&nack(1)), &[], &encoded(&nack(2))]);
    assert_eq!(all(&packet), [Ok(nack(1)), Err(Error::PartEmpty), Ok(nack(2))]);
}

#[test]
fn compounds_within_compounds_are_read_to_a_depth() {
    let mut packet = encoded(&nack(1));
    for depth in 1..=6 {
        packet = compound(&[&packet, &encoded(&nack(depth))]);
        let found = all(&packet);
        if depth <= 4 {
            assert_eq!(found.len(), 1 + usize::try_from(depth).unwrap());
            assert!(found.iter().all(Result::is_ok));
        } else {
            assert_eq!(found[0], Err(Error::Nesting), "depth {depth}");
            assert_eq!(found.len(), 5, "what stands above it is read");
        }
    }
}

#[test]
fn packets_without_a_message_are_refused() {
    assert_eq!(all(&Bytes::new()), [Err(Error::Short)]);
    for kind in 0..=u8::MAX {
        let known = matches!(kind, 0..=5 | 7..=9 | 11 | 12);
        let found = all_kinds(kind);
        assert_eq!(found == [Error::Kind], !known, "kind {kind}: {found:?}");
    }
    assert_eq!(all(&hex("08")), [Ok(Message::User(Bytes::new()))]);
}

/// Why a packet of a kind alone is refused.
fn all_kinds(kind: u8) -> Vec<Error> {
    all(&vec![kind].into()).into_iter().filter_map(Result::err).collect()
}
