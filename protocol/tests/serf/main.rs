//! Serf's layer: one member step by step, and pools on a virtual network.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod stage;
mod text;
mod traces;
