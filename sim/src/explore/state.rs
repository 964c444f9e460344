//! A state of the whole cluster: numbers of local states and of messages, and what is left to use.

use super::NODES;
use super::bits::{mix, narrow};

/// The most messages in flight of any box.
pub(super) const ROOM: usize = 8;

/// One state of the cluster.
///
/// The order of the messages means nothing: the network may deliver any of them next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) locals: [u32; NODES],
    /// What was ever committed.
    pub(super) committed: u16,
    /// Who has led each term, two bits a term from the first: 0 for nobody, else the node + 1.
    pub(super) led: u8,
    /// What has been used of the bounds.
    pub(super) crashes: u8,
    pub(super) duplicates: u8,
    pub(super) proposals: u8,
    pub(super) changes: u8,
    pub(super) count: u8,
    pub(super) messages: [u32; ROOM],
}

impl State {
    pub(super) fn messages(&self) -> &[u32] {
        &self.messages[..usize::from(self.count)]
    }

    /// Who has led this term.
    pub(super) fn leader(&self, term: u8) -> Option<usize> {
        usize::from(self.led >> (2 * (term - 1)) & 3).checked_sub(1)
    }

    pub(super) fn set_leader(&mut self, term: u8, node: usize) {
        let mark = u8::try_from(node + 1).expect("invariant: three nodes");
        self.led |= mark << (2 * (term - 1));
    }

    /// The sum of all that is used and fits into one word.
    fn used(&self) -> u64 {
        let changes = u64::from(self.changes) << 40;
        let used = u64::from(self.crashes) << 4 | u64::from(self.proposals) << 8 | changes;
        used | u64::from(self.duplicates)
    }

    /// 64 bits that tell states apart. Messages are summed up, so that their order does not count.
    pub(super) fn fingerprint(&self) -> u64 {
        let [a, b, c] = self.locals.map(u64::from);
        let messages: u64 = self
            .messages()
            .iter()
            .fold(u64::from(self.count), |sum, &m| sum.wrapping_add(mix(u64::from(m) + 1)));
        let rest = u64::from(self.committed) << 20 | u64::from(self.led) << 12 | self.used();
        let hash = mix(mix(mix(a << 32 | b) ^ c) ^ rest);
        mix(hash.wrapping_mul(0x9fb2_1c65_1e98_df25) ^ messages.rotate_left(17))
    }

    /// Appends the state to `bytes`: 18 bytes and 3 a message.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.proposals << 4 | self.count);
        bytes.push(self.crashes << 4 | self.duplicates);
        bytes.push(self.led);
        bytes.push(self.changes);
        bytes.extend_from_slice(&self.committed.to_le_bytes());
        for local in self.locals {
            bytes.extend_from_slice(&local.to_le_bytes());
        }
        for message in self.messages() {
            bytes.extend_from_slice(&message.to_le_bytes()[..3]);
        }
    }

    /// The length of what begins with this byte.
    pub(super) fn encoded_length(first: u8) -> usize {
        18 + 3 * usize::from(first & 15)
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        let count = bytes[0] & 15;
        let local = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let mut messages = [0; ROOM];
        for (message, raw) in messages.iter_mut().zip(bytes[18..].chunks_exact(3)) {
            *message = u32::from_le_bytes([raw[0], raw[1], raw[2], 0]);
        }
        Self {
            locals: [local(6), local(10), local(14)],
            committed: u16::from_le_bytes([bytes[4], bytes[5]]),
            led: bytes[2],
            changes: bytes[3],
            crashes: bytes[1] >> 4,
            duplicates: bytes[1] & 15,
            proposals: bytes[0] >> 4,
            count,
            messages,
        }
    }

    /// Fills the room with these messages.
    pub(super) fn put(&mut self, messages: &[u32]) {
        self.messages = [0; ROOM];
        self.messages[..messages.len()].copy_from_slice(messages);
        self.count = narrow(messages.len());
    }
}
