//! One at a time: locks and elections, held by real processes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

#[path = "hold/command.rs"]
mod command;
#[path = "hold/exclusion.rs"]
mod exclusion;
#[path = "hold/loss.rs"]
mod loss;
#[path = "hold/observe.rs"]
mod observe;
#[path = "hold/peers.rs"]
mod peers;
#[path = "hold/worker.rs"]
mod worker;
