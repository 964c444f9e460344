//! What a process has used, as Linux tells of it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::failure::{Failure, Result};

/// What a process has used so far.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    /// Nanoseconds on a processor, by thread.
    threads: BTreeMap<String, u64>,
    /// Bytes that are in memory.
    pub(super) resident: u64,
    /// The same, of shared ones the part of each sharer.
    pub(super) proportional: Option<u64>,
}

impl Usage {
    /// A look at a process that lives.
    pub(super) fn of(process: u32) -> Result<Self> {
        let folder = format!("/proc/{process}");
        let fail = |error| {
            Failure::new(format!(
                "cannot read in {folder} what the process has used: {error}; has it ended? Its \
                 log stands above. Only Linux tells what is needed here"
            ))
        };
        let mut threads = BTreeMap::new();
        for thread in fs::read_dir(format!("{folder}/task")).map_err(fail)? {
            let thread = thread.map_err(fail)?;
            // A thread may have ended since.
            let Ok(stat) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let on = stat.split_whitespace().next().and_then(|on| on.parse().ok());
            let name = thread.file_name().to_string_lossy().into_owned();
            threads.insert(name, on.unwrap_or_default());
        }
        let status = fs::read_to_string(format!("{folder}/status")).map_err(fail)?;
        let resident = kibibytes(&status, "VmRSS:").unwrap_or_default();
        let rollup = fs::read_to_string(format!("{folder}/smaps_rollup")).ok();
        let proportional = rollup.and_then(|rollup| kibibytes(&rollup, "Pss:"));
        Ok(Self { threads, resident, proportional })
    }

    /// The time on processors since an earlier look. What a thread used that has ended since is
    /// not in it.
    pub(super) fn cpu_since(&self, before: &Self) -> Duration {
        let since = |(thread, now): (&String, &u64)| {
            now.saturating_sub(before.threads.get(thread).copied().unwrap_or_default())
        };
        Duration::from_nanos(self.threads.iter().map(since).sum())
    }
}

/// Bytes of a line such as `VmRSS:     1234 kB`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_works_and_takes_memory() {
        let before = Usage::of(std::process::id()).unwrap();
        let sum = (0..3_000_000u64).fold(1, |a, b| std::hint::black_box(a ^ b));
        let after = Usage::of(std::process::id()).unwrap();
        assert!(sum < u64::MAX && after.cpu_since(&before) > Duration::ZERO);
        assert!(after.resident > 1 << 20 && after.proportional.is_none_or(|bytes| bytes > 0));
    }

    #[test]
    fn only_the_line_of_that_name_counts() {
        let text = "VmHWM:\t 9 kB\nVmRSS:\t   12 kB\nPss: 7 kB\n";
        assert_eq!(kibibytes(text, "VmRSS:"), Some(12 * 1024));
        assert_eq!(kibibytes(text, "Pss:"), Some(7 * 1024));
        assert_eq!(kibibytes(text, "Rss:"), None);
    }
}
