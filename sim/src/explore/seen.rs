//! The set of fingerprints.
//!
//! Open addressing with linear probing in shards that grow one at a time, so that growing never
//! needs half as much again as is there. A fingerprint is 64 bits of a good hash: among `n` states
//! the chance that any two share one is about `n² / 2⁶⁵`, and if they do, one of them is not
//! explored. 3·10⁸ states: one in four hundred.

/// One for each value of the lowest byte; places within a shard come from the upper bits.
const SHARDS: usize = 256;
const SMALLEST: usize = 64;

/// A set of words.
pub(super) struct Seen {
    shards: Vec<Shard>,
    count: u64,
}

struct Shard {
    /// 0 is nothing.
    slots: Vec<u64>,
    used: usize,
}

/// Where in `slots` a fingerprint belongs: its upper bits, scaled, so that growing keeps the order.
fn home(fingerprint: u64, slots: usize) -> usize {
    let scaled = (u128::from(fingerprint) * slots as u128) >> 64;
    usize::try_from(scaled).expect("invariant: below the number of slots")
}

impl Shard {
    /// Whether it is new.
    fn insert(&mut self, fingerprint: u64) -> bool {
        if self.used * 5 >= self.slots.len() * 4 {
            self.grow();
        }
        let mut at = home(fingerprint, self.slots.len());
        loop {
            match self.slots[at] {
                0 => break,
                same if same == fingerprint => return false,
                _ => at = if at + 1 == self.slots.len() { 0 } else { at + 1 },
            }
        }
        self.slots[at] = fingerprint;
        self.used += 1;
        true
    }

    fn grow(&mut self) {
        let larger = vec![0; self.slots.len() * 3 / 2];
        let old = std::mem::replace(&mut self.slots, larger);
        self.used = 0;
        for fingerprint in old.into_iter().filter(|&slot| slot != 0) {
            self.insert(fingerprint);
        }
    }
}

impl Seen {
    pub(super) fn new() -> Self {
        let shard = || Shard { slots: vec![0; SMALLEST], used: 0 };
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), count: 0 }
    }

    fn shard(fingerprint: u64) -> usize {
        usize::from(fingerprint.to_le_bytes()[0])
    }

    /// Touches the place of a fingerprint, so that several misses of the cache overlap.
    pub(super) fn touch(&self, fingerprint: u64) -> u64 {
        let slots = &self.shards[Self::shard(fingerprint)].slots;
        slots[home(fingerprint, slots.len())]
    }

    /// Whether it is new.
    pub(super) fn insert(&mut self, fingerprint: u64) -> bool {
        let new = self.shards[Self::shard(fingerprint)].insert(fingerprint.max(1));
        self.count += u64::from(new);
        new
    }

    pub(super) fn len(&self) -> u64 {
        self.count
    }

    pub(super) fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.slots.capacity() as u64 * 8).sum()
    }
}
