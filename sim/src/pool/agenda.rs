//! What is going to happen to whom, in the order of time and, at one time, of scheduling.
//!
//! A binary heap. In a quiet pool it holds a wake-up a member and what is under way, so it is a
//! dozen levels deep and its upper ones stay in the cache; what arrives stands beside it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use protocol::Time;

/// No arrival: the member wants to be woken.
const WAKE: u32 = u32::MAX;

/// Things to happen, each to a member.
#[derive(Debug)]
pub(super) struct Agenda<A> {
    heap: BinaryHeap<Reverse<(Time, u64, u32, u32)>>,
    arrivals: Vec<Option<A>>,
    free: Vec<u32>,
    next: u64,
}

/// What is due.
#[derive(Debug)]
pub(super) enum Due<A> {
    Wake,
    Arrival(A),
}

impl<A> Agenda<A> {
    pub(super) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), arrivals: Vec::new(), free: Vec::new(), next: 0 }
    }

    /// A member is to be woken.
    pub(super) fn wake(&mut self, at: Time, member: u32) {
        self.put(at, member, WAKE);
    }

    /// Something arrives at a member.
    pub(super) fn arrive(&mut self, at: Time, member: u32, arrival: A) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.arrivals.push(None);
            u32::try_from(self.arrivals.len() - 1).expect("invariant: fewer are under way")
        });
        self.arrivals[place as usize] = Some(arrival);
        self.put(at, member, place);
    }

    fn put(&mut self, at: Time, member: u32, place: u32) {
        self.heap.push(Reverse((at, self.next, member, place)));
        self.next += 1;
    }

    /// What is due first, if that is not after `end`: when, to whom, what.
    pub(super) fn pop(&mut self, end: Time) -> Option<(Time, u32, Due<A>)> {
        let &Reverse((at, ..)) = self.heap.peek()?;
        if at > end {
            return None;
        }
        let Reverse((at, _, member, place)) = self.heap.pop()?;
        if place == WAKE {
            return Some((at, member, Due::Wake));
        }
        self.free.push(place);
        Some((at, member, Due::Arrival(self.arrivals[place as usize].take()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_orders_and_then_the_order_of_scheduling() {
        let mut agenda = Agenda::new();
        for (at, member, arrival) in [(5, 0, 'a'), (3, 1, 'b'), (5, 2, 'c'), (3, 3, 'd')] {
            agenda.arrive(Time(at), member, arrival);
        }
        agenda.wake(Time(4), 9);
        let mut order = String::new();
        while let Some((_, member, due)) = agenda.pop(Time(5)) {
            match due {
                Due::Wake => order += &format!("{member}"),
                Due::Arrival(arrival) => order.push(arrival),
            }
        }
        assert_eq!(order, "bd9ac");
        agenda.arrive(Time(8), 0, 'e');
        assert!(agenda.pop(Time(7)).is_none());
        assert_eq!((agenda.heap.len(), agenda.arrivals.len()), (1, 4), "places are used again");
    }
}
