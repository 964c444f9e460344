//! Serf's layer: one agent step by step, and pools on a virtual network.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod hostile;
mod oracle;
mod pools;
mod scenes;
mod stage;
mod text;
mod traces;
mod world;
