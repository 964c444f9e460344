//! The disk reserve, and the comparison of states.

use std::sync::atomic::Ordering;

use node::NodeStatus;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is free of the disk.
#[derive(Debug)]
pub(super) struct SpaceMetrics {
    free: Gauge,
    reserved: Gauge,
    short: Gauge,
}

/// Whether this member's state is the others'.
#[derive(Debug)]
pub(super) struct EqualityMetrics {
    compared: Counter,
    disputed: Gauge,
    condemned: Gauge,
    rebuilding: Gauge,
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::<i64>::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// Gauges are signed; what is larger than that is shown as the largest.
fn set(gauge: &Gauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

impl SpaceMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let mut gauge = |name, help| gauge(registry, name, help);
        Self {
            free: gauge("conclave_disk_free_bytes", "Bytes free for this member, as measured"),
            reserved: gauge("conclave_disk_reserved_bytes", "Bytes that must stay free"),
            short: gauge("conclave_disk_short", "Whether this member is short of space"),
        }
    }

    pub(super) fn observe(&self, status: &NodeStatus) {
        let space = status.space.unwrap_or_default();
        set(&self.free, space.free);
        set(&self.reserved, space.reserved);
        set(&self.short, u64::from(status.short));
    }
}

impl EqualityMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let compared = Counter::<u64>::default();
        registry.register(
            "conclave_states_compared",
            "Comparisons of this member's state with another's",
            compared.clone(),
        );
        let mut gauge = |name, help| gauge(registry, name, help);
        Self {
            compared,
            disputed: gauge(
                "conclave_state_disputed_index",
                "The newest entry after which members had different states; 0: none",
            ),
            condemned: gauge(
                "conclave_state_condemned",
                "Whether this member's state must not be served",
            ),
            rebuilding: gauge(
                "conclave_state_rebuilding",
                "Whether this member's state was wrong, and is had anew and not served yet",
            ),
        }
    }

    pub(super) fn observe(&self, status: &NodeStatus) {
        // It is counted elsewhere, and only grows.
        self.compared.inner().fetch_max(status.states_compared, Ordering::Relaxed);
        set(&self.disputed, status.disputed.map_or(0, |at| at.0));
        set(&self.condemned, u64::from(status.condemned.is_some()));
        set(&self.rebuilding, u64::from(status.rebuilding));
    }
}
