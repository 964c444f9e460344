//! Recorded histories of one register, in the format in which Jepsen logged them.
//!
//! The public corpora of the field are such logs: a line an event, and the order of the lines is
//! the order in time.
//!
//! ```text
//! INFO  jepsen.util - 3   :invoke :cas    [0 4]
//! INFO  jepsen.util - 1   :ok     :read   0
//! INFO  jepsen.util - 3   :info   :cas    :timed-out
//!                     │   │       │       └ value, or why there is none
//!                     │   │       └ :read, :write or :cas
//!                     │   └ :invoke, then :ok, :fail or :info
//!                     └ process: one call at a time
//! ```
//!
//! What the results mean:
//!
//! | result | meaning |
//! |---|---|
//! | `:ok` | it happened, and the value is what it saw |
//! | `:fail :cas [a b]` | it happened as a read of something else than `a` |
//! | `:fail` otherwise | it did not happen, or was a read: the call is dropped |
//! | `:fail`, `:timed-out` | a time-out proves nothing: as `:info` |
//! | `:info`, or none up to the end | nobody knows |
//!
//! A line without an event is passed over when it is blank, a comment (`#`, `;`, `//`), a line of
//! another logger, or about the nemesis. Everything else that is no event is refused, for a
//! damaged event that was passed over could turn the verdict.

mod event;
mod history;

pub use event::ParseError;
pub use history::parse;

use super::register::Register;
use super::wgl::{Budget, Verdict, check};

/// Judges a log: whether a register that starts unwritten could have answered like this.
///
/// # Errors
///
/// The first line that is neither an event nor known noise, or an event that its process cannot
/// have had there. Nothing is judged then.
pub fn judge(text: &str) -> Result<Verdict, ParseError> {
    Ok(check(&Register, &parse(text)?, Budget::default()))
}
