//! One replica: consensus, the store and its clients' requests, composed into one pure machine.
//!
//! The driver feeds [`Input`]s and carries out [`Output`]s; see `protocol` for the four verbs. The
//! same `Node` runs under the server's sockets and disks and under the simulator's.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::wildcard_enum_match_arm)]

extern crate alloc;

mod acquaintance;
mod apply;
pub mod codec;
mod config;
mod consensus;
mod equality;
mod flush;
mod input;
mod leases;
mod membership;
mod mend;
mod node;
mod output;
mod reads;
mod rebuild;
mod request;
mod settle;
mod snapshot;
mod space;
mod status;
mod weights;
mod writes;

pub use acquaintance::{Acquaintances, Judgement, Life, MAX_RUNS, Run, TOLD_RUNS};
pub use config::{Config, Protocol};
pub use consensus::{Broadcast, Consensus, Event, Message, epochs, hard_state};
pub use equality::Condemned;
pub use input::Input;
pub use mend::{MendConfig, MendInput, MendOutput, Mending, gather};
pub use node::Node;
pub use output::Output;
pub use request::{
    Body, Failure, Header, LeaseTime, MemberInfo, NodeStatus, Reply, Request, RequestId,
};
pub use snapshot::{SnapshotRefused, ViewHead, ViewId};
pub use space::Space;
