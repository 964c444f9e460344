//! Puts and deletions.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use protocol::mutant::{Mutant, planted};

use crate::hash::checksum;
use crate::key_index::Version;
use crate::store::{held, key_value};
use crate::{
    DeleteRange, Error, Event, EventKind, KeyRange, KeyValue, Outcome, Previous, Put, Record,
    Revision, Store,
};

/// The revisions that one command takes: none until its first change.
#[derive(Debug)]
pub(crate) struct Changes {
    begin: i64,
    count: u32,
}

impl Changes {
    pub(crate) const fn after(revision: i64) -> Self {
        Self { begin: revision, count: 0 }
    }

    /// The revision of the next change.
    fn next(&mut self) -> Revision {
        let revision = Revision::new(self.begin + 1, self.count);
        self.count = self.count.checked_add(1).expect("a transaction has fewer than 2^32 changes");
        revision
    }

    /// The newest main revision, these changes included.
    pub(crate) const fn revision(&self) -> i64 {
        if self.count == 0 { self.begin } else { self.begin + 1 }
    }
}

impl Store {
    pub(crate) fn apply_put(&mut self, put: &Put) -> Result<Outcome, Error> {
        if put.prev_kv || put.value.is_none() {
            self.require(|store, missing| store.needs_of_put(put, missing))?;
        }
        self.check_lease(put)?;
        self.check_present(put)?;
        let mut changes = Changes::after(self.revision);
        let outcome = self.put(&mut changes, put);
        self.revision = changes.revision();
        Ok(outcome)
    }

    pub(crate) fn apply_delete(&mut self, delete: &DeleteRange) -> Result<Outcome, Error> {
        if delete.prev_kv {
            self.require(|store, missing| store.needs_of_delete(delete, missing))?;
        }
        let mut changes = Changes::after(self.revision);
        let outcome = self.delete(&mut changes, delete);
        self.revision = changes.revision();
        Ok(outcome)
    }

    /// What the state before says about a put inside a transaction. etcd looks at the key first
    /// there, and at the lease first when the put stands alone.
    pub(crate) fn check_put(&self, put: &Put) -> Result<(), Error> {
        self.check_present(put)?;
        self.check_lease(put)
    }

    fn check_present(&self, put: &Put) -> Result<(), Error> {
        let keeps = put.value.is_none() || put.lease.is_none();
        if keeps && self.index.get(&put.key).is_none_or(|known| known.live().is_none()) {
            return Err(Error::KeyNotFound);
        }
        Ok(())
    }

    fn check_lease(&self, put: &Put) -> Result<(), Error> {
        match put.lease.flatten() {
            Some(id) if !self.leases.contains(id) => Err(Error::LeaseNotFound),
            Some(_) | None => Ok(()),
        }
    }

    /// Puts a key that the checks have let through.
    pub(crate) fn put(&mut self, changes: &mut Changes, put: &Put) -> Outcome {
        let revision = changes.next();
        let mut prev = None;
        let mut done = None;
        let Self { index, recent, supplied, leases, watched, sum, .. } = self;
        index.push(&put.key, |present| {
            // Looked up only where something asks for it: most puts do not.
            let before = || present.and_then(|version| held(recent, supplied, version.revision()));
            let value = match &put.value {
                Some(value) => value.clone(),
                None => before().map(|record| key_value(record).value.clone()).expect("supplied"),
            };
            if put.prev_kv {
                prev = before().map(|record| key_value(record).clone());
            }
            let attached = present.is_some_and(Version::leased);
            let lease = put.lease.unwrap_or_else(|| leases.of_key(&put.key));
            if attached || lease.is_some() {
                leases.attach(&put.key, lease);
            }
            let (created, version) =
                present.map_or((revision.main, 1), |it| (it.created, it.version + 1));
            let kv = KeyValue {
                key: put.key.clone(),
                value,
                create_revision: created,
                mod_revision: revision.main,
                version,
                lease,
            };
            let event = watched.then(|| (EventKind::Put, kv.clone(), previous(present, before())));
            let record = Record::Put(kv);
            let crc = checksum(&record);
            done = Some((record, event));
            let newest = Version::put(revision, crc, (created, version), lease.is_some());
            present.inspect(|present| sum.take(present));
            sum.add(&newest);
            newest
        });
        let (record, event) = done.expect("the version was made");
        self.recent.push(revision, record);
        if let Some((kind, kv, previous)) = event {
            self.events.push(Arc::new(Event { kind, kv, previous }));
            if planted(Mutant::E17247) && revision.sub > 0 {
                self.events.extend_from_within(self.events.len() - 1..);
            }
        }
        Outcome::Put { prev }
    }

    /// Deletes the live keys of a range, in order, one sub-revision each.
    pub(crate) fn delete(&mut self, changes: &mut Changes, delete: &DeleteRange) -> Outcome {
        let mut prev = Vec::new();
        let mut deleted = 0;
        let Self { index, recent, supplied, leases, watched, events, sum, .. } = self;
        index.delete(&delete.range, |key, present| {
            let revision = changes.next();
            deleted += 1;
            let key = Bytes::copy_from_slice(key);
            let before = held(recent, supplied, present.revision());
            if delete.prev_kv {
                prev.extend(before.map(|record| key_value(record).clone()));
            }
            if present.leased() {
                leases.attach(&key, None);
            }
            if *watched {
                let previous = previous(Some(present), before);
                events.push(Arc::new(deletion(key.clone(), revision.main, previous)));
            }
            let record = Record::Tombstone { key };
            let crc = checksum(&record);
            recent.push(revision, record);
            sum.take(present);
            Version::tombstone(revision, crc)
        });
        Outcome::DeleteRange { deleted, prev }
    }

    /// Deletes one key, as the end of its lease does.
    pub(crate) fn delete_key(&mut self, changes: &mut Changes, key: Bytes) {
        let range = KeyRange::single(key);
        self.delete(changes, &DeleteRange { range, prev_kv: false });
    }
}

/// The event of a deletion.
pub(crate) fn deletion(key: Bytes, main: i64, previous: Previous) -> Event {
    let kv = KeyValue { key, mod_revision: main, ..KeyValue::default() };
    Event { kind: EventKind::Delete, kv, previous }
}

/// What a key was, for an event that says so.
pub(crate) fn previous(version: Option<&Version>, record: Option<&Record>) -> Previous {
    match (version, record) {
        (None, _) => Previous::Absent,
        (Some(_), Some(record)) => Previous::Held(key_value(record).clone()),
        (Some(version), None) => Previous::Stored(version.revision()),
    }
}
