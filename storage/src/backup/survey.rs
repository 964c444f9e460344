//! What is in a backup, found by building the store that it makes.

use std::io::Read;

use bytes::Bytes;
use protocol::Index;
use store::snapshot::Piece;
use store::{HistoryHash, Limits, Member, Recovery, Restoring, Store};

use super::{BackupError, BackupReader, Header};

/// Keys hashed at once.
const STEP: usize = 10_000;

/// What is in a backup. Everything was verified, and makes a state that a cluster can begin with.
#[derive(Clone, Debug)]
pub struct Survey {
    /// What the file says of itself.
    pub header: Header,
    /// The newest revision (main).
    pub revision: i64,
    /// The oldest readable revision (main); −1 before the first compaction.
    pub compact_revision: i64,
    /// Keys that are there at the newest revision.
    pub keys: u64,
    /// Records: changes of keys, dead ones included.
    pub records: u64,
    /// Leases.
    pub leases: u64,
    /// The members that had introduced themselves.
    pub members: Vec<Member>,
    /// The recoveries that the data has come through, each with the index of its entry.
    pub recoveries: Vec<(Index, Recovery)>,
    /// What `HashKV` gives at the newest revision.
    pub hash: HistoryHash,
}

/// Reads a whole backup and says what is in it. Holds the index of all keys in memory, as a member
/// does, and no values.
///
/// # Errors
/// [`BackupError`].
pub fn survey(input: impl Read) -> Result<Survey, BackupError> {
    let mut reader = BackupReader::open(input)?;
    let (mut meta, mut building, mut count) = (Vec::new(), None, 0);
    while let Some(piece) = reader.piece()? {
        match piece {
            Piece::Meta(more) => meta.extend(more),
            Piece::Records(records) => {
                count += records.len() as u64;
                let building = begin(&mut building, &mut meta)?;
                records.iter().for_each(|(revision, record)| building.record(*revision, record));
            }
            Piece::End(_) => {
                begin(&mut building, &mut meta)?;
            }
        }
    }
    let header = *reader.header();
    let Some(building) = building else { return Err(BackupError::Foreign) };
    let (store, _) = building.finish()?;
    if (store.revision(), store.applied()) != (header.revision, header.applied) {
        return Err(BackupError::damaged(0, "the header speaks of another state"));
    }
    Ok(Survey {
        header,
        revision: store.revision(),
        compact_revision: store.compact_revision(),
        keys: store.keys(),
        records: count,
        leases: store.lease_count() as u64,
        members: store.members().cloned().collect(),
        recoveries: store.recoveries().map(|(at, recovery)| (at, recovery.clone())).collect(),
        hash: hash(&store),
    })
}

fn begin<'a>(
    building: &'a mut Option<Restoring>,
    meta: &mut Vec<(Bytes, Bytes)>,
) -> Result<&'a mut Restoring, BackupError> {
    match building {
        Some(building) => Ok(building),
        none => Ok(none.insert(Store::restore(Limits::default(), std::mem::take(meta))?)),
    }
}

fn hash(store: &Store) -> HistoryHash {
    let readable = "invariant: the newest revision can be read";
    let mut cursor = store.begin_hash(0).expect(readable);
    while !store.step_hash(&mut cursor, STEP).expect(readable) {}
    cursor.finish()
}
