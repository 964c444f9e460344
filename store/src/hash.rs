//! One number for the whole readable history: replicas that agree have the same one.
//!
//! It covers, in the order of keys and then of revisions, every version that a compaction at the
//! compact revision keeps, up to the revision asked for: its revision and the checksum of its
//! record, which stands in the index, so no value is read. Neither how far the pruning behind a
//! compaction has come nor what has been flushed makes a difference.

use crc32fast::Hasher;

use crate::key::Key;
use crate::{Error, Record, Store};

/// The checksum of a record, over all it holds.
pub(crate) fn checksum(record: &Record) -> u32 {
    let mut hasher = Hasher::new();
    match record {
        Record::Put(kv) => {
            let lease = kv.lease.map_or(0, |lease| lease.0);
            let mut head = [0; 40];
            let numbers = [kv.create_revision, kv.mod_revision, kv.version, lease];
            for (bytes, number) in head.chunks_exact_mut(8).zip(numbers) {
                bytes.copy_from_slice(&number.to_le_bytes());
            }
            head[32..].copy_from_slice(&(kv.key.len() as u64).to_le_bytes());
            hasher.update(&head);
            hasher.update(&kv.key);
            hasher.update(&kv.value);
        }
        Record::Tombstone { key } => hasher.update(key),
    }
    hasher.finalize()
}

/// A hash on the way. It may be stepped while writes go on: they do not change it.
#[derive(Clone, Debug)]
pub struct HashCursor {
    revision: i64,
    compact_revision: i64,
    after: Option<Key>,
    hasher: Hasher,
}

/// A hash of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HistoryHash {
    /// The hash.
    pub hash: u32,
    /// The compact revision it was taken at: hashes are comparable when this is equal, too.
    pub compact_revision: i64,
    /// The last revision it covers.
    pub hash_revision: i64,
}

impl HashCursor {
    /// The hash of what has been stepped over.
    #[must_use]
    pub fn finish(self) -> HistoryHash {
        HistoryHash {
            hash: self.hasher.finalize(),
            compact_revision: self.compact_revision,
            hash_revision: self.revision,
        }
    }
}

impl Store {
    /// Begins a hash of the history up to a revision; not positive: the newest.
    ///
    /// # Errors
    /// [`Error::FutureRevision`], [`Error::Compacted`].
    pub fn begin_hash(&self, revision: i64) -> Result<HashCursor, Error> {
        let revision = self.readable(revision)?;
        let compact_revision = self.compact_revision();
        Ok(HashCursor { revision, compact_revision, after: None, hasher: Hasher::new() })
    }

    /// Goes on over at most `max_keys` keys; true when it is done. A compaction in between makes
    /// it begin again, under the new compact revision.
    ///
    /// # Errors
    /// [`Error::Compacted`] when the revision of the hash itself has been compacted.
    pub fn step_hash(&self, cursor: &mut HashCursor, max_keys: usize) -> Result<bool, Error> {
        if cursor.compact_revision != self.compact_revision() {
            *cursor = self.begin_hash(cursor.revision)?;
        }
        for (seen, (key, known)) in self.index.all(cursor.after.as_deref()).enumerate() {
            let kept = known.kept(cursor.compact_revision);
            for version in kept.take_while(|version| version.main() <= cursor.revision) {
                let revision = version.revision();
                let mut entry = [0; 16];
                entry[..8].copy_from_slice(&revision.main.to_le_bytes());
                entry[8..12].copy_from_slice(&revision.sub.to_le_bytes());
                entry[12..].copy_from_slice(&version.crc.to_le_bytes());
                cursor.hasher.update(&entry);
            }
            if seen + 1 >= max_keys {
                cursor.after = Some(key.clone());
                return Ok(false);
            }
        }
        Ok(true)
    }
}
