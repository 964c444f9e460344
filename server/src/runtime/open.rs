//! From a configuration and a data directory to a replica that can run.

use std::io;
use std::net::SocketAddr;

use node::{Config as NodeConfig, Node};
use protocol::{ClusterId, NodeId, raft};
use storage::Identity;
use storage::datadir::{DataDir, DataDirError};
use storage::disk::{FaultPlan, FaultyDisk, RealDisk};
use storage::log::{Damage, Log, LogError, LogOptions};
use storage::state::{State, StateOptions};
use store::watch::WatchLimits;
use store::{Backend, BackendRead, Limits, Member, Revision, Store};
use thiserror::Error;

use super::identity::{cluster_id, member_id};
use super::workers::AnyDisk;
use crate::config::{Config, Reads};
use crate::reserve::Gauge;

/// Records read from the backend at once while the index is rebuilt.
const SCAN: usize = 10_000;
/// Tables may always grow to this many bytes, however small the reserve.
const LEAST_TABLE: u64 = 16 << 20;
/// The length of a segment when the log is in memory.
const MEMORY_SEGMENT: u64 = 4 << 20;

/// Why a server did not start. Nothing was changed, but for a data directory made anew.
#[derive(Debug, Error)]
pub enum StartError {
    /// The settings contradict each other.
    #[error("{0}")]
    Config(String),
    /// A port could not be had.
    #[error("cannot listen on {address} for {what}: {source}{}", advice(.source, .flag))]
    Listen {
        /// What the port is for.
        what: &'static str,
        /// The flag that chooses another.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory: {0}; {remedy}", remedy = remedy(.0))]
    DataDir(#[from] DataDirError),
    /// The log cannot be used.
    #[error("cannot open the log: {0}")]
    Log(String),
    /// The state cannot be used.
    #[error("cannot open the state: {0}")]
    State(String),
    /// A thread or a runtime could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

fn advice(error: &io::Error, flag: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("; another process has it: stop that one, or choose another with {flag}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("; ports below 1024 need rights: choose another with {flag}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("; this machine has no such address: choose one with {flag}")
        }
        _ => String::new(),
    }
}

fn remedy(error: &DataDirError) -> &'static str {
    match error {
        DataDirError::Locked(_) => "stop that one, or choose another directory with --data-dir",
        DataDirError::Foreign { .. } => {
            "choose this member's own with --data-dir, or correct --name, --listen-peer, \
             --initial-cluster or --cluster-token"
        }
        DataDirError::NotADirectory(_) | DataDirError::NotWritable { .. } => {
            "choose another one with --data-dir"
        }
        DataDirError::Version { .. } => "run the version of this program that has written it",
        DataDirError::Damaged(_) => {
            "restore it, or choose an empty directory with --data-dir and join as a new member"
        }
        DataDirError::Io { .. } => "look at the disk, or choose another directory with --data-dir",
    }
}

/// Everything that a replica runs on.
pub(crate) struct Opened {
    pub(crate) node: Node,
    pub(crate) log: Log<AnyDisk>,
    pub(crate) state: State,
    pub(crate) cluster: ClusterId,
    pub(crate) id: NodeId,
    pub(crate) incarnation: u64,
    /// Of a server on a disk.
    pub(crate) gauge: Option<Gauge>,
    /// Held for as long as the process uses it.
    pub(crate) directory: Option<DataDir>,
}

/// Opens log and state and puts a replica together.
pub(crate) fn open(config: &Config, client_url: String) -> Result<Opened, StartError> {
    let (cluster, id) = check(config)?;
    let identity = Identity { cluster, node: id };
    let directory = match &config.data_dir {
        Some(path) => Some(DataDir::open(path, identity)?),
        None => None,
    };
    let gauge = open_gauge(config)?;
    let mut state = open_state(directory.as_ref(), identity, gauge.as_ref())?;
    let store = restore(config, &mut state)?;
    let (mut log, mut recovered) = open_log(directory.as_ref(), identity, config)?;
    recovered.damage.iter().for_each(report);
    if let Some(doubt) = recovered.doubt {
        if config.dismiss_doubt {
            log.dismiss_doubt().map_err(|error| StartError::Log(error.to_string()))?;
            recovered.doubt = None;
            tracing::warn!("the doubt about entries up to {doubt} is dismissed by the operator");
        } else {
            tracing::warn!(
                "entries up to {doubt} are damaged and may have been acknowledged: this member \
                 does not vote until a leader has sent them again. If there is none and nobody \
                 was told that they were written, start it once with --dismiss-doubt"
            );
        }
    }
    let adopted = log.adopt(store.applied().index, store.installed());
    if adopted.map_err(|error| StartError::Log(error.to_string()))? {
        tracing::info!("the log begins anew after {}, as the state does", store.applied());
    }
    let restored = log
        .restored(store.applied().index)
        .map_err(|error| StartError::Log(format!("it does not continue the state: {error}")))?;
    let random = || {
        use std::hash::{BuildHasher, Hasher};
        std::hash::RandomState::new().build_hasher().finish()
    };
    let incarnation = random();
    let node_config = node_config(config, id, incarnation, client_url);
    let node = Node::new(node_config, restored, store, random());
    Ok(Opened { node, log, state, cluster, id, incarnation, gauge, directory })
}

/// Checks what no single flag can.
fn check(config: &Config) -> Result<(ClusterId, NodeId), StartError> {
    let refuse = |message: String| Err(StartError::Config(message));
    let members = &config.initial_cluster;
    let Some(me) = members.iter().find(|member| member.name == config.name) else {
        return refuse(format!(
            "--initial-cluster does not name this member: add {}=HOST:PORT, or correct --name",
            config.name
        ));
    };
    for (at, member) in members.iter().enumerate() {
        for other in &members[..at] {
            if other.name == member.name || other.peer == member.peer {
                return refuse(format!(
                    "--initial-cluster gives {}={} and {}={}: names and addresses must differ",
                    other.name, other.peer, member.name, member.peer
                ));
            }
        }
    }
    if config.heartbeat.is_zero() || config.heartbeat * 2 > config.election_timeout {
        return refuse(
            "--election-timeout must be at least twice --heartbeat-interval, which must not be 0"
                .into(),
        );
    }
    if config.election_timeout_max.is_some_and(|max| max < config.election_timeout) {
        return refuse("the longest election timeout is below the shortest".into());
    }
    // An entry that no frame has room for would never reach another member.
    let most = node::codec::MAX_FRAME / 4;
    if config.max_request_bytes > most {
        return refuse(format!("--max-request-bytes must be at most {} MiB", most >> 20));
    }
    if matches!(config.reads, Reads::Lease { .. }) && !(config.check_quorum && config.stickiness) {
        return refuse("lease reads need check-quorum and stickiness".into());
    }
    let token = &config.cluster_token;
    Ok((cluster_id(members, token), member_id(me, token)))
}

fn open_gauge(config: &Config) -> Result<Option<Gauge>, StartError> {
    let Some(path) = &config.data_dir else { return Ok(None) };
    let gauge = Gauge::new(path, config.disk_reserved);
    gauge.map(Some).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => {
            StartError::Config(format!("--disk-reserved is too much for this disk: {error}"))
        }
        _ => StartError::State(format!("cannot measure the disk of {}: {error}", path.display())),
    })
}

fn open_state(
    directory: Option<&DataDir>,
    identity: Identity,
    gauge: Option<&Gauge>,
) -> Result<State, StartError> {
    let Some(directory) = directory else { return Ok(State::memory()) };
    let mut options = StateOptions::default();
    if let Some(reserved) = gauge.map(Gauge::reserved).filter(|reserved| *reserved > 0) {
        // What a compaction needs in order to give space back is the copy of one table.
        options.table_bytes = options.table_bytes.min((reserved / 2).max(LEAST_TABLE));
    }
    State::open(&directory.state(), identity, options)
        .map_err(|error| StartError::State(error.to_string()))
}

/// Rebuilds the index by reading every record once.
fn restore(config: &Config, state: &mut State) -> Result<Store, StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::State(error.to_string());
    let meta = state.meta().map_err(|error| failed(&error))?;
    let mut restoring = Store::restore(limits(config), meta).map_err(|error| failed(&error))?;
    let end = Revision::new(i64::MAX, 0);
    let mut from = Revision::default();
    loop {
        let records = state.scan(from, end, SCAN).map_err(|error| failed(&error))?;
        let Some((last, _)) = records.last() else { break };
        from = Revision::new(last.main, last.sub + 1);
        for (revision, record) in &records {
            restoring.record(*revision, record);
        }
    }
    let (store, dead) = restoring.finish().map_err(|error| failed(&error))?;
    state.discard(&dead).map_err(|error| failed(&error))?;
    Ok(store)
}

fn open_log(
    directory: Option<&DataDir>,
    identity: Identity,
    config: &Config,
) -> Result<(Log<AnyDisk>, storage::log::Recovered), StartError> {
    let mut options = LogOptions::new(identity);
    let failed = |error: String| StartError::Log(error);
    // The largest request, with room for its envelope, must fit into one segment.
    let least = (config.max_request_bytes as u64 * 2).next_multiple_of(1 << 20);
    let disk = match directory {
        Some(directory) => {
            let disk =
                RealDisk::open(directory.log()).map_err(|error| failed(error.to_string()))?;
            options.segment_bytes = options.segment_bytes.max(least);
            AnyDisk::Real(disk)
        }
        None => {
            options.segment_bytes = MEMORY_SEGMENT.max(least);
            AnyDisk::Memory(FaultyDisk::new(FaultPlan::default()))
        }
    };
    let (mut log, recovered) = Log::open(disk, options).map_err(|e| failed(e.to_string()))?;
    match log.prepare() {
        // What is in the log can be served, and what gives space back has room in its last segment.
        Err(LogError::NoSpare { cause }) => {
            tracing::warn!(%cause, "the log has no room to grow: free some space");
        }
        prepared => prepared.map_err(|error| failed(error.to_string()))?,
    }
    Ok((log, recovered))
}

fn report(damage: &Damage) {
    tracing::warn!("the log was mended: {damage}");
}

fn limits(config: &Config) -> Limits {
    Limits {
        max_txn_ops: config.max_txn_ops,
        max_request_bytes: config.max_request_bytes,
        hot_bytes: config.cache_bytes,
        ..Limits::default()
    }
}

fn node_config(config: &Config, id: NodeId, incarnation: u64, client_url: String) -> NodeConfig {
    let token = &config.cluster_token;
    let members: Vec<Member> = config
        .initial_cluster
        .iter()
        .map(|member| Member {
            id: member_id(member, token),
            name: String::new(),
            peer_urls: vec![format!("http://{}", member.peer)],
            client_urls: Vec::new(),
        })
        .collect();
    let me = members.iter().find(|member| member.id == id);
    let publish = Member {
        id,
        name: config.name.clone(),
        peer_urls: me.map(|me| me.peer_urls.clone()).unwrap_or_default(),
        client_urls: vec![client_url],
    };
    let longest = config.election_timeout_max.unwrap_or(config.election_timeout * 2);
    NodeConfig {
        raft: raft::Config {
            id,
            voters: members.iter().map(|member| member.id).collect(),
            learners: Default::default(),
            election_timeout: config.election_timeout..=longest,
            heartbeat: config.heartbeat,
            pre_vote: config.pre_vote,
            check_quorum: config.check_quorum,
            stickiness: config.stickiness,
            read_mode: match config.reads {
                Reads::Quorum => raft::ReadMode::Quorum,
                Reads::Lease { drift_per_mille } => raft::ReadMode::Lease { drift_per_mille },
            },
            max_inflight_messages: 512,
            max_inflight_bytes: 32 << 20,
            max_append_bytes: 1 << 20,
            max_uncommitted_bytes: 64 << 20,
            cache_bytes: 32 << 20,
        },
        members,
        publish,
        limits: limits(config),
        watch: WatchLimits {
            progress_interval: config.watch_progress_interval,
            ..WatchLimits::default()
        },
        incarnation,
        request_timeout: std::time::Duration::from_secs(5) + config.election_timeout * 2,
        tick: std::time::Duration::from_millis(500),
        compare_interval: Some(std::time::Duration::from_secs(1)),
        flush_bytes: 16 << 20,
        flush_interval: std::time::Duration::from_secs(1),
        max_unflushed_bytes: 512 << 20,
        log_keep_bytes: config.log_keep_bytes,
        trim_stride: 1_000,
        snapshot_piece_bytes: 256 << 10,
        max_pending: 20_000,
        max_unapplied: 5_000,
    }
}
