//! Every version that every key ever had, and the order of all changes.

use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;
use std::ops::Bound;

use bytes::Bytes;
use hashbrown::HashMap;
use store::{KeyRange, KeyValue, LeaseId};

use crate::check::mixer::Mixer;

/// The revision of a store that nothing was written to.
pub(super) const FIRST_REVISION: i64 = 1;

/// What a put left in a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) value: Bytes,
    pub(super) created: i64,
    pub(super) version: i64,
    pub(super) lease: Option<LeaseId>,
}

/// One change of a key; `held` is `None` when it was deleted.
#[derive(Clone, Debug)]
struct Change {
    main: i64,
    held: Option<Held>,
}

/// All keys, with all their changes. Nothing is ever forgotten.
///
/// - the changes of a key ascend by main revision;
/// - `order` has every change of every key once, by revision and then as they were made;
/// - `starts[r - 2]` is where revision `r` begins in `order`: no revision is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Versions {
    names: BTreeMap<Bytes, usize>,
    /// The same without an order, which is found faster.
    places: HashMap<Bytes, usize, BuildHasherDefault<Mixer>>,
    keys: Vec<(Bytes, Vec<Change>)>,
    order: Vec<(usize, usize)>,
    starts: Vec<usize>,
}

/// One change as watchers see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happened<'a> {
    versions: &'a Versions,
    key: usize,
    slot: usize,
}

impl Versions {
    /// The newest revision that changed anything.
    pub(super) fn newest(&self) -> i64 {
        FIRST_REVISION.saturating_add(i64::try_from(self.starts.len()).unwrap_or(i64::MAX))
    }

    /// Notes a change. `main` is the newest revision or the one after it.
    pub(super) fn push(&mut self, key: &Bytes, main: i64, held: Option<Held>) {
        if main > self.newest() {
            self.starts.push(self.order.len());
        }
        let place = match self.places.get(key) {
            Some(place) => *place,
            None => {
                let place = self.keys.len();
                self.names.insert(key.clone(), place);
                self.places.insert(key.clone(), place);
                self.keys.push((key.clone(), Vec::new()));
                place
            }
        };
        let changes = &mut self.keys[place].1;
        self.order.push((place, changes.len()));
        changes.push(Change { main, held });
    }

    /// What a key holds at a revision.
    pub(super) fn held(&self, key: &[u8], revision: i64) -> Option<&Held> {
        self.change(*self.places.get(key)?, revision)?.held.as_ref()
    }

    /// A key as a read at a revision finds it.
    pub(super) fn at(&self, key: &[u8], revision: i64) -> Option<KeyValue> {
        let place = *self.places.get(key)?;
        self.found(place, revision)
    }

    /// The keys of a range that are there at a revision, ascending.
    pub(super) fn range<'a>(
        &'a self,
        range: &'a KeyRange,
        revision: i64,
    ) -> impl Iterator<Item = KeyValue> + 'a {
        let single = range.is_single().then(|| self.at(&range.key, revision)).flatten();
        let empty = range.is_single() || (!range.is_open() && range.key >= range.end);
        let end = match (empty, range.is_open()) {
            (true, _) => Bound::Included(&range.key[..]),
            (false, true) => Bound::Unbounded,
            (false, false) => Bound::Excluded(&range.end[..]),
        };
        let places = self.names.range::<[u8], _>((Bound::Included(&range.key[..]), end));
        let many = places.take(if empty { 0 } else { usize::MAX });
        single.into_iter().chain(many.filter_map(move |(_, place)| self.found(*place, revision)))
    }

    /// The keys that hang on a lease at a revision, ascending.
    pub(super) fn attached(&self, lease: LeaseId, revision: i64) -> Vec<Bytes> {
        let on = |place: usize| {
            let held = self.change(place, revision).and_then(|change| change.held.as_ref());
            held.is_some_and(|held| held.lease == Some(lease))
        };
        let names = self.names.iter().filter(|(_, place)| on(**place));
        names.map(|(name, _)| name.clone()).collect()
    }

    /// All changes from a revision on, in order.
    pub(super) fn since(&self, revision: i64) -> impl Iterator<Item = Happened<'_>> {
        let first = usize::try_from(revision.saturating_sub(FIRST_REVISION + 1)).unwrap_or(0);
        let from = self.starts.get(first).copied().unwrap_or(self.order.len());
        self.order[from..].iter().map(|(key, slot)| Happened {
            versions: self,
            key: *key,
            slot: *slot,
        })
    }

    /// The last change of a key up to a revision.
    fn change(&self, place: usize, revision: i64) -> Option<&Change> {
        let changes = &self.keys[place].1;
        let after = match changes.last() {
            Some(last) if last.main <= revision => changes.len(),
            Some(_) | None => changes.partition_point(|change| change.main <= revision),
        };
        changes.get(after.checked_sub(1)?)
    }

    fn found(&self, place: usize, revision: i64) -> Option<KeyValue> {
        let change = self.change(place, revision)?;
        key_value(&self.keys[place].0, change)
    }
}

fn key_value(key: &Bytes, change: &Change) -> Option<KeyValue> {
    let held = change.held.as_ref()?;
    Some(KeyValue {
        key: key.clone(),
        value: held.value.clone(),
        create_revision: held.created,
        mod_revision: change.main,
        version: held.version,
        lease: held.lease,
    })
}

impl<'a> Happened<'a> {
    /// The main revision that made it.
    pub(crate) fn revision(self) -> i64 {
        self.change().main
    }

    /// The key.
    pub(crate) fn key(self) -> &'a Bytes {
        &self.versions.keys[self.key].0
    }

    /// Whether it is a put.
    pub(crate) fn is_put(self) -> bool {
        self.change().held.is_some()
    }

    /// The key as an event shows it: of a deletion, only its name and the revision.
    pub(crate) fn shown(self) -> KeyValue {
        let (key, mod_revision) = (self.key().clone(), self.revision());
        key_value(&key, self.change()).unwrap_or(KeyValue {
            key,
            mod_revision,
            ..KeyValue::default()
        })
    }

    /// The key in the state before this revision.
    pub(crate) fn before(self) -> Option<KeyValue> {
        self.versions.found(self.key, self.revision() - 1)
    }

    fn change(self) -> &'a Change {
        &self.versions.keys[self.key].1[self.slot]
    }
}
