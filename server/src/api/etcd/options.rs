//! What the API is told before it serves.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::sync::Semaphore;

use crate::Config;
use crate::api::metrics::Metrics;

/// The version of etcd whose behaviour this is. Clients parse it as numbers with dots, and
/// Kubernetes gates features on it.
pub(crate) const COMPATIBLE_VERSION: &str = "3.6.4";
/// The version of the cluster and of its storage, as etcd counts them.
pub(crate) const CLUSTER_VERSION: &str = "3.6.0";
/// Our own version.
pub(crate) const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a request may take beyond its content before gRPC refuses it (etcd's margin).
const GRPC_OVERHEAD_BYTES: usize = 512 * 1024;

/// Open files that clients never get: the log, the state and the links of peers need theirs, and a
/// log that cannot create its next segment ends its node (etcd keeps as many).
const RESERVED_FILES: u64 = 150;

/// The settings of the API. Cheap to clone: one for each runtime.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// The largest request, in bytes of its content.
    pub max_request_bytes: usize,
    /// The most operations of a transaction.
    pub max_txn_ops: usize,
    /// The most calls under way on one connection; further ones wait at the client.
    pub max_concurrent_streams: u32,
    /// The least time to live of a lease, in seconds; less is raised.
    pub min_lease_ttl: i64,
    /// The shortest election timeout: three of them without a leader end streams that asked for
    /// one.
    pub election_timeout: Duration,
    /// How long calls under way may go on once the server stops.
    pub drain: Duration,
    /// Room for clients' connections, shared by all runtimes; further clients wait to be accepted.
    pub room: Arc<Semaphore>,
    /// Where everything is counted; shared by all runtimes.
    pub metrics: Metrics,
}

impl ApiOptions {
    /// The settings of a server.
    #[must_use]
    pub fn new(config: &Config, metrics: Metrics) -> Self {
        Self {
            max_request_bytes: config.max_request_bytes,
            max_txn_ops: config.max_txn_ops,
            max_concurrent_streams: 1 << 14,
            min_lease_ttl: min_lease_ttl(config.election_timeout),
            election_timeout: config.election_timeout,
            drain: Duration::from_secs(5),
            room: Arc::new(Semaphore::new(max_connections())),
            metrics,
        }
    }

    /// The largest gRPC message taken, and about the largest fragment of a watch response sent.
    pub(super) fn max_message_bytes(&self) -> usize {
        self.max_request_bytes.saturating_add(GRPC_OVERHEAD_BYTES)
    }
}

/// As many connections as the process may open files, but for those that it needs itself.
fn max_connections() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let left = usize::try_from(files.saturating_sub(RESERVED_FILES)).unwrap_or(usize::MAX);
    // At least one: whoever sets a limit below the reserve has chosen to live with it.
    left.clamp(1, Semaphore::MAX_PERMITS)
}

/// One and a half election timeouts, in whole seconds, rounded up.
fn min_lease_ttl(election_timeout: Duration) -> i64 {
    let millis = election_timeout.as_millis().saturating_mul(3).div_ceil(2);
    i64::try_from(millis.div_ceil(1000)).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CLUSTER_VERSION, COMPATIBLE_VERSION, min_lease_ttl};

    #[test]
    fn leases_live_one_and_a_half_election_timeouts_at_least() {
        assert_eq!(min_lease_ttl(Duration::from_millis(1000)), 2);
        assert_eq!(min_lease_ttl(Duration::from_millis(150)), 1);
        assert_eq!(min_lease_ttl(Duration::from_secs(5)), 8);
        assert_eq!(min_lease_ttl(Duration::ZERO), 1);
    }

    #[test]
    fn versions_are_three_numbers() {
        for version in [COMPATIBLE_VERSION, CLUSTER_VERSION] {
            let numbers: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
            assert_eq!(numbers.len(), 3);
        }
    }
}
