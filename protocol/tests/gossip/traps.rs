//! The packets that kill real members, and the values that poison a pool for good: never written,
//! and refused with a reason when they are read.

use std::sync::Arc;

use bytes::Bytes;
use protocol::swim::message::{
    Addr, Alive, Facts, Message, NodeState, Ping, Source, State, StreamMessage, Vsn,
};
use protocol::swim::wire::{Error, Limits, StreamReader};

use super::{encoded, hex, name, one, streamed};

/// An alive with these versions, written as whoever is careless writes them.
fn alive(vsn: &str) -> Result<Message, Error> {
    one(&hex(&format!(
        "0486a441646472a47f000001ab496e6361726e6174696f6e01a44d657461c0a44e6f6465a161a4506f7274\
         cd1f0aa356736e{vsn}"
    )))
}

/// Trap P1: a pool of Serf agents lets in nobody without their delegate versions.
#[test]
fn versions_for_serf_are_there_to_be_chosen() {
    assert_eq!(Vsn::SERF.0, [1, 5, 2, 2, 5, 5]);
    assert_eq!(Vsn::PLAIN.0, [1, 5, 2, 0, 0, 0]);
    let vsn = Vsn([1, 2, 3, 4, 5, 6]);
    assert_eq!((vsn.protocol_min(), vsn.protocol_max(), vsn.protocol()), (1, 2, 3));
    assert_eq!((vsn.delegate_min(), vsn.delegate_max(), vsn.delegate()), (4, 5, 6));
}

/// Traps P2 and P3: an alive without versions makes every push/pull of the pool fail for ever; one
/// with few of them kills members. No value can say either, so nobody here can pass them on.
#[test]
fn versions_are_six_bytes_or_the_alive_is_refused() {
    assert!(alive("a6010502020505").is_ok());
    assert!(alive("c406010502020505").is_ok());
    for vsn in [
        "c0",
        "a0",
        "90",
        "a101",
        "a20105",
        "a3010502",
        "a401050202",
        "a50105020205",
        "a701050202050500",
        "9101",
        "da000c010502020505010502020505",
    ] {
        assert_eq!(alive(vsn), Err(Error::Version), "{vsn}");
    }
    let missing = hex("0483ab496e6361726e6174696f6e01a44e6f6465a161a4506f7274cd1f0a");
    assert_eq!(one(&missing), Err(Error::Version));
}

/// Trap P2, by table: the row is refused, the exchange is not. A poisoned member that peers keep
/// for ever must not keep others from joining.
#[test]
fn rows_that_cannot_be_believed_are_refused_alone() {
    let row = |node: &str, addr: &str, state: &str, vsn: &str| {
        format!("84a44e616d65{node}a441646472{addr}a55374617465{state}a356736e{vsn}")
    };
    let vsn = "a6010502020505";
    let rows = [
        row("a161", "a47f000001", "00", vsn),
        row("a162", "a47f000001", "00", "c0"),
        row("a163", "a47f000001", "02", "a3010502"),
        row("a0", "a47f000001", "00", vsn),
        row("a164", &format!("b1{}", "00".repeat(17)), "00", vsn),
        row("a165", "a47f000001", "04", vsn),
        row("a166", "a47f000001", "ff", vsn),
        row("01", "a47f000001", "00", vsn),
        String::from("c0"),
        String::from("2a"),
        row("a167", "a47f000001", "03", vsn),
    ];
    let count = rows.len();
    let bytes =
        hex(&format!("0682a54e6f646573{count:02x}ac5573657253746174654c656e01{}75", rows.concat()));
    let mut reader = StreamReader::new(Limits::default());
    reader.push(&bytes);
    let found = reader.read().unwrap();
    let Some(protocol::swim::wire::Item::Message(StreamMessage::PushPull(table))) = found else {
        panic!("a table: {found:?}")
    };
    let names: Vec<_> =
        table.nodes.iter().map(|row| (row.facts.name.to_string(), row.state)).collect();
    assert_eq!(names, [("a".into(), State::Alive), ("g".into(), State::Left)]);
    assert_eq!(&table.user[..], b"u");
    let refused: Vec<_> = reader.refused().iter().map(|(error, count)| (*error, *count)).collect();
    assert_eq!(
        refused,
        [
            (Error::Type, 2),
            (Error::Name, 1),
            (Error::Address, 1),
            (Error::Version, 3),
            (Error::State, 2)
        ]
    );
}

/// Trap P3: a table of -1 or 2^31 rows kills members by what they set aside for it.
#[test]
fn absurd_counts_are_refused_before_anything_is_set_aside() {
    let table = |nodes: &str, user: &str| {
        streamed(&hex(&format!(
            "0683a44a6f696ec3a54e6f646573{nodes}ac5573657253746174654c656e{user}"
        )))
    };
    assert!(table("00", "00").is_ok());
    for nodes in ["ff", "d0ff", "d2ffffffff", "d3ffffffffffffffff", "cfffffffffffffffff"] {
        assert_eq!(table(nodes, "00"), Err(Error::Range), "{nodes} rows");
        assert_eq!(table("00", nodes), Err(Error::Range), "{nodes} bytes of user state");
    }
    for nodes in ["ce80000000", "ce00100001", "d37fffffffffffffff"] {
        assert_eq!(table(nodes, "00"), Err(Error::Count), "{nodes} rows");
    }
    assert_eq!(table("00", "ce01400001"), Err(Error::Long), "20 MiB and a byte");
    let user = |size: &str| streamed(&hex(&format!("0881aa557365724d73674c656e{size}")));
    assert_eq!(user("00"), Ok(StreamMessage::User(Bytes::new())));
    assert_eq!(user("ff"), Err(Error::Range));
    assert_eq!(user("ce01400001"), Err(Error::Long));
}

/// Trap P4: four bytes and the same four within sixteen are two addresses.
#[test]
fn addresses_keep_their_bytes() {
    let mapped = "00000000000000000000ffff7f000001";
    for (bytes, shown) in [
        ("7f000001", "127.0.0.1"),
        (mapped, "::ffff:127.0.0.1"),
        ("fd000000000000000000000000000002", "fd00::2"),
        ("", "0x"),
        ("7f0000", "0x7f0000"),
        ("7f00000100", "0x7f00000100"),
    ] {
        let addr = Addr::new(&hex(bytes)).unwrap();
        assert_eq!(addr.as_bytes(), &hex(bytes)[..]);
        assert_eq!(addr.to_string(), shown);
        let facts = Facts { name: name("a"), addr, port: 1, meta: Bytes::new(), vsn: Vsn::SERF };
        let alive = Message::Alive(Alive { incarnation: 1, facts: Arc::new(facts) });
        assert_eq!(one(&encoded(&alive)), Ok(alive), "{bytes} goes round");
    }
    assert_ne!(Addr::new(&hex(mapped)), Addr::new(&hex("7f000001")));
    assert_ne!(Addr::new(&[]), Addr::new(&[0]));
    assert_eq!(Addr::new(&[0; 17]), None);
    let long = format!("0082a44e6f6465a162aa536f7572636541646472b1{}", "00".repeat(17));
    assert_eq!(one(&hex(&long)), Err(Error::Address));
}

/// Trap P5: never str8, never bin, and 40-byte names are raw16.
#[test]
fn long_names_and_meta_are_raw16() {
    let facts = Facts {
        name: name(&"n".repeat(40)),
        addr: [127, 0, 0, 1].into(),
        port: 7946,
        meta: vec![0xff; 300].into(),
        vsn: Vsn::SERF,
    };
    let alive = Message::Alive(Alive { incarnation: 1, facts: Arc::new(facts) });
    let bytes = encoded(&alive);
    let has = |sample: &[u8]| bytes.windows(sample.len()).any(|window| window == sample);
    assert!(has(b"\xa4Node\xda\x00\x28nnnn") && has(b"\xa4Meta\xda\x01\x2c\xff\xff"));
    assert_eq!(one(&bytes), Ok(alive));
}

/// Trap P6: a later version's signed lengths of a push/pull.
#[test]
fn signed_lengths_are_read() {
    let user = "75".repeat(200);
    for size in ["ccc8", "d100c8", "d2000000c8", "d300000000000000c8"] {
        let bytes =
            hex(&format!("0683a44a6f696ec2a54e6f646573d000ac5573657253746174654c656e{size}{user}"));
        let Ok(StreamMessage::PushPull(table)) = streamed(&bytes) else { panic!("{size}") };
        assert_eq!(table.user, hex(&user));
    }
}

/// Whoever asks without an address or a port gets the answer where the packet came from.
#[test]
fn half_a_source_is_none() {
    let addr = "aa536f7572636541646472a47f000001";
    let port = "aa536f75726365506f7274cd1f0a";
    let node = "aa536f757263654e6f6465a161";
    let ping = |fields: &str| match one(&hex(&format!("00{fields}"))).unwrap() {
        Message::Ping(Ping { source, .. }) => source,
        other => panic!("no ping: {other:?}"),
    };
    let source = |node| Some(Source { addr: [127, 0, 0, 1].into(), port: 7946, node });
    assert_eq!(ping(&format!("83{addr}{port}{node}")), source(name("a")));
    assert_eq!(ping(&format!("82{addr}{port}")), source(name("")), "older ones have no name");
    for fields in [format!("82{addr}{node}"), format!("82{port}{node}"), format!("81{node}")] {
        assert_eq!(ping(&fields), None);
    }
    let unnamed = Message::Ping(Ping { seq: 1, node: name("b"), source: source(name("")) });
    assert_eq!(one(&encoded(&unnamed)), Ok(unnamed));
}

/// Trap P13 is the state machine's; the wire brings it the number as it is.
#[test]
fn the_last_incarnation_arrives_unchanged() {
    let facts = Facts {
        name: name("a"),
        addr: [127, 0, 0, 1].into(),
        port: 7946,
        meta: Bytes::new(),
        vsn: Vsn::SERF,
    };
    let facts = Arc::new(facts);
    let alive = Message::Alive(Alive { incarnation: u32::MAX, facts: facts.clone() });
    assert_eq!(one(&encoded(&alive)), Ok(alive));
    let row = NodeState { facts, incarnation: u32::MAX, state: State::Suspect };
    let table =
        protocol::swim::message::PushPull { join: false, nodes: vec![row], user: Bytes::new() };
    let message = StreamMessage::PushPull(table);
    let mut bytes = Vec::new();
    protocol::swim::wire::encode_stream(&message, &mut bytes);
    assert_eq!(streamed(&bytes), Ok(message));
}

/// Names are any bytes, and are shown so that no two look alike.
#[test]
fn names_are_bytes() {
    for (bytes, shown) in [
        (&b"plain"[..], "plain"),
        ("gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"a\xc3", "a\\xc3"),
        (b"a\\xc3", "a\\\\xc3"),
        (b"\x00\x1b[2J\n", "\\u{0}\\u{1b}[2J\\n"),
    ] {
        let node = protocol::swim::message::Name::from(Bytes::from_static(bytes));
        assert_eq!(node.to_string(), shown);
        let ping = Message::Ping(Ping { seq: 1, node, source: None });
        assert_eq!(one(&encoded(&ping)), Ok(ping));
    }
}

/// A few bytes that announce many cost what a few bytes cost.
#[test]
fn bombs_of_depth_and_of_breadth_end_where_their_bytes_do() {
    for bytes in [
        [b"\x00\x81\xa1x".to_vec(), vec![0x91; 60_000]].concat(),
        [b"\x00\x81\xa1x".to_vec(), vec![0x81; 60_000]].concat(),
        b"\x00\xdf\xff\xff\xff\xff".to_vec(),
        b"\x00\xdd\xff\xff\xff\xff".to_vec(),
        b"\x00\x81\xa1x\xdd\xff\xff\xff\xff\xdf\xff\xff\xff\xff".to_vec(),
        b"\x00\x81\xa4Node\xdb\xff\xff\xff\xff".to_vec(),
        b"\x00\x81\xa4Node\xdd\xff\xff\xff\xff\x01".to_vec(),
    ] {
        assert_eq!(one(&bytes.into()), Err(Error::Short));
    }
}
