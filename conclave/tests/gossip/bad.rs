//! What kills or poisons real peers, sent to ours: it lives, believes none of it, and counts it.

use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};

use crate::support::agent::{Agent, Space, shows};
use crate::support::eventually;

/// An alive message about "x" at 127.0.0.1:1 of incarnation 1 with these versions.
fn alive(versions: &[u8]) -> Vec<u8> {
    let mut packet =
        b"\x04\x86\xa4Addr\xa4\x7f\x00\x00\x01\xabIncarnation\x01\xa4Meta\xc0".to_vec();
    packet.extend_from_slice(b"\xa4Node\xa1x\xa4Port\x01\xa3Vsn");
    packet.push(0xa0 | u8::try_from(versions.len()).unwrap());
    packet.extend_from_slice(versions);
    packet
}

fn packets() -> Vec<Vec<u8>> {
    let mut packets = vec![
        // A compound with an empty part; one that says 255 parts and has none.
        b"\x07\x01\x00\x00".to_vec(),
        b"\x07\xff".to_vec(),
        // No label, encryption of nobody, a wrong checksum, a damaged compression.
        b"\xf4\x00".to_vec(),
        [&[1; 60][..]].concat(),
        b"\x0c\x00\x00\x00\x00\x00".to_vec(),
        b"\x09\x82\xa4Algo\x00\xa3Buf\xa3\xff\xff\xff".to_vec(),
        vec![],
        vec![0xff; 60_000],
    ];
    // Versions of other lengths, and those of no Serf agent: trap P2 and P3.
    packets.extend((0..6).map(|length| alive(&[1, 5, 2, 2, 5, 5][..length])));
    packets.push(alive(&[1, 5, 2, 0, 0, 0]));
    packets.push(alive(&[0; 6]));
    packets
}

fn streams() -> Vec<Vec<u8>> {
    let header = |nodes: &[u8]| {
        [&b"\x06\x83\xa4Join\xc2\xa5Nodes"[..], nodes, b"\xacUserStateLen\x00"].concat()
    };
    vec![
        header(b"\xff"),
        header(b"\xce\x80\x00\x00\x00"),
        header(b"\xd3\x7f\xff\xff\xff\xff\xff\xff\xff"),
        b"\x08\x81\xaaUserMsgLen\xce\xff\xff\xff\xff".to_vec(),
        b"\x0a\xff\xff\xff\xff".to_vec(),
        b"\x00\x82\xa4Node\xa5other\xa5SeqNo\x01".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![],
    ]
}

#[test]
fn what_kills_real_peers_is_counted() {
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let a1 = Agent::start(&space, dir.path(), "a1", &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        for packet in packets() {
            socket.send_to(&packet, &a1.gossip).unwrap();
        }
        for bytes in streams() {
            let mut stream = TcpStream::connect(&a1.gossip).unwrap();
            stream.write_all(&bytes).unwrap();
        }
    }
    let reasons = [
        "part_empty",
        "short",
        "label",
        "checksum",
        "compression",
        "version",
        "kind",
        "range",
        "count",
        "long",
        "answer",
        "broken",
    ];
    for reason in reasons {
        eventually(reason, || {
            let line = format!("conclave_gossip_refused_total{{reason=\"{reason}\"}} ");
            a1.page("/metrics").contains(&line).then_some(())
        });
    }
    assert_eq!(a1.members().len(), 1, "nobody called x");
    let a2 = Agent::start(&space, dir.path(), "a2", &["--join", &a1.gossip]);
    shows(&a2, "a1", "alive");
    shows(&a1, "a2", "alive");
    assert!(!a1.log().contains("panicked"), "{}", a1.log());
}

/// An event of Serf's at this time, in a packet.
fn event(ltime: u64, name: &str) -> Vec<u8> {
    let mut packet = b"\x08\x03\x84\xa2CC\xc2\xa5LTime\xcf".to_vec();
    packet.extend_from_slice(&ltime.to_be_bytes());
    packet.extend_from_slice(b"\xa4Name");
    packet.push(0xa0 | u8::try_from(name.len()).unwrap());
    packet.extend_from_slice(name.as_bytes());
    packet.extend_from_slice(b"\xa7Payload\xa0");
    packet
}

#[test]
fn what_is_dropped_is_counted_by_kind() {
    let (dir, space) = (tempfile::tempdir().unwrap(), Space::default());
    let a1 = Agent::start(&space, dir.path(), "a1", &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let counted = |what: &str| {
        let line = format!("conclave_gossip_dropped_total{{what=\"{what}\"}} ");
        let page = a1.page("/metrics");
        let value = page.lines().find_map(|text| text.strip_prefix(&line)).unwrap();
        value.parse::<u64>().unwrap()
    };
    assert_eq!((counted("leaps"), counted("events_full")), (0, 0));
    // A time that nobody tells honestly, and more events of one time than there is room for.
    let far = vec![event(1 << 60, "far")];
    let many = (0..300).map(|number| event(9, &format!("e{number}"))).collect();
    for (what, packets) in [("leaps", far), ("events_full", many)] {
        eventually(what, || {
            for packet in &packets {
                socket.send_to(packet, &a1.gossip).unwrap();
            }
            (counted(what) > 0).then_some(())
        });
    }
    // What comes later is told of.
    let events = a1.watch(&dir.path().join("events"));
    socket.send_to(&event(10, "later"), &a1.gossip).unwrap();
    events.writes("\"later\"");
}
