//! How much of the data directory's file system stays free, and how much is free.
//!
//! What giving space back needs while growth is refused, at once and at most:
//!
//! | for | bytes |
//! |---|---|
//! | the log, in which deletions and compactions stand | one segment (16 MiB) beyond the spare |
//! | a flush of what they left | what gathers in memory before one (16 MiB) |
//! | the copy of a table without its dead | one table: half of the reserve, at least 16 MiB |
//!
//! A flush and a segment may also be under way before the member knows that it is short, as it
//! looks about once a second and after each flush.
//!
//! A member that is short trims its log behind every flush, so that the log does not grow for those
//! who lag. A reserve of 64 MiB holds all of that. With a smaller one a copy may find no room; then
//! another table has its turn, and wholly dead ones go without a copy. With much less a flush may
//! find none before the member is short: it is tried again, and growth is refused meanwhile.
//!
//! So a reserve that is chosen by itself is 64 MiB at least. Only where that would be more than
//! half of the disk it is half: a disk that small is for trying things out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use node::Space;

/// The least reserve that is chosen by itself, but for small disks: what deletions and compactions
/// need for the next segment of the log, a flush and the copy of a table of half of it.
const LEAST: u64 = 64 << 20;
/// The most.
const MOST: u64 = 1 << 30;

/// How much of a file system stays free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskReserve {
    /// A twentieth, at least 64 MiB and at most 1 GiB, but never more than half.
    #[default]
    Auto,
    /// The least that is chosen by itself, however large the disk: 64 MiB, and no more than
    /// half.
    Least,
    /// So many bytes; 0: nothing is kept in reserve.
    Bytes(u64),
    /// So many parts of a hundred.
    Percent(u8),
}

impl DiskReserve {
    /// In bytes, of a file system of `total` bytes.
    pub(crate) fn of(self, total: u64) -> u64 {
        match self {
            Self::Auto => (total / 20).clamp(LEAST, MOST).min(total / 2),
            Self::Least => LEAST.min(total / 2),
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => total / 100 * u64::from(percent),
        }
    }
}

/// Measures the file system of a data directory.
#[derive(Clone, Debug)]
pub(crate) struct Gauge {
    directory: PathBuf,
    reserved: u64,
    /// Bytes that the log can give back at once.
    surplus: Arc<AtomicU64>,
}

impl Gauge {
    /// For a directory that exists.
    ///
    /// # Errors
    /// What the file system says; and a reserve that leaves nothing of it.
    pub(crate) fn new(directory: &Path, reserve: DiskReserve) -> io::Result<Self> {
        let stat = rustix::fs::statvfs(directory)?;
        let total = stat.f_blocks.saturating_mul(stat.f_frsize);
        let reserved = reserve.of(total);
        if reserved > 0 && reserved >= total {
            let text = format!("the reserve of {reserved} bytes takes all of its {total} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(Self { directory: directory.to_owned(), reserved, surplus: Arc::default() })
    }

    /// What must stay free, in bytes.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Where the log tells what it can give back at once.
    pub(crate) fn surplus(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.surplus)
    }

    /// What is free now.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn measure(&self) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(&self.directory)?;
        // What this process may take: some file systems keep a part for their administrator.
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let surplus = self.surplus.load(Ordering::Relaxed);
        Ok(Space { free: free.saturating_add(surplus), reserved: self.reserved })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_never_all_and_small_disks_keep_less() {
        const GIB: u64 = 1 << 30;
        let auto = |total| DiskReserve::Auto.of(total);
        assert_eq!([auto(100 * GIB), auto(20 * GIB), auto(10 * GIB)], [GIB, GIB, GIB / 2]);
        assert_eq!([auto(GIB), auto(128 << 20), auto(100 << 20)], [64 << 20, 64 << 20, 50 << 20]);
        assert_eq!([auto(120 << 20), auto(0)], [60 << 20, 0]);
        let least = |total| DiskReserve::Least.of(total);
        assert_eq!([least(100 * GIB), least(100 << 20)], [64 << 20, 50 << 20]);
        assert_eq!(DiskReserve::Bytes(7).of(GIB), 7);
        assert_eq!(DiskReserve::Percent(5).of(1000), 50);
    }

    #[test]
    fn what_the_log_can_give_back_counts_as_free() {
        let directory = std::env::temp_dir();
        let gauge = Gauge::new(&directory, DiskReserve::Bytes(1)).unwrap();
        let before = gauge.measure().unwrap();
        gauge.surplus().store(u64::MAX / 2, Ordering::Relaxed);
        let after = gauge.measure().unwrap();
        assert!(before.free > 0 && before.free < u64::MAX / 2 && after.free >= u64::MAX / 2);
        let all = Gauge::new(&directory, DiskReserve::Bytes(u64::MAX)).unwrap_err();
        assert_eq!(all.kind(), io::ErrorKind::InvalidInput);
    }
}
