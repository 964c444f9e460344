//! One number for the state as it is at an entry of the log: members that agree have the same one.
//!
//! The newest version of every key that lives is a point, made of its revision and the checksum of
//! its record, which stands in the index; the sum of all points is kept up with every change, at
//! the price of two multiplications a key. So is a sum over the sessions and the answers that they
//! keep. To both come, when the number is asked for, what is few: the store's numbers, the leases
//! with their deadlines, the alarms, the members, who was removed, and the wishes in line.
//!
//! Laws:
//!
//! - the number goes by what was applied, and by nothing else: neither by what has been flushed,
//!   nor by how far the pruning behind a compaction has come, nor by restarts or snapshots;
//! - members of one cluster reckon alike: a version that covers more, or mixes otherwise, must not
//!   compare its number with those of older ones, so it tells it under a command of its own;
//! - at a start the sum is made anew from the records that the backend holds. So a record that was
//!   lost or changed there is noticed as well as one that was applied wrongly.
//!
//! What is left out: versions that are no longer the newest; each was covered while it was. The sum
//! finds accidents, not forgery: a record counts with the 32 bits of its checksum.

use alloc::vec::Vec;

use protocol::Index;

use crate::key_index::Version;
use crate::meta::{Name, encode};
use crate::{LeaseId, Store};

/// Mixes a word into a number: the finalizer of SplitMix64, which spreads every bit over all.
///
/// Source: G. Steele, D. Lea, C. Flood, *Fast Splittable Pseudorandom Number Generators*, 2014.
pub(crate) const fn mix(seed: u64, word: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ word;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The newest versions of all keys that live, as one sum: the order in which they came is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum(u64);

impl Sum {
    pub(crate) const fn add(&mut self, version: &Version) {
        self.0 = self.0.wrapping_add(point(version));
    }

    pub(crate) const fn take(&mut self, version: &Version) {
        self.0 = self.0.wrapping_sub(point(version));
    }
}

const fn point(version: &Version) -> u64 {
    let revision = version.revision();
    let low = (revision.sub as u64) << 32 | version.crc as u64;
    mix(revision.main.cast_unsigned(), low)
}

impl Store {
    /// The number of the state as it is now.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        let numbers = [
            self.revision.cast_unsigned(),
            self.compact_revision.cast_unsigned(),
            self.leases.clock_ms(),
            self.index.live(),
            self.sessions.sum(),
        ];
        let hash = numbers.into_iter().fold(self.sum.0, mix);
        let hash = self.leases.all_terms().fold(hash, |hash, (LeaseId(id), ttl, deadline)| {
            let deadline = deadline.map_or(0, |deadline| deadline + 1);
            mix(mix(mix(hash, id.cast_unsigned()), ttl.cast_unsigned()), deadline)
        });
        let alarms = self.alarms.iter().map(|(by, what)| Name::Alarm(*by, *what));
        let short = self.short.iter().map(|by| Name::Short(*by));
        let members = self.members.keys().map(|id| Name::Member(*id));
        let hash = self.removed().fold(hash, |hash, id| mix(hash, id.0));
        let few = alarms.chain(short).chain(members).chain([Name::Membership, Name::Queue]);
        few.fold(hash, |hash, name| {
            let (name, value) = encode(self, name);
            let bytes: Vec<u8> = name.iter().chain(value.iter().flatten()).copied().collect();
            mix(mix(hash, bytes.len() as u64), u64::from(crc32fast::hash(&bytes)))
        })
    }

    /// Notes for all starts to come that this state differs from that of a majority since about
    /// this entry: it must not be served any more. Durable with the next flush.
    pub fn condemn(&mut self, at: Index) {
        self.condemned = Some(at);
        self.dirty.insert(Name::Condemned);
    }

    /// The sum, from the index.
    pub(crate) fn sum_anew(&mut self) {
        self.sum = Sum::default();
        for version in self.index.all(None).filter_map(|(_, known)| known.live()) {
            self.sum.add(version);
        }
    }

    /// Checks that the sum that is kept up is the sum.
    ///
    /// # Panics
    /// When it is not: for tests.
    pub fn assert_sum(&self) {
        let mut anew = self.clone();
        anew.sum_anew();
        assert!(anew.sum == self.sum, "the sum that is kept up is the sum");
        assert!(self.sessions.sum_anew() == self.sessions.sum(), "so is that of the sessions");
    }
}
