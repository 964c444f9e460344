//! The state on disk: beside its twin in memory, through crashes, damage and full disks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod install_support;
mod script;
mod support;

mod crash;
mod damage;
mod format;
mod full;
mod install;
mod model;
mod readers;
mod resync;
mod tombstones;
mod views;
