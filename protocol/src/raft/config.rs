//! The settings of a core, fixed for its life.

use alloc::collections::BTreeSet;
use core::ops::RangeInclusive;
use core::time::Duration;

use super::membership::Membership;
use crate::NodeId;

/// How linearizable reads are confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadMode {
    /// A round of heartbeats confirms leadership for all reads that wait (thesis §6.4).
    Quorum,
    /// The leader's lease confirms it (thesis §6.4.1). Safe only while no clock in the cluster
    /// runs faster than another by more than this many parts per thousand.
    Lease {
        /// The bound on clock drift, in parts per thousand.
        drift_per_mille: u32,
    },
}

/// The settings of a core. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This node.
    pub id: NodeId,
    /// The members whose votes count, for as long as neither log nor state says otherwise. A node
    /// that is not among them never campaigns; one that joins a cluster starts with none.
    pub voters: BTreeSet<NodeId>,
    /// Members that receive the log and do not count, likewise.
    pub learners: BTreeSet<NodeId>,
    /// Election timeouts are drawn from this range; width zero is allowed.
    pub election_timeout: RangeInclusive<Duration>,
    /// The period of heartbeats, well below the election timeout.
    pub heartbeat: Duration,
    /// Ask before campaigning (thesis §9.6).
    pub pre_vote: bool,
    /// A leader steps down when no quorum answered for an election timeout (thesis §6.2).
    pub check_quorum: bool,
    /// Refuse votes while a leader is being heard (thesis §4.2.3).
    pub stickiness: bool,
    /// How linearizable reads are confirmed.
    pub read_mode: ReadMode,
    /// Appends in flight to one follower.
    pub max_inflight_messages: usize,
    /// Bytes of entries in flight to one follower.
    pub max_inflight_bytes: usize,
    /// Bytes of entries in one append (at least one entry is always sent).
    pub max_append_bytes: usize,
    /// Bytes of entries that may wait for commit before proposals are refused. Clients may fill
    /// three quarters of it ([`Config::max_client_bytes`]).
    pub max_uncommitted_bytes: usize,
    /// Bytes of applied entries kept in memory for followers; older ones are fetched.
    pub cache_bytes: usize,
}

impl Config {
    /// Bytes of entries that may wait for commit before clients' commands are refused. The rest is
    /// kept for what members need themselves, such as the time of leases: it must not starve while
    /// clients crowd.
    #[must_use]
    pub const fn max_client_bytes(&self) -> usize {
        self.max_uncommitted_bytes - self.max_uncommitted_bytes / 4
    }

    /// The members to start with.
    pub(super) fn membership(&self) -> Membership {
        let (voters, learners) = (self.voters.clone(), self.learners.clone());
        Membership { voters, learners, ..Membership::default() }
    }
}
