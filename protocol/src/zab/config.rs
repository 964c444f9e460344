//! The settings of a core, fixed for its life.

use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::NodeId;

/// The settings of a core. The members are static: every node of a cluster is told the same ones.
/// Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This node.
    pub id: NodeId,
    /// The members whose votes count.
    pub voters: BTreeSet<NodeId>,
    /// Members that learn what is committed and count for nothing. None of them is a voter.
    pub observers: BTreeSet<NodeId>,
    /// How long things take.
    pub timing: Timing,
    /// Bytes of entries in flight to one learner.
    pub max_inflight_bytes: usize,
    /// Bytes of entries in one message (at least one entry is always sent).
    pub max_batch_bytes: usize,
    /// Bytes of entries that may wait for commit before proposals are refused. Clients may fill
    /// three quarters of it ([`Config::max_client_bytes`]).
    pub max_uncommitted_bytes: usize,
    /// Bytes of applied entries kept in memory for learners; older ones are fetched.
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
}

/// How long things take.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// How long an elected vote waits for a better one.
    pub finalize_wait: Duration,
    /// After how much silence a node that looks for a leader repeats itself, at first.
    pub backoff_min: Duration,
    /// And at most: the time doubles with each silence.
    pub backoff_max: Duration,
    /// How often a learner knocks at a leader that may not know yet that it is one.
    pub knock: Duration,
    /// How long a leader waits for a quorum to come before it minds that voters look elsewhere.
    pub epoch_wait: Duration,
    /// How often a leader pings its learners.
    pub ping: Duration,
    /// How long discovery and synchronisation may stand still.
    pub init_limit: Duration,
    /// How long a leader, or a quorum, may be silent.
    pub sync_limit: Duration,
}

impl Timing {
    /// The times that `ZooKeeper` is usually run with.
    #[must_use]
    pub const fn classic() -> Self {
        Self {
            finalize_wait: Duration::from_millis(200),
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(60),
            knock: Duration::from_millis(100),
            epoch_wait: Duration::from_secs(4),
            ping: Duration::from_secs(1),
            init_limit: Duration::from_secs(20),
            sync_limit: Duration::from_secs(10),
        }
    }

    /// Times for members that are near each other: a lost leader is replaced in about a second.
    #[must_use]
    pub fn fast() -> Self {
        let ms = Duration::from_millis;
        Self::between(ms(100), ms(1_000), ms(2_000))
    }

    /// Times from those that an operator knows: leaders ping as often as `heartbeat`, and are given
    /// up when they are silent for the `shortest` election timeout.
    #[must_use]
    pub fn between(heartbeat: Duration, shortest: Duration, longest: Duration) -> Self {
        Self {
            finalize_wait: shortest / 20,
            backoff_min: heartbeat,
            backoff_max: longest,
            knock: heartbeat / 2,
            epoch_wait: heartbeat * 4,
            ping: heartbeat,
            init_limit: shortest * 3,
            sync_limit: shortest,
        }
    }
}

impl Config {
    /// Whether this node is an observer.
    pub(super) fn observes(&self) -> bool {
        self.observers.contains(&self.id)
    }

    /// Whether this node speaks with `peer` at all.
    pub(super) fn is_peer(&self, peer: NodeId) -> bool {
        peer != self.id && (self.voters.contains(&peer) || self.observers.contains(&peer))
    }

    /// Everyone but this node.
    pub(super) fn peers(&self) -> impl Iterator<Item = NodeId> {
        let id = self.id;
        self.voters.union(&self.observers).copied().filter(move |&peer| peer != id)
    }
}
