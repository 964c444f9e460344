//! The settings of a server, each of which may be given or not.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use server::{DiskReserve, InitialMember, Reads, Threads};

use super::founding::Founding;
use super::gossip::Gossip;
use super::value::{bytes, disk_reserve, duration, initial_member, listen, reads, threads};
use crate::logging::LogLevel;

/// Timers that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Those of etcd: heartbeat 100 ms, election 1 to 2 s.
    Etcd,
    /// Those of the Raft paper, for a quiet network: heartbeat 50 ms, election 150 to 300 ms.
    LanFast,
}

/// How a group agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Consensus {
    /// Raft.
    Raft,
    /// Zab, with the members of --initial-cluster for ever.
    Zab,
}

impl From<Consensus> for server::Consensus {
    fn from(consensus: Consensus) -> Self {
        match consensus {
            Consensus::Raft => Self::Raft,
            Consensus::Zab => Self::Zab,
        }
    }
}

/// Whether the cluster is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClusterState {
    /// Its members start for the first time.
    New,
    /// This one joins it.
    Existing,
}

/// What may be set. `None` leaves it to the next layer, and in the end to the default.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Settings {
    /// This member's name, one of --initial-cluster where that is given [default: this machine's
    /// in a pool, `default` outside of one].
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where the log and the state are kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Be a member of the consensus group.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    pub(crate) server: Option<bool>,
    /// Where clients connect [default: 127.0.0.1:2379].
    #[arg(long, value_name = "HOST:PORT", value_parser = listen)]
    pub(crate) listen_client: Option<SocketAddr>,
    /// The URL that clients are told [default: that of --listen-client].
    #[arg(long, value_name = "URL")]
    pub(crate) advertise_client: Option<String>,
    /// Where the other members connect [default: 127.0.0.1:2380].
    #[arg(long, value_name = "HOST:PORT", value_parser = listen)]
    pub(crate) listen_peer: Option<SocketAddr>,
    /// All members, this one among them, and where each is reached by the others
    /// [default: this one alone].
    #[arg(long, value_name = "NAME=HOST:PORT,…", value_delimiter = ',')]
    #[arg(value_parser = initial_member)]
    pub(crate) initial_cluster: Option<Vec<InitialMember>>,
    /// Found a new cluster, or join one that exists after `conclave member add`. Without meaning
    /// once the data directory holds anything [default: new].
    #[arg(long, value_enum, value_name = "STATE")]
    pub(crate) initial_cluster_state: Option<ClusterState>,
    /// Come back as a new member when the others see that the disk was emptied or put back
    /// [default: true].
    #[arg(long, value_name = "BOOL")]
    pub(crate) rejoin: Option<bool>,
    /// How the group agrees, the same for all its members and for ever: zab is for groups whose
    /// members do not change, and are all named by --initial-cluster [default: raft].
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    pub(crate) consensus: Option<Consensus>,
    /// Distinguishes clusters that have the same members [default: conclave].
    #[arg(long, value_name = "TEXT")]
    pub(crate) cluster_token: Option<String>,
    /// Timers that belong together; the ones below count before it [default: etcd].
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub(crate) profile: Option<Profile>,
    /// The period of heartbeats [default: 100ms].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) heartbeat_interval: Option<Duration>,
    /// The shortest election timeout [default: 1s].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) election_timeout: Option<Duration>,
    /// The longest election timeout [default: twice the shortest].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) election_timeout_max: Option<Duration>,
    /// Ask before campaigning [default: true].
    #[arg(long, value_name = "BOOL")]
    pub(crate) pre_vote: Option<bool>,
    /// A leader that hears no majority steps down [default: true].
    #[arg(long, value_name = "BOOL")]
    pub(crate) check_quorum: Option<bool>,
    /// Refuse votes while a leader is heard [default: true].
    #[arg(long, value_name = "BOOL")]
    pub(crate) stickiness: Option<bool>,
    /// How linearizable reads are confirmed: quorum, or lease:N where clocks drift apart by less
    /// than N parts per thousand; the latter in a group that runs Raft [default: quorum].
    #[arg(long, value_name = "HOW", value_parser = reads)]
    pub(crate) reads: Option<Reads>,
    /// Which work shares a thread: auto, shared or split:CONNECTIONS [default: auto].
    #[arg(long, value_name = "HOW", value_parser = threads)]
    pub(crate) threads: Option<Threads>,
    /// The largest request [default: 1536KiB].
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) max_request_bytes: Option<usize>,
    /// The most operations of one transaction [default: 128].
    #[arg(long, value_name = "N")]
    pub(crate) max_txn_ops: Option<usize>,
    /// How often an idle watch that asked for it is told how far it has come [default: 10m].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) watch_progress_interval: Option<Duration>,
    /// How much of the newest state is kept in memory [default: 32MiB].
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) cache_bytes: Option<usize>,
    /// How much log is kept for members that lag; who lags more gets the state [default: 256MiB].
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) log_keep: Option<usize>,
    /// Where this member puts a backup of its state every --backup-interval [default: none is
    /// made].
    #[arg(long, value_name = "DIR")]
    pub(crate) backup_dir: Option<PathBuf>,
    /// The time from one backup to the next [default: 1h].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) backup_interval: Option<Duration>,
    /// How many of this member's backups are kept [default: 24].
    #[arg(long, value_name = "N")]
    pub(crate) backup_keep: Option<usize>,
    /// How much of the disk stays free, in bytes or as 5%; 0: nothing. Below it what grows is
    /// refused [default: 5%, at least 64MiB, at most 1GiB; never more than half].
    #[arg(long, value_name = "BYTES|PERCENT", value_parser = disk_reserve)]
    pub(crate) disk_reserved: Option<DiskReserve>,
    /// For one start of a member whose log is in doubt: nothing in doubt was ever acknowledged.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) dismiss_doubt: Option<bool>,
    /// How it meets others.
    #[command(flatten)]
    pub(crate) founding: Founding,
    /// Its part in the pool.
    #[command(flatten)]
    pub(crate) gossip: Gossip,
    /// How much is logged [default: info].
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) log: Option<LogLevel>,
}

impl Settings {
    /// These settings, and those of `below` where these say nothing.
    pub(crate) fn over(self, below: Settings) -> Settings {
        Settings {
            name: self.name.or(below.name),
            data_dir: self.data_dir.or(below.data_dir),
            server: self.server.or(below.server),
            listen_client: self.listen_client.or(below.listen_client),
            advertise_client: self.advertise_client.or(below.advertise_client),
            listen_peer: self.listen_peer.or(below.listen_peer),
            initial_cluster: self.initial_cluster.or(below.initial_cluster),
            initial_cluster_state: self.initial_cluster_state.or(below.initial_cluster_state),
            rejoin: self.rejoin.or(below.rejoin),
            consensus: self.consensus.or(below.consensus),
            cluster_token: self.cluster_token.or(below.cluster_token),
            profile: self.profile.or(below.profile),
            heartbeat_interval: self.heartbeat_interval.or(below.heartbeat_interval),
            election_timeout: self.election_timeout.or(below.election_timeout),
            election_timeout_max: self.election_timeout_max.or(below.election_timeout_max),
            pre_vote: self.pre_vote.or(below.pre_vote),
            check_quorum: self.check_quorum.or(below.check_quorum),
            stickiness: self.stickiness.or(below.stickiness),
            reads: self.reads.or(below.reads),
            threads: self.threads.or(below.threads),
            max_request_bytes: self.max_request_bytes.or(below.max_request_bytes),
            max_txn_ops: self.max_txn_ops.or(below.max_txn_ops),
            watch_progress_interval: self.watch_progress_interval.or(below.watch_progress_interval),
            cache_bytes: self.cache_bytes.or(below.cache_bytes),
            log_keep: self.log_keep.or(below.log_keep),
            backup_dir: self.backup_dir.or(below.backup_dir),
            backup_interval: self.backup_interval.or(below.backup_interval),
            backup_keep: self.backup_keep.or(below.backup_keep),
            disk_reserved: self.disk_reserved.or(below.disk_reserved),
            dismiss_doubt: self.dismiss_doubt.or(below.dismiss_doubt),
            founding: self.founding.over(below.founding),
            gossip: self.gossip.over(below.gossip),
            log: self.log.or(below.log),
        }
    }
}
