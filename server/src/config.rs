//! What a server is told before it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::bootstrap::PoolSide;
use crate::reserve::DiskReserve;

/// One member of a static cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialMember {
    /// Its name.
    pub name: String,
    /// Where peers reach it: `host:port`.
    pub peer: String,
}

/// Which kinds of work share a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// By the number of cores: shared up to four, split above.
    #[default]
    Auto,
    /// Connections, node and log on one thread; only the state has its own.
    Shared,
    /// The node, the log and each of `connections` runtimes have a thread of their own.
    Split {
        /// How many runtimes serve clients; at least 1.
        connections: usize,
    },
}

/// How linearizable reads are confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// By a round of messages that all waiting reads share.
    #[default]
    Quorum,
    /// By the leader's lease; safe while clocks drift apart by less than this many parts per
    /// thousand.
    Lease {
        /// The bound.
        drift_per_mille: u32,
    },
}

/// How a group of servers agrees: the same in all its members, for ever. It is part of who they
/// are, so that members which differ in it do not take each other, or each other's directories, for
/// their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consensus {
    /// Raft.
    #[default]
    Raft,
    /// Zab: its members are those that `initial_cluster` names, and do not change.
    Zab,
}

/// When backups are made by the clock, and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSchedule {
    /// The folder.
    pub dir: PathBuf,
    /// The time from one to the next; at least 1 s.
    pub interval: Duration,
    /// How many are kept; at least 1.
    pub keep: usize,
}

/// The settings of one server. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct Config {
    /// This member's name.
    pub name: String,
    /// Where state is kept; `None` keeps all of it in memory and loses it at the end.
    pub data_dir: Option<PathBuf>,
    /// Where clients connect.
    pub listen_client: SocketAddr,
    /// The URL that clients are told; from `listen_client` when `None`.
    pub advertise_client: Option<String>,
    /// Where peers connect.
    pub listen_peer: SocketAddr,
    /// The members, this one among them (its `peer` is what others connect to). They count for
    /// the first start of a new cluster, and name whom to ask when joining.
    pub initial_cluster: Vec<InitialMember>,
    /// Join a cluster that exists: ask the others in `initial_cluster`. Without meaning once the
    /// data directory holds anything.
    pub join: bool,
    /// Open the peer port even when this member is alone: others can join then.
    pub expects_peers: bool,
    /// Come back as a new member when the others do not take this one for what it was, since its
    /// disk was emptied or put back.
    pub rejoin: bool,
    /// Found a group with so many servers that meet in the pool, or follow the one that is there.
    /// Without meaning once there is a data directory of a member. 1, where no peers are expected,
    /// founds a group of this server alone, whoever else is in the pool.
    pub bootstrap_expect: Option<usize>,
    /// The leader removes members that have been gone from the pool for so long.
    pub dead_server_after: Duration,
    /// The pool that this server's agent is in; whoever starts the agent fills it in.
    pub pool: Option<PoolSide>,
    /// Distinguishes clusters that have the same members.
    pub cluster_token: String,
    /// How the group agrees.
    pub consensus: Consensus,
    /// The period of heartbeats.
    pub heartbeat: Duration,
    /// The shortest election timeout; the longest is twice that unless `election_timeout_max`
    /// says otherwise.
    pub election_timeout: Duration,
    /// The longest election timeout.
    pub election_timeout_max: Option<Duration>,
    /// Ask before campaigning.
    pub pre_vote: bool,
    /// A leader without a quorum steps down.
    pub check_quorum: bool,
    /// Votes are refused while a leader is heard.
    pub stickiness: bool,
    /// How linearizable reads are confirmed.
    pub reads: Reads,
    /// Which kinds of work share a thread.
    pub threads: Threads,
    /// The largest request.
    pub max_request_bytes: usize,
    /// The most operations of a transaction.
    pub max_txn_ops: usize,
    /// How often an idle watch that asked for it is told how far it has come.
    pub watch_progress_interval: Duration,
    /// Bytes of records kept in memory after they were flushed.
    pub cache_bytes: usize,
    /// Bytes of commands that the log is kept for: a member that lags by more is sent the state.
    pub log_keep_bytes: u64,
    /// Backups by the clock, if any.
    pub backups: Option<BackupSchedule>,
    /// What stays free on the disk: below it, what grows is refused.
    pub disk_reserved: DiskReserve,
    /// Declares that no entry which the log is in doubt about had been acknowledged, so that this
    /// member votes again at once. For an operator who knows, and for one start only.
    pub dismiss_doubt: bool,
}

impl Config {
    /// Where the others reach this member: `host:port`.
    #[must_use]
    pub fn own_address(&self) -> String {
        let own = self.initial_cluster.iter().find(|member| member.name == self.name);
        own.map_or_else(|| self.listen_peer.to_string(), |member| member.peer.clone())
    }

    /// What distinguishes the group from others with the same members: the token, and how it
    /// agrees.
    pub(crate) fn token(&self) -> String {
        match self.consensus {
            Consensus::Raft => self.cluster_token.clone(),
            Consensus::Zab => format!("{}\0zab", self.cluster_token),
        }
    }

    /// Whether it founds a group of its own, follows no other and lets nobody join.
    pub(crate) fn keeps_to_itself(&self) -> bool {
        self.bootstrap_expect == Some(1) && !self.expects_peers
    }

    /// One member on loopback with the default ports, all in memory.
    #[must_use]
    pub fn single(name: &str) -> Self {
        let peer = SocketAddr::from(([127, 0, 0, 1], 2380));
        Self {
            name: name.into(),
            data_dir: None,
            listen_client: SocketAddr::from(([127, 0, 0, 1], 2379)),
            advertise_client: None,
            listen_peer: peer,
            initial_cluster: vec![InitialMember { name: name.into(), peer: peer.to_string() }],
            join: false,
            expects_peers: false,
            rejoin: true,
            bootstrap_expect: None,
            dead_server_after: Duration::from_secs(72 * 3600),
            pool: None,
            cluster_token: "conclave".into(),
            consensus: Consensus::Raft,
            heartbeat: Duration::from_millis(100),
            election_timeout: Duration::from_millis(1000),
            election_timeout_max: None,
            pre_vote: true,
            check_quorum: true,
            stickiness: true,
            reads: Reads::Quorum,
            threads: Threads::Auto,
            max_request_bytes: 1536 * 1024,
            max_txn_ops: 128,
            watch_progress_interval: Duration::from_secs(600),
            cache_bytes: 32 << 20,
            log_keep_bytes: 256 << 20,
            backups: None,
            disk_reserved: DiskReserve::Auto,
            dismiss_doubt: false,
        }
    }
}
