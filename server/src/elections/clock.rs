//! The clock of leases.

use protocol::Time;
use rustix::time::{ClockId, clock_gettime};

/// The time since this machine was started. It goes on while the machine is suspended, and it is
/// the same for all processes of a machine, so that one may tell another when to stop.
#[must_use]
pub fn boot_time() -> Time {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    Time(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}
