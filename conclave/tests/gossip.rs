//! Ours among Debian's serf 0.9.4, in one pool: who sees what, both ways.
//!
//! ```text
//! pool     join, tags, events, queries, and the same table from both lists
//! ends     leave, kill, force-leave, and coming back
//! keys     encryption, rotation by either side, wrong keys, mixed compression
//! oneway   three of each in networks of their own, and packets lost in one direction
//! share    a data directory is one agent's
//! names    two agents of one name: who keeps it, and how the other one ends
//! refused  why nobody was joined, and what those say who have refused
//! bad      what kills real peers, sent to ours
//! ```

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "gossip/bad.rs"]
mod bad;
#[path = "gossip/ends.rs"]
mod ends;
#[path = "gossip/keys.rs"]
mod keys;
#[path = "gossip/names.rs"]
mod names;
#[path = "gossip/oneway.rs"]
mod oneway;
#[path = "gossip/pool.rs"]
mod pool;
#[path = "gossip/refused.rs"]
mod refused;
#[path = "gossip/share.rs"]
mod share;
mod support;
