//! What a received ping costs in memory: the allocations from the bytes of its packet to those of
//! the answer, in a pool of a thousand in which nothing else happens.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::sync::Arc;

use allocation_counter::measure;
use bytes::Bytes;
use protocol::Time;
use protocol::swim::message::{Ack, Facts, Message, Name, Ping, Source, Vsn};
use protocol::swim::serf::{Config, Input, Output, Serf};
use protocol::swim::{Address, Identity};
use server::gossip::{Envelope, Key, Keyring, Policy, Refusals, Scratch};

/// Pings over which the allocations are counted.
const PINGS: u64 = 100;
/// Bytes of a packet.
const BUDGET: usize = 1400;

/// A member and what is around it, as its driver has it.
struct Member {
    serf: Serf,
    envelope: Envelope,
    refusals: Refusals,
    scratch: Scratch,
    /// Who asks.
    asker: Address,
}

fn facts(number: u16) -> Facts {
    let [high, low] = number.to_be_bytes();
    let name = Name::from(format!("node-{number:04}").as_str());
    Facts { name, addr: [10, 0, high, low].into(), port: 7946, meta: Bytes::new(), vsn: Vsn::SERF }
}

impl Member {
    fn new(keys: Option<Keyring>) -> Self {
        let identity = Identity { facts: facts(0), incarnation: None };
        let mut serf = Serf::new(Config::LAN, identity, 7);
        serf.acquaint((1..1000).map(|number| Arc::new(facts(number))));
        let envelope = Envelope::new(Policy::default(), keys);
        let mut member = Self {
            serf,
            envelope,
            refusals: Refusals::default(),
            scratch: Scratch::default(),
            asker: Address::of(&facts(500)),
        };
        // What it has to say of itself goes with the first answers.
        while member.answers() > member.alone() {}
        member
    }

    /// The packet of a ping, as another member sends it.
    fn ping(&mut self) -> Vec<u8> {
        let asker = facts(500);
        let source = Some(Source { addr: asker.addr, port: asker.port, node: asker.name });
        let ping = Message::Ping(Ping { seq: 7, node: facts(0).name, source });
        let mut packet = Vec::new();
        let each = |bytes: &[u8]| packet = bytes.to_vec();
        self.envelope.seal_packets(&[ping], true, BUDGET, &mut self.scratch, each);
        packet
    }

    /// Takes in a packet; the bytes of the packets that it answers with, summed up.
    fn receive(&mut self, packet: &[u8]) -> usize {
        let Self { serf, envelope, refusals, scratch, asker } = self;
        let from = *asker;
        let (messages, _) = envelope.open_packet(Bytes::copy_from_slice(packet), refusals);
        serf.handle(Time(1), Input::Receive { from, messages });
        let mut sent = 0;
        while let Some(output) = serf.poll_output() {
            if let Output::Send { messages, checksum, .. } = output {
                envelope.seal_packets(&messages, checksum, BUDGET, scratch, |bytes| {
                    sent += bytes.len();
                });
            }
        }
        sent
    }

    /// Bytes of an answer that takes nothing along.
    fn alone(&mut self) -> usize {
        let ack = Message::Ack(Ack { seq: 7, payload: Bytes::new() });
        let mut size = 0;
        let each = |bytes: &[u8]| size = bytes.len();
        self.envelope.seal_packets(&[ack], false, BUDGET, &mut self.scratch, each);
        size
    }

    fn answers(&mut self) -> usize {
        let packet = self.ping();
        self.receive(&packet)
    }

    /// Allocations of a ping, and bytes of its answer.
    fn cost(&mut self) -> (u64, usize) {
        let packet = self.ping();
        let mut answered = 0;
        let counted = measure(|| {
            for _ in 0..PINGS {
                answered += self.receive(&packet);
            }
        });
        assert_eq!(counted.count_total % PINGS, 0, "each ping costs the same");
        (counted.count_total / PINGS, answered / usize::try_from(PINGS).unwrap())
    }
}

/// The packet and the owner of its bytes, the list of its messages, and that of the answer's.
#[test]
fn a_ping_is_answered_at_the_cost_of_four_allocations() {
    let mut member = Member::new(None);
    let (allocations, answered) = member.cost();
    assert_eq!(answered, member.alone());
    assert_eq!(allocations, 4);
}

/// Beside them what is decrypted, with its owner, and what is encrypted.
#[test]
fn encryption_costs_a_few_more() {
    let keys = Keyring::new(Key::new(&[7; 16]).unwrap());
    let mut member = Member::new(Some(keys));
    let (allocations, answered) = member.cost();
    assert_eq!(answered, member.alone());
    assert!(allocations <= 8, "{allocations}");
}
