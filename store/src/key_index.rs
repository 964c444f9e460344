//! The versions of one key.
//!
//! A key lives from the put that creates it to its deletion, and may live again; etcd calls each
//! such life a generation. Here every version carries what its generation has to say about it (the
//! revision of creation and the number of puts since), so that the versions of all generations
//! stand in one list, ascending, and cutting old ones off needs no repair of what remains:
//!
//! ```text
//! put@2.0  put@5.0  tombstone@7.1  put@9.0        compact(6) drops put@2.0,
//! c=2 v=1  c=2 v=2                 c=9 v=1        compact(7) put@5.0, compact(8) tombstone@7.1
//! ```
//!
//! Most keys have one version: it stands in the key's own entry, and only older ones need a list.

use alloc::boxed::Box;
use alloc::vec::Vec;

use protocol::mutant::{Mutant, planted};

use crate::Revision;

/// One change of a key, as the index remembers it: all but the value and the lease's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// `main << 1`, plus 1 when the key hangs on a lease.
    stamp: u64,
    sub: u32,
    /// Of the record ([`crate::hash::checksum`]).
    pub(crate) crc: u32,
    /// The revision (main) that created this life of the key; 0 for a tombstone.
    pub(crate) created: i64,
    /// Puts in this life of the key; 0 for a tombstone.
    pub(crate) version: i64,
}

impl Version {
    /// A deletion.
    pub(crate) const fn tombstone(revision: Revision, crc: u32) -> Self {
        let stamp = revision.main.cast_unsigned() << 1;
        Self { stamp, sub: revision.sub, crc, created: 0, version: 0 }
    }

    /// A put.
    pub(crate) const fn put(
        revision: Revision,
        crc: u32,
        (created, version): (i64, i64),
        leased: bool,
    ) -> Self {
        let stamp = revision.main.cast_unsigned() << 1 | leased as u64;
        Self { stamp, sub: revision.sub, crc, created, version }
    }

    pub(crate) const fn main(&self) -> i64 {
        (self.stamp >> 1).cast_signed()
    }

    pub(crate) const fn revision(&self) -> Revision {
        Revision::new(self.main(), self.sub)
    }

    /// Whether the key hung on a lease.
    pub(crate) const fn leased(&self) -> bool {
        self.stamp & 1 == 1
    }

    pub(crate) const fn is_tombstone(&self) -> bool {
        self.version == 0
    }
}

/// All versions of a key that compaction has left.
///
/// - there is at least one;
/// - their main revisions ascend strictly: a transaction changes a key at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyIndex {
    newest: Version,
    older: Option<Box<Older>>,
}

/// Behind a pointer, so that a key with one version pays 8 bytes for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Older {
    versions: Vec<Version>,
}

impl KeyIndex {
    pub(crate) const fn new(first: Version) -> Self {
        Self { newest: first, older: None }
    }

    pub(crate) const fn newest(&self) -> &Version {
        &self.newest
    }

    /// The newest version, unless it is a deletion.
    pub(crate) fn live(&self) -> Option<&Version> {
        (!self.newest.is_tombstone()).then_some(&self.newest)
    }

    pub(crate) fn push(&mut self, version: Version) {
        assert!(version.main() > self.newest.main(), "a transaction changes a key at most once");
        let older = self.older.get_or_insert_default();
        older.versions.push(self.newest);
        self.newest = version;
    }

    /// What the key was at a revision (main): the newest version up to it, be it a tombstone.
    pub(crate) fn at(&self, main: i64) -> Option<&Version> {
        if self.newest.main() <= main {
            return Some(&self.newest);
        }
        let older = self.older()?;
        older[..older.partition_point(|version| version.main() <= main)].last()
    }

    /// What the key was at a revision, if it was.
    pub(crate) fn live_at(&self, main: i64) -> Option<&Version> {
        self.at(main).filter(|version| !version.is_tombstone())
    }

    /// The versions that a compaction at `compact` keeps, ascending: those after it, and the one
    /// it finds, unless that is a deletion. A deletion exactly at `compact` stays, so that a
    /// watch from there sees it (etcd #18089, #19179).
    pub(crate) fn kept(&self, compact: i64) -> impl Iterator<Item = &Version> {
        self.versions().skip(self.dead(compact))
    }

    /// Forgets what a compaction drops; true when nothing remains.
    pub(crate) fn prune(&mut self, compact: i64, dropped: &mut Vec<Revision>) -> bool {
        let dead = self.dead(compact);
        if dead == 0 {
            return false;
        }
        dropped.extend(self.versions().take(dead).map(Version::revision));
        let Some(older) = &mut self.older else { return true };
        if dead > older.versions.len() {
            return true;
        }
        older.versions.drain(..dead);
        if older.versions.is_empty() {
            self.older = None;
        } else if older.versions.capacity() > 4 * older.versions.len() {
            older.versions.shrink_to_fit();
        }
        false
    }

    /// How many of the oldest versions a compaction drops.
    fn dead(&self, compact: i64) -> usize {
        let older = self.older().unwrap_or_default();
        let (reached, anchor) = if self.newest.main() <= compact {
            (older.len() + 1, &self.newest)
        } else {
            match older.partition_point(|version| version.main() <= compact) {
                0 => return 0,
                reached => (reached, &older[reached - 1]),
            }
        };
        let past = anchor.main() < compact || planted(Mutant::M4) || planted(Mutant::M5);
        let gone = anchor.is_tombstone() && past;
        reached - usize::from(!gone)
    }

    fn older(&self) -> Option<&[Version]> {
        self.older.as_ref().map(|older| older.versions.as_slice())
    }

    fn versions(&self) -> impl Iterator<Item = &Version> {
        self.older().unwrap_or_default().iter().chain(core::iter::once(&self.newest))
    }
}
