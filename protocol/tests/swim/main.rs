//! SWIM on a virtual network: what a pool promises, under everything that a network does.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod chaos;
mod oracle;
mod pools;
mod scenes;
mod stage;
mod traces;
mod world;
