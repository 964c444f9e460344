//! What the crowd has still to do, by time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use protocol::Time;

use crate::seen::Place;

/// Something to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A client has thought enough.
    Wake(usize),
    /// A request reaches its node.
    Arrive(usize, Place),
    /// An answer reaches its client.
    Answered(usize),
    /// A client may ask another node for what it has numbered.
    Again(usize),
    /// A client may have waited long enough.
    Patience(usize),
    /// A watcher has an idea.
    Idea(usize),
    /// The next message of a watcher's stream reaches its node.
    Send(usize, u64),
    /// A watcher reads what has come on its stream.
    Drain(usize, u64),
}

/// An event with its time; events of one time happen in the order in which they were noted.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Time,
    number: u64,
    event: Event,
}

impl Ord for Due {
    /// The heap gives the greatest first: that is the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Due {}

/// All that is to be done.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    due: BinaryHeap<Due>,
    next: u64,
}

impl Agenda {
    /// Notes an event.
    pub(super) fn add(&mut self, at: Time, event: Event) {
        self.due.push(Due { at, number: self.next, event });
        self.next += 1;
    }

    /// The time of the first event.
    #[inline]
    pub(super) fn next_time(&self) -> Option<Time> {
        self.due.peek().map(|due| due.at)
    }

    /// The first event, if its time has come.
    pub(super) fn pop(&mut self, now: Time) -> Option<Event> {
        if self.next_time()? > now {
            return None;
        }
        self.due.pop().map(|due| due.event)
    }
}
