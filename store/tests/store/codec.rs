//! Commands and records as bytes: the golden ones, and there and back.

use bytes::Bytes;
use protocol::NodeId;
use store::{Command, DecodeError, KeyValue, LeaseId, MemberChange, MemberRefusal, Record};

use crate::random::Draw;
use crate::rig::{delete, grant, put};

fn encoded(command: &Command) -> Vec<u8> {
    let mut out = Vec::new();
    command.encode(&mut out);
    out
}

/// The bytes stand in logs and backends: they change with a new format version only.
#[test]
fn the_layouts_are_those_of_version_1() {
    assert_eq!(
        encoded(&put("ab", "c")),
        [&[1, 1, 3, 2, 0, 0, 0][..], b"ab", &[1, 0, 0, 0], b"c", &[0; 8]].concat()
    );
    assert_eq!(encoded(&delete("a", "\0")), [1, 2, 0, 1, 0, 0, 0, b'a', 1, 0, 0, 0, 0]);
    assert_eq!(
        encoded(&grant(0x0102, 60)),
        [1, 5, 2, 1, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0]
    );
    let change = MemberChange::Add { id: NodeId(7), peer_urls: vec!["u".into()], voter: true };
    let id = [7, 0, 0, 0, 0, 0, 0, 0];
    let urls = [1, 0, 0, 0, 1, 0, 0, 0, b'u'];
    assert_eq!(encoded(&Command::Member(change)), [&[1, 11, 1][..], &id, &[1], &urls].concat());
    let refusal = MemberRefusal::Unhealthy;
    assert_eq!(
        encoded(&Command::Settle { ticket: 7, refusal }),
        [&[1, 12][..], &id, &[2]].concat()
    );
    assert_eq!(encoded(&Command::Tick { elapsed_ms: 500 }), [1, 8, 0xf4, 1, 0, 0]);
    let mut out = Vec::new();
    Record::Put(KeyValue {
        key: Bytes::from_static(b"k"),
        value: Bytes::from_static(b"vw"),
        create_revision: 2,
        mod_revision: 3,
        version: 4,
        lease: Some(LeaseId(-1)),
    })
    .encode(&mut out);
    let number = |low: u8| [low, 0, 0, 0, 0, 0, 0, 0];
    let head = [number(2), number(3), number(4), [255; 8]].concat();
    assert_eq!(out, [&[1, 1][..], &head, &[1, 0, 0, 0, b'k', 2, 0, 0, 0], b"vw"].concat());
    let mut out = Vec::new();
    Record::Tombstone { key: Bytes::from_static(b"k") }.encode(&mut out);
    assert_eq!(out, [1, 2, 1, 0, 0, 0, b'k']);
}

#[test]
fn every_command_comes_back_and_no_part_of_its_bytes_does() {
    let mut draw = Draw::new(7);
    for _ in 0..500 {
        let command = if draw.one_in(4) { draw.wish() } else { draw.command(50) };
        let bytes = Bytes::from(encoded(&command));
        assert_eq!(Command::decode(bytes.clone()).as_ref(), Ok(&command));
        for len in 0..bytes.len() {
            assert!(Command::decode(bytes.slice(..len)).is_err(), "{command:?} cut at {len}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Command::decode(longer.into()), Err(DecodeError::Trailing));
    }
}

#[test]
fn decoded_values_share_the_bytes_they_came_in() {
    let bytes = Bytes::from(encoded(&put("key", "value")));
    let range = bytes.as_ptr_range();
    let Ok(Command::Put(put)) = Command::decode(bytes.clone()) else { panic!("it is a put") };
    let value = put.value.expect("it has a value");
    assert!(range.contains(&put.key.as_ptr()) && range.contains(&value.as_ptr()));
}

#[test]
fn a_later_version_and_unknown_tags_are_refused_by_name() {
    let decode = |bytes: &[u8]| Command::decode(Bytes::copy_from_slice(bytes));
    assert_eq!(decode(&[]), Err(DecodeError::Short));
    assert_eq!(decode(&[2, 1]), Err(DecodeError::Version(2)));
    assert_eq!(decode(&[1, 99]), Err(DecodeError::Tag("command")));
    assert_eq!(decode(&[1, 11, 7]), Err(DecodeError::Tag("change of the members")));
    assert_eq!(decode(&[1, 1, 8]), Err(DecodeError::Tag("flags of a put")));
    let record = |bytes: &[u8]| Record::decode(Bytes::copy_from_slice(bytes));
    assert_eq!(record(&[1, 3]), Err(DecodeError::Tag("record")));
    assert_eq!(record(&[1, 2, 0, 0, 0, 0]), Err(DecodeError::Number("length of a key")));
    assert_eq!(record(&[1, 2, 1, 0, 0, 0, b'k', 0]), Err(DecodeError::Trailing));
}

#[test]
fn two_bytes_of_a_record_tell_a_tombstone() {
    assert_eq!(Record::is_tombstone_bytes(&[1, 1, 0]), Ok(false));
    assert_eq!(Record::is_tombstone_bytes(&[1, 2]), Ok(true));
    assert_eq!(Record::is_tombstone_bytes(&[1, 3]), Err(DecodeError::Tag("record")));
    assert_eq!(Record::is_tombstone_bytes(&[2, 2]), Err(DecodeError::Version(2)));
    for cut in [&[][..], &[1]] {
        assert_eq!(Record::is_tombstone_bytes(cut), Err(DecodeError::Short));
    }
}
