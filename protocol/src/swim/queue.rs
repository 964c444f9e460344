//! What is to be passed on, and how often it was.
//!
//! Each message is sent a limited number of times by each member that holds it; that is enough for
//! everybody to hear it with high probability, and no more. SWIM §4.1: what was sent least goes
//! first. Among those the longest that still fits does (packets become full), then the newest.
//! A message that has a name replaces an older one of that name: what was believed of a member
//! before is not worth sending.
//!
//! Left out: a message that always finds the packet too full for it is sent last, not never, for
//! each packet begins with what was sent least.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::Bound;

use super::message::{Message, Name};

/// Names a broadcast for who asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// The order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    transmits: u32,
    length: Reverse<usize>,
    id: Reverse<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Broadcast {
    message: Message,
    name: Option<Name>,
    tag: Option<Tag>,
}

/// Messages to be passed on.
///
/// - `names` has the key of every message that has a name.
/// - `bytes` is the sum of the lengths.
/// - There are at most `most` messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Queue {
    messages: BTreeMap<Key, Broadcast>,
    names: BTreeMap<Name, Key>,
    next: u64,
    bytes: usize,
    most: usize,
    dropped: u64,
}

/// What there is room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Bytes, lengths and overheads together.
    pub(super) bytes: usize,
    /// What each message takes beside its length.
    pub(super) overhead: usize,
    /// The most messages.
    pub(super) parts: usize,
}

impl Room {
    /// What is left when these are in.
    pub(super) fn without(self, messages: &[(Message, usize)]) -> Self {
        let taken: usize = messages.iter().map(|(_, length)| length + self.overhead).sum();
        let bytes = self.bytes.saturating_sub(taken);
        Self { bytes, parts: self.parts.saturating_sub(messages.len()), ..self }
    }
}

impl Queue {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            messages: BTreeMap::new(),
            names: BTreeMap::new(),
            next: 0,
            bytes: 0,
            most,
            dropped: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Bytes of all messages, each sent once, with this overhead for each.
    pub(super) fn bytes(&self, overhead: usize) -> usize {
        self.bytes + overhead * self.messages.len()
    }

    /// The length of the message that goes first.
    pub(super) fn next_length(&self) -> Option<usize> {
        self.messages.first_key_value().map(|(key, _)| key.length.0)
    }

    /// Messages that were dropped since there were too many.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes in a message of this encoded length. What it replaces, and what there is no room for,
    /// counts as sent: the tags of those are given back.
    pub(super) fn push(
        &mut self,
        message: Message,
        length: usize,
        name: Option<Name>,
        tag: Option<Tag>,
    ) -> Vec<Tag> {
        let mut ended = Vec::new();
        if let Some(old) = name.as_ref().and_then(|name| self.names.get(name).copied()) {
            ended.extend(self.remove(old).and_then(|broadcast| broadcast.tag));
        }
        let key = Key { transmits: 0, length: Reverse(length), id: Reverse(self.next) };
        self.next += 1;
        self.insert(key, Broadcast { message, name, tag });
        while self.messages.len() > self.most {
            // The one that was sent most.
            let Some(&last) = self.messages.last_key_value().map(|(key, _)| key) else { break };
            ended.extend(self.remove(last).and_then(|broadcast| broadcast.tag));
            self.dropped += 1;
        }
        ended
    }

    fn insert(&mut self, key: Key, broadcast: Broadcast) {
        if let Some(name) = &broadcast.name {
            self.names.insert(name.clone(), key);
        }
        self.bytes += key.length.0;
        self.messages.insert(key, broadcast);
    }

    fn remove(&mut self, key: Key) -> Option<Broadcast> {
        let broadcast = self.messages.remove(&key)?;
        self.bytes -= key.length.0;
        if let Some(name) = &broadcast.name {
            self.names.remove(name);
        }
        Some(broadcast)
    }

    /// What goes into the next packet, with lengths, no message twice. A message that has now been
    /// sent `limit` times is dropped, and its tag put into `ended`.
    pub(super) fn take(
        &mut self,
        room: Room,
        limit: u32,
        ended: &mut Vec<Tag>,
    ) -> Vec<(Message, usize)> {
        let mut taken = Vec::new();
        let mut again = Vec::new();
        let mut tier = 0;
        loop {
            let left = room.without(&taken);
            if left.parts == 0 || left.bytes <= room.overhead {
                break;
            }
            let longest = left.bytes - room.overhead;
            let Some(key) = self.first_that_fits(tier, longest) else { break };
            tier = key.transmits;
            let Some(broadcast) = self.remove(key) else { break };
            taken.push((broadcast.message.clone(), key.length.0));
            if key.transmits + 1 >= limit {
                ended.extend(broadcast.tag);
            } else {
                again.push((Key { transmits: key.transmits + 1, ..key }, broadcast));
            }
        }
        for (key, broadcast) in again {
            self.insert(key, broadcast);
        }
        taken
    }

    /// Of those sent least, from `tier` times on, the longest that is at most `longest`, and of
    /// those the newest.
    fn first_that_fits(&self, mut tier: u32, longest: usize) -> Option<Key> {
        loop {
            let from = Key { transmits: tier, length: Reverse(longest), id: Reverse(u64::MAX) };
            let range = (Bound::Included(from), Bound::Unbounded);
            let (&key, _) = self.messages.range(range).next()?;
            if key.length.0 <= longest {
                return Some(key);
            }
            // The first of a later tier, and too long: look for a shorter one there.
            tier = key.transmits;
        }
    }

    pub(super) fn assert_invariants(&self) {
        let bytes: usize = self.messages.keys().map(|key| key.length.0).sum();
        assert!(bytes == self.bytes, "bytes are summed");
        assert!(self.messages.len() <= self.most, "the queue is bounded");
        for (name, key) in &self.names {
            let broadcast = self.messages.get(key);
            assert!(broadcast.and_then(|broadcast| broadcast.name.as_ref()) == Some(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use bytes::Bytes;

    use super::*;

    fn message(text: &str) -> Message {
        Message::User(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn push(queue: &mut Queue, text: &str, name: Option<&str>) -> Vec<Tag> {
        let tag = Some(Tag(u64::from(text.as_bytes()[0])));
        queue.push(message(text), text.len(), name.map(Name::from), tag)
    }

    fn take(queue: &mut Queue, bytes: usize, limit: u32) -> (String, Vec<Tag>) {
        let mut ended = Vec::new();
        let room = Room { bytes, overhead: 2, parts: 127 };
        let taken = queue.take(room, limit, &mut ended);
        let words: Vec<String> = taken
            .into_iter()
            .map(|(message, length)| {
                let Message::User(bytes) = message else { panic!("not of ours") };
                assert_eq!(bytes.len(), length);
                String::from_utf8(bytes.to_vec()).unwrap()
            })
            .collect();
        queue.assert_invariants();
        (words.join(" "), ended)
    }

    #[test]
    fn what_was_sent_least_goes_first_then_the_longest_then_the_newest() {
        let mut queue = Queue::new(100);
        for text in ["a1", "b22", "c1", "d22"] {
            push(&mut queue, text, None);
        }
        assert_eq!(take(&mut queue, 10, 3).0, "d22 b22");
        assert_eq!(take(&mut queue, 14, 3).0, "c1 a1 d22");
        // d22 has been sent twice, the others once.
        assert_eq!(take(&mut queue, 100, 9).0, "b22 c1 a1 d22");
        assert_eq!(queue.bytes(2), 4 * 2 + 10);
    }

    #[test]
    fn a_message_is_sent_as_often_as_is_enough() {
        let mut queue = Queue::new(100);
        push(&mut queue, "a", None);
        let nothing = (String::new(), Vec::new());
        assert_eq!(take(&mut queue, 2, 3), nothing, "no room for it");
        assert_eq!(take(&mut queue, 3, 3), ("a".into(), Vec::new()));
        assert_eq!(take(&mut queue, 3, 3), ("a".into(), Vec::new()));
        assert_eq!(take(&mut queue, 3, 3), ("a".into(), Vec::from([Tag(97)])));
        assert_eq!(take(&mut queue, 3, 3), nothing);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_later_message_of_a_name_replaces_the_earlier_one() {
        let mut queue = Queue::new(100);
        push(&mut queue, "a", Some("x"));
        push(&mut queue, "b", Some("y"));
        push(&mut queue, "c", None);
        assert_eq!(take(&mut queue, 100, 9).0, "c b a");
        assert_eq!(push(&mut queue, "d", Some("x")), [Tag(97)]);
        assert_eq!(push(&mut queue, "e", None), []);
        assert_eq!(take(&mut queue, 100, 9).0, "e d c b");
    }

    #[test]
    fn of_too_many_the_one_that_was_sent_most_goes() {
        let mut queue = Queue::new(2);
        push(&mut queue, "a", Some("x"));
        take(&mut queue, 100, 9);
        push(&mut queue, "b", None);
        assert_eq!(push(&mut queue, "c", None), [Tag(97)]);
        assert_eq!((queue.len(), queue.dropped()), (2, 1));
        assert_eq!(take(&mut queue, 100, 9).0, "c b");
        assert_eq!(push(&mut queue, "d", Some("x")), [Tag(98)], "its name is free again");
    }

    #[test]
    fn shorter_ones_fill_what_longer_ones_leave() {
        let mut queue = Queue::new(100);
        for text in ["aaaa", "bbbbbbbb", "c"] {
            push(&mut queue, text, None);
        }
        take(&mut queue, 6, 9);
        assert_eq!(take(&mut queue, 9, 9).0, "c aaaa", "the longest one does not fit");
        let mut parts = Vec::new();
        let room = Room { bytes: 1000, overhead: 2, parts: 1 };
        assert_eq!(queue.take(room, 9, &mut parts).len(), 1);
    }

    #[test]
    fn a_thousand_messages_are_each_sent_their_number_of_times() {
        let mut queue = Queue::new(10_000);
        for number in 0..1000 {
            push(&mut queue, &format!("{number:08}"), None);
        }
        let (mut packets, mut messages) = (0, 0);
        while !queue.is_empty() {
            messages += take(&mut queue, 1400, 4).0.split(' ').count();
            packets += 1;
        }
        // 29 full packets would do, if a message might be twice in one of the last.
        assert_eq!((messages, packets), (4000, 32));
    }
}
