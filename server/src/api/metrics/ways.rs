//! Ways around broken links: whom this member hears, and what goes over others.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use protocol::NodeId;

type Labels<const N: usize> = [(&'static str, String); N];

/// Handles for whoever finds ways.
#[derive(Clone, Debug)]
pub struct WayMetrics {
    /// Messages of others that this member has passed on.
    pub relayed: Counter,
    /// Bytes of them.
    pub relayed_bytes: Counter,
    /// Messages that were passed on to this member, and of whose origin it knows better.
    pub refused: Counter,
    detoured: Family<Labels<1>, Counter>,
    heard: Family<Labels<1>, Gauge>,
    detours: Family<Labels<2>, Gauge>,
}

impl WayMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            relayed: Counter::default(),
            relayed_bytes: Counter::default(),
            refused: Counter::default(),
            detoured: Family::default(),
            heard: Family::default(),
            detours: Family::default(),
        };
        registry.register(
            "conclave_peer_relayed",
            "Messages between two other members that were passed on",
            metrics.relayed.clone(),
        );
        registry.register(
            "conclave_peer_relayed_bytes",
            "Bytes of messages between two other members that were passed on",
            metrics.relayed_bytes.clone(),
        );
        registry.register(
            "conclave_peer_relayed_refused",
            "Messages that came over another member and were not believed",
            metrics.refused.clone(),
        );
        registry.register(
            "conclave_peer_detoured",
            "Messages to a peer that were sent over another member",
            metrics.detoured.clone(),
        );
        registry.register(
            "conclave_peer_heard",
            "Whether a peer is heard directly: 0 when its link is down or broken",
            metrics.heard.clone(),
        );
        registry.register(
            "conclave_peer_detour",
            "1 for a peer that is reached over another member now",
            metrics.detours.clone(),
        );
        metrics
    }

    /// The counter of messages to a peer that took another way.
    #[must_use]
    pub fn detoured(&self, to: NodeId) -> Counter {
        self.detoured.get_or_create_owned(&[("To", to.to_string())])
    }

    /// These are the other members now, each with whether it is heard.
    pub(crate) fn observe(&self, heard: impl Iterator<Item = (NodeId, bool)>) {
        for (peer, heard) in heard {
            self.heard.get_or_create(&[("From", peer.to_string())]).set(i64::from(heard));
        }
    }

    /// Somebody is no member any more.
    pub(crate) fn forget(&self, peer: NodeId) {
        self.heard.remove(&[("From", peer.to_string())]);
    }

    /// A member is reached over another one from now on.
    pub(crate) fn detour(&self, to: NodeId, over: NodeId) {
        self.detours.get_or_create(&Self::detour_labels(to, over)).set(1);
    }

    /// It is not any more.
    pub(crate) fn straight(&self, to: NodeId, over: NodeId) {
        self.detours.remove(&Self::detour_labels(to, over));
    }

    fn detour_labels(to: NodeId, over: NodeId) -> Labels<2> {
        [("To", to.to_string()), ("Over", over.to_string())]
    }
}
