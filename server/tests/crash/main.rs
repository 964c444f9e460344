//! Power failures, damaged bytes and full disks, under the composition that production runs: a
//! replica on the log and the state backend, each on a disk that breaks.
//!
//! One client asks two hundred things, one after the other and in groups, while time passes, the
//! state is flushed behind it, the log is trimmed behind that, and the process is once killed and
//! once restarted in order. What the client was told is compared with a store that applied the same
//! commands and never saw a disk; so is what comes back after each fault.
//!
//! With `FULL=1` nothing is left out; otherwise the longest sweeps take one place of so many.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod check;
mod faults;
mod flips;
mod history;
mod machine;
mod replica;
mod script;
mod sweep;
mod wiped;

/// Whether nothing may be left out.
fn full() -> bool {
    std::env::var_os("FULL").is_some_and(|value| value == "1")
}

/// The distance between two places that are tried.
fn stride(otherwise: usize) -> usize {
    if full() { 1 } else { otherwise }
}
