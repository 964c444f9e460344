//! What wraps messages: labels, encryption, checksums.

use bytes::Bytes;
use protocol::swim::wire::envelope::{label, unlabel};
use protocol::swim::wire::{Error, Item, Limits, Sealed, StreamReader, checksum};

use super::{all, hex, item, one, streamed};

/// A ping, 16 bytes, as in the samples of encryption.
const PING: &str = "0082a44e6f6465a162a55365714e6f2a";

#[test]
fn the_samples_of_encryption_come_apart() {
    let nonce = "101112131415161718191a1b";
    let plain =
        format!("01{nonce}c4aca7e1602bd34e75780e90b6698414b80a4cf7992b9fbd0b0c81b9e5f4db3e");
    let padded = format!(
        "00{nonce}c4aca7e1602bd34e75780e90b66984142aac649726e47baf95db3901771501bd6f89162096a34580\
         0101130d3cbcc3ef"
    );
    for (blob, version) in [(plain, false), (padded, true)] {
        let blob = hex(&blob);
        let sealed = Sealed::read(&blob).unwrap();
        assert_eq!(sealed.padded, version);
        assert_eq!(Bytes::copy_from_slice(&sealed.nonce), hex(nonce));
        assert_eq!(blob.len(), Sealed::sealed_len(version, hex(PING).len()));
        let mut again = Vec::new();
        Sealed::write_front(sealed.padded, sealed.nonce, &mut again);
        again.extend_from_slice(&sealed.text);
        assert_eq!(Bytes::from(again), blob);
    }
}

#[test]
fn encryption_adds_what_packets_make_room_for() {
    assert_eq!(Sealed::sealed_len(false, 1000), 1000 + 29);
    assert_eq!(Sealed::sealed_len(true, 1000), 1008 + 29);
    assert_eq!(Sealed::sealed_len(true, 1008), 1008 + 45, "padding is never empty");
}

#[test]
fn what_is_not_encrypted_is_told_from_what_is() {
    assert_eq!(Sealed::read(&Bytes::new()), Err(Error::Short));
    assert_eq!(Sealed::read(&hex(PING)), Err(Error::Short), "a ping is too short, by luck");
    assert_eq!(Sealed::read(&vec![7; 100].into()), Err(Error::Algorithm));
    assert_eq!(Sealed::read(&vec![1; 28].into()), Err(Error::Short));
    assert!(Sealed::read(&vec![1; 29].into()).is_ok(), "nothing, encrypted");
    assert_eq!(Sealed::read(&vec![0; 44].into()), Err(Error::Short), "padding is never empty");
}

#[test]
fn an_encrypted_stream_is_a_blob_with_a_length() {
    let bytes = hex(
        "0a0000002d01101112131415161718191a1bc4aca7e1602bd34e75780e90b6698414c65e70b4c92aa3010f1294\
         c5ee482cd3",
    );
    let Ok(Some(Item::Sealed { front, blob })) = item(&bytes) else { panic!("a blob") };
    assert_eq!(Sealed::stream_front(blob.len()), Ok(front));
    assert_eq!(Bytes::from([&front[..], &blob].concat()), bytes);
    assert!(Sealed::read(&blob).is_ok());

    let limits = Limits { sealed: 44, ..Limits::default() };
    let mut reader = StreamReader::new(limits);
    reader.push(&bytes[..5]);
    assert_eq!(reader.read(), Err(Error::Long), "before it has arrived");

    let mut reader = StreamReader::decrypted(Limits::default(), &hex(PING));
    assert!(matches!(reader.read(), Ok(Some(Item::Message(_)))));
    let mut reader = StreamReader::decrypted(Limits::default(), &bytes);
    assert_eq!(reader.read(), Err(Error::Kind), "nothing is encrypted twice");
}

#[test]
fn labels_go_round() {
    let mut packet = Vec::new();
    label(b"blue", &mut packet).unwrap();
    packet.extend_from_slice(&hex(PING));
    assert_eq!(packet[..6], *b"\xf4\x04blue");
    let (found, rest) = unlabel(packet.clone().into()).unwrap();
    assert_eq!((&found[..], rest), (&b"blue"[..], hex(PING)));

    let mut reader = StreamReader::new(Limits::default());
    reader.push(&packet);
    assert_eq!(reader.read(), Ok(Some(Item::Label(Bytes::from_static(b"blue")))));
    assert!(matches!(reader.read(), Ok(Some(Item::Message(_)))));

    assert_eq!(unlabel(hex(PING)), Ok((Bytes::new(), hex(PING))), "none is none");
    let mut none = Vec::new();
    label(b"", &mut none).unwrap();
    assert!(none.is_empty());
    assert_eq!(label(&[7; 256], &mut none), Err(Error::Label));
    assert!(none.is_empty());
    assert!(label(&[7; 255], &mut none).is_ok());
    assert_eq!(unlabel(none.into()), Ok((vec![7; 255].into(), Bytes::new())));
}

/// Trap P8: an empty label is dropped by whoever knows labels.
#[test]
fn labels_without_bytes_and_labels_cut_off_are_refused() {
    assert_eq!(unlabel(hex("f400")), Err(Error::Label));
    assert_eq!(unlabel(hex("f4")), Err(Error::Short));
    assert_eq!(unlabel(hex("f40561")), Err(Error::Short));
    assert_eq!(item(&hex("f400")), Err(Error::Label));
    assert_eq!(item(&hex("f4")), Ok(None), "more may come");
    assert_eq!(item(&hex("f40561")), Ok(None));
}

/// Trap P8: a label stands once, in front of everything.
#[test]
fn a_label_within_is_refused() {
    let mut reader = StreamReader::new(Limits::default());
    reader.push(&hex("f40161f40161"));
    assert!(matches!(reader.read(), Ok(Some(Item::Label(_)))));
    assert_eq!(reader.read(), Err(Error::Label));
    assert_eq!(one(&hex("f4016100")), Err(Error::Kind));
    let mut reader = StreamReader::decrypted(Limits::default(), &hex("f4016100"));
    assert_eq!(reader.read(), Err(Error::Label));
}

#[test]
fn checksums_go_round() {
    let sealed = checksum::seal(&hex(PING));
    assert_eq!(sealed.len(), checksum::SIZE + hex(PING).len());
    assert_eq!(sealed[0], 0x0c);
    assert_eq!(checksum::seal(b"123456789")[..5], [0x0c, 0xcb, 0xf4, 0x39, 0x26], "CRC-32, IEEE");
    assert_eq!(all(&sealed.into()), all(&hex(PING)));
    assert_eq!(checksum::open(hex(PING)), Ok(hex(PING)), "none is none");
}

#[test]
fn every_flipped_bit_is_noticed() {
    let sealed = checksum::seal(&hex(PING));
    for bit in 8..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(all(&flipped.into()), [Err(Error::Checksum)], "bit {bit}");
    }
    for length in 1..5 {
        assert_eq!(all(&sealed[..length].to_vec().into()), [Err(Error::Short)]);
    }
}

#[test]
fn a_checksum_stands_outermost_only() {
    let twice = checksum::seal(&checksum::seal(&hex(PING)));
    assert_eq!(all(&twice.into()), [Err(Error::Kind)]);
    assert_eq!(streamed(&checksum::seal(&hex(PING))), Err(Error::Kind), "and not in streams");
}
