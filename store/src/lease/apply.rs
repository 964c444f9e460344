//! What commands do with leases.

use alloc::vec::Vec;

use bytes::Bytes;

use super::LeaseId;
use crate::kv::Changes;
use crate::meta::Name;
use crate::{Alarm, Error, Outcome, Store};

impl Store {
    pub(crate) fn apply_grant(&mut self, id: LeaseId, ttl: i64) -> Result<Outcome, Error> {
        if id.0 == 0 {
            return Err(Error::LeaseNotFound);
        }
        if ttl > self.limits.max_lease_ttl {
            return Err(Error::LeaseTtlTooLarge);
        }
        if self.leases.contains(id) {
            return Err(Error::LeaseExists);
        }
        let ttl = ttl.max(self.limits.min_lease_ttl);
        self.leases.grant(id, ttl);
        self.dirty.insert(Name::Lease(id));
        Ok(Outcome::LeaseGrant { id, ttl })
    }

    pub(crate) fn apply_revoke(&mut self, id: LeaseId) -> Result<Outcome, Error> {
        if !self.leases.contains(id) {
            return Err(Error::LeaseNotFound);
        }
        self.revoke(id);
        Ok(Outcome::Done)
    }

    pub(crate) fn apply_renew(&mut self, ids: &[LeaseId]) -> Outcome {
        let mut renewed = Vec::with_capacity(ids.len());
        for id in ids {
            let ttl = self.leases.renew(*id);
            if ttl.is_some() {
                self.dirty.insert(Name::Lease(*id));
            }
            renewed.push((*id, ttl.unwrap_or(0)));
        }
        Outcome::LeaseRenew(renewed)
    }

    /// The clock goes on, also while the state is held to be corrupt; only that nothing ends then.
    pub(crate) fn apply_tick(&mut self, elapsed_ms: u32) -> Outcome {
        let dated = self.leases.tick(elapsed_ms);
        self.dirty.extend(dated.into_iter().map(Name::Lease));
        if !self.has_alarm(Alarm::Corrupt) {
            let due: Vec<LeaseId> = self.leases.due().take(self.limits.expiries_per_tick).collect();
            due.into_iter().for_each(|id| self.revoke(id));
        }
        self.end_sessions();
        Outcome::Done
    }

    /// Ends a lease: its keys are deleted in order, in one revision, or none if it has none.
    fn revoke(&mut self, id: LeaseId) {
        let keys: Vec<Bytes> =
            self.leases.keys(id).into_iter().flatten().map(Bytes::copy_from_slice).collect();
        let mut changes = Changes::after(self.revision);
        for key in keys {
            self.delete_key(&mut changes, key);
        }
        self.revision = changes.revision();
        self.leases.remove(id);
        self.dirty.insert(Name::Lease(id));
    }
}
