//! The links to peers: bytes each way.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use protocol::NodeId;

type ByPeer = Family<[(&'static str, String); 1], Counter>;

/// Handles for the links. Ask once for each peer and keep what is given.
#[derive(Clone, Debug)]
pub struct PeerMetrics {
    sent: ByPeer,
    received: ByPeer,
    failures: ByPeer,
}

/// The counters of the link to one peer.
#[derive(Clone, Debug)]
pub struct PeerCounters {
    /// Bytes sent.
    pub sent: Counter,
    /// Bytes received.
    pub received: Counter,
    /// Messages dropped because the link was down or its queue full.
    pub failures: Counter,
}

impl PeerMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let mut family = |name: &str, help: &str| {
            let family = ByPeer::default();
            registry.register(name, help, family.clone());
            family
        };
        Self {
            sent: family("etcd_network_peer_sent_bytes", "Bytes sent to a peer"),
            received: family("etcd_network_peer_received_bytes", "Bytes received from a peer"),
            failures: family(
                "etcd_network_peer_sent_failures",
                "Messages to a peer that were lost",
            ),
        }
    }

    /// The counters of the link to one peer.
    #[must_use]
    pub fn of(&self, peer: NodeId) -> PeerCounters {
        let to = [("To", peer.to_string())];
        let from = [("From", peer.to_string())];
        PeerCounters {
            sent: self.sent.get_or_create_owned(&to),
            received: self.received.get_or_create_owned(&from),
            failures: self.failures.get_or_create_owned(&to),
        }
    }
}
