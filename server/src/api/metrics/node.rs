//! The replica: its place in the cluster, its store, its watchers.

use std::sync::atomic::Ordering;

use node::NodeStatus;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use protocol::raft::Role;
use store::Size;

/// What is copied from a status.
#[derive(Debug)]
pub(super) struct NodeMetrics {
    has_leader: Gauge,
    is_leader: Gauge,
    is_learner: Gauge,
    leader_changes: Counter,
    committed: Gauge,
    applied: Gauge,
    pending: Gauge,
    failed: Counter,
    health_success: Counter,
    health_failures: Counter,
    total_size: Gauge,
    size_in_use: Gauge,
    keys: Gauge,
    revision: Gauge,
    compact_revision: Gauge,
    watch_streams: Gauge,
    watchers: Gauge,
    slow_watchers: Gauge,
    leases: Gauge,
    sessions: Gauge,
    session_bytes: Gauge,
    unflushed: Gauge,
    snapshots_sent: Counter,
    snapshots_installed: Counter,
}

/// Gauges are signed; what is larger than that is shown as the largest.
fn set(gauge: &Gauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// A counter that is counted elsewhere: it only grows.
fn raise(counter: &Counter, value: u64) {
    counter.inner().fetch_max(value, Ordering::Relaxed);
}

impl NodeMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::<i64>::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let has_leader = gauge("etcd_server_has_leader", "Whether a leader is known");
        let is_leader = gauge("etcd_server_is_leader", "Whether this member leads");
        let is_learner = gauge("etcd_server_is_learner", "Whether this member has no vote");
        let committed = gauge("etcd_server_proposals_committed_total", "The last index committed");
        let applied = gauge("etcd_server_proposals_applied_total", "The last index applied");
        let pending = gauge("etcd_server_proposals_pending", "Requests under way");
        let total_size = gauge("etcd_mvcc_db_total_size_in_bytes", "Bytes on the file system");
        let size_in_use =
            gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Of those, bytes in use");
        let keys = gauge("etcd_debugging_mvcc_keys_total", "Keys alive");
        let revision = gauge("etcd_debugging_mvcc_current_revision", "The newest revision");
        let compact_revision =
            gauge("etcd_debugging_mvcc_compact_revision", "The oldest readable revision");
        let watch_streams = gauge("etcd_debugging_mvcc_watch_stream_total", "Watch streams");
        let watchers = gauge("etcd_debugging_mvcc_watcher_total", "Watchers");
        let slow_watchers = gauge(
            "etcd_debugging_mvcc_slow_watcher_total",
            "Watchers that are being told of the past, or whose client does not read",
        );
        let leases = gauge("conclave_leases", "Leases alive");
        let sessions = gauge("conclave_sessions", "Clients whose last answers are remembered");
        let session_bytes = gauge("conclave_session_bytes", "Bytes of these answers");
        let unflushed = gauge(
            "conclave_unflushed_bytes",
            "Bytes applied that only the log and memory hold yet",
        );
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::<u64>::default();
            registry.register(name, help, counter.clone());
            counter
        };
        Self {
            has_leader,
            is_leader,
            is_learner,
            leader_changes: counter("etcd_server_leader_changes_seen", "Changes of the leader"),
            committed,
            applied,
            pending,
            failed: counter("etcd_server_proposals_failed", "Proposals that failed"),
            health_success: counter("etcd_server_health_success", "Health checks passed"),
            health_failures: counter("etcd_server_health_failures", "Health checks failed"),
            total_size,
            size_in_use,
            keys,
            revision,
            compact_revision,
            watch_streams,
            watchers,
            slow_watchers,
            leases,
            sessions,
            session_bytes,
            unflushed,
            snapshots_sent: counter(
                "conclave_snapshots_sent",
                "States sent whole to members that lagged behind the log",
            ),
            snapshots_installed: counter(
                "conclave_snapshots_installed",
                "States received whole and installed",
            ),
        }
    }

    pub(super) fn health(&self, healthy: bool) {
        if healthy { &self.health_success } else { &self.health_failures }.inc();
    }

    pub(super) fn observe(&self, status: &NodeStatus, size: Size) {
        self.has_leader.set(i64::from(status.core.leader.is_some()));
        self.is_leader.set(i64::from(status.core.role == Role::Leader));
        let votes = status.core.membership.votes(status.core.id);
        self.is_learner.set(i64::from(!votes));
        raise(&self.leader_changes, status.leader_changes);
        set(&self.committed, status.core.hard_state.commit.0);
        set(&self.applied, status.applied.index.0);
        set(&self.pending, status.pending);
        raise(&self.failed, status.proposals_failed);
        set(&self.total_size, size.total);
        set(&self.size_in_use, size.in_use);
        set(&self.keys, status.keys);
        self.revision.set(status.revision);
        self.compact_revision.set(status.compact_revision);
        set(&self.watch_streams, status.watch_streams);
        set(&self.watchers, status.watchers);
        set(&self.slow_watchers, status.slow_watchers);
        set(&self.leases, status.leases);
        set(&self.sessions, status.sessions);
        set(&self.session_bytes, status.session_bytes);
        set(&self.unflushed, status.unflushed_bytes);
        raise(&self.snapshots_sent, status.snapshots_sent);
        raise(&self.snapshots_installed, status.snapshots_installed);
    }
}
