//! What is counted, under etcd's names, so that its dashboards and alerts read it.
//!
//! Handles are made once and kept: counting a request looks nothing up. What the node knows is
//! not counted here at all; it is copied from a status when somebody asks for the page. The format
//! is OpenMetrics. Some of etcd's names end in `_total` and are gauges there, and so they are here.

mod backups;
mod disk;
mod grpc;
mod node;
mod peers;
mod space;
mod ways;

use std::sync::Arc;

use ::node::NodeStatus;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use store::Size;
use tonic::Code;

pub use backups::BackupMetrics;
pub use disk::DiskMetrics;
pub use peers::{PeerCounters, PeerMetrics};
pub use ways::WayMetrics;

use self::grpc::GrpcMetrics;
use self::node::NodeMetrics;
use self::space::{EqualityMetrics, SpaceMetrics};
use crate::api::etcd::method::Method;
use crate::config::Consensus;

pub(crate) use grpc::Timer;

/// Everything that is counted by one server. Clones share it.
#[derive(Clone, Debug)]
pub struct Metrics {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    grpc: GrpcMetrics,
    node: NodeMetrics,
    disk: DiskMetrics,
    peers: PeerMetrics,
    ways: WayMetrics,
    space: SpaceMetrics,
    equality: EqualityMetrics,
    backups: BackupMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Consensus::default())
    }
}

impl Metrics {
    /// Nothing counted yet, of a server that agrees with others so.
    #[must_use]
    pub fn new(consensus: Consensus) -> Self {
        let mut registry = Registry::default();
        let protocol = match consensus {
            Consensus::Raft => "raft",
            Consensus::Zab => "zab",
        };
        let info = Info::new([("protocol", protocol)]);
        registry.register("conclave_consensus", "How the servers agree", info);
        let grpc = GrpcMetrics::register(&mut registry);
        let node = NodeMetrics::register(&mut registry);
        let disk = DiskMetrics::register(&mut registry);
        let peers = PeerMetrics::register(&mut registry);
        let ways = WayMetrics::register(&mut registry);
        let backups = BackupMetrics::register(&mut registry);
        let space = SpaceMetrics::register(&mut registry);
        let equality = EqualityMetrics::register(&mut registry);
        let shared = Shared { registry, grpc, node, disk, peers, ways, backups, space, equality };
        Self { shared: Arc::new(shared) }
    }

    /// For those who write to disk.
    #[must_use]
    pub fn disk(&self) -> &DiskMetrics {
        &self.shared.disk
    }

    /// For backups by the clock.
    #[must_use]
    pub fn backups(&self) -> &BackupMetrics {
        &self.shared.backups
    }

    /// For the links to peers.
    #[must_use]
    pub fn peers(&self) -> &PeerMetrics {
        &self.shared.peers
    }

    /// For ways around broken links.
    #[must_use]
    pub fn ways(&self) -> &WayMetrics {
        &self.shared.ways
    }

    /// A call has started.
    pub(crate) fn started(&self, method: Method) -> Timer {
        self.shared.grpc.started(method)
    }

    /// The health page was asked.
    pub(crate) fn health(&self, healthy: bool) {
        self.shared.node.health(healthy);
    }

    /// Takes over what the node and the backend know.
    pub(crate) fn observe(&self, status: &NodeStatus, size: Size) {
        self.shared.node.observe(status, size);
        self.shared.space.observe(status);
        self.shared.equality.observe(status);
    }

    /// The page.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.shared.registry).expect("strings take everything");
        text
    }
}

/// A gRPC code as the metrics' label `grpc_code` has it.
const fn code_label(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

#[cfg(test)]
mod tests;
