//! One line on the terminal that tells how far something is.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often it is drawn anew on a terminal.
const PERIOD: Duration = Duration::from_millis(100);
/// How often it is written where there is none: into a log, say.
const PERIOD_OF_A_LOG: Duration = Duration::from_secs(60);
/// The columns of a bar.
const BAR: usize = 16;

/// A line on standard error that is drawn over and over; a new one each minute when that is no
/// terminal.
#[derive(Debug)]
pub(super) struct Progress {
    terminal: bool,
    begun: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), begun: Instant::now(), drawn: None }
    }

    /// How long it has been going on.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Draws the line, unless that was done a moment ago.
    pub(super) fn show(&mut self, line: impl FnOnce(Duration) -> String) {
        let period = if self.terminal { PERIOD } else { PERIOD_OF_A_LOG };
        let last = self.drawn.or((!self.terminal).then_some(self.begun));
        if last.is_some_and(|last| last.elapsed() < period) {
            return;
        }
        let line = line(self.elapsed());
        if !self.terminal {
            self.drawn = Some(Instant::now());
            eprintln!("{line}");
            return;
        }
        let room = super::terminal::width(&io::stderr()).saturating_sub(1);
        let line: String = line.chars().take(room).collect();
        self.drawn = Some(Instant::now());
        // Progress that cannot be shown is no reason to stop.
        let _ = write!(io::stderr(), "\r\x1b[K{line}");
    }

    /// Says something for good.
    pub(super) fn say(&mut self, text: &str) {
        self.clear();
        eprintln!("{text}");
    }

    /// Removes the line.
    pub(super) fn clear(&mut self) {
        if self.terminal && self.drawn.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A bar for a share between 0 and 1.
pub(super) fn bar(share: f64) -> String {
    let full = (0..BAR).filter(|cell| share * BAR as f64 > *cell as f64).count();
    format!("[{}{}]", "█".repeat(full), "·".repeat(BAR - full))
}

/// Minutes and seconds.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// How much longer it takes, at the speed so far; nothing before there is one.
pub(super) fn left(share: f64, elapsed: Duration) -> String {
    if share <= 0.0 {
        return String::new();
    }
    let rest = elapsed.as_secs_f64() * (1.0 - share).max(0.0) / share;
    let rest = Duration::try_from_secs_f64(rest).unwrap_or(Duration::MAX);
    format!("{} left", clock(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_always_as_wide() {
        for share in [-1.0, 0.0, 0.01, 0.5, 1.0, 7.0, f64::NAN] {
            assert_eq!(bar(share).chars().count(), BAR + 2, "{share}");
        }
        assert!(!bar(0.0).contains('█') && !bar(1.0).contains('·'));
    }

    #[test]
    fn what_is_left_follows_from_the_speed() {
        assert_eq!(left(0.25, Duration::from_secs(30)), "1:30 left");
        assert_eq!(left(0.0, Duration::from_secs(30)), "");
        assert_eq!(left(1.0, Duration::from_secs(30)), "0:00 left");
    }
}
