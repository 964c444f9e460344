//! What is going to happen, in the order of time and, at one time, of scheduling.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use protocol::Time;

/// A priority queue over virtual time. Events stand in a slab, so that the heap moves three words.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Reverse<(Time, u64, usize)>>,
    slab: Vec<Option<E>>,
    free: Vec<usize>,
    next: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), slab: Vec::new(), free: Vec::new(), next: 0 }
    }
}

impl<E> Queue<E> {
    /// Adds an event.
    pub(crate) fn push(&mut self, time: Time, event: E) {
        let slot = self.free.pop().unwrap_or(self.slab.len());
        if slot == self.slab.len() {
            self.slab.push(Some(event));
        } else {
            self.slab[slot] = Some(event);
        }
        self.heap.push(Reverse((time, self.next, slot)));
        self.next += 1;
    }

    /// When the next one is due.
    pub(crate) fn time(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((time, _, _))| *time)
    }

    /// The next one.
    pub(crate) fn peek(&self) -> Option<(Time, &E)> {
        let Reverse((time, _, slot)) = self.heap.peek()?;
        Some((*time, self.slab[*slot].as_ref()?))
    }

    /// Takes the next one.
    pub(crate) fn pop(&mut self) -> Option<(Time, E)> {
        let Reverse((time, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        Some((time, self.slab[slot].take()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_orders_and_then_the_order_of_scheduling() {
        let mut queue = Queue::default();
        for (time, event) in [(5, 'a'), (3, 'b'), (5, 'c'), (3, 'd')] {
            queue.push(Time(time), event);
        }
        assert_eq!(queue.time(), Some(Time(3)));
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, "bdac");
        queue.push(Time(1), 'e');
        assert_eq!(queue.peek(), Some((Time(1), &'e')));
    }
}
