//! The state on disk: beside its twin in memory, through crashes, damage and full disks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod script;
mod support;

mod crash;
mod damage;
mod format;
mod full;
mod model;
mod readers;
mod resync;
mod tombstones;
