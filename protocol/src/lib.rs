//! The protocols of Conclave as pure state machines: no clock, no socket, no file, no thread.
//!
//! Every protocol has the same four verbs, by convention and not by trait:
//!
//! ```text
//! new(config, restored, seed) -> Self
//! handle(&mut self, now, input)            never fails: a bad message is dropped and counted
//! poll_timeout(&self) -> Option<Time>      when to call handle(now, Input::Timeout)
//! poll_output(&mut self) -> Option<Output> drain until None
//! ```
//!
//! Time comes in as a value, randomness from one seeded generator inside, and disk completions as
//! inputs. What crosses the boundary are values that can be printed, compared and recorded.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::wildcard_enum_match_arm)]

extern crate alloc;

pub mod bootstrap;
pub mod bully;
mod id;
pub mod link;
mod log;
pub mod mesh;
pub mod mutant;
pub mod quorum;
pub mod raft;
mod rng;
pub mod swim;
mod time;
pub mod zab;

pub use id::{ClusterId, Index, NodeId, Position, Term};
pub use log::{Entry, Payload, ReadId, Tag, WriteId};
pub use rng::Rng;
pub use time::Time;
