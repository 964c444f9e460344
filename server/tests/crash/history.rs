//! What a life must have come to: the same commands, applied to a store that never sees a disk.

use std::collections::BTreeMap;

use node::codec::Envelope;
use node::{Body, Failure, Reply};
use protocol::raft::Payload;
use store::{Applied, Command, Error, HistoryHash, KeyValue, LeaseId, Outcome, Store};

use crate::replica::limits;
use crate::script::{Life, key_range, read};

/// All that can be seen of a store, but for what its history says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) revision: i64,
    pub(crate) compact_revision: i64,
    pub(crate) hash: HistoryHash,
    pub(crate) leases: Vec<Lease>,
}

/// A lease: seconds granted, milliseconds left, keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    id: LeaseId,
    granted: i64,
    remaining_ms: u64,
    keys: Vec<Vec<u8>>,
}

/// A whole life, entry by entry.
pub(crate) struct History {
    /// The store after each entry, beginning with none.
    pub(crate) moments: Vec<Moment>,
    /// All keys at each revision.
    pub(crate) reads: BTreeMap<i64, Vec<KeyValue>>,
    /// Which entry each request became.
    pub(crate) places: Vec<u64>,
}

impl Moment {
    pub(crate) fn of(store: &Store) -> Self {
        let mut cursor = store.begin_hash(0).unwrap();
        while !store.step_hash(&mut cursor, 100).unwrap() {}
        let lease = |id| {
            let view = store.lease(id).unwrap();
            Lease {
                id,
                granted: view.granted,
                remaining_ms: view.remaining_ms,
                keys: view.keys().map(<[u8]>::to_vec).collect(),
            }
        };
        Self {
            revision: store.revision(),
            compact_revision: store.compact_revision(),
            hash: cursor.finish(),
            leases: store.leases().map(lease).collect(),
        }
    }

    /// The revisions that can be read.
    pub(crate) fn readable(&self) -> std::ops::RangeInclusive<i64> {
        self.compact_revision.max(1)..=self.revision
    }
}

/// All keys, of a store that has everything in memory.
fn all(store: &Store) -> Vec<KeyValue> {
    let mut cursor = store.begin_range(&read(key_range("\0", "\0"), 0)).unwrap();
    while !store.step_range(&mut cursor, 100).unwrap() {}
    cursor.into_view().complete(|_| None).unwrap().kvs
}

/// Whether a client was told what the command came to.
fn told(reply: &Reply, applied: &Applied, command: &Command) -> bool {
    let right = match (&reply.body, &applied.outcome) {
        (Ok(Body::Outcome(body)), Ok(outcome)) => body == outcome,
        (Ok(Body::Renewed(ttl)), Ok(Outcome::LeaseRenew(renewed))) => {
            matches!(command, Command::LeaseRenew { .. }) && renewed[0].1 == *ttl
        }
        (Err(Failure::Store(body)), Err(error)) => body == error,
        _ => false,
    };
    right && reply.header.revision == applied.revision
}

impl History {
    /// Applies what a life gave to its log, and compares what its client was told.
    pub(crate) fn of(life: &Life) -> Self {
        let mut store = Store::new(limits());
        let mut history = Self {
            moments: vec![Moment::of(&store)],
            reads: BTreeMap::from([(1, Vec::new())]),
            places: Vec::new(),
        };
        let mut waiting = life.asked.iter().zip(&life.replies).peekable();
        for (entry, index) in life.entries.iter().zip(1..) {
            assert_eq!(entry.position.index.0, index, "the log has no gap");
            let before = store.revision();
            if let Payload::Command(bytes) = &entry.payload {
                let envelope = Envelope::open(bytes.clone()).unwrap();
                let command = Command::decode(envelope.command).unwrap();
                match waiting.next_if(|(asked, _)| **asked == command) {
                    Some((asked, reply)) => {
                        let applied = store.apply(entry.position, asked);
                        assert!(told(reply, &applied, asked), "{asked:?}: {reply:?}, {applied:?}");
                        history.places.push(index);
                    }
                    None => {
                        let own = matches!(
                            command,
                            Command::Tick { .. }
                                | Command::Publish(_)
                                | Command::StateHash { .. }
                                | Command::SpaceReport { .. }
                                | Command::Recovered(_)
                        );
                        assert!(own, "nobody asked for {command:?}");
                        store.apply(entry.position, &command).outcome.unwrap();
                    }
                }
            } else {
                store.note_applied(entry.position);
            }
            history.remember(&store, before);
        }
        assert!(waiting.next().is_none(), "an acknowledged command is not in the log");
        history
    }

    fn remember(&mut self, store: &Store, before: i64) {
        let end = before + 1..=store.revision();
        for revision in end {
            let kvs = if revision == store.revision() { all(store) } else { at(store, revision) };
            self.reads.insert(revision, kvs);
        }
        self.moments.push(Moment::of(store));
    }

    /// The last entry.
    pub(crate) fn last(&self) -> u64 {
        self.moments.len() as u64 - 1
    }

    /// The state after an entry.
    pub(crate) fn moment(&self, entry: u64) -> &Moment {
        &self.moments[usize::try_from(entry).unwrap()]
    }

    /// The entry of the last of so many acknowledged requests.
    pub(crate) fn place(&self, acknowledged: u64) -> u64 {
        match usize::try_from(acknowledged).unwrap().checked_sub(1) {
            Some(last) => self.places[last],
            None => 0,
        }
    }
}

/// All keys at a revision of the past.
fn at(store: &Store, revision: i64) -> Vec<KeyValue> {
    let range = read(key_range("\0", "\0"), revision);
    let mut cursor = match store.begin_range(&range) {
        Ok(cursor) => cursor,
        Err(Error::Compacted) => return Vec::new(),
        Err(error) => panic!("{error:?}"),
    };
    while !store.step_range(&mut cursor, 100).unwrap() {}
    cursor.into_view().complete(|_| None).unwrap().kvs
}
