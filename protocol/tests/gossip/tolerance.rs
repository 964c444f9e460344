//! What other writers of msgpack might have meant: all of it is read.

use bytes::Bytes;
use protocol::swim::message::{Ack, Alive, Message, Nack, Ping, StreamMessage, Suspect};
use protocol::swim::wire::Error;

use super::{all, encoded, hex, name, one, streamed};

/// A nack whose number is written as `number`.
fn nack(number: &str) -> Result<Message, Error> {
    one(&hex(&format!("0b81a55365714e6f{number}")))
}

fn seq(seq: u32) -> Result<Message, Error> {
    Ok(Message::Nack(Nack { seq }))
}

/// Trap P6.
#[test]
fn numbers_of_every_family() {
    for number in ["2a", "cc2a", "cd002a", "ce0000002a", "cf000000000000002a"] {
        assert_eq!(nack(number), seq(42), "unsigned {number}");
    }
    for number in ["d02a", "d1002a", "d20000002a", "d3000000000000002a"] {
        assert_eq!(nack(number), seq(42), "signed {number}");
    }
    assert_eq!(nack("d100c8"), seq(200), "as later versions write it");
    assert_eq!(nack("ceffffffff"), seq(u32::MAX));
    assert_eq!(nack("d300000000ffffffff"), seq(u32::MAX));
    assert_eq!(nack("c0"), seq(0), "nil is nothing");
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    for number in ["cf0000000100000000", "d30000000100000000", "cfffffffffffffffff"] {
        assert_eq!(nack(number), Err(Error::Range), "too large: {number}");
    }
    for number in ["ff", "e0", "d0ff", "d1ffff", "d2ffffffff", "d3ffffffffffffffff"] {
        assert_eq!(nack(number), Err(Error::Range), "negative: {number}");
    }
    let port = |port: &str| one(&hex(&format!("0182a44e6f6465a0a4506f7274{port}")));
    assert!(port("cdffff").is_ok());
    assert_eq!(port("ce00010000"), Err(Error::Range));
}

#[test]
fn values_of_another_type_are_refused() {
    let others = ["ca42280000", "cb4045000000000000", "c2", "c3", "a0", "90", "80", "d40001", "c1"];
    for value in others {
        assert_eq!(nack(value), Err(Error::Type), "a number is no {value}");
    }
    let node = |value: &str| one(&hex(&format!("0081a44e6f6465{value}")));
    for value in ["01", "ff", "c2", "80", "ca42280000", "c70100ff", "91a0"] {
        assert_eq!(node(value), Err(Error::Type), "bytes are no {value}");
    }
    assert_eq!(node("91cd0100"), Err(Error::Range), "256 is no byte");
    let asked = |value: &str| one(&hex(&format!("0181a44e61636b{value}")));
    for value in ["00", "01", "a0", "90", "80"] {
        assert_eq!(asked(value), Err(Error::Type), "yes and no are no {value}");
    }
    assert!(asked("c3").is_ok() && asked("c0").is_ok());
}

/// Trap P5: old and new families of strings, and names of 32 bytes, where they part.
#[test]
fn strings_of_every_family() {
    for value in
        ["a162", "d90162", "da000162", "db0000000162", "c40162", "c5000162", "c60000000162"]
    {
        let ping = Message::Ping(Ping { seq: 0, node: name("b"), source: None });
        assert_eq!(one(&hex(&format!("0081a44e6f6465{value}"))), Ok(ping), "as a value: {value}");
    }
    for key in ["a55365714e6f", "d9055365714e6f", "da00055365714e6f", "c4055365714e6f"] {
        assert_eq!(one(&hex(&format!("0b81{key}2a"))), seq(42), "as a key: {key}");
    }
    let payload = |value: &str| one(&hex(&format!("0281a75061796c6f6164{value}")));
    let ack = |payload: &'static [u8]| {
        Ok(Message::Ack(Ack { seq: 0, payload: Bytes::from_static(payload) }))
    };
    assert_eq!(payload("9301ccff7f"), ack(&[1, 0xff, 0x7f]), "an array of numbers");
    assert_eq!(payload("90"), ack(&[]));
    assert_eq!(payload("c0"), ack(&[]));
    assert_eq!(payload("a0"), ack(&[]));
}

#[test]
fn fields_in_any_order_missing_unknown_and_twice() {
    let suspect = |incarnation: u32, node: &str, from: &str| {
        Ok(Message::Suspect(Suspect { incarnation, node: name(node), from: name(from) }))
    };
    let read = |digits: &str| one(&hex(&format!("03{digits}")));
    let (node, from, incarnation) =
        ("a44e6f6465a162", "a446726f6da161", "ab496e6361726e6174696f6e01");
    assert_eq!(read(&format!("83{incarnation}{node}{from}")), suspect(1, "b", "a"), "any order");
    assert_eq!(read("80"), suspect(0, "", ""), "missing");
    assert_eq!(read(&format!("81{node}")), suspect(0, "b", ""), "missing");
    assert_eq!(read(&format!("82{node}a44e6f6465a163")), suspect(0, "c", ""), "twice: the last");
    assert_eq!(read(&format!("82a46e6f6465a163{from}")), suspect(0, "", "a"), "case counts");
    for unknown in [
        "c0",
        "c2",
        "2a",
        "ff",
        "a3616263",
        "c403616263",
        "ca42280000",
        "cb4045000000000000",
        "d40001",
        "d80000000000000000000000000000000000",
        "c7020000ff",
        "c800010000",
        "c90000000000",
        "93018102039190",
        "dc00020102",
        "de00010102",
        "dd0000000101",
        "df000000010102",
    ] {
        let digits = format!("82a557686174 3f{unknown}{node}");
        assert_eq!(read(&digits), suspect(0, "b", ""), "unknown: {unknown}");
    }
    assert_eq!(
        read(&format!("83{incarnation}{node}{from}ffffff")),
        suspect(1, "b", "a"),
        "trailing"
    );
    for key in ["01", "c0", "90", "80", "c2", "cb4045000000000000"] {
        assert_eq!(read(&format!("82{key}01{node}")), Err(Error::Type), "a key is a string: {key}");
    }
}

#[test]
fn structs_as_arrays_and_as_nothing() {
    let read = |digits: &str| one(&hex(&format!("03{digits}")));
    let suspect = |incarnation: u32, node: &str, from: &str| {
        Ok(Message::Suspect(Suspect { incarnation, node: name(node), from: name(from) }))
    };
    assert_eq!(read("9301a162a161"), suspect(1, "b", "a"), "in the order of declaration");
    assert_eq!(read("9201a162"), suspect(1, "b", ""), "fewer");
    assert_eq!(read("dc000501a162a161c0930102 03"), suspect(1, "b", "a"), "more");
    assert_eq!(read("c0"), suspect(0, "", ""));
    for value in ["01", "ff", "c2", "a0", "ca42280000", "d40001"] {
        assert_eq!(read(value), Err(Error::Type), "a struct is no {value}");
    }

    let alive = hex("0496 07 a161 c4047f000001 cd1f0a c0 96010502020505");
    let Ok(Message::Alive(Alive { incarnation, facts })) = one(&alive) else { panic!("alive") };
    assert_eq!((incarnation, facts.port, facts.addr), (7, 7946, [127, 0, 0, 1].into()));
    assert_eq!((&facts.name, facts.vsn.0), (&name("a"), [1, 5, 2, 2, 5, 5]));
    let header = hex("06 93 00 d10003 c3 757372");
    let Ok(StreamMessage::PushPull(table)) = streamed(&header) else { panic!("a table") };
    assert_eq!((table.join, &table.user[..]), (true, &b"usr"[..]));
}

/// Every proper front of a message is refused, and for that reason.
#[test]
fn messages_cut_off_are_refused() {
    let messages = [
        "0085a44e6f6465a162a55365714e6f2aaa536f7572636541646472a47f000001aa536f757263654e6f6465a161\
         aa536f75726365506f7274cd1f0a",
        "0486a441646472a47f000001ab496e6361726e6174696f6e01a44d657461a2ff80a44e6f6465a161a4506f7274\
         cd1f0aa356736ea6010502020504",
        "0b82a457686174 9193d9036162 63cb4045000000000000dd0000000101a55365714e6f2a",
    ];
    for message in messages {
        let message = hex(message);
        assert!(one(&message).is_ok());
        for length in 0..message.len() {
            assert_eq!(all(&message.slice(..length)), [Err(Error::Short)], "{length}");
        }
    }
}

/// What is written stays within the old specification, whatever the lengths.
#[test]
fn only_the_old_specification_is_written() {
    for (length, front) in [
        (0, &[0xa0][..]),
        (31, &[0xbf]),
        (32, &[0xda, 0, 32]),
        (255, &[0xda, 0, 255]),
        (256, &[0xda, 1, 0]),
        (65_535, &[0xda, 0xff, 0xff]),
        (65_536, &[0xdb, 0, 1, 0, 0]),
    ] {
        let node = vec![b'n'; length];
        let message = Message::Ping(Ping { seq: 1, node: Bytes::from(node).into(), source: None });
        let bytes = encoded(&message);
        assert_eq!(bytes[7..7 + front.len()], *front, "{length} bytes");
        assert_eq!(one(&bytes), Ok(message));
    }
    for (number, written) in [
        (0, &[0][..]),
        (127, &[0x7f]),
        (128, &[0xcc, 0x80]),
        (255, &[0xcc, 0xff]),
        (256, &[0xcd, 1, 0]),
        (65_535, &[0xcd, 0xff, 0xff]),
        (65_536, &[0xce, 0, 1, 0, 0]),
        (u32::MAX, &[0xce, 0xff, 0xff, 0xff, 0xff]),
    ] {
        let bytes = encoded(&Message::Nack(Nack { seq: number }));
        assert_eq!(bytes[8..], *written);
    }
}
