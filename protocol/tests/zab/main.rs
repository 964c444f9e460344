//! Zab in a world of its own: cold starts, published counter-examples, and storms.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod bugs;
mod disk;
mod elections;
mod garbage;
mod host;
mod judge;
mod network;
mod reads;
mod room;
mod scenes;
mod starting;
mod storm;
mod storms;
mod synchronizing;
mod world;
