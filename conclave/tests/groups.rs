//! Groups of agents that elect over gossip: real processes, real kills.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

#[path = "groups/beside.rs"]
mod beside;
#[path = "groups/electors.rs"]
mod electors;
#[path = "groups/kills.rs"]
mod kills;
#[path = "groups/loss.rs"]
mod loss;
#[path = "groups/programs.rs"]
mod programs;
#[path = "groups/refusals.rs"]
mod refusals;
#[path = "groups/stage.rs"]
mod stage;
