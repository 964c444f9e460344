//! Pings on behalf of others.

use alloc::collections::{BTreeMap, VecDeque};

use super::Address;
use crate::Time;

/// A ping that somebody else asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Relay {
    /// Where the answer goes.
    pub(super) to: Address,
    /// The number that it must have there.
    pub(super) seq: u32,
    /// Whether the lack of an answer is one.
    pub(super) nack: bool,
}

/// The pings under way for others, by the number that they have here.
///
/// - All wait equally long, so `order` is that of their deadlines; it begins with one under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Relays {
    under_way: BTreeMap<u32, Relay>,
    order: VecDeque<(Time, u32)>,
    most: usize,
}

impl Relays {
    pub(super) const fn new(most: usize) -> Self {
        Self { under_way: BTreeMap::new(), order: VecDeque::new(), most }
    }

    /// Begins one; `false` when there are too many.
    pub(super) fn begin(
        &mut self,
        own_seq: u32,
        deadline: Time,
        to: Address,
        seq: u32,
        nack: bool,
    ) -> bool {
        if self.order.len() >= self.most {
            return false;
        }
        self.under_way.insert(own_seq, Relay { to, seq, nack });
        self.order.push_back((deadline, own_seq));
        true
    }

    /// It was answered.
    pub(super) fn end(&mut self, own_seq: u32) -> Option<Relay> {
        let relay = self.under_way.remove(&own_seq);
        while self.order.front().is_some_and(|(_, seq)| !self.under_way.contains_key(seq)) {
            self.order.pop_front();
        }
        relay
    }

    /// One that was not answered in time.
    pub(super) fn expired(&mut self, now: Time) -> Option<Relay> {
        let &(deadline, own_seq) = self.order.front()?;
        (deadline <= now).then(|| self.end(own_seq)).flatten()
    }

    /// The earliest deadline.
    pub(super) fn timeout(&self) -> Option<Time> {
        self.order.front().map(|&(deadline, _)| deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swim::message::Addr;

    #[test]
    fn they_end_once_in_order_and_are_bounded() {
        let to = Address { addr: Addr::from([1, 2, 3, 4]), port: 7 };
        let mut relays = Relays::new(2);
        assert!(relays.begin(1, Time(10), to, 41, true));
        assert!(relays.begin(2, Time(20), to, 42, false));
        assert!(!relays.begin(3, Time(30), to, 43, true));
        assert_eq!(relays.timeout(), Some(Time(10)));
        assert_eq!(relays.end(1), Some(Relay { to, seq: 41, nack: true }));
        assert_eq!((relays.end(1), relays.timeout()), (None, Some(Time(20))));
        assert_eq!(relays.expired(Time(19)), None);
        assert_eq!(relays.expired(Time(20)), Some(Relay { to, seq: 42, nack: false }));
        assert_eq!((relays.expired(Time(99)), relays.timeout()), (None, None));
    }
}
