//! The options of a world, drawn from its seed: every seed is a world of its own kind.
//!
//! *Swarm testing* (Groce et al.): each feature is left out of a share of the worlds, because what
//! is always on hides what it masks. So three classes of faults in ten are off in each world, the
//! knobs of the product are turned to where its edges are (segments of a few kilobytes, windows of
//! one message, caches of a few entries), and what is left is drawn anew for each seed.
//!
//! Most worlds are short and crowded. One in eight is long and quiet, as clusters are at most
//! times: what only idle hours bring about (timers, leases, watches that hear nothing) is not in
//! the others.

mod draw;
mod zab;

use std::ops::RangeInclusive;
use std::time::Duration;

use node::Protocol;
use protocol::raft::ReadMode;
use store::Limits;
use store::watch::WatchLimits;

use crate::crowd;
use crate::world::Weather;

pub use crate::storm::Plan;

/// The consensus core's settings.
#[derive(Clone, Debug)]
pub struct Consensus {
    /// Which protocol the group runs.
    pub protocol: Protocol,
    /// Election timeouts are drawn from this range.
    pub election: RangeInclusive<Duration>,
    /// The period of heartbeats.
    pub heartbeat: Duration,
    /// Ask before campaigning.
    pub pre_vote: bool,
    /// A leader without a quorum steps down.
    pub check_quorum: bool,
    /// No vote while a leader is heard.
    pub stickiness: bool,
    /// How linearizable reads are confirmed.
    pub reads: ReadMode,
    /// Appends in flight to one follower.
    pub window: usize,
    /// Bytes in one append.
    pub append_bytes: usize,
    /// Bytes of applied entries kept in memory.
    pub cache_bytes: usize,
}

/// The disks'.
#[derive(Clone, Debug)]
pub struct Disks {
    /// The state lies in production's tables on a faulty disk, and not in memory.
    pub tables: bool,
    /// How long a sync takes.
    pub sync: RangeInclusive<Duration>,
    /// The length of a segment of the log.
    pub segment_bytes: u64,
    /// The length of the pages in its head.
    pub page_bytes: u32,
    /// The most bytes of one write.
    pub batch_bytes: usize,
    /// Trimmed segments that are kept.
    pub spares: usize,
    /// Bytes that must stay free; 0: nothing is kept in reserve.
    pub reserved: u64,
}

/// The store's and the node's.
#[derive(Clone, Debug)]
pub struct Stores {
    /// What may be asked.
    pub limits: Limits,
    /// What watches may take.
    pub watch: WatchLimits,
    /// A request without an answer fails after this long.
    pub request_timeout: Duration,
    /// The period of the leases' clock.
    pub tick: Duration,
    /// How often the members compare their states; `None`: never.
    pub compare_interval: Option<Duration>,
    /// Applied changes are flushed when they take this much memory…
    pub flush_bytes: usize,
    /// …or are this old.
    pub flush_interval: Duration,
    /// Requests that may wait for consensus.
    pub max_pending: usize,
    /// The log is kept for those who lag up to about so many bytes of commands; `u64::MAX`: it is
    /// kept until every member has it.
    pub log_keep_bytes: u64,
    /// About the size of the pieces in which the state is sent.
    pub snapshot_piece_bytes: usize,
}

/// Everything that makes a world, beside its seed.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many nodes the cluster begins with, all of them voters.
    pub nodes: usize,
    /// Machines beside them that know nobody, and run once an operator has them join.
    pub joiners: usize,
    /// The consensus core's settings.
    pub consensus: Consensus,
    /// The disks'.
    pub disks: Disks,
    /// The store's and the node's.
    pub stores: Stores,
    /// The network between nodes, when nothing is wrong with it.
    pub weather: Weather,
    /// The clients.
    pub crowd: crowd::Options,
    /// What goes wrong.
    pub storm: Plan,
    /// Nodes find ways around broken links.
    pub mesh: bool,
    /// Let the storm last until clients have called enough operations for the seed to count.
    pub prolong: bool,
    /// Keep every event for a picture.
    pub record: bool,
}

impl Options {
    /// All machines: those that the cluster begins with, and those that may join.
    #[must_use]
    pub const fn machines(&self) -> usize {
        self.nodes + self.joiners
    }

    /// Whether operators change the members.
    #[must_use]
    pub fn changes_members(&self) -> bool {
        self.storm.kinds.iter().any(|kind| kind.changes_members()) || self.loses_disks()
    }

    /// Whether disks are emptied or put back.
    #[must_use]
    pub fn loses_disks(&self) -> bool {
        self.storm.kinds.iter().any(|kind| kind.loses_disks())
    }

    /// A world without clients and faults of its own: a stage for scripts. Production's timing and
    /// settings, on disks and links that are always equally fast.
    #[must_use]
    pub fn stage(nodes: usize) -> Self {
        Self {
            nodes,
            joiners: 0,
            consensus: Consensus {
                protocol: Protocol::Raft,
                election: Duration::from_millis(1000)..=Duration::from_millis(2000),
                heartbeat: Duration::from_millis(100),
                pre_vote: true,
                check_quorum: true,
                stickiness: true,
                reads: ReadMode::Quorum,
                window: 512,
                append_bytes: 1 << 20,
                cache_bytes: 1 << 20,
            },
            disks: Disks {
                tables: false,
                sync: Duration::from_millis(2)..=Duration::from_millis(2),
                segment_bytes: 64 << 10,
                page_bytes: 1024,
                batch_bytes: 16 << 10,
                spares: 1,
                reserved: 128 << 10,
            },
            stores: Stores {
                limits: Limits::default(),
                watch: WatchLimits::default(),
                request_timeout: Duration::from_secs(7),
                tick: Duration::from_millis(500),
                compare_interval: None,
                flush_bytes: 16 << 10,
                flush_interval: Duration::from_secs(1),
                max_pending: 20_000,
                log_keep_bytes: u64::MAX,
                snapshot_piece_bytes: 64 << 10,
            },
            weather: Weather::fair(Duration::from_millis(1)),
            crowd: crowd::Options::quiet(),
            storm: Plan::calm(),
            mesh: false,
            prolong: false,
            record: true,
        }
    }
}
