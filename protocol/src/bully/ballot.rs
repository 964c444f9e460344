//! What a member has granted, durably, and what it has promised beside that.

use core::fmt;
use core::time::Duration;

use crate::{NodeId, Time};

/// The number of a term of office, and its fencing token: whoever acts for the leader of an epoch
/// shows it, and a resource refuses one that is lower than the highest it has seen.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one; `None` after the last.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The highest epoch that a member has granted, and to whom it has last made a promise. It is
/// durable before the grant, or the promise, is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ballot {
    /// Which epoch.
    pub epoch: Epoch,
    /// To whom the last promise was made: to the one whose claim of this epoch was granted, or to
    /// a leader of this epoch or, where nobody won it, of an earlier one.
    pub holder: NodeId,
    /// How long the holder's leases are. A member that starts again has forgotten how long ago it
    /// promised the last one, and waits that long.
    pub lease: Duration,
}

/// A member's word that it grants nobody else anything for a while. Not durable: see
/// [`Ballot::lease`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Promise {
    pub(super) to: NodeId,
    /// For which term of office: the latest that it was asked for.
    pub(super) epoch: Epoch,
    pub(super) until: Time,
}

/// How long a leader may act on leases of this length: less than the granters wait, by as much as
/// one clock may run faster than another.
///
/// The leader counts from when it sent, the granter from when it received, which is later. If the
/// granter's clock runs `1 + ρ` times as fast as the leader's, `lease` there passes while
/// `lease / (1 + ρ)` passes here; and not sooner.
#[must_use]
pub(super) fn usable(lease: Duration, drift_ppm: u32) -> Duration {
    const WHOLE: u128 = 1_000_000;
    let nanos = lease.as_nanos() * WHOLE / (WHOLE + u128::from(drift_ppm));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_stops_before_the_fastest_clock_has_counted_the_lease() {
        let lease = Duration::from_secs(10);
        assert_eq!(usable(lease, 0), lease);
        assert_eq!(usable(lease, 1_000_000), Duration::from_secs(5));
        for drift in [1, 7, 500, 10_000, 333_333] {
            let used = usable(lease, drift).as_nanos();
            // On a clock that is faster by the drift, no more than the lease has passed.
            assert!(used * (1_000_000 + u128::from(drift)) <= lease.as_nanos() * 1_000_000);
            assert!((used + 1) * (1_000_000 + u128::from(drift)) > lease.as_nanos() * 1_000_000);
        }
    }
}
