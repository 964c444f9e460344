//! From what a backend holds to a store: at start, and from a snapshot.
//!
//! The metadata of one flush, then every record in the order of revisions. The index is built
//! anew; records that a compaction has killed and that are still in the backend are named at the
//! end. The revision comes from the metadata, never from the records (etcd #17780); since no
//! compaction drops a record of the newest revision, one must be there, or something was lost. The
//! one exception is written down beside it: revisions that were skipped on purpose.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use protocol::Index;
use protocol::mutant::{Mutant, planted};

use crate::codec::DecodeError;
use crate::compact::Pruning;
use crate::hash::checksum;
use crate::key_index::Version;
use crate::meta::{Gap, Kept, decode};
use crate::recent::Recent;
use crate::store::FIRST_REVISION;
use crate::{LeaseId, Limits, MemberTable, Record, Revision, Store};

/// Why a state could not be restored: it is not one that a flush has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// A piece of metadata has no meaning.
    Meta(DecodeError),
    /// There is metadata, but not the store's numbers.
    NoState,
    /// The store's numbers contradict each other.
    Numbers,
    /// A record came out of order, or is newer than the state it belongs to.
    Order(Revision),
    /// A record's own revision is not the one it stands under.
    Misplaced(Revision),
    /// There is no record of the newest revision.
    Lost(i64),
    /// The state was found to differ from that of a majority of members, at about this entry.
    Differs(Index),
    /// A key hangs on a lease that does not exist.
    NoLease(LeaseId),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meta(error) => write!(f, "metadata is damaged: {error}"),
            Self::NoState => f.write_str("metadata without the store's numbers"),
            Self::Numbers => f.write_str("the store's numbers contradict each other"),
            Self::Order(at) => write!(f, "record {at} is out of order"),
            Self::Misplaced(at) => write!(f, "record {at} says that it belongs elsewhere"),
            Self::Lost(main) => write!(f, "no record of revision {main}, which was the newest"),
            Self::Differs(at) => write!(
                f,
                "this state was found at entry {at} to differ from that of a majority of members: \
                 it must not be served"
            ),
            Self::NoLease(id) => write!(f, "a key hangs on lease {id}, which does not exist"),
        }
    }
}

impl core::error::Error for RestoreError {}

/// A store on its way back.
#[derive(Clone, Debug)]
pub struct Restoring {
    store: Store,
    last: Option<Revision>,
    attached: BTreeMap<Box<[u8]>, LeaseId>,
    gap: Option<Gap>,
    error: Option<RestoreError>,
}

impl Store {
    /// Begins to restore a store from a backend's metadata; without any, it is a new one.
    ///
    /// # Errors
    /// When a flush cannot have written this.
    pub fn restore(limits: Limits, meta: Vec<(Bytes, Bytes)>) -> Result<Restoring, RestoreError> {
        let mut store = Self::new(limits);
        let (mut state, mut gap) = (None, None);
        let fresh = meta.is_empty();
        for (name, value) in meta {
            match decode(&name, value).map_err(RestoreError::Meta)? {
                Kept::State(kept) => state = Some(kept),
                Kept::Lease { id, ttl, deadline } => store.leases.restore(id, ttl, deadline),
                Kept::Alarm(member, alarm) => {
                    store.alarms.insert((member, alarm));
                }
                Kept::Short(member) => {
                    store.short.insert(member);
                }
                Kept::Condemned(at) => return Err(RestoreError::Differs(at)),
                Kept::Installed(at) => store.installed = Some(at),
                Kept::Session(client, session) => store.sessions.restore(client, session),
                Kept::Bumped(skipped) => gap = Some(skipped),
                Kept::Membership(membership) => {
                    MemberTable::of(&membership).map_err(RestoreError::Meta)?;
                    store.roster.membership = Some(membership);
                }
                Kept::Removed(id) => {
                    store.roster.removed.insert(id);
                }
                Kept::Queue(queue) => store.roster.queue = queue,
                Kept::Recovery(at, recovery) => {
                    store.recoveries.insert(at, recovery);
                }
                Kept::Member(member) => {
                    store.members.insert(member.id, member);
                }
            }
        }
        match state {
            Some(state) => {
                let next = state.revision.checked_add(1).map(|main| Revision::new(main, 0));
                let next = next.ok_or(RestoreError::Numbers)?;
                if state.revision < store.revision || state.compact_revision > state.revision {
                    return Err(RestoreError::Numbers);
                }
                store.revision = state.revision;
                store.compact_revision = state.compact_revision;
                store.pruning = Pruning::new(state.compact_revision);
                store.applied = state.applied;
                store.flushed = state.applied;
                store.leases.restore_clock(state.clock_ms);
                store.recent = Recent::new(next);
            }
            None if fresh => {}
            None => return Err(RestoreError::NoState),
        }
        Ok(Restoring { store, last: None, attached: BTreeMap::new(), gap, error: None })
    }
}

impl Restoring {
    /// Takes the next record; they come in the order of revisions. A record that cannot be is
    /// remembered, and [`Restoring::finish`] says so.
    pub fn record(&mut self, revision: Revision, record: &Record) {
        if self.error.is_some() {
            return;
        }
        if self.last.is_some_and(|last| last >= revision) || revision.main > self.store.revision {
            self.error = Some(RestoreError::Order(revision));
            return;
        }
        self.last = Some(revision);
        let crc = checksum(record);
        let (key, version) = match record {
            Record::Put(kv) => {
                if kv.mod_revision != revision.main {
                    self.error = Some(RestoreError::Misplaced(revision));
                    return;
                }
                let life = (kv.create_revision, kv.version);
                (&kv.key, Version::put(revision, crc, life, kv.lease.is_some()))
            }
            Record::Tombstone { key } => (key, Version::tombstone(revision, crc)),
        };
        let Some(leased) = self.store.index.restore(key, version) else {
            self.error = Some(RestoreError::Order(revision));
            return;
        };
        match record {
            Record::Put(kv) if kv.lease.is_some() => {
                self.attached.insert(key[..].into(), kv.lease.expect("just seen"));
            }
            Record::Put(_) | Record::Tombstone { .. } if leased => {
                self.attached.remove(&key[..]);
            }
            Record::Put(_) | Record::Tombstone { .. } => {}
        }
    }

    /// The store, and the records that are dead though the backend still holds them.
    ///
    /// # Errors
    /// When a flush cannot have written what was read.
    pub fn finish(self) -> Result<(Store, Vec<Revision>), RestoreError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut store = self.store;
        let newest = self.last.map_or(FIRST_REVISION, |last| last.main);
        if planted(Mutant::M5) {
            store.revision = newest;
            store.recent = Recent::new(Revision::new(newest + 1, 0));
        }
        let skipped = |gap: Gap| gap.to == store.revision && newest <= gap.from;
        if newest != store.revision && !self.gap.is_some_and(skipped) {
            return Err(RestoreError::Lost(store.revision));
        }
        let mut dead = Vec::new();
        store.index.prune(None, None, (store.compact_revision, usize::MAX), &mut dead);
        dead.sort_unstable();
        store.sum_anew();
        store.leases.restore_keys(self.attached);
        match store.leases.missing() {
            Some(id) => Err(RestoreError::NoLease(id)),
            None => Ok((store, dead)),
        }
    }
}
