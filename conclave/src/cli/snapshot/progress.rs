//! How far something has come, on a terminal; nothing where nobody looks.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::cli::table::size;

/// The time between two prints.
const PERIOD: Duration = Duration::from_millis(200);

/// A line on standard error that is written over and over, and is gone at the end.
#[derive(Debug)]
pub(super) struct Progress {
    what: &'static str,
    shown: bool,
    next: Instant,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, shown: std::io::stderr().is_terminal(), next: Instant::now() }
    }

    /// So many bytes are done, of so many.
    pub(super) fn at(&mut self, done: u64, all: u64) {
        if !self.shown || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PERIOD;
        let percent = done.saturating_mul(100).checked_div(all).unwrap_or(0);
        let line = format!("\r{} {} of {} ({percent} %)\x1b[K", self.what, size(done), size(all));
        // Nobody needs it.
        let _lost = std::io::stderr().write_all(line.as_bytes());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _lost = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
