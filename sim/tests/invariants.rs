//! The laws find what breaks them, let pass what only comes close, and are silent about production.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "invariants/cluster.rs"]
mod cluster;
#[path = "invariants/members.rs"]
mod members;
#[path = "invariants/safety.rs"]
mod safety;
#[path = "invariants/snapshots.rs"]
mod snapshots;
#[path = "invariants/stage.rs"]
mod stage;
#[path = "invariants/state.rs"]
mod state;
