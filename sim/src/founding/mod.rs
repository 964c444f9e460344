//! Founding: servers that meet in a pool and found one group, in a small world of their own.
//!
//! What runs is the product's [`protocol::bootstrap`]; what is simulated is all that lies around
//! it: disks that a crash strikes between decision and durability, processes that start in any
//! order and again, a pool whose tables spread at random, late, more than once, and with what has
//! long changed, and partitions that heal.
//!
//! # Laws
//!
//! | law | what |
//! |---|---|
//! | BI1 one group | below 2N servers one group is founded at most; ever, two share no server |
//! | BI2 founders | a group is founded with exactly N servers, each of which holds that pledge
//! durably | | BI3 one pledge | a server holds one pledge, changes it only for a lower one, and
//! shows what is durable | | BI4 convergence | when all are up and everybody sees everybody, one
//! group is there and all are of it |
//!
//! [`world`] draws worlds from seeds; [`explore`] tries every order of events of few servers.

pub mod explore;
mod laws;
mod pool;
mod server;
pub mod world;

pub use laws::Broken;
