//! Three ways to a leader, measured on one workload.
//!
//! The product's cores of Raft, Zab and Bully play in turn on the same stage: one network (the same
//! latencies, ways that keep their order), the same disks, the same faults, the same seeds, and the
//! same patience: how much silence is borne before somebody stands. Nothing else happens, so all
//! messages are of elections, of what lets a leader serve, or routine.
//!
//! # What is counted
//!
//! - *Messages of an election*: from the beginning of the scenario until one acts and all that
//!   reach it know it. Requests and answers, and the first word of the new leader to each (a
//!   Victory, an append, a renewal). Not counted: later heartbeats, pings, renewals and their
//!   answers, and the pool's gossip, on which Bully rests as Raft rests on heartbeats.
//! - *Messages to serve*: Raft's first entry and Zab's recovery.
//! - *Hops*: messages one after the other, along the way that led to the event: what a message does
//!   comes from it, what a write's end does from the write, what a timer does from the event that
//!   set it.
//! - *Acting*: what a majority that reaches the leader both ways and goes by its term or epoch
//!   would follow now; with leases, an unexpired one; in the classic mode, whoever leads.
//!
//! Faults are silent: neither a crash nor a cut is told to anybody. So all detect by silence, which
//! for Zab is worse than with connections that a dying process closes.

mod bully;
pub mod comparison;
mod contender;
mod contest;
pub mod expected;
pub mod flaps;
pub mod gallery;
mod member;
mod meter;
mod network;
pub mod picture;
mod pool;
mod raft;
pub mod record;
mod report;
mod scenario;
mod settings;
pub mod tally;
pub mod trial;
mod zab;

pub use contender::Contender;
pub use scenario::Scenario;
pub use settings::{Settings, Told};
