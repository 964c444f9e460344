//! Answers to queries: straight back, and by relays beside that.

use alloc::vec::Vec;

use bytes::Bytes;

use super::input::QueryId;
use super::message::{Message, Relay, Response, Status};
use super::output::RequestError;
use super::query::Waiting;
use super::{Serf, decode, encoded, encoded_len};
use crate::swim;
use crate::swim::{Address, Tag};

/// The first version of SWIM's messages whose agents relay.
const RELAYS: u8 = 5;

impl Serf {
    /// The answer of an application.
    pub(super) fn on_respond(&mut self, tag: Tag, id: QueryId, payload: Bytes) {
        let response = self.response(id, 0, payload);
        let (bytes, most) = (encoded_len(&response), self.config.response_bytes);
        if bytes > most {
            return self.done(tag, Err(RequestError::ResponseTooLong { bytes, most }));
        }
        let Some(waiting) = self.queries.take(id).filter(|waiting| self.now < waiting.deadline)
        else {
            return self.done(tag, Err(RequestError::Closed));
        };
        self.send_answer(&waiting, encoded(&response));
        self.done(tag, Ok(()));
    }

    fn response(&self, id: QueryId, flags: u32, payload: Bytes) -> Message {
        let QueryId { ltime, id } = id;
        Message::Response(Response { ltime, id, from: self.name.clone(), flags, payload })
    }

    /// An answer of Serf's own, short enough.
    pub(super) fn answer(&mut self, id: QueryId, waiting: &Waiting, flags: u32, payload: Bytes) {
        let response = self.response(id, flags, payload);
        self.send_answer(waiting, encoded(&response));
    }

    /// How many bytes an answer with such a payload has.
    pub(super) fn answer_len(&self, id: QueryId, payload: Bytes) -> usize {
        encoded_len(&self.response(id, 0, payload))
    }

    fn send_answer(&mut self, waiting: &Waiting, response: Bytes) {
        if waiting.source == self.name {
            // A packet to itself would be lost with the network.
            return self.on_message(&response);
        }
        self.send_to(waiting.to, response.clone());
        self.relay(waiting, response);
    }

    fn send_to(&mut self, to: Address, message: Bytes) {
        if matches!(to.addr.as_bytes().len(), 4 | 16) && to.port != 0 {
            self.errand(swim::Input::Tell { to, message });
        }
    }

    /// Has some others pass an answer on: one link that loses it is not the end of it.
    fn relay(&mut self, waiting: &Waiting, response: Bytes) {
        let wanted = usize::from(waiting.relay_factor);
        if wanted == 0 || self.roster.len() < wanted + 1 {
            return;
        }
        let relay = Message::Relay(Relay {
            addr: waiting.to.addr,
            port: waiting.to.port,
            zone: Bytes::new(),
            node: waiting.source.clone(),
            message: response,
        });
        let message = encoded(&relay);
        if message.len() > self.config.response_bytes.min(self.packet_room()) {
            return;
        }
        let mut helpers: Vec<Address> = self
            .roster
            .iter()
            .filter(|(facts, row)| {
                let relays = facts.vsn.protocol_max() >= RELAYS && row.status == Status::Alive;
                relays && facts.name != self.name && facts.name != waiting.source
            })
            .map(|(facts, _)| Address::of(facts))
            .collect();
        for _ in 0..wanted {
            if helpers.is_empty() {
                break;
            }
            let at = self.below(helpers.len());
            let helper = helpers.swap_remove(at);
            self.send_to(helper, message.clone());
        }
    }

    /// Somebody wants an answer passed on.
    pub(super) fn on_relay(&mut self, relay: Relay) {
        let answer = matches!(decode(&relay.message), Ok(Message::Response(_)));
        if !answer {
            self.counters.relays_refused += 1;
            return;
        }
        self.counters.relayed += 1;
        let to = Address { addr: relay.addr, port: relay.port };
        self.send_to(to, relay.message);
    }

    /// A number in `0..bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).expect("invariant: below a length")
    }
}
