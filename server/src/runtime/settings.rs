//! What a replica is told of the settings.

use node::{Config as NodeConfig, Protocol};
use protocol::zab::Timing;
use protocol::{NodeId, raft};
use store::watch::WatchLimits;
use store::{Limits, Member};

use super::identity::member_id;
use crate::config::{Config, Consensus, Reads};

pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        max_txn_ops: config.max_txn_ops,
        max_request_bytes: config.max_request_bytes,
        hot_bytes: config.cache_bytes,
        ..Limits::default()
    }
}

pub(super) fn node_config(
    config: &Config,
    (id, founding): (NodeId, bool),
    incarnation: u64,
    client_url: String,
) -> NodeConfig {
    let token = &config.token();
    let founders = config.initial_cluster.iter().filter(|_| founding);
    let members: Vec<Member> = founders
        .map(|member| Member {
            id: member_id(member, token),
            name: String::new(),
            peer_urls: vec![format!("http://{}", member.peer)],
            client_urls: Vec::new(),
        })
        .collect();
    let publish = Member {
        id,
        name: config.name.clone(),
        peer_urls: vec![format!("http://{}", config.own_address())],
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
        protocol: match config.consensus {
            Consensus::Raft => Protocol::Raft,
            Consensus::Zab => {
                Protocol::Zab(Timing::between(config.heartbeat, config.election_timeout, longest))
            }
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
        rebuilt_after: None,
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
