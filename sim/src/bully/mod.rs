//! Bully: candidates that elect the best of them over gossip, in a small world of their own.
//!
//! What runs is the product's [`protocol::bully`]; what is simulated is all that lies around it: a
//! network of datagrams that loses, delays, doubles and goes one way only; disks that a crash
//! strikes between decision and durability; processes that stand still; clocks that run at rates of
//! their own; a pool that is late and wrong; and programs that take their time to stop.
//!
//! # Laws
//!
//! | law | what |
//! |---|---|
//! | GI1 one lease | never are two leases in use at once, as true time goes |
//! | GI2 one holder | an epoch is won once, by one |
//! | GI3 epochs grow | whoever is elected has a higher epoch than all before |
//! | GI4 grants are durable | what a member says that it granted is on its disk, to one an epoch |
//! | GI5 electorates | a version has one content, follows its parent by the rule, and whoever is
//! elected goes by one that descends from all that have settled |
//! | GI6 convergence | when the weather is calm, one leads and everybody knows it |
//! | GI7 offices end for a reason | nobody who leads falls because another one wants to lead |
//!
//! A lease is in use from when its holder is told until its end by the holder's own clock, or until
//! its program has stopped. That the process beside the program has crashed does not end it.
//!
//! [`world`] draws worlds of the safe mode from seeds. [`classic`] shows what the classic mode does
//! instead, and counts its messages. [`flaps`] counts how often the leader changes when the best
//! candidate comes and goes.

mod agenda;
pub mod classic;
mod clock;
pub mod flaps;
mod laws;
mod member;
mod network;
pub mod plan;
mod stage;
pub mod world;

pub use laws::Broken;
