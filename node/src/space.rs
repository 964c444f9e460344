//! The disk reserve: growth is refused before the disk is full, and goes on by itself afterwards.
//!
//! ```text
//! free     ──────╲                      ╱──────   the driver measures, about once a second
//! 1.25 × reserve  ╲                    ╱·······   above: no longer short
//! reserve ·········╲··················╱           below: short
//! 0                 ╲____deletes_____╱
//!                    NOSPACE            clear     through the log, so that all members refuse
//! ```
//!
//! Laws:
//!
//! - a member reports only itself, and only what differs from what the store has of it. So an
//!   operator who clears its alarm while it is short sees it raised again, and an alarm that an
//!   operator has raised is never cleared from here;
//! - between the two marks nothing changes: what a compaction gives back must be worth something
//!   before growth begins anew;
//! - what gives space back is never refused: deletions, compactions, the end of leases;
//! - a member that is short keeps no log for those that lag: they are sent the state.
//!
//! While the alarm is raised, what grows is refused before it enters the log. What was proposed
//! before is refused at its place there, as everywhere. The first is what keeps the log from
//! growing under clients that try again and again; the second is what all members agree on.
//!
//! What is free is the driver's affair: what the file system gives this process, and what the log
//! can give back at once (spare segments beyond the next one). Dead records inside the tables do
//! not count until they have been given back, since that takes a copy; a member that is short gives
//! them back sooner than others.
//!
//! What is left out: quotas. The reserve says how much of a disk must stay free, whatever has taken
//! the rest.

use core::time::Duration;

use protocol::Time;
use store::Command;

use crate::node::Node;
use crate::output::Output;
use crate::writes::Waiter;

/// How often a member tries to report.
const REPORT_PAUSE: Duration = Duration::from_millis(500);

/// What there is of space, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Free on the disk, or inside files where it is as good as that.
    pub free: u64,
    /// What must stay free; 0: nothing, this member is never short.
    pub reserved: u64,
}

impl Space {
    /// Whether it is short, if it was (or was not) before.
    fn short(self, before: bool) -> bool {
        let enough = self.reserved.saturating_add(self.reserved / 4);
        if before { self.free < enough } else { self.free < self.reserved }
    }
}

/// What this member knows of its disk.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// The last measurement.
    pub(crate) space: Option<Space>,
    /// What was made of it; `None` before the first.
    short: Option<bool>,
    /// The last flush found the disk full, whatever was measured.
    full: bool,
    report_at: Time,
}

impl Measured {
    /// Whether this member is short of space.
    pub(crate) fn is_short(&self) -> bool {
        self.short == Some(true)
    }
}

impl Node {
    /// The disk was measured.
    pub(crate) fn measured(&mut self, space: Space) {
        self.measured.space = Some(space);
        self.judge_space();
    }

    /// A flush found the disk full, or did not.
    pub(crate) fn flush_found(&mut self, full: bool) {
        if self.measured.full != full {
            self.measured.full = full;
            self.judge_space();
        }
    }

    fn judge_space(&mut self) {
        let Some(space) = self.measured.space else { return };
        let me = self.config.raft.id;
        let before = self.measured.short.unwrap_or_else(|| self.store.is_short(me));
        let short = space.short(before) || (self.measured.full && space.reserved > 0);
        if self.measured.short.replace(short).unwrap_or(false) != short {
            self.output(Output::Economise(short));
        }
    }

    /// Whether what the store has of this member is not so.
    fn report_differs(&self) -> bool {
        self.measured.short.is_some_and(|short| short != self.store.is_short(self.config.raft.id))
    }

    /// Tells the others whether this member is short, until the store has it.
    pub(crate) fn report_space(&mut self) {
        let early = self.now < self.measured.report_at;
        if early || self.core.leader().is_none() || !self.report_differs() {
            return;
        }
        self.measured.report_at = self.now + REPORT_PAUSE;
        let (member, short) = (self.config.raft.id, self.measured.is_short());
        self.write(Waiter::Nobody, &Command::SpaceReport { member, short });
    }

    /// When the member must report again.
    pub(crate) fn report_timeout(&self) -> Option<Time> {
        let due = self.core.leader().is_some() && self.report_differs();
        due.then_some(self.measured.report_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_the_marks_nothing_changes() {
        let space = |free| Space { free, reserved: 100 };
        assert!(!space(100).short(false));
        assert!(space(99).short(false));
        assert!(space(124).short(true));
        assert!(!space(125).short(true));
        for free in [0, 1, u64::MAX] {
            let off = Space { free, reserved: 0 };
            assert!(!off.short(true) && !off.short(false));
        }
    }
}
