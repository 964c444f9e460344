//! What was heard before, so that it is told of once.
//!
//! The last 512 times of a clock have a slot each. What is older than that cannot be told from what
//! came before, and is dropped.

use alloc::vec::Vec;

use super::message::{Happening, LTime, Moment};

/// Times that are remembered.
const SLOTS: u64 = 512;
/// Queries of one time that are remembered.
const QUERIES_AT_ONCE: usize = 256;

/// Whether something was heard before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It is new.
    New,
    /// It was.
    Again,
    /// Nobody knows.
    Old,
    /// It is new, and there are too many of its time.
    Full,
}

/// Whether `ltime` is too old, when a clock shows `now`.
const fn is_old(ltime: LTime, now: LTime) -> bool {
    now.0 > SLOTS && ltime.0 < now.0 - SLOTS
}

fn slot(ltime: LTime) -> usize {
    usize::try_from(ltime.0 % SLOTS).expect("invariant: below 512")
}

/// Events.
///
/// - `slots` is empty or has 512 slots; what is in one has a time that belongs there.
/// - A moment has at most `most` events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Told {
    slots: Vec<Option<Moment>>,
    most: usize,
}

impl Told {
    pub(super) const fn new(most: usize) -> Self {
        Self { slots: Vec::new(), most }
    }

    /// What is remembered, in no order that means anything.
    pub(super) fn moments(&self) -> impl Iterator<Item = &Moment> {
        self.slots.iter().flatten()
    }

    pub(super) fn hear(&mut self, ltime: LTime, happening: &Happening, now: LTime) -> Heard {
        if is_old(ltime, now) {
            return Heard::Old;
        }
        if self.slots.is_empty() {
            self.slots.resize(slot(LTime(SLOTS - 1)) + 1, None);
        }
        let slot = &mut self.slots[slot(ltime)];
        let moment = match slot {
            Some(moment) if moment.ltime == ltime => moment,
            Some(_) | None => slot.insert(Moment { ltime, events: Vec::new() }),
        };
        if moment.events.contains(happening) {
            return Heard::Again;
        }
        if moment.events.len() >= self.most {
            return Heard::Full;
        }
        moment.events.push(happening.clone());
        Heard::New
    }
}

/// Queries, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    slots: Vec<(LTime, Vec<u32>)>,
}

impl Seen {
    pub(super) fn hear(&mut self, ltime: LTime, id: u32, now: LTime) -> Heard {
        if is_old(ltime, now) {
            return Heard::Old;
        }
        if self.slots.is_empty() {
            self.slots.resize(slot(LTime(SLOTS - 1)) + 1, (LTime(0), Vec::new()));
        }
        let (held, ids) = &mut self.slots[slot(ltime)];
        if *held != ltime {
            *held = ltime;
            ids.clear();
        }
        if ids.contains(&id) {
            return Heard::Again;
        }
        if ids.len() >= QUERIES_AT_ONCE {
            return Heard::Full;
        }
        ids.push(id);
        Heard::New
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn happening(name: &'static str) -> Happening {
        Happening { name: Bytes::from_static(name.as_bytes()), payload: Bytes::new() }
    }

    #[test]
    fn an_event_is_new_once_and_too_old_after_512_times() {
        let mut told = Told::new(2);
        let deploy = happening("deploy");
        assert_eq!(told.hear(LTime(1), &deploy, LTime(2)), Heard::New);
        assert_eq!(told.hear(LTime(1), &deploy, LTime(2)), Heard::Again);
        assert_eq!(told.hear(LTime(2), &deploy, LTime(3)), Heard::New, "another time");
        assert_eq!(told.hear(LTime(1), &happening("restart"), LTime(3)), Heard::New);
        assert_eq!(told.hear(LTime(1), &happening("third"), LTime(3)), Heard::Full);
        assert_eq!(told.hear(LTime(1), &deploy, LTime(513)), Heard::Again);
        assert_eq!(told.hear(LTime(1), &deploy, LTime(514)), Heard::Old);
        assert_eq!(told.hear(LTime(513), &deploy, LTime(514)), Heard::New, "takes the slot");
        assert_eq!(told.moments().count(), 2);
    }

    #[test]
    fn a_query_is_new_once() {
        let mut seen = Seen::default();
        assert_eq!(seen.hear(LTime(1), 7, LTime(2)), Heard::New);
        assert_eq!(seen.hear(LTime(1), 7, LTime(2)), Heard::Again);
        assert_eq!(seen.hear(LTime(1), 8, LTime(2)), Heard::New);
        assert_eq!(seen.hear(LTime(0), 7, LTime(2)), Heard::New, "0 is a time like any other");
        assert_eq!(seen.hear(LTime(1), 7, LTime(514)), Heard::Old);
        (0..300).for_each(|id| drop(seen.hear(LTime(3), id, LTime(4))));
        assert_eq!(seen.hear(LTime(3), 299, LTime(4)), Heard::Full);
    }
}
