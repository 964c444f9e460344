//! Every command as a process: what it prints, what it refuses and how it ends.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

#[path = "cli/damage.rs"]
mod damage;
#[path = "cli/dev.rs"]
mod dev;
#[path = "cli/local.rs"]
mod local;
#[path = "cli/look.rs"]
mod look;
#[path = "cli/measure.rs"]
mod measure;
#[path = "cli/refusals.rs"]
mod refusals;
#[path = "cli/said.rs"]
mod said;
#[path = "cli/store.rs"]
mod store;
