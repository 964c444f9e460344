//! Whatever is written is read; whatever arrives is survived, with memory that it has paid for.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::swim::serf;
use protocol::swim::wire::{
    Error, Item, Limits, Packer, Part, StreamReader, checksum, encode_stream, encoded_len, parts,
};

use super::draw::{self, Harm};
use super::{all, encoded};

/// Bytes of memory that a byte may cost while it is read: an event without name and content is one
/// byte on the wire and two empty `Bytes` here, in a vector that may have just doubled.
const COST: u64 = 256;

/// Bytes that reading may cost whatever arrives.
const BASE: u64 = 8192;

/// Runs `read`; the most memory that it held at once stays in proportion to what arrived.
fn paid_for<T>(arrived: usize, read: impl FnOnce() -> T) -> T {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(read()));
    let most = COST * u64::try_from(arrived).unwrap() + BASE;
    assert!(info.bytes_max <= most, "{arrived} bytes arrived, {} were held", info.bytes_max);
    result.unwrap()
}

fn read_packet(packet: &Bytes) -> Vec<Result<Part, Error>> {
    paid_for(packet.len(), || parts(packet.clone()).collect())
}

/// All of a stream that arrives in pieces of so many bytes.
fn read_stream(bytes: &[u8], piece: usize) -> (Vec<Item>, Option<Error>) {
    paid_for(bytes.len(), || {
        let mut reader = StreamReader::new(Limits::default());
        let mut items = Vec::new();
        for chunk in bytes.chunks(piece) {
            reader.push(chunk);
            loop {
                match reader.read() {
                    Ok(Some(item)) => items.push(item),
                    Ok(None) => break,
                    Err(error) => return (items, Some(error)),
                }
            }
        }
        (items, None)
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn messages_go_round(message in draw::message()) {
        let bytes = encoded(&message);
        prop_assert_eq!(bytes.len(), encoded_len(&message));
        prop_assert_eq!(all(&bytes), [Ok(message)]);
    }

    #[test]
    fn packets_go_round(messages in vec(draw::message(), 0..40), budget in 50..3000_usize) {
        let mut packer = Packer::new(budget);
        messages.iter().for_each(|message| packer.push(message));
        let packets = packer.finish();
        let found: Vec<_> = packets
            .iter()
            .flat_map(|packet| all(&checksum::seal(packet).into()))
            .collect();
        prop_assert_eq!(found, messages.into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn streams_go_round(message in draw::stream(), piece in 1..200_usize) {
        let mut bytes = Vec::new();
        encode_stream(&message, &mut bytes);
        prop_assert_eq!(read_stream(&bytes, piece), (vec![Item::Message(message)], None));
    }

    #[test]
    fn serf_goes_round(message in draw::serf()) {
        let mut bytes = Vec::new();
        serf::encode(&message, &mut bytes);
        prop_assert_eq!(bytes.len(), serf::encoded_len(&message));
        prop_assert_eq!(serf::decode(&bytes.into()), Ok(message));
    }

    #[test]
    fn harmed_packets_are_survived(
        messages in vec(draw::message(), 1..8),
        harm in draw::harm(),
    ) {
        let mut packer = Packer::new(1400);
        messages.iter().for_each(|message| packer.push(message));
        for packet in packer.finish() {
            for part in read_packet(&draw::harmed(&packet, &harm)) {
                if let Ok(Part::Message(message)) = part {
                    prop_assert_eq!(all(&encoded(&message)), [Ok(message)], "and passed on");
                }
            }
        }
    }

    #[test]
    fn harmed_streams_are_survived_however_they_arrive(
        message in draw::stream(),
        harm in draw::harm(),
        piece in 1..200_usize,
    ) {
        let mut bytes = Vec::new();
        encode_stream(&message, &mut bytes);
        let bytes = draw::harmed(&bytes, &harm);
        let whole = read_stream(&bytes, bytes.len().max(1));
        prop_assert_eq!(read_stream(&bytes, piece), whole.clone(), "in pieces as in one");
        for item in whole.0 {
            if let Item::Message(message) = item {
                let mut again = Vec::new();
                encode_stream(&message, &mut again);
                prop_assert_eq!(read_stream(&again, 64), (vec![Item::Message(message)], None));
            }
        }
    }

    #[test]
    fn harmed_messages_of_serf_are_survived(message in draw::serf(), harm in draw::harm()) {
        let mut bytes = Vec::new();
        serf::encode(&message, &mut bytes);
        let bytes = draw::harmed(&bytes, &harm);
        if let Ok(message) = paid_for(bytes.len(), || serf::decode(&bytes)) {
            let mut again = Vec::new();
            serf::encode(&message, &mut again);
            prop_assert_eq!(serf::decode(&again.into()), Ok(message));
        }
    }

    #[test]
    fn any_bytes_are_survived(kind in 0..16_u8, bytes in vec(any::<u8>(), 0..2000)) {
        let bytes = Bytes::from([&[kind][..], &bytes].concat());
        read_packet(&bytes);
        read_stream(&bytes, 64);
        let _ = paid_for(bytes.len(), || serf::decode(&bytes));
        let _ = paid_for(bytes.len(), || serf::Tags::decode(&bytes.slice(1..)));
        let _ = paid_for(bytes.len(), || serf::Filter::decode(&bytes));
    }
}

/// The bound itself: what costs most is within it, and would not be within the half of it.
#[test]
fn what_costs_most_is_paid_for() {
    let events = 50_000_u16;
    let mut bytes = b"\x02\x81\xa6Events\x91\x81\xa6Events\xdc".to_vec();
    bytes.extend_from_slice(&events.to_be_bytes());
    bytes.extend(std::iter::repeat_n(0xc0, usize::from(events)));
    let bytes = Bytes::from(bytes);
    assert!(paid_for(bytes.len(), || serf::decode(&bytes)).is_ok());
    let left =
        draw::harmed(b"\x02\x81\xabLeftMembers\xdc\xff\xff\xa0", &[Harm::Repeat(17, 0xfffe)]);
    assert!(paid_for(left.len(), || serf::decode(&left)).is_ok());
}

/// A ping costs one allocation at most: the memory that its packet is shared by.
#[test]
fn a_ping_is_read_without_memory_of_its_own() {
    let golden = "0085a44e6f6465a162a55365714e6f2aaa536f7572636541646472a47f000001aa536f757263654e\
                  6f6465a161aa536f75726365506f7274cd1f0a";
    let packet = super::hex(golden);
    let info = allocation_counter::measure(|| {
        assert!(parts(packet.clone()).all(|part| part.is_ok()));
    });
    assert!(info.count_total <= 1, "{} allocations", info.count_total);
    let shared = packet.clone();
    let info = allocation_counter::measure(|| {
        assert!(parts(shared.clone()).all(|part| part.is_ok()));
    });
    assert_eq!(info.count_total, 0, "and none when it is shared already");
}
