//! The settings of a replica.

use alloc::vec::Vec;
use core::time::Duration;

use protocol::{Index, raft, zab};
use store::{Limits, Member, watch::WatchLimits};

/// How a group agrees. The same in all its members, for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Raft.
    #[default]
    Raft,
    /// Zab, with these times. The members are static.
    Zab(zab::Timing),
}

/// The settings of a replica. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct Config {
    /// The consensus core's; `raft.id` is this replica. Of a group that runs Zab, what says who the
    /// members are, how much travels at once, and how long a heartbeat and an election take.
    pub raft: raft::Config,
    /// Which protocol the group runs.
    pub protocol: Protocol,
    /// The members as configured: ids and peer addresses.
    pub members: Vec<Member>,
    /// What this member tells of itself once there is a leader.
    pub publish: Member,
    /// The store's.
    pub limits: Limits,
    /// The watch hub's.
    pub watch: WatchLimits,
    /// Differs between runs of the process.
    pub incarnation: u64,
    /// A request without an answer fails after this long.
    pub request_timeout: Duration,
    /// How often a leader lets the clock of leases go on.
    pub tick: Duration,
    /// How often the members compare their states while these change; `None`: never.
    pub compare_interval: Option<Duration>,
    /// This member's state was found wrong when this entry had been applied, and is had anew: it
    /// serves nobody before it has come so far again and agrees with another member. See
    /// `node::rebuild`.
    pub rebuilt_after: Option<Index>,
    /// Applied changes are flushed when they take this much memory…
    pub flush_bytes: usize,
    /// …or are this old.
    pub flush_interval: Duration,
    /// Writes are refused while unflushed changes take more than this.
    pub max_unflushed_bytes: usize,
    /// The log is kept for members that lag, up to about this many bytes of commands; who lags more
    /// is sent the state.
    pub log_keep_bytes: u64,
    /// Entries that a trim must free to be worth asking for, unless as much was applied since the
    /// last one as makes a flush.
    pub trim_stride: u64,
    /// About the size of the pieces in which the state is sent.
    pub snapshot_piece_bytes: usize,
    /// Requests that may wait for consensus.
    pub max_pending: usize,
    /// Entries that may be committed and not applied before writes are refused (etcd: 5,000).
    pub max_unapplied: u64,
}
