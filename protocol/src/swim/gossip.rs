//! The second loop: passing on what is new, and how everything else takes it along.
//!
//! While there is something to say, it is said to a few random members each period; beside that,
//! every ping and every answer carries as much of it as fits (SWIM §4.1). Members that have been
//! called dead for a short time are told, too: one that is not dead hears so and answers.
//!
//! What members say of each other and what the layer above says share each packet fairly: each is
//! due half of it, and what one does not need the other may take. Upstream serves its own first,
//! so a pool in which many come and go starves whatever is built on it.

use alloc::vec::Vec;

use bytes::Bytes;

use super::message::{Message, Name, State};
use super::output::Output;
use super::queue::{Queue, Room, Tag};
use super::scale::retransmit_limit;
use super::table::Slot;
use super::wire::encoded_len;
use super::{Address, Lane, SELF, Swim};
use crate::mutant::{Mutant, planted};

/// What a compound takes beside its parts.
const COMPOUND: usize = 2;
/// What it takes for each part.
const PART: usize = 2;
/// Old peers read compounds of more parts wrongly.
const PARTS: usize = 127;
/// The first version that understands a checksum.
const CHECKSUM: u8 = 5;

impl Swim {
    /// What is believed of a member is to be passed on; what was believed before is not.
    pub(super) fn pass_on(&mut self, message: Message, of: Slot) {
        let name = self.table.facts(of).name.clone();
        let length = encoded_len(&message);
        self.wake_gossip();
        let ended = self.queue.push(message, length, Some(name), None);
        self.sent(ended);
    }

    /// The same of this member's own going, which somebody waits for.
    pub(super) fn pass_on_tagged(&mut self, message: Message, name: Name, tag: Tag) {
        let length = encoded_len(&message);
        self.wake_gossip();
        let ended = self.queue.push(message, length, Some(name), Some(tag));
        self.sent(ended);
    }

    /// A message of the layer above is to be passed on.
    pub(super) fn on_broadcast(
        &mut self,
        lane: Lane,
        name: Option<Name>,
        tag: Option<Tag>,
        message: Bytes,
    ) {
        let message = Message::User(message);
        let length = encoded_len(&message);
        if COMPOUND + PART + length > self.config.packet_bytes {
            self.counters.too_long += 1;
            return self.sent(tag.into_iter().collect());
        }
        self.wake_gossip();
        let ended = self.lanes[lane as usize].push(message, length, name, tag);
        self.sent(ended);
    }

    /// The first thing to say after a silence waits for the next period, as the phase of this
    /// member has it.
    fn wake_gossip(&mut self) {
        if self.is_silent() {
            self.gossip_at = super::after(self.gossip_at, self.config.gossip_interval, self.now);
        }
    }

    /// Whether there is nothing to pass on.
    pub(super) fn is_silent(&self) -> bool {
        self.queue.is_empty() && self.lanes.iter().all(Queue::is_empty)
    }

    /// A period of gossip has come round.
    pub(super) fn on_gossip_tick(&mut self) {
        self.gossip_at = super::after(self.gossip_at, self.config.gossip_interval, self.now);
        let (table, now) = (&self.table, self.now);
        let dead = self.config.gossip_to_the_dead;
        let targets = table.pick(&mut self.rng, self.config.gossip_nodes, |slot| {
            let row = table.row(slot);
            slot != SELF
                && match row.state() {
                    State::Alive | State::Suspect => true,
                    State::Dead => row.since().age(now) <= dead,
                    State::Left => false,
                }
        });
        for slot in targets {
            let messages = self.fill(self.config.packet_bytes.saturating_sub(COMPOUND), PARTS);
            if messages.is_empty() {
                break;
            }
            self.counters.gossips += 1;
            self.send_to(slot, messages);
        }
    }

    /// As many messages as fit, what was sent least first.
    fn fill(&mut self, bytes: usize, parts: usize) -> Vec<Message> {
        if self.is_silent() {
            return Vec::new();
        }
        let limit = if planted(Mutant::S7) {
            1
        } else {
            retransmit_limit(self.table.len(), self.config.retransmit_multiplier)
        };
        let room = Room { bytes, overhead: PART, parts };
        // Half for its own messages, or for the one that is next if that is longer; less when
        // there is less to say.
        let due = (bytes / 2).max(self.queue.next_length().map_or(0, |length| length + PART));
        let own = self.queue.bytes(PART).min(due);
        let mut above = Vec::new();
        let mut ended = Vec::new();
        for lane in &mut self.lanes {
            let room = Room { bytes: bytes.saturating_sub(own), ..room }.without(&above);
            above.extend(lane.take(room, limit, &mut ended));
        }
        let own = self.queue.take(room.without(&above), limit, &mut ended);
        self.sent(ended);
        own.into_iter().chain(above).map(|(message, _)| message).collect()
    }

    /// Tells who asked for these broadcasts that they are done with.
    pub(super) fn sent(&mut self, tags: Vec<Tag>) {
        for tag in tags {
            if !self.is_own_leave(tag) {
                self.outbox.push_back(Output::Sent(tag));
            }
        }
    }

    /// Sends to a member, and takes along what there is to pass on.
    pub(super) fn send_to_with_gossip(&mut self, slot: Slot, message: Message) {
        let messages = self.with_gossip(message, None);
        self.send_to(slot, messages);
    }

    /// Sends to wherever somebody asked from, and takes along what there is to pass on.
    pub(super) fn reply(&mut self, to: Address, message: Message, second: Option<Message>) {
        let messages = self.with_gossip(message, second);
        self.send(to, messages, false);
    }

    fn with_gossip(&mut self, message: Message, second: Option<Message>) -> Vec<Message> {
        let length = |message: &Message| PART + encoded_len(message);
        let taken = COMPOUND + length(&message) + second.as_ref().map_or(0, length);
        let left = self.config.packet_bytes.saturating_sub(taken);
        let gossip = self.fill(left, PARTS - 2);
        let mut messages = Vec::with_capacity(2 + gossip.len());
        messages.push(message);
        messages.extend(second);
        messages.extend(gossip);
        messages
    }

    pub(super) fn send_to(&mut self, slot: Slot, messages: Vec<Message>) {
        let facts = self.table.facts(slot);
        let (to, checksum) = (Address::of(facts), facts.vsn.protocol_max() >= CHECKSUM);
        self.send(to, messages, checksum);
    }

    pub(super) fn send(&mut self, to: Address, messages: Vec<Message>, checksum: bool) {
        self.counters.packets += 1;
        self.outbox.push_back(Output::Send { to, messages, checksum });
    }
}
