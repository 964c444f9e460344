//! The one place where time is read.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use protocol::Time;

/// A monotonic clock with an origin of its own. On Linux it stands still while the machine is
/// suspended, and goes on while the process is stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Time {
        let elapsed = self.origin.elapsed().as_nanos();
        // 584 years of nanoseconds fit.
        Time(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    /// Milliseconds since 1970, UTC: what to write beside things for people. It may jump, and
    /// nothing is measured by it.
    pub(crate) fn utc_ms() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The instant that a time names, for timers.
    pub(crate) fn instant(&self, time: Time) -> tokio::time::Instant {
        (self.origin + std::time::Duration::from_nanos(time.0)).into()
    }
}
