//! Bytes that Serf 0.9.4 wrote, read here and written here, and what it might have written.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::swim::serf::{
    Filter, Happening, Join, KeyRequest, KeyResponse, LTime, Leave, Member, Message, Moment,
    PushPull, Query, Relay, Response, Ring, Status, Tags, UserEvent, decode, encode, encoded_len,
};
use protocol::swim::wire::Error;

use super::{hex, name};

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn written(message: &Message) -> Bytes {
    let mut bytes = Vec::new();
    encode(message, &mut bytes);
    assert_eq!(bytes.len(), encoded_len(message));
    bytes.into()
}

/// Both directions.
fn golden(message: &Message, golden: &str) {
    let golden = hex(golden);
    assert_eq!(written(message), golden, "{message:?} is written as it was");
    assert_eq!(decode(&golden).as_ref(), Ok(message), "and read");
}

fn round(message: &Message) {
    assert_eq!(decode(&written(message)).as_ref(), Ok(message));
}

fn query() -> Query {
    Query {
        ltime: LTime(2),
        id: 7,
        addr: [127, 0, 0, 1].into(),
        port: 7946,
        source: name("a"),
        filters: Vec::new(),
        flags: 0,
        relay_factor: 0,
        timeout_ns: 15_000_000_000,
        name: bytes("load"),
        payload: Bytes::new(),
    }
}

/// A push/pull with one event in the last of so many slots.
fn state(slots: usize) -> PushPull {
    let event = Happening { name: bytes("deploy"), payload: bytes("x") };
    let moment = Moment { ltime: LTime(1), events: vec![event] };
    let empty = (1..slots).map(|_| None);
    PushPull {
        ltime: LTime(3),
        status: vec![(name("a"), LTime(2))],
        left: vec![name("z")],
        event_ltime: LTime(2),
        events: Ring::from_slots(empty.chain([Some(moment)])),
        query_ltime: LTime(1),
    }
}

#[test]
fn intents() {
    golden(
        &Message::Leave(Leave { ltime: LTime(5), node: name("a"), prune: false }),
        "0083a54c54696d6505a44e6f6465a161a55072756e65c2",
    );
    golden(
        &Message::Join(Join { ltime: LTime(300), node: name("a") }),
        "0182a54c54696d65cd012ca44e6f6465a161",
    );
    round(&Message::Leave(Leave { ltime: LTime(u64::MAX), node: name(""), prune: true }));
}

#[test]
fn events_and_queries() {
    golden(
        &Message::Event(UserEvent {
            ltime: LTime(1),
            name: bytes("deploy"),
            payload: bytes("p"),
            coalesce: true,
        }),
        "0384a24343c3a54c54696d6501a44e616d65a66465706c6f79a75061796c6f6164a170",
    );
    golden(
        &Message::Query(query()),
        "048ba441646472a47f000001a746696c74657273c0a5466c61677300a2494407a54c54696d6502\
         a44e616d65a46c6f6164a75061796c6f6164c0a4506f7274cd1f0aab52656c6179466163746f7200\
         aa536f757263654e6f6465a161a754696d656f7574cf000000037e11d600",
    );
    golden(
        &Message::Response(Response {
            ltime: LTime(2),
            id: 7,
            from: name("b"),
            flags: 0,
            payload: bytes("1.0"),
        }),
        "0585a5466c61677300a446726f6da162a2494407a54c54696d6502a75061796c6f6164a3312e30",
    );
}

#[test]
fn push_pull() {
    golden(
        &Message::PushPull(state(2)),
        "0286aa4576656e744c54696d6502a64576656e747392c082a64576656e74739182a44e616d65a66465706c6f79\
         a75061796c6f6164a178a54c54696d6501a54c54696d6503ab4c6566744d656d6265727391a17a\
         aa51756572794c54696d6501ac5374617475734c54696d657381a16102",
    );
}

/// What Serf sends in every push/pull: an array of 512 slots, all or most of them nil.
#[test]
fn the_512_slots_of_events_are_read_and_written() {
    let empty = PushPull { events: Ring::from_slots((0..512).map(|_| None)), ..state(1) };
    let written = written(&Message::PushPull(empty.clone()));
    let has = |sample: &[u8]| written.windows(sample.len()).any(|window| window == sample);
    assert!(has(b"\xa6Events\xdc\x02\x00\xc0\xc0"), "as observed");
    assert_eq!(decode(&written), Ok(Message::PushPull(empty)));
    round(&Message::PushPull(state(512)));
    let mut bytes = Vec::new();
    encode(&Message::PushPull(state(512)), &mut bytes);
    let Ok(Message::PushPull(back)) = decode(&bytes.into()) else { panic!("a push/pull") };
    assert_eq!(back.events.slots(), 512);
    let at: Vec<_> = back.events.iter().map(|(slot, moment)| (slot, moment.ltime)).collect();
    assert_eq!(at, [(511, LTime(1))]);
}

#[test]
fn empty_lists_are_there_and_absent_ones_are_empty() {
    let nothing = PushPull::default();
    let written = written(&Message::PushPull(nothing.clone()));
    let has = |sample: &[u8]| written.windows(sample.len()).any(|window| window == sample);
    assert!(has(b"\xa6Events\x90") && has(b"\xabLeftMembers\x90") && has(b"StatusLTimes\x80"));
    for absent in [
        "0280",
        "02c0",
        "0283a64576656e7473c0ab4c6566744d656d62657273c0ac5374617475734c54696d6573c0",
    ] {
        assert_eq!(decode(&hex(absent)), Ok(Message::PushPull(nothing.clone())));
    }
}

#[test]
fn tags() {
    let tags = |pairs: &[(&'static str, &'static str)]| {
        Tags(pairs.iter().map(|(name, value)| (bytes(name), bytes(value))).collect())
    };
    for (sample, meta) in [
        (tags(&[("role", "web")]), "ff81a4726f6c65a3776562"),
        (tags(&[]), "ff80"),
        (tags(&[("dc", "x"), ("role", "")]), "ff82a26463a178a4726f6c65a0"),
    ] {
        assert_eq!(sample.encode(), hex(meta));
        assert_eq!(Tags::decode(&hex(meta)), Ok(sample));
    }
    assert_eq!(Tags::decode(&bytes("web")), Ok(tags(&[("role", "web")])), "of old: the role alone");
    assert_eq!(Tags::decode(&Bytes::new()), Ok(tags(&[("role", "")])));
    assert_eq!(Tags::decode(&hex("ff82a26463a131a26463a132")), Ok(tags(&[("dc", "2")])), "twice");
    assert_eq!(Tags::decode(&hex("ffc0")), Ok(tags(&[])));
    for broken in ["ff", "ff81", "ff81a26463", "ffdfffffffff"] {
        assert!(matches!(Tags::decode(&hex(broken)), Err(Error::Short | Error::Count)), "{broken}");
    }
    for broken in ["ff00", "ffa0", "ff8101a0", "ff81a26463 01"] {
        assert_eq!(Tags::decode(&hex(broken)), Err(Error::Type), "{broken}");
    }
}

#[test]
fn filters() {
    let nodes = Filter::Nodes(vec![name("a"), name("b")]);
    assert_eq!(nodes.encode(), hex("0092a161a162"));
    let tag = Filter::Tag { tag: bytes("role"), expression: bytes("^w") };
    assert_eq!(tag.encode(), hex("0182a445787072a25e77a3546167a4726f6c65"));
    for filter in [nodes.clone(), tag.clone(), Filter::Nodes(Vec::new())] {
        assert_eq!(Filter::decode(&filter.encode()), Ok(filter));
    }
    assert_eq!(Filter::decode(&hex("02")), Err(Error::Kind));
    assert_eq!(Filter::decode(&Bytes::new()), Err(Error::Short));
    let filters = vec![nodes.encode(), tag.encode()];
    round(&Message::Query(Query { filters, flags: Query::ACK, relay_factor: 3, ..query() }));
}

#[test]
fn timeouts_with_and_without_a_sign() {
    let signed = hex("0481a754696d656f7574d3000000037e11d600");
    let Ok(Message::Query(read)) = decode(&signed) else { panic!("a query") };
    assert_eq!(read.timeout_ns, 15_000_000_000, "as later versions write it");
    for timeout_ns in [0, 127, 128, 65_536, -1, -32, -33, -128, -129, -40_000, i64::MIN, i64::MAX] {
        round(&Message::Query(Query { timeout_ns, ..query() }));
    }
}

#[test]
fn conflicts() {
    golden(&Message::Conflict(None), "06c0");
    let member = Member {
        name: name("a"),
        addr: [127, 0, 0, 1].into(),
        port: 7946,
        tags: Tags(BTreeMap::from([(bytes("role"), bytes("web"))])),
        status: Status::Alive,
        protocol: [1, 5, 2],
        delegate: [2, 5, 4],
    };
    golden(
        &Message::Conflict(Some(member.clone())),
        "068ba441646472a47f000001ab44656c656761746543757204ab44656c65676174654d617805\
         ab44656c65676174654d696e02a44e616d65a161a4506f7274cd1f0aab50726f746f636f6c43757202\
         ab50726f746f636f6c4d617805ab50726f746f636f6c4d696e01a653746174757301\
         a45461677381a4726f6c65a3776562",
    );
    for status in [Status::None, Status::Leaving, Status::Left, Status::Failed] {
        round(&Message::Conflict(Some(Member { status, ..member.clone() })));
    }
    assert_eq!(decode(&hex("0681a653746174757305")), Err(Error::State));
}

#[test]
fn keys() {
    golden(&Message::KeyRequest(KeyRequest { key: bytes("k") }), "0781a34b6579a16b");
    golden(&Message::KeyRequest(KeyRequest { key: Bytes::new() }), "0781a34b6579c0");
    golden(
        &Message::KeyResponse(KeyResponse {
            result: true,
            message: Bytes::new(),
            keys: vec![bytes("a"), bytes("b")],
            primary_key: bytes("a"),
        }),
        "0884a44b65797392a161a162a74d657373616765a0aa5072696d6172794b6579a161a6526573756c74c3",
    );
    round(&Message::KeyResponse(KeyResponse { message: bytes("no"), ..KeyResponse::default() }));
}

#[test]
fn relays_carry_a_message_as_it_is() {
    let inner = written(&Message::Join(Join { ltime: LTime(300), node: name("a") }));
    let relay = Relay {
        addr: [127, 0, 0, 1].into(),
        port: 7946,
        zone: Bytes::new(),
        node: name("b"),
        message: inner,
    };
    golden(
        &Message::Relay(relay),
        "0982a84465737441646472 83a24950a47f000001a4506f7274cd1f0aa45a6f6e65a0\
         a8446573744e616d65a162 0182a54c54696d65cd012ca44e6f6465a161",
    );
    let old = hex("0981a8446573744164647282a24950a47f000001a4506f7274cd1f0a01");
    let Ok(Message::Relay(relay)) = decode(&old) else { panic!("a relay") };
    assert_eq!((relay.node, &relay.message[..]), (name(""), &[1][..]), "of old: without a name");
}

#[test]
fn messages_that_are_none_are_refused() {
    assert_eq!(decode(&Bytes::new()), Err(Error::Short));
    for kind in 10..=u8::MAX {
        assert_eq!(decode(&vec![kind, 0x80].into()), Err(Error::Kind), "{kind}");
    }
    for kind in 0..10 {
        assert_eq!(decode(&vec![kind].into()), Err(Error::Short), "{kind}");
        assert_eq!(decode(&vec![kind, 0x01].into()), Err(Error::Type), "{kind}");
    }
}

/// More than there may be of something is refused before it is read.
#[test]
fn counts_are_bounded() {
    for bomb in [
        "0281ab4c6566744d656d62657273ddffffffff",
        "0281ac5374617475734c54696d6573dfffffffff",
        "0281a64576656e7473ddffffffff",
        "0281a64576656e7473 91 81a64576656e7473ddffffffff",
        "0481a746696c74657273ddffffffff",
        "0881a44b657973ddffffffff",
        "0681a454616773dfffffffff",
    ] {
        assert_eq!(decode(&hex(bomb)), Err(Error::Count), "{bomb}");
    }
}

/// What of Serf's is asked of all events together is not got around by many slots.
#[test]
fn events_are_bounded_over_all_slots() {
    let slot = |events: u16| {
        let mut slot = b"\x81\xa6Events\xdc".to_vec();
        slot.extend_from_slice(&events.to_be_bytes());
        slot.extend(std::iter::repeat_n(0xc0, usize::from(events)));
        slot
    };
    let state = |slots: &[u16]| {
        let mut bytes = b"\x02\x81\xa6Events".to_vec();
        bytes.push(0x90 + u8::try_from(slots.len()).unwrap());
        slots.iter().for_each(|events| bytes.extend(slot(*events)));
        decode(&bytes.into())
    };
    assert!(state(&[0x8000, 0x8000]).is_ok());
    assert_eq!(state(&[0x8000, 0x8000, 1]), Err(Error::Count));
}

/// What an agent of Serf 0.9.4 sent when asked who "a" is, and for its keys, with one relay.
#[test]
fn what_a_live_agent_answered() {
    let conflict = "068ba441646472a47f000001ab44656c656761746543757205ab44656c65676174654d617805\
                    ab44656c65676174654d696e02a44e616d65a161a4506f7274cd461eab50726f746f636f6c4375\
                    7202ab50726f746f636f6c4d617805ab50726f746f636f6c4d696e01a653746174757301\
                    a45461677381a4726f6c65a8636f6e636c617665";
    let keys = "0884a44b657973c0a74d657373616765da00294b657972696e6720697320656d7074792028656e\
                6372797074696f6e206e6f7420656e61626c656429aa5072696d6172794b6579a0a6526573756c\
                74c2";
    let member = Member {
        name: name("a"),
        addr: [127, 0, 0, 1].into(),
        port: 17_950,
        tags: Tags(BTreeMap::from([(bytes("role"), bytes("conclave"))])),
        status: Status::Alive,
        protocol: [1, 5, 2],
        delegate: [2, 5, 5],
    };
    let refusal = bytes("Keyring is empty (encryption not enabled)");
    let answer = KeyResponse { message: refusal, ..KeyResponse::default() };
    golden(&Message::Conflict(Some(member)), conflict);
    golden(&Message::KeyResponse(answer), keys);

    for (id, digits, payload) in [(7, "07", conflict), (10, "0a", keys)] {
        let length = hex(payload).len();
        let response = format!(
            "0585a5466c61677300a446726f6da27331a24944{digits}a54c54696d65{digits}\
             a75061796c6f6164da{length:04x}{payload}"
        );
        let message = Message::Response(Response {
            ltime: LTime(id.into()),
            id,
            from: name("s1"),
            flags: 0,
            payload: hex(payload),
        });
        golden(&message, &response);
        let relay = Relay {
            addr: [127, 0, 0, 1].into(),
            port: 17_950,
            zone: Bytes::new(),
            node: name("a"),
            message: hex(&response),
        };
        let front = "0982a8446573744164647283a24950a47f000001a4506f7274cd461ea45a6f6e65a0\
                     a8446573744e616d65a161";
        golden(&Message::Relay(relay), &format!("{front}{response}"));
    }
}
