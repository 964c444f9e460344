//! The key-value store as clients saw it, held against the log.
//!
//! # What it is
//!
//! Answers carry the revision they were made at, and the world knows the committed log; so the
//! order of all operations need not be searched, only verified. [`Truth`] replays the log through
//! [`Model`], a sequential store written without any thought of speed that shares nothing with the
//! production store but the names of commands and outcomes. [`judge`] then takes each answer by
//! itself:
//!
//! - every field of the answer is what the model says at that revision (`KV`);
//! - **real time**: nothing committed before the call is missing, and nothing that was committed
//!   only after the return is seen; a serializable read may miss anything, but sees no future;
//! - the past reads the same for ever, until it is compacted, and is refused from then on (`MI3`);
//! - leases have the time, the keys and the names that the ticks in the log leave them (`L5`,
//!   `L6`).
//!
//! A write that its client has numbered may be in the log several times, once for each attempt that
//! arrived. The model knows by the numbers which entry does it (`XI1`); the others do nothing.
//!
//! Which entry a write caused is the ledger's business ([`super::ledger`]), which also compares
//! what the write was answered.
//!
//! # What follows
//!
//! With the `n` answers and entries sorted already, all this takes O(n log n). It is sound and
//! complete for histories whose revisions are right; a revision that lies shows as a wrong answer,
//! a gap or a write without an entry. Real time is taken from the commits rather than from other
//! answers: whatever a client was told was committed before, so every bound that other answers
//! give follows.
//!
//! [`judge_by_search`] judges a sample of keys once more, and believes no revision.
//!
//! # What is left out
//!
//! Hashes, alarms, members and status are judged by their headers only. Sizes of requests are a
//! node's setting and are not looked at. A refusal with `NoLeader` or the like says nothing about
//! the state of a read.

mod answers;
mod leases;
mod model;
mod read;
mod search;
mod sessions;
mod sound;
mod truth;
mod versions;
pub(crate) mod words;

pub use answers::{Judged, judge};
pub use model::Model;
pub use search::{Searched, judge as judge_by_search};
pub use truth::Truth;

pub(crate) use leases::{End, Life};
pub(crate) use versions::Happened;
