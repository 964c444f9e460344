//! The search path of the oracle: is a history of concurrent calls linearizable?
//!
//! A history is a set of [`Interval`]s: a call, the moment it was invoked, and either the moment
//! and content of its response or the fact that nobody knows. It is linearizable (Herlihy–Wing)
//! when there is one order of its calls that a sequential [`Model`] accepts, response by response,
//! and in which a call that returned before another was invoked stands before it.
//!
//! Nothing else is trusted: no revision, no term, no index. What the system says about its own
//! order is part of the responses, and the model judges it like any other field.
//!
//! # The search
//!
//! The depth-first search over prefixes of an order (Wing–Gong) as it became fast (Lowe;
//! Horn–Kroening): the events that are not yet linearised form a doubly linked list, a call and
//! its return are lifted out of it when the call is taken, and put back on the way out. A
//! *configuration* is the set of calls taken so far and the state they lead to; one that was seen
//! before is not entered again.
//!
//! ```text
//!   expand ──► choices (calls invoked before the first open return that the model accepts)
//!     ▲           │ take the next one
//!     │           ▼
//!     └── new ── lift, step ── seen before ──► put back
//!                               no choice left ──► put back what led here; the root: refuted
//! ```
//!
//! Four observations keep the number of configurations small, and none of them costs an answer:
//!
//! - **A call that changes nothing is taken at once.** If a read or a failed compare can be taken
//!   now, every order that takes it later is still an order when it is moved here, and what stood
//!   between sees the same states. No other choice is tried beside it. This needs a call that
//!   changes nothing *anywhere*: a write of the value that is there already may not be moved, for
//!   at its later place it may be what restores that value.
//! - **A call of unknown outcome is optional.** It has no return to wait for, so it is never in the
//!   way, and the history is accepted as soon as every call with a response is taken. One that
//!   would change nothing is left out; an unknown read is dropped from the start.
//! - **Equal optional calls are one choice.** Both are open for ever, so that the earlier can stand
//!   for the later.
//! - **Keys are judged apart** (Herlihy–Wing, theorem 1: locality): [`check_by_key`] splits a
//!   history by the keys that meet in one call, and each part is searched alone.
//!
//! The set of calls taken is hashed incrementally, one random word a call (Zobrist), and compared
//! exactly from the first call not taken to the last one taken, so that a collision of hashes can
//! never merge two configurations.
//!
//! # What is left out
//!
//! The problem is NP-complete, and a search that may not end is no judge: a [`Budget`] in steps
//! and bytes, never in seconds, turns the rest into [`Verdict::Unknown`], the same on every
//! machine. There is no order in time between events of one instant: they count as concurrent,
//! which can only accept more. One core is used; whoever wants more gives each a key.

mod budget;
mod done;
mod entries;
mod history;
mod intern;
mod map;
mod memo;
mod model;
mod partition;
mod report;
mod search;

pub use budget::Budget;
pub use history::{Interval, Outcome};
pub use map::{Map, MapCall, MapOp};
pub use model::{Keyed, Model};
pub use partition::{Part, check_by_key, partition};
pub use report::Report;

/// What the search found out about a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Some order of the calls explains every response.
    Linearizable,
    /// No order does; where the best attempt ended.
    Not(Box<Report>),
    /// The budget ended first. To a harness this is a failure of its generator, not a pass.
    Unknown,
}

impl Verdict {
    /// `linearizable`, `not` or `unknown`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Linearizable => "linearizable",
            Self::Not(_) => "not",
            Self::Unknown => "unknown",
        }
    }

    /// Whether some order explains the history.
    #[must_use]
    pub const fn is_linearizable(&self) -> bool {
        matches!(self, Self::Linearizable)
    }

    /// Whether the history was refuted.
    #[must_use]
    pub const fn is_not(&self) -> bool {
        matches!(self, Self::Not(_))
    }
}

/// Judges a whole history as one object.
///
/// # Panics
///
/// When an interval returns before it was invoked: no clock of ours gives that out.
#[must_use]
pub fn check<M: Model>(
    model: &M,
    history: &[Interval<M::Call, M::Response>],
    budget: Budget,
) -> Verdict {
    let calls: Vec<usize> = (0..history.len()).collect();
    search::Search::new(model, history, &calls, budget).run("")
}
