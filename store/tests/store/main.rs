//! The state machine's docket: one file a theme, each test named after the claim it proves.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod alarms;
mod codec;
mod compaction;
mod etcd_bugs;
mod flushing;
mod fuzz;
mod hashing;
mod keys;
mod leases;
mod members;
mod model;
mod random;
mod reads;
mod recorded;
mod rig;
mod sessions;
mod snapshots;
mod transactions;
mod twin;
mod validation;
