//! The disk: how long the log's syncs and the backend's commits take.

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Handles for those who write to disk. Times are in seconds.
#[derive(Clone, Debug)]
pub struct DiskMetrics {
    /// One sync of the log, whatever it carries.
    pub log_sync: Histogram,
    /// One flush of the state into its backend.
    pub backend_commit: Histogram,
}

impl DiskMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        // From 25 microseconds to 26 seconds: a good disk is below etcd's first bucket of 1 ms.
        let seconds = || Histogram::new(exponential_buckets(0.000_025, 2.0, 21));
        let (log_sync, backend_commit) = (seconds(), seconds());
        registry.register(
            "etcd_disk_wal_fsync_duration_seconds",
            "How long syncs of the log took",
            log_sync.clone(),
        );
        registry.register(
            "etcd_disk_backend_commit_duration_seconds",
            "How long flushes of the state took",
            backend_commit.clone(),
        );
        Self { log_sync, backend_commit }
    }
}
