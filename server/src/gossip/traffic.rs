//! What goes through the sockets, counted. Numbers only grow, but for streams under way.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::refusal::Refusals;

/// Figures of the sockets; shared by all that use them.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Packets sent.
    pub packets_out: Counter,
    /// Bytes of them.
    pub packet_bytes_out: Counter,
    /// Packets that the system did not take.
    pub packets_unsent: Counter,
    /// Packets received.
    pub packets_in: Counter,
    /// Bytes of them.
    pub packet_bytes_in: Counter,
    /// Streams opened by this member.
    pub streams_out: Counter,
    /// Streams opened by others.
    pub streams_in: Counter,
    /// Bytes sent on streams.
    pub stream_bytes_out: Counter,
    /// Bytes received on streams.
    pub stream_bytes_in: Counter,
    /// Streams of others under way now.
    pub streams_open: Level,
    /// What came in and was not taken.
    pub refusals: Refusals,
}

/// A number that grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn one(&self) {
        self.add(1);
    }

    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }
}

/// A number that rises and falls.
#[derive(Debug, Default)]
pub struct Level(AtomicI64);

impl Level {
    /// The number.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
