//! What this process has used: processor time and memory.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The processor time of all threads so far.
pub(super) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// The processor time that some work takes, and what it gives.
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let before = cpu();
    let done = work();
    (cpu().saturating_sub(before), done)
}

/// The most bytes that were ever resident, where the system tells.
pub(super) fn peak_bytes() -> Option<u64> {
    peak(&fs::read_to_string("/proc/self/status").ok()?)
}

/// The line `VmHWM:     1234 kB` of Linux.
fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_its_line() {
        assert_eq!(peak("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t   12 kB\n"), Some(12 * 1024));
        assert_eq!(peak("VmHWM:\t12 MB\n"), None);
        assert_eq!(peak(""), None);
    }

    #[test]
    fn work_takes_processor_time() {
        let (took, sum) = timed(|| (0..3_000_000u64).fold(1, |a, b| std::hint::black_box(a ^ b)));
        assert!(took > Duration::ZERO && sum < u64::MAX);
    }
}
