//! Backups that this member makes by the clock.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Handles for whoever makes backups.
#[derive(Clone, Debug)]
pub struct BackupMetrics {
    made: Counter,
    failures: Counter,
    last_success: Gauge,
    last_size: Gauge,
}

impl BackupMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            made: Counter::default(),
            failures: Counter::default(),
            last_success: Gauge::default(),
            last_size: Gauge::default(),
        };
        registry.register(
            "conclave_backups",
            "Backups made by the clock, each verified",
            metrics.made.clone(),
        );
        registry.register(
            "conclave_backup_failures",
            "Backups that could not be made, and old ones that could not be removed",
            metrics.failures.clone(),
        );
        registry.register(
            "conclave_backup_last_success_timestamp_seconds",
            "When the last backup was made, in seconds since 1970; 0: none since the start",
            metrics.last_success.clone(),
        );
        registry.register(
            "conclave_backup_last_size_bytes",
            "Bytes of the last backup",
            metrics.last_size.clone(),
        );
        metrics
    }

    /// A backup stands.
    pub(crate) fn made(&self, at_ms: u64, bytes: u64) {
        self.made.inc();
        self.last_success.set(i64::try_from(at_ms / 1000).unwrap_or(i64::MAX));
        self.last_size.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A backup came to nothing.
    pub(crate) fn failed(&self) {
        self.failures.inc();
    }
}
