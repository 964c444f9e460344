//! How much the state machine takes.

use crate::SessionLimits;

/// The bounds of the state machine, with etcd's values as defaults.
///
/// `expiries_per_tick`, `min_lease_ttl`, `max_lease_ttl` and `sessions` decide what a command does
/// when it is applied: they must be the same on every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The longest list of a transaction: comparisons, or operations of one branch. A nested
    /// transaction gets what the outer one has left.
    pub max_txn_ops: usize,
    /// Bytes of keys, values and fixed fields in one command.
    pub max_request_bytes: usize,
    /// Leases that one tick revokes at most; the rest waits for the next one.
    pub expiries_per_tick: usize,
    /// The shortest time to live in seconds; shorter ones are raised to it.
    pub min_lease_ttl: i64,
    /// The longest time to live in seconds; longer ones are refused.
    pub max_lease_ttl: i64,
    /// Bytes of flushed records that stay in memory. The oldest go first.
    pub hot_bytes: usize,
    /// What is remembered of clients that stamp their writes.
    pub sessions: SessionLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_txn_ops: 128,
            max_request_bytes: 3 << 19,
            expiries_per_tick: 500,
            min_lease_ttl: 2,
            max_lease_ttl: 9_000_000_000,
            hot_bytes: 64 << 20,
            sessions: SessionLimits::DEFAULT,
        }
    }
}
