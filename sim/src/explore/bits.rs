//! Hashing, without secrets and without surprises.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use xxhash_rust::xxh3::Xxh3;

/// A bijection of words that leaves no bit where it was (the finaliser of `SplitMix64`).
pub(super) const fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// 128 bits that stand for a value: two that differ never meet here.
pub(super) fn digest(value: &impl Hash) -> u128 {
    let mut hasher = Xxh3::new();
    value.hash(&mut hasher);
    hasher.digest128()
}

/// A small number that fits into a byte.
pub(super) fn narrow(number: usize) -> u8 {
    u8::try_from(number).expect("invariant: counts of a box are small")
}

/// A hasher for keys that are words.
#[derive(Default)]
pub(super) struct Words(u64);

impl Hasher for Words {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = mix(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word);
    }

    fn write_u128(&mut self, word: u128) {
        let [low, high] = [word, word >> 64].map(|half| half & u128::from(u64::MAX));
        let halves = [low, high].map(|half| u64::try_from(half).expect("invariant: masked"));
        self.0 = halves[0] ^ halves[1].rotate_left(32);
    }
}

/// A map from words.
pub(super) type WordMap<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<Words>>;
