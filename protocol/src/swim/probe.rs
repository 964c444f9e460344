//! The first loop: is the next one still there?
//!
//! ```text
//! 0            probe_timeout                              probe_interval · (score + 1)
//! │ Ping ───────────▶│ IndirectPing to k helpers ──────────────▶│ Suspect
//! │                  │ the same question over a stream          │
//! ```
//!
//! One member a period, in the order of the table. Any acknowledgement of the number
//! that was asked ends the probe well (SWIM §3.1). A suspect is told with the ping that it is one,
//! so that it answers the accusation and not only the ping (Lifeguard §IV-C, the buddy system).
//!
//! A probe that fails says something of this member, too: it tells how many of the helpers did not
//! even say that they got no answer (Lifeguard §IV-A).

use alloc::vec::Vec;

use bytes::Bytes;

use super::link::Way;
use super::message::{Ack, IndirectPing, Message, Nack, Ping, Source, State, Suspect};
use super::output::{Event, Output};
use super::table::Slot;
use super::{Address, SELF, Swim};
use crate::Time;
use crate::mutant::{Mutant, planted};

/// The first version that understands a ping over a stream.
const STREAM_PING: u8 = 3;
/// The first version that says when it got no answer.
const NACK: u8 = 4;

/// A probe under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Probe {
    slot: Slot,
    /// The incarnation that is accused if it does not answer: the one of the beginning.
    incarnation: u32,
    seq: u32,
    sent: Time,
    /// When helpers are asked; `None`: they were.
    ask_at: Option<Time>,
    deadline: Time,
    /// Helpers that would say so if they got no answer.
    helpers: u32,
    nacks: u32,
    /// The stream was answered.
    stream_acked: bool,
}

impl Probe {
    pub(super) fn timeout(&self) -> Time {
        self.ask_at.map_or(self.deadline, |ask_at| ask_at.min(self.deadline))
    }
}

impl Swim {
    /// The period of probing has come round.
    pub(super) fn on_probe_tick(&mut self) {
        self.probe_at = super::after(self.probe_at, self.config.probe_interval, self.now);
        if self.probe.is_some() {
            // The one under way outlasts its period: the next one follows it at once.
            self.probe_due = true;
        } else {
            self.begin_probe();
        }
    }

    /// What the probe under way waits for has not come.
    pub(super) fn on_probe_timeout(&mut self) {
        let Some(probe) = &self.probe else { return };
        if self.now >= probe.deadline {
            self.end_of_probe();
        } else if probe.ask_at.is_some_and(|ask_at| self.now >= ask_at) {
            self.ask_others();
        }
    }

    fn begin_probe(&mut self) {
        self.probe_due = false;
        let Some(slot) = self.next_to_probe() else { return };
        let seq = self.next_seq();
        let row = self.table.row(slot);
        let (incarnation, suspect) = (row.incarnation, row.state() == State::Suspect);
        let deadline = self.now + self.awareness.scale(self.config.probe_interval);
        self.probe = Some(Probe {
            slot,
            incarnation,
            seq,
            sent: self.now,
            ask_at: Some(self.now + self.config.probe_timeout),
            deadline,
            helpers: 0,
            nacks: 0,
            stream_acked: false,
        });
        self.counters.probes += 1;
        let ping = Message::Ping(self.ping(slot, seq));
        if suspect && self.config.buddy {
            let (node, from) = (self.table.facts(slot).name.clone(), self.name().clone());
            let accusation = Message::Suspect(Suspect { incarnation, node, from });
            self.send_to(slot, Vec::from([ping, accusation]));
        } else {
            self.send_to_with_gossip(slot, ping);
        }
    }

    /// Whose turn it is: the next one that is thought to be there. The dead that have their turn
    /// are forgotten when they have been dead for long enough.
    fn next_to_probe(&mut self) -> Option<Slot> {
        for _ in 0..self.table.len() {
            if planted(Mutant::S4) {
                let slot = self.table.any(&mut self.rng)?;
                if slot != SELF && self.is_here(slot) {
                    return Some(slot);
                }
                continue;
            }
            let slot = self.table.next_in_turn(&mut self.rng)?;
            if slot == SELF {
                continue;
            }
            if self.is_here(slot) {
                return Some(slot);
            }
            if self.table.row(slot).since().age(self.now) > self.config.gossip_to_the_dead {
                self.links.forget(slot);
                self.table.remove_last_in_turn();
                self.counters.forgotten += 1;
            }
        }
        None
    }

    /// Whether somebody is thought to be there, if only perhaps.
    fn is_here(&self, slot: Slot) -> bool {
        matches!(self.table.state(slot), State::Alive | State::Suspect)
    }

    fn ping(&self, slot: Slot, seq: u32) -> Ping {
        let node = self.table.facts(slot).name.clone();
        Ping { seq, node, source: Some(self.source()) }
    }

    /// Where answers to this member go.
    pub(super) fn source(&self) -> Source {
        let own = self.table.facts(SELF);
        Source { addr: own.addr, port: own.port, node: own.name.clone() }
    }

    /// Asks helpers, and the one itself over a stream.
    fn ask_others(&mut self) {
        let Some(probe) = &mut self.probe else { return };
        probe.ask_at = None;
        let (slot, seq, deadline) = (probe.slot, probe.seq, probe.deadline);
        let table = &self.table;
        let helpers = table.pick(&mut self.rng, self.config.indirect_checks, |helper| {
            helper != SELF && helper != slot && table.state(helper) == State::Alive
        });
        let facts = table.facts(slot).clone();
        for helper in helpers {
            let nack = self.table.facts(helper).vsn.protocol_max() >= NACK;
            if let Some(probe) = &mut self.probe {
                probe.helpers += u32::from(nack);
            }
            let (target, port, node) = (facts.addr, facts.port, facts.name.clone());
            let source = Some(self.source());
            let request = IndirectPing { seq, target, port, node, nack, source };
            self.counters.indirect_pings += 1;
            self.send_to_with_gossip(helper, Message::IndirectPing(request));
        }
        if self.config.stream_ping && facts.vsn.protocol_max() >= STREAM_PING {
            let ping = self.ping(slot, seq);
            let deadline = self.outside(deadline);
            let to = Address::of(&facts);
            self.outbox.push_back(Output::StreamPing { to, ping, deadline });
        }
    }

    /// A ping that could not be sent is one that will not be answered.
    pub(super) fn on_unsent(&mut self, seq: u32) {
        if self.probe.as_ref().is_some_and(|probe| probe.seq == seq && probe.ask_at.is_some()) {
            self.ask_others();
        }
    }

    /// An answer: to what was asked for somebody else, or to the probe under way.
    pub(super) fn on_ack(&mut self, from: Address, ack: Ack) {
        let Ack { seq, payload } = ack;
        if self.relay_ack(seq) {
            return;
        }
        // SWIM §3.1: an answer to what was not asked, or no more, says nothing.
        let probe = self.probe.take_if(|probe| probe.seq == seq || planted(Mutant::S3));
        let Some(probe) = probe else {
            self.counters.late_acks += 1;
            return;
        };
        let direct = from == Address::of(self.table.facts(probe.slot)) || probe.ask_at.is_some();
        if planted(Mutant::S5) && !direct {
            self.probe = Some(probe);
            return;
        }
        self.awareness.apply(0, 1);
        if direct {
            let round_trip = self.now - probe.sent;
            let member = self.table.facts(probe.slot).clone();
            self.outbox.push_back(Output::Acked { member, round_trip, payload });
        }
        self.answered(probe.slot, if direct { Way::Direct } else { Way::Helper });
        self.probe_is_over();
    }

    /// A helper got no answer. That it says so speaks for this member's own links.
    pub(super) fn on_nack(&mut self, nack: Nack) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.seq == nack.seq) {
            probe.nacks += 1;
        }
    }

    /// An answer over a stream counts at the deadline only: an answer to a packet says more.
    pub(super) fn on_stream_acked(&mut self, seq: u32) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.seq == seq) {
            probe.stream_acked = true;
        }
    }

    fn end_of_probe(&mut self) {
        let Some(probe) = self.probe.take() else { return };
        if probe.stream_acked {
            self.counters.stream_answers += 1;
            self.awareness.apply(0, 1);
            self.answered(probe.slot, Way::Stream);
            return self.probe_is_over();
        }
        self.counters.probes_failed += 1;
        let missed = probe.helpers.saturating_sub(probe.nacks);
        self.awareness.apply(if probe.helpers > 0 { missed } else { 1 }, 0);
        let (incarnation, from) = (probe.incarnation, self.name().clone());
        let node = self.table.facts(probe.slot).name.clone();
        self.on_suspect(Suspect { incarnation, node, from });
        self.probe_is_over();
    }

    fn answered(&mut self, slot: Slot, way: Way) {
        if let Some(link) = self.links.answered(slot, way) {
            let member = self.table.facts(slot).clone();
            self.tell(Event::Link { member, link });
        }
    }

    fn probe_is_over(&mut self) {
        if self.probe_due {
            self.begin_probe();
        }
    }

    /// What an acknowledgement of this member carries.
    pub(super) fn ack(&self, seq: u32) -> Message {
        Message::Ack(Ack { seq, payload: self.payload.clone() })
    }

    /// Somebody asks whether this member is there.
    pub(super) fn on_ping(&mut self, from: Address, ping: Ping) {
        if !ping.node.is_empty() && ping.node != *self.name() {
            self.counters.misdirected += 1;
            return;
        }
        self.counters.pinged += 1;
        let to = reply_address(from, ping.source.as_ref());
        let accusation = ping.source.as_ref().and_then(|source| self.accusation_of(source));
        let ack = self.ack(ping.seq);
        self.reply(to, ack, accusation);
    }

    /// Somebody asks whether another one is there.
    pub(super) fn on_indirect_ping(&mut self, from: Address, ask: IndirectPing) {
        let to = reply_address(from, ask.source.as_ref());
        let seq = self.next_seq();
        let deadline = self.now + self.config.probe_timeout;
        if !self.relays.begin(seq, deadline, to, ask.seq, ask.nack) {
            self.counters.relays_refused += 1;
            return;
        }
        self.counters.relays += 1;
        let target = Address { addr: ask.target, port: ask.port };
        let ping = Ping { seq, node: ask.node, source: Some(self.source()) };
        self.reply(target, Message::Ping(ping), None);
    }

    /// Passes an acknowledgement on to who had asked for it, without what it carried.
    fn relay_ack(&mut self, seq: u32) -> bool {
        let Some(relay) = self.relays.end(seq) else { return false };
        let ack = Message::Ack(Ack { seq: relay.seq, payload: Bytes::new() });
        self.reply(relay.to, ack, None);
        true
    }

    /// Says of the pings that were not answered that they were not, to who wants to hear it.
    pub(super) fn on_relay_timeout(&mut self) {
        while let Some(relay) = self.relays.expired(self.now) {
            if relay.nack {
                self.reply(relay.to, Message::Nack(Nack { seq: relay.seq }), None);
            }
        }
    }
}

/// Where an answer goes: to the address that was named, or back to where the packet came from.
fn reply_address(from: Address, source: Option<&Source>) -> Address {
    match source {
        Some(source) if !source.addr.is_empty() && source.port > 0 => {
            Address { addr: source.addr, port: source.port }
        }
        Some(_) | None => from,
    }
}
