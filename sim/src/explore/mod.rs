//! Every behaviour of three Raft nodes, within a box.
//!
//! A simulator tries many behaviours; an explorer tries all of them, as far as a stated box
//! reaches ([`Bounds`]): terms, commands, messages in flight, crashes, duplicates, writes under
//! way, heartbeats. What it plays is [`protocol::raft::Raft`] itself. It goes breadth first from
//! three empty nodes, so the first broken law it meets is broken by the fewest steps that can break
//! it, and those are what it tells ([`Counterexample`]).
//!
//! # What may happen
//!
//! Time is left out: any timer may fire at any moment, which covers every clock. Messages are
//! delivered in any order, lost, or delivered again. Disks take their time, a node crashes with
//! writes under way, and the oldest of these may be torn. Commands are given to leaders, and so are
//! wishes for other members ([`Members`]), where a box has some.
//!
//! # How it is fast
//!
//! - *Local states by number.* What a node does depends on nothing but itself and what happens to
//!   it. Each such pair is played through the real core once and is a row of a table from then on
//!   (the `atlas`). A state of the cluster is three numbers, a bag of message numbers, and a little
//!   history; the search touches no core.
//! - *Names mean nothing.* Of the six states that differ only in the names of nodes one is
//!   explored. Renamed twins are not computed by looking into a core, they are played: so it is
//!   checked along the way that the core treats its peers alike.
//! - *Losing late.* A message is dropped when room is needed, not before; answers that nobody waits
//!   for any more are dropped at once. Both leave what nodes can come to as it is, and there is a
//!   test that it is so.
//! - *Fingerprints.* A state that has been seen is 64 bits.
//!
//! # What is checked
//!
//! | law | what | when |
//! |---|---|---|
//! | [`Law::ElectionSafety`] | one leader a term, ever | a node becomes leader |
//! | [`Law::LeaderAppendOnly`] | leaders only append | a write is handed out |
//! | [`Law::LogMatching`] | equal index and term, equal log | every state |
//! | [`Law::LeaderCompleteness`] | later leaders have what was committed | every state |
//! | [`Law::StateMachineSafety`] | one committed log | a commit index moves |
//! | [`Law::CommitDurable`] | committed is on a majority of disks | every state, or a commit |
//! | [`Law::CommitOwnTerm`] | counting only in the own term | a commit index moves |
//! | [`Law::VoteDurable`] | votes are told when durable, and kept | they are told, or land |
//! | [`Law::AckDurable`] | acknowledged is durable | a message leaves |
//! | [`Law::Monotone`] | term and commit index never fall | a node does anything |
//! | [`Law::DeliverDurable`] | delivered is on the own disk | a delivery |
//! | [`Law::LogContiguous`] | logs have no gaps | a write is handed out |
//! | [`Law::CoreAssertion`] | the core's own laws | a node does anything |
//! | [`Law::Symmetry`] | names do not matter | a row is learned |
//!
//! # What is left out, and what follows from it
//!
//! - *Clocks*: check-quorum, stickiness and leases are off, as without time they mean nothing. So
//!   neither the safety of lease reads nor who wins an election in time is seen here.
//! - *Reads, leader transfer, forwarded commands, trimming, entries fetched from disk, broken
//!   links, entries in doubt*: no such input is given.
//! - *The end of a term range*: nobody campaigns beyond the last term, so what would break only in
//!   a further one is not seen.
//! - *Batches of inputs*: outputs are drained after each input, and writes become durable one by
//!   one.
//! - *A chance of missing a state*, when two share a fingerprint; the set's chapter says how small.

mod atlas;
mod bits;
mod bounds;
mod boxes;
mod cluster;
mod frontier;
mod laws;
mod local;
mod logs;
mod members;
mod paths;
mod report;
mod search;
mod seen;
mod state;
mod symmetry;
mod trace;

#[cfg(test)]
mod tests;

use protocol::NodeId;

pub use bounds::Bounds;
pub use boxes::{BOXES, NamedBox};
pub use laws::{Broken, Claim, Law};
pub use local::Happening;
pub use members::Members;
pub use report::{Progress, Report};
pub use search::Explorer;
pub use trace::{Counterexample, Event};

/// How many nodes there are.
pub const NODES: usize = 3;

/// The name of a node by its number.
fn name(number: usize) -> NodeId {
    NodeId(number as u64 + 1)
}

/// The number of a node by its name.
fn number(name: NodeId) -> usize {
    usize::try_from(name.0 - 1).expect("invariant: names are small here")
}
