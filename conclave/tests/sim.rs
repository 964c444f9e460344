//! `conclave sim` as a process: what it prints, writes and refuses, and how it ends.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

#[path = "sim/check.rs"]
mod check;
#[path = "sim/measure.rs"]
mod measure;
#[path = "sim/refusals.rs"]
mod refusals;
#[path = "cli/said.rs"]
#[allow(dead_code, reason = "every test binary uses its own part")]
mod said;
#[path = "sim/stories.rs"]
mod stories;
#[path = "sim/worlds.rs"]
mod worlds;
