//! The samples that upstream's own code wrote and read, and what must not pass.

use super::*;
use crate::gossip::Key;
use protocol::swim::message::{Name, NodeState, Ping, PushPull};

/// A ping of 42 to "b".
const PING: &str = "0082a44e6f6465a162a55365714e6f2a";
const PACKETS: [&str; 4] = [
    "01101112131415161718191a1bc4aca7e1602bd34e75780e90b6698414b80a4cf7992b9fbd0b0c81b9e5f4db3e",
    "01101112131415161718191a1b7d7c3c5826ad5f12a8d05b787e370679d641879c4e434257c9abd18d0d9f2f37",
    "00101112131415161718191a1bc4aca7e1602bd34e75780e90b66984142aac649726e47baf95db3901771501bd6f\
     89162096a345800101130d3cbcc3ef",
    "00101112131415161718191a1b7d7c3c5826ad5f12a8d05b787e370679c7405e1e0bd247a1f7e9f2774e4444cb43\
     d5344fb9d72a8e402709ec6e72c065",
];
const STREAMS: [&str; 2] = [
    "0a0000002d01101112131415161718191a1bc4aca7e1602bd34e75780e90b6698414c65e70b4c92aa3010f1294c5\
     ee482cd3",
    "0a0000003d00101112131415161718191a1bc4aca7e1602bd34e75780e90b66984142aac649726e47baf95db3901\
     771501bd4e98aaddfc4dc5f71da9d563a3e9df80",
];

fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The samples' keys: 00 01 02 …
fn ring(size: u8) -> Keyring {
    Keyring::new(Key::new(&(0..size).collect::<Vec<_>>()).unwrap())
}

fn ping() -> Ping {
    Ping { seq: 42, node: Name::from("b"), source: None }
}

fn envelope(label: &'static [u8], keys: Option<Keyring>) -> Envelope {
    let label = Label::new(Bytes::from_static(label)).unwrap();
    Envelope::new(Policy { label, ..Policy::default() }, keys)
}

fn refused(envelope: &Envelope, packet: Bytes) -> Vec<Refusal> {
    let refusals = Refusals::default();
    let (messages, refused) = envelope.open_packet(packet, &refusals);
    assert_eq!(messages, []);
    assert_eq!(refused, refusals.iter().next().map(|(refusal, _)| refusal));
    refusals.iter().map(|(refusal, _)| refusal).collect()
}

fn opened(envelope: &Envelope, packet: Bytes) -> Vec<Message> {
    let refusals = Refusals::default();
    let (messages, _) = envelope.open_packet(packet, &refusals);
    assert_eq!(refusals.iter().next(), None);
    messages
}

fn message_of(opened: Opened, most: usize) -> Result<StreamMessage, Refusal> {
    match opened {
        Opened::Message(message) => Ok(message),
        Opened::Packed(packed) => expand(&packed, most, &Refusals::default()),
    }
}

/// In pieces of every size.
fn streamed(
    envelope: &Envelope,
    bytes: &[u8],
    by_other: bool,
) -> Result<Option<StreamMessage>, Refusal> {
    let read = |piece: usize| {
        let refusals = Refusals::default();
        let mut opener = StreamOpener::new(by_other);
        for piece in bytes.chunks(piece) {
            if let Some(opened) = opener.push(piece, envelope, &refusals)? {
                return message_of(opened, STREAM_MAX).map(Some);
            }
        }
        Ok(None)
    };
    let at_once = read(bytes.len());
    for piece in [1, 2, 7] {
        assert_eq!(read(piece), at_once, "pieces of {piece}");
    }
    at_once
}

#[test]
fn upstreams_encrypted_packets_are_read_and_written() {
    for (sample, size) in PACKETS.iter().zip([16, 32, 16, 32]) {
        let envelope = envelope(b"", Some(ring(size)));
        assert_eq!(opened(&envelope, hex(sample)), [Message::Ping(ping())]);
    }
    for (sample, size) in PACKETS.iter().zip([16, 32]) {
        let nonce = *hex(sample)[1..].first_chunk().unwrap();
        let mut blob = Vec::new();
        ring(size).seal(nonce, &hex(PING), b"", &mut blob);
        assert_eq!(Bytes::from(blob), hex(sample), "byte for byte");
    }
}

#[test]
fn upstreams_encrypted_streams_are_read_and_written() {
    let envelope = envelope(b"", Some(ring(16)));
    for sample in STREAMS {
        let message = streamed(&envelope, &hex(sample), true);
        assert_eq!(message, Ok(Some(StreamMessage::Ping(ping()))));
    }
    let sample = hex(STREAMS[0]);
    let front = Sealed::stream_front(sample.len() - 5).unwrap();
    let (nonce, mut blob) = (*sample[6..].first_chunk().unwrap(), front.to_vec());
    ring(16).seal(nonce, &hex(PING), &front, &mut blob);
    assert_eq!(Bytes::from(blob), sample, "byte for byte");
}

#[test]
fn upstreams_compressed_messages_are_read() {
    // `compress("a")` holds "a", a message of no kind; the other one "hello …", of none either.
    let envelope = envelope(b"", None);
    let a = "0982a4416c676f00a3427566a400c30404";
    assert_eq!(refused(&envelope, hex(a)), [Error::Kind.into()]);
    let hello = "0982a4416c676f00a3427566b500d19461c3e60d0881040d222c787020c3856f0202";
    assert_eq!(refused(&envelope, hex(hello)), [Error::Kind.into()]);
    let mut packet = Vec::new();
    Compressed::write(&compress(&hex(PING)), &mut packet);
    assert_eq!(opened(&envelope, packet.into()), [Message::Ping(ping())]);
}

#[test]
fn packets_come_back_through_every_envelope() {
    let user = Message::User(Bytes::from(b"again and again ".repeat(20)));
    let messages = [Message::Ping(ping()), user];
    for label in [&b""[..], b"blue"] {
        for keys in [None, Some(ring(24))] {
            for with_checksum in [false, true] {
                let envelope = envelope(label, keys.clone());
                let packets = sealed(&envelope, &messages, with_checksum);
                let [packet] = &packets[..] else { panic!("one packet") };
                assert!(packet.len() < 200 + envelope.overhead(), "{}", packet.len());
                assert_eq!(opened(&envelope, packet.clone()), messages);
                let other = self::envelope(b"red", keys.clone());
                assert_eq!(refused(&other, packet.clone()), [Refusal::Label]);
            }
        }
    }
}

#[test]
fn streams_come_back_through_every_envelope() {
    let facts = protocol::swim::message::Facts {
        name: Name::from("n"),
        addr: [127, 0, 0, 1].into(),
        port: 7946,
        meta: Bytes::from_static(b"\xff\x80"),
        vsn: protocol::swim::message::Vsn::SERF,
    };
    let state = protocol::swim::message::State::Alive;
    let row = NodeState { facts: facts.into(), incarnation: 1, state };
    let user = Bytes::from_static(b"state");
    let message = StreamMessage::PushPull(PushPull { join: true, nodes: vec![row; 100], user });
    for label in [&b""[..], b"blue"] {
        for keys in [None, Some(ring(32))] {
            let envelope = envelope(label, keys);
            for opens in [true, false] {
                let bytes = envelope.seal_stream(&message, opens).unwrap();
                assert_eq!(streamed(&envelope, &bytes, opens), Ok(Some(message.clone())));
                assert_eq!(streamed(&envelope, &bytes[..bytes.len() - 1], opens), Ok(None));
            }
        }
    }
    let labelled = envelope(b"blue", None).seal_stream(&message, true).unwrap();
    let none = envelope(b"", None);
    assert_eq!(streamed(&none, &labelled, true), Err(Refusal::Label));
    assert_eq!(streamed(&none, &labelled, false), Err(Error::Label.into()));
    let bare = none.seal_stream(&message, true).unwrap();
    assert_eq!(streamed(&envelope(b"blue", None), &bare, true), Err(Refusal::Label));
}

/// The law of keys, and the way to it in a pool that lives.
#[test]
fn plaintext_is_refused_unless_encryption_is_being_introduced() {
    let keys = Some(ring(16));
    let strict = envelope(b"", keys.clone());
    assert_eq!(refused(&strict, hex(PING)), [Refusal::Plaintext]);
    let plain = envelope(b"", None);
    let long = Message::User(Bytes::from(vec![b'x'; 100]));
    let packet = sealed_by(&plain, &long);
    assert_eq!(refused(&strict, packet.clone()), [Refusal::Plaintext]);
    let stream = plain.seal_stream(&StreamMessage::Ping(ping()), true).unwrap();
    assert_eq!(streamed(&strict, &stream, true), Err(Refusal::Plaintext));
    let stream = strict.seal_stream(&StreamMessage::Ping(ping()), true).unwrap();
    assert_eq!(streamed(&plain, &stream, true), Err(Refusal::NoKeys));

    let begins = Policy { verify_incoming: false, verify_outgoing: false, ..Policy::default() };
    let begins = Envelope::new(begins, keys.clone());
    let sends = Policy { verify_incoming: false, ..Policy::default() };
    let sends = Envelope::new(sends, keys);
    for (from, to) in [(&plain, &begins), (&begins, &plain), (&begins, &sends), (&sends, &begins)] {
        assert_eq!(opened(to, sealed_by(from, &long)), std::slice::from_ref(&long));
    }
    assert_eq!(opened(&strict, sealed_by(&sends, &long)), std::slice::from_ref(&long));
    assert_eq!(opened(&sends, sealed_by(&strict, &long)), std::slice::from_ref(&long));
    let mut wrong = sealed(&strict, &[long], false).remove(0).to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&strict, wrong.into()), [Refusal::Key]);
}

fn sealed_by(envelope: &Envelope, message: &Message) -> Bytes {
    sealed(envelope, std::slice::from_ref(message), true).remove(0)
}

fn sealed(envelope: &Envelope, messages: &[Message], with_checksum: bool) -> Vec<Bytes> {
    let mut packets = Vec::new();
    let each = |packet: &[u8]| packets.push(Bytes::copy_from_slice(packet));
    envelope.seal_packets(messages, with_checksum, 1400, &mut Scratch::default(), each);
    packets
}

#[test]
fn bombs_are_refused_at_their_bounds() {
    let envelope = envelope(b"", None);
    let mut bomb = vec![8];
    bomb.resize(PACKET_MAX + 1, 0);
    let mut packet = Vec::new();
    Compressed::write(&compress(&bomb), &mut packet);
    assert!(packet.len() < 1400);
    assert_eq!(refused(&envelope, packet.into()), [Refusal::Bomb]);
    let mut stream = Vec::new();
    Compressed::write(&compress(&vec![8; STREAM_MAX + 1]), &mut stream);
    let refusals = Refusals::default();
    let opened = StreamOpener::new(true).push(&stream, &envelope, &refusals).unwrap().unwrap();
    // Whoever asks for more than the bound gets no more than the bound.
    assert_eq!(message_of(opened, usize::MAX), Err(Refusal::Bomb));
    let mut small = Vec::new();
    Compressed::write(&compress(&hex(PING)), &mut small);
    for (most, is_small) in [(3, false), (1000, true)] {
        let opened = StreamOpener::new(true).push(&small, &envelope, &refusals).unwrap().unwrap();
        let message = message_of(opened, most);
        assert_eq!(message.is_ok(), is_small, "{message:?}");
        assert!(is_small || message == Err(Refusal::Bomb), "{message:?}");
    }
    let mut twice = Vec::new();
    let mut once = Vec::new();
    Compressed::write(&compress(&hex(PING)), &mut once);
    Compressed::write(&compress(&once), &mut twice);
    assert_eq!(refused(&envelope, twice.into()), [Error::Nesting.into()]);
}

/// Envelopes as they may be: of one pool, with keys and without, with a label and without.
fn envelopes() -> Vec<Envelope> {
    let ring = || Some(ring(16));
    let lax = Policy { verify_incoming: false, ..Policy::default() };
    let lax = Envelope::new(lax, ring());
    vec![envelope(b"", None), envelope(b"", ring()), envelope(b"blue", ring()), lax]
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    /// Whatever comes, nobody panics, and what does not become messages is counted.
    #[test]
    fn any_bytes_are_messages_or_counted(
        front in proptest::sample::select(vec![0_u8, 1, 6, 7, 8, 9, 10, 12, 0xf4]),
        mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        piece in 1..80_usize,
    ) {
        bytes.insert(0, front);
        for envelope in envelopes() {
            let refusals = Refusals::default();
            let (messages, _) = envelope.open_packet(bytes.clone().into(), &refusals);
            // A compound of no parts is neither.
            let silent = messages.is_empty() && refusals.iter().next().is_none();
            assert!(!silent || front == 7 || front == 9, "{bytes:?}");
            let mut opener = StreamOpener::new(true);
            for bytes in bytes.chunks(piece) {
                match opener.push(bytes, &envelope, &refusals) {
                    Ok(None) => {}
                    Ok(Some(opened)) => {
                        let _judged = message_of(opened, STREAM_MAX);
                        break;
                    }
                    Err(_) => break,
                }
            }
        }
    }

    /// Sound packets with one thing wrong: no key's packet is read as another one.
    #[test]
    fn harmed_packets_are_counted(
        at in proptest::num::usize::ANY,
        bit in 0..8_u8,
        which in 0..4_usize,
    ) {
        let envelope = &envelopes()[which];
        let user = Message::User(Bytes::from(b"again and again ".repeat(20)));
        let messages = [Message::Ping(ping()), user];
        let packet = sealed(envelope, &messages, true).remove(0);
        let mut harmed = packet.to_vec();
        let at = at % harmed.len();
        harmed[at] ^= 1 << bit;
        let refusals = Refusals::default();
        let (read, _) = envelope.open_packet(harmed.into(), &refusals);
        assert_ne!(read, messages);
        // Without keys the byte that announces the checksum can become another kind.
        if which == 1 || which == 2 {
            assert_eq!(read, []);
        }
    }
}
