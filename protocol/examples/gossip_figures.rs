//! Figures of the gossip wire: `cargo run --release -p protocol --example gossip_figures`.
//!
//! Nanoseconds and allocations to write a message and to read it, each the median of eleven rounds;
//! and a table of 10,000 members. The figures stand in `docs/gossip-tests.md`.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use protocol::swim::message::{
    Ack, Alive, Facts, IndirectPing, Message, Nack, Name, NodeState, Ping, PushPull, Source, State,
    StreamMessage, Suspect, Vsn,
};
use protocol::swim::serf;
use protocol::swim::serf::{LTime, Message as Serf, PushPull as Memory, Ring, UserEvent};
use protocol::swim::wire::{
    Item, Limits, Packer, StreamReader, checksum, encode, encode_stream, parts,
};

/// Rounds of which the median counts.
const ROUNDS: usize = 11;

fn main() {
    println!(
        "{:<28} {:>6} {:>9} {:>7} {:>9} {:>7}",
        "", "bytes", "write", "allocs", "read", "allocs"
    );
    packets();
    shared_packets();
    layer();
    table(10_000);
}

fn packets() {
    let (node, from) = (name("node-01234"), name("node-56789"));
    let source = Some(Source { addr: [10, 1, 2, 3].into(), port: 7946, node: from.clone() });
    let messages = [
        ("ping", Message::Ping(Ping { seq: 70_000, node: node.clone(), source: source.clone() })),
        (
            "indirect ping",
            Message::IndirectPing(IndirectPing {
                seq: 70_000,
                target: [10, 1, 2, 4].into(),
                port: 7946,
                node: node.clone(),
                nack: true,
                source,
            }),
        ),
        ("ack", Message::Ack(Ack { seq: 70_000, payload: Bytes::new() })),
        ("nack", Message::Nack(Nack { seq: 70_000 })),
        ("suspect", Message::Suspect(Suspect { incarnation: 3, node, from })),
        ("alive, 80 bytes of meta", Message::Alive(Alive { incarnation: 3, facts: facts(1234) })),
    ];
    for (label, message) in &messages {
        let mut bytes = Vec::with_capacity(1400);
        let write = measure(1000, || {
            bytes.clear();
            encode(black_box(message), &mut bytes);
        });
        show(label, bytes.len(), write, read(&shared(&bytes)));
    }
}

/// A datagram as gossip fills it.
fn shared_packets() {
    let suspect = |seq: u32| {
        let (node, from) = (name(&format!("node-{seq}")), name("node-56789"));
        Message::Suspect(Suspect { incarnation: 3, node, from })
    };
    let messages: Vec<_> = (0..24).map(suspect).collect();
    let mut packets = Vec::new();
    let write = measure(100, || {
        let mut packer = Packer::new(1400);
        messages.iter().for_each(|message| packer.push(black_box(message)));
        packets = packer.finish();
        packets[0] = checksum::seal(&packets[0]);
    });
    let packet = shared(&packets[0]);
    show("24 suspects, checksum", packet.len(), write, read(&packet));
}

fn layer() {
    let event = Serf::Event(UserEvent {
        ltime: LTime(300),
        name: Bytes::from_static(b"deploy"),
        payload: Bytes::from_static(b"b5f4c2d1"),
        coalesce: true,
    });
    let members = (0..10_000).map(|row| (name(&format!("node-{row:05}")), LTime(row)));
    let memory = Serf::PushPull(Memory {
        status: members.collect(),
        events: Ring::from_slots((0..512).map(|_| None)),
        ..Memory::default()
    });
    for (label, message, times) in
        [("serf: event", event, 1000), ("serf: 10,000 members", memory, 10)]
    {
        let mut bytes = Vec::new();
        let write = measure(times, || {
            bytes.clear();
            serf::encode(black_box(&message), &mut bytes);
        });
        let packet = shared(&bytes);
        let read = measure(times, || {
            black_box(serf::decode(black_box(&packet)).is_ok());
        });
        show(label, bytes.len(), write, read);
    }
}

fn table(members: u32) {
    let row = |row| NodeState { facts: facts(row), incarnation: row, state: State::Alive };
    let nodes = (0..members).map(row).collect();
    let message = StreamMessage::PushPull(PushPull { join: false, nodes, user: Bytes::new() });
    let mut bytes = Vec::new();
    let write = measure(3, || {
        bytes.clear();
        encode_stream(black_box(&message), &mut bytes);
    });
    let read = measure(3, || {
        let mut reader = StreamReader::new(Limits::default());
        for piece in bytes.chunks(16 << 10) {
            reader.push(piece);
            if let Ok(Some(Item::Message(message))) = reader.read() {
                black_box(message);
            }
        }
        assert!(reader.is_done());
    });
    show(&format!("push/pull of {members}"), bytes.len(), write, read);
}

fn read(packet: &Bytes) -> (f64, u64) {
    measure(1000, || {
        for part in parts(black_box(packet).clone()) {
            black_box(part.is_ok());
        }
    })
}

/// Nanoseconds and allocations of one call.
fn measure(times: u32, mut call: impl FnMut()) -> (f64, u64) {
    call();
    let mut rounds = [0.0; ROUNDS];
    for round in &mut rounds {
        let start = Instant::now();
        for _ in 0..times {
            call();
        }
        *round = start.elapsed().as_secs_f64() * 1e9 / f64::from(times);
    }
    rounds.sort_by(f64::total_cmp);
    let allocations = allocation_counter::measure(call).count_total;
    (rounds[ROUNDS / 2], allocations)
}

fn show(label: &str, bytes: usize, write: (f64, u64), read: (f64, u64)) {
    let ((write, written), (read, held)) = (write, read);
    println!("{label:<28} {bytes:>6} {write:>6.0} ns {written:>7} {read:>6.0} ns {held:>7}");
}

/// Bytes as a shell hands them over: slices of a buffer that is shared already.
fn shared(bytes: &[u8]) -> Bytes {
    let bytes = Bytes::copy_from_slice(bytes);
    drop(bytes.clone());
    bytes
}

fn name(name: &str) -> Name {
    Name::from(name)
}

fn facts(row: u32) -> Arc<Facts> {
    let [a, b, c, d] = (0x0a00_0000 + row).to_be_bytes();
    Arc::new(Facts {
        name: name(&format!("node-{row:05}")),
        addr: [a, b, c, d].into(),
        port: 7946,
        meta: vec![b'm'; 80].into(),
        vsn: Vsn::SERF,
    })
}
