//! What the world can do to a network, a disk, a clock or a process: one rule a fault.
//!
//! The letters and numbers are those of the catalogue in `docs/simulator.md`.

use crate::seen::Place;

/// One fault, as it strikes.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Links carry nothing, in the directions named.
    Cut {
        /// The kind of partition, for people.
        shape: &'static str,
        /// From whom to whom.
        links: Vec<(Place, Place)>,
    },
    /// All links carry again.
    Healed,
    /// What a strike did for a while is over; what others do goes on.
    Over {
        /// The name of its kind.
        name: &'static str,
    },
    /// Something about a disk.
    Disk {
        /// Whose.
        at: Place,
        /// What.
        what: DiskFault,
    },
    /// A node's clock runs at another rate, in parts per million of true time.
    Drift {
        /// Whose.
        at: Place,
        /// 1,000,000 is true.
        rate: u64,
    },
    /// A node's monotonic clock leaps ahead, as after a suspended machine.
    Jump {
        /// Whose.
        at: Place,
        /// By how much, in milliseconds.
        by_ms: i64,
    },
    /// Anything else, by name, with the node that it strikes.
    Other {
        /// Its name.
        name: &'static str,
        /// Whom it strikes, where it strikes one.
        at: Option<Place>,
    },
}

/// What can happen to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// The next write fails with EIO.
    WriteError,
    /// The next sync fails with EIO, and a part is forgotten.
    SyncError,
    /// The next write finds the disk full.
    Full,
    /// The next write stores a part and fails.
    Short,
    /// The next write is confirmed and lands elsewhere.
    Astray,
    /// A bit of the log that is durable changes.
    Rot,
    /// A bit changes where the log's head holds term and vote: in one copy, or in both.
    HeadRot,
    /// A bit of the state that is durable changes.
    StateRot,
    /// A read fails with EIO.
    ReadError,
    /// Syncs take this much longer for a while.
    Slow,
    /// Syncs stop for a while.
    Stuck,
}
