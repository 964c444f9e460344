//! The keys of a world: few, so that operations conflict.
//!
//! ```text
//! a/…           single keys: put, read and deleted one at a time, replaced when worn out
//! k/a/… k/c/…   shared keys, in three prefixes, with a few ugly ones among them
//! ```
//!
//! No range that is written, read or compared begins before `k/` as long as there are single keys:
//! the history of each of them can then be judged alone.

use bytes::Bytes;
use protocol::Rng;
use store::KeyRange;

/// Operations after which a single key is replaced.
const WORN: u32 = 200;
/// Unknown outcomes after which it is.
const UNSURE: u32 = 4;
/// Operations on one that may be under way or of unknown outcome.
const OPEN: u32 = 8;

/// A single key in use by an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    place: usize,
    generation: u32,
}

#[derive(Clone, Debug)]
struct Single {
    key: Bytes,
    generation: u32,
    used: u32,
    open: u32,
    unsure: u32,
}

/// All keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    shared: Vec<Bytes>,
    hot: u64,
    singles: Vec<Single>,
    prefixes: Vec<KeyRange>,
    ranges: Vec<KeyRange>,
    everything: KeyRange,
    generations: u32,
    /// Single keys given up.
    pub(crate) retired: u64,
}

/// Any place of a list that is not empty.
pub(crate) fn pick<'a, T>(rng: &mut Rng, list: &'a [T]) -> &'a T {
    let place = rng.below(list.len() as u64);
    &list[usize::try_from(place).expect("invariant: a place in a list")]
}

fn shared_key(place: u32) -> Bytes {
    match place {
        // The prefix itself, bytes that no text has, and a key of more than an index node's size.
        5 => Bytes::from_static(b"k/"),
        9 => Bytes::from_static(b"k/a\0"),
        14 => Bytes::from_static(b"k/c/\xff\xff"),
        19 => {
            let mut key = b"k/b/".to_vec();
            key.resize(600, b'x');
            Bytes::from(key)
        }
        _ => {
            let group = ['a', 'b', 'c'][usize::try_from(place % 3).unwrap_or(0)];
            Bytes::from(format!("k/{group}/{place:02}"))
        }
    }
}

/// The keys that begin with a prefix whose last byte is not the greatest.
fn under(prefix: &'static [u8]) -> KeyRange {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    KeyRange { key: Bytes::from_static(prefix), end: Bytes::from(end) }
}

impl Keys {
    pub(crate) fn new(shared: u32, hot: u32, singles: u32, rng: &mut Rng) -> Self {
        let shared: Vec<Bytes> = (0..shared.max(1)).map(shared_key).collect();
        let open = Bytes::from_static(&[0]);
        let first = if singles > 0 { &b"k/"[..] } else { &[0] };
        let everything = KeyRange { key: Bytes::from_static(first), end: open.clone() };
        let prefixes = [&b"k/a/"[..], b"k/b/", b"k/c/", b"k/", b"k/a"].map(under).to_vec();
        let mut ranges = Vec::new();
        for _ in 0..12 {
            let (one, other) = (pick(rng, &shared).clone(), pick(rng, &shared).clone());
            ranges.push(KeyRange { key: one.clone().min(other.clone()), end: one.max(other) });
        }
        ranges.push(KeyRange { key: pick(rng, &shared).clone(), end: open });
        let mut this = Self {
            hot: u64::from(hot.max(1)).min(shared.len() as u64),
            shared,
            singles: Vec::new(),
            prefixes,
            ranges,
            everything,
            generations: 0,
            retired: 0,
        };
        for _ in 0..singles {
            let single = this.fresh();
            this.singles.push(single);
        }
        this
    }

    fn fresh(&mut self) -> Single {
        let generation = self.generations;
        self.generations += 1;
        let key = Bytes::from(format!("a/{generation:04}"));
        Single { key, generation, used: 0, open: 0, unsure: 0 }
    }

    /// A shared key: half of the time a hot one.
    pub(crate) fn shared(&self, rng: &mut Rng) -> Bytes {
        let all = self.shared.len() as u64;
        let among = if rng.below(2) == 0 { self.hot } else { all };
        let place = usize::try_from(rng.below(among)).expect("invariant: a place in a list");
        self.shared[place].clone()
    }

    /// All keys with a prefix.
    pub(crate) fn prefix(&self, rng: &mut Rng) -> KeyRange {
        pick(rng, &self.prefixes).clone()
    }

    /// All keys between two, or from one on; now and then none.
    pub(crate) fn range(&self, rng: &mut Rng) -> KeyRange {
        pick(rng, &self.ranges).clone()
    }

    /// All keys, but for the single ones.
    pub(crate) fn everything(&self) -> KeyRange {
        self.everything.clone()
    }

    /// One key, a few, or all.
    pub(crate) fn any(&self, rng: &mut Rng) -> KeyRange {
        match rng.below(8) {
            0..3 => KeyRange::single(self.shared(rng)),
            3..5 => self.range(rng),
            5..7 => self.prefix(rng),
            _ => self.everything(),
        }
    }

    /// Takes a single key into use; `None` when there is none, or all are much used right now.
    pub(crate) fn single(&mut self, rng: &mut Rng) -> Option<(Bytes, Ticket)> {
        if self.singles.is_empty() {
            return None;
        }
        let place = usize::try_from(rng.below(self.singles.len() as u64)).ok()?;
        if self.singles[place].used >= WORN {
            self.retire(place);
        }
        let single = &mut self.singles[place];
        if single.open + single.unsure >= OPEN {
            return None;
        }
        single.used += 1;
        single.open += 1;
        Some((single.key.clone(), Ticket { place, generation: single.generation }))
    }

    /// Gives a single key back.
    pub(crate) fn give_back(&mut self, ticket: Ticket, unsure: bool) {
        let single = &mut self.singles[ticket.place];
        if single.generation != ticket.generation {
            return;
        }
        single.open -= 1;
        single.unsure += u32::from(unsure);
        if single.unsure >= UNSURE {
            self.retire(ticket.place);
        }
    }

    fn retire(&mut self, place: usize) {
        self.retired += 1;
        self.singles[place] = self.fresh();
    }
}
