//! What was heard before, so that it is told of once.
//!
//! The last 512 times of a clock have a slot each. What is older than that cannot be told from what
//! came before, and is dropped. The same holds for what is older than the room for events: the
//! newest are kept, so that whoever fills the room keeps nobody from hearing what comes after.

use alloc::vec::Vec;

use bytes::Bytes;

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
    /// It is new, and there are too many of its time, or of later ones.
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
/// - `bytes` is the sum of all names and payloads, and at most `room`.
/// - Nothing is remembered from before `floor`: that had to make room for what came later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Told {
    slots: Vec<Option<Moment>>,
    most: usize,
    bytes: usize,
    room: usize,
    floor: LTime,
}

impl Told {
    pub(super) const fn new(most: usize, room: usize) -> Self {
        Self { slots: Vec::new(), most, bytes: 0, room, floor: LTime(0) }
    }

    /// What is remembered, in no order that means anything.
    pub(super) fn moments(&self) -> impl Iterator<Item = &Moment> {
        self.slots.iter().flatten()
    }

    pub(super) fn hear(&mut self, ltime: LTime, happening: &Happening, now: LTime) -> Heard {
        if is_old(ltime, now) || ltime < self.floor {
            return Heard::Old;
        }
        if self.slots.is_empty() {
            self.slots.resize(slot(LTime(SLOTS - 1)) + 1, None);
        }
        let at = slot(ltime);
        if self.slots[at].as_ref().is_none_or(|moment| moment.ltime != ltime) {
            self.forget(at);
        }
        let events = self.slots[at].as_ref().map_or(&[][..], |moment| moment.events.as_slice());
        if events.contains(happening) {
            return Heard::Again;
        }
        if events.len() >= self.most || !self.make_room(ltime, length(happening)) {
            return Heard::Full;
        }
        self.bytes += length(happening);
        let moment = self.slots[at].get_or_insert_with(|| Moment { ltime, events: Vec::new() });
        // What is kept must not hold on to the packet that it came in.
        moment.events.push(Happening {
            name: Bytes::copy_from_slice(&happening.name),
            payload: Bytes::copy_from_slice(&happening.payload),
        });
        Heard::New
    }

    /// Forgets the oldest until there is room for an event of this time. What is as old is not
    /// forgotten for it, and nothing for what will have no room all the same.
    fn make_room(&mut self, ltime: LTime, bytes: usize) -> bool {
        let older = self.moments().filter(|moment| moment.ltime < ltime);
        let older: usize = older.flat_map(|moment| &moment.events).map(length).sum();
        if self.bytes - older + bytes > self.room {
            return false;
        }
        while self.bytes + bytes > self.room {
            let times = self.moments().map(|moment| moment.ltime);
            let Some(oldest) = times.filter(|time| *time < ltime).min() else { return false };
            self.forget(slot(oldest));
            self.floor = LTime(oldest.0 + 1);
        }
        true
    }

    fn forget(&mut self, at: usize) {
        let old = self.slots[at].take();
        self.bytes -= old.iter().flat_map(|old| &old.events).map(length).sum::<usize>();
    }

    pub(super) fn assert_invariants(&self) {
        let events = self.moments().flat_map(|moment| &moment.events);
        assert!(self.bytes == events.map(length).sum::<usize>(), "bytes are summed");
        assert!(self.bytes <= self.room, "events are bounded");
        assert!(self.moments().all(|moment| moment.ltime >= self.floor), "the newest are kept");
        let bounded = self.moments().all(|moment| moment.events.len() <= self.most);
        assert!(bounded, "the events of a time are bounded");
    }
}

fn length(happening: &Happening) -> usize {
    happening.name.len() + happening.payload.len()
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
    use super::*;

    fn happening(name: &'static str) -> Happening {
        Happening { name: Bytes::from_static(name.as_bytes()), payload: Bytes::new() }
    }

    #[test]
    fn an_event_is_new_once_and_too_old_after_512_times() {
        let mut told = Told::new(2, 100);
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
    fn events_take_so_much_room_and_give_it_back() {
        let mut told = Told::new(9, 20);
        assert_eq!(told.hear(LTime(1), &happening("eight-at"), LTime(2)), Heard::New);
        assert_eq!(told.hear(LTime(2), &happening("twelve-bytes"), LTime(3)), Heard::New);
        assert_eq!(told.hear(LTime(513), &happening("eight-of"), LTime(514)), Heard::New);
        told.assert_invariants();
        assert_eq!(told.bytes, 20);
    }

    #[test]
    fn the_newest_events_are_heard_and_the_oldest_make_room() {
        let mut told = Told::new(9, 20);
        let hear = |told: &mut Told, time: u64, name: &'static str| {
            let heard = told.hear(LTime(time), &happening(name), LTime(8));
            told.assert_invariants();
            heard
        };
        assert_eq!(hear(&mut told, 3, "eight-at"), Heard::New);
        assert_eq!(hear(&mut told, 5, "twelve-bytes"), Heard::New);
        // There is room for it beside the later one only.
        assert_eq!(hear(&mut told, 6, "x"), Heard::New);
        assert_eq!((told.moments().count(), told.bytes), (2, 13));
        // Whether these came before is not known any more, and none is told of twice.
        assert_eq!(hear(&mut told, 3, "eight-at"), Heard::Old);
        assert_eq!(hear(&mut told, 3, "another"), Heard::Old);
        assert_eq!(hear(&mut told, 4, "nine-at-4"), Heard::Full, "all that is there is later");
        assert_eq!(hear(&mut told, 5, "twelve-bytes"), Heard::Again, "and stays");
        assert_eq!(hear(&mut told, 7, "twenty-one-bytes-long"), Heard::Full);
        assert_eq!(hear(&mut told, 5, "eleven-at-5"), Heard::Full, "as much is as old");
        assert_eq!(told.moments().count(), 2, "nothing makes room in vain");
        // One that takes all the room is heard, too.
        assert_eq!(hear(&mut told, 7, "twenty-bytes-of-name"), Heard::New);
        assert_eq!((told.moments().count(), told.bytes), (1, 20));
        assert_eq!(hear(&mut told, 7, "yy"), Heard::Full, "it is as old");
        assert_eq!(hear(&mut told, 6, "x"), Heard::Old);
    }

    #[test]
    fn a_query_is_new_once() {
        let mut seen = Seen::default();
        assert_eq!(seen.hear(LTime(1), 7, LTime(2)), Heard::New);
        assert_eq!(seen.hear(LTime(1), 7, LTime(2)), Heard::Again);
        assert_eq!(seen.hear(LTime(1), 8, LTime(2)), Heard::New);
        assert_eq!(seen.hear(LTime(0), 7, LTime(2)), Heard::New, "0 is a time like any other");
        assert_eq!(seen.hear(LTime(1), 7, LTime(514)), Heard::Old);
        for id in 0..300 {
            let heard = seen.hear(LTime(3), id, LTime(4));
            assert_eq!(heard, if id < 256 { Heard::New } else { Heard::Full });
        }
    }
}
