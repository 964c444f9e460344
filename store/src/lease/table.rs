//! All leases, their keys and their time.
//!
//! Time here is a count of milliseconds that only [`crate::Command::Tick`] moves, so every replica
//! sees a lease end at the same place of the log, and no restart or change of leaders loses or
//! shortens one. What the clock does not count (the time between leaders, what a paused leader
//! slept) makes leases live longer, never shorter:
//!
//! - a lease that is granted or renewed between two ticks counts its time from the second one,
//!   since nobody knows how much of the interval was over;
//! - a lease ends with the first tick at or after its deadline that has room for it
//!   ([`crate::Limits::expiries_per_tick`]), the earliest deadline first, then the smaller id;
//! - every live key hangs on at most one lease, and that one exists.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};

use super::{LeaseId, LeaseView};

/// One lease.
#[derive(Clone, Debug)]
struct Lease {
    /// Seconds granted.
    ttl: i64,
    /// The clock at which it ends; `None` until the first tick after it was granted or renewed.
    deadline: Option<u64>,
    keys: BTreeSet<Box<[u8]>>,
}

/// All leases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    leases: BTreeMap<LeaseId, Lease>,
    /// Which lease a key hangs on.
    attached: BTreeMap<Box<[u8]>, LeaseId>,
    due: BTreeSet<(u64, LeaseId)>,
    /// Without a deadline yet.
    fresh: BTreeSet<LeaseId>,
    clock_ms: u64,
}

/// A time to live in the clock's unit.
fn milliseconds(ttl: i64) -> u64 {
    u64::try_from(ttl).unwrap_or(0).saturating_mul(1000)
}

impl Leases {
    pub(crate) const fn clock_ms(&self) -> u64 {
        self.clock_ms
    }

    pub(crate) fn len(&self) -> usize {
        self.leases.len()
    }

    pub(crate) fn contains(&self, id: LeaseId) -> bool {
        self.leases.contains_key(&id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = LeaseId> {
        self.leases.keys().copied()
    }

    /// A new lease, or a renewed one.
    pub(crate) fn grant(&mut self, id: LeaseId, ttl: i64) {
        let lease = Lease { ttl, deadline: None, keys: BTreeSet::new() };
        let known = self.leases.insert(id, lease);
        assert!(known.is_none(), "a lease is granted once");
        self.fresh.insert(id);
    }

    /// The lease lives its granted time again; `None` when there is none.
    pub(crate) fn renew(&mut self, id: LeaseId) -> Option<i64> {
        let lease = self.leases.get_mut(&id)?;
        if let Some(deadline) = lease.deadline.take() {
            self.due.remove(&(deadline, id));
            self.fresh.insert(id);
        }
        Some(lease.ttl)
    }

    /// Ends a lease, which must have no keys any more.
    pub(crate) fn remove(&mut self, id: LeaseId) {
        let Some(lease) = self.leases.remove(&id) else { return };
        assert!(lease.keys.is_empty(), "the keys of a lease go before it");
        self.fresh.remove(&id);
        if let Some(deadline) = lease.deadline {
            self.due.remove(&(deadline, id));
        }
    }

    /// The keys that hang on a lease, ascending; `None` when there is none.
    pub(crate) fn keys(&self, id: LeaseId) -> Option<impl Iterator<Item = &[u8]>> {
        Some(self.leases.get(&id)?.keys.iter().map(|key| &key[..]))
    }

    /// Which lease a key hangs on.
    pub(crate) fn of_key(&self, key: &[u8]) -> Option<LeaseId> {
        self.attached.get(key).copied()
    }

    /// The key hangs on this lease now, and on no other.
    pub(crate) fn attach(&mut self, key: &[u8], lease: Option<LeaseId>) {
        let before = match lease {
            Some(id) => match self.attached.get_mut(key) {
                Some(known) => Some(core::mem::replace(known, id)),
                None => self.attached.insert(key.into(), id),
            },
            None => self.attached.remove(key),
        };
        if before == lease {
            return;
        }
        if let Some(lease) = before.and_then(|id| self.leases.get_mut(&id)) {
            lease.keys.remove(key);
        }
        if let Some(lease) = lease.and_then(|id| self.leases.get_mut(&id)) {
            lease.keys.insert(key.into());
        }
    }

    /// The clock goes on; says which leases have a deadline from now on.
    pub(crate) fn tick(&mut self, elapsed_ms: u32) -> BTreeSet<LeaseId> {
        self.clock_ms = self.clock_ms.saturating_add(u64::from(elapsed_ms));
        let fresh = core::mem::take(&mut self.fresh);
        for id in &fresh {
            let lease = self.leases.get_mut(id).expect("a fresh lease exists");
            let deadline = self.clock_ms.saturating_add(milliseconds(lease.ttl));
            lease.deadline = Some(deadline);
            self.due.insert((deadline, *id));
        }
        fresh
    }

    /// The leases whose time is over, in the order in which they end.
    pub(crate) fn due(&self) -> impl Iterator<Item = LeaseId> {
        let now = self.clock_ms;
        self.due.iter().take_while(move |(deadline, _)| *deadline <= now).map(|(_, id)| *id)
    }

    pub(crate) fn view(&self, id: LeaseId) -> Option<LeaseView<'_>> {
        let lease = self.leases.get(&id)?;
        let granted = milliseconds(lease.ttl);
        let left =
            lease.deadline.map_or(granted, |deadline| deadline.saturating_sub(self.clock_ms));
        Some(LeaseView { remaining_ms: left, granted: lease.ttl, keys: &lease.keys })
    }

    /// What must be kept of a lease besides its keys: the time to live and the deadline.
    pub(crate) fn terms(&self, id: LeaseId) -> Option<(i64, Option<u64>)> {
        self.leases.get(&id).map(|lease| (lease.ttl, lease.deadline))
    }

    /// All leases with what must be kept of each, ascending.
    pub(crate) fn all_terms(&self) -> impl Iterator<Item = (LeaseId, i64, Option<u64>)> {
        self.leases.iter().map(|(id, lease)| (*id, lease.ttl, lease.deadline))
    }

    /// A lease as it was kept.
    pub(crate) fn restore(&mut self, id: LeaseId, ttl: i64, deadline: Option<u64>) {
        self.leases.insert(id, Lease { ttl, deadline, keys: BTreeSet::new() });
        match deadline {
            Some(deadline) => self.due.insert((deadline, id)),
            None => self.fresh.insert(id),
        };
    }

    /// The clock as it was kept.
    pub(crate) fn restore_clock(&mut self, clock_ms: u64) {
        self.clock_ms = clock_ms;
    }

    /// A lease that a key hangs on, though it does not exist; sound state has none.
    pub(crate) fn missing(&self) -> Option<LeaseId> {
        self.attached.values().find(|id| !self.contains(**id)).copied()
    }

    /// Gives the leases back the keys that were attached before the leases were known.
    pub(crate) fn restore_keys(&mut self, attached: BTreeMap<Box<[u8]>, LeaseId>) {
        for (key, id) in &attached {
            if let Some(lease) = self.leases.get_mut(id) {
                lease.keys.insert(key.clone());
            }
        }
        self.attached = attached;
    }
}
