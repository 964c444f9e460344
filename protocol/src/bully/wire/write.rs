//! Writing the parts that letters and files share.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use super::ELECTORS_MAX;
use crate::NodeId;
use crate::bootstrap::Pledge;
use crate::bully::{Electorate, Rank};

/// Bytes that grow.
pub(super) trait Write {
    fn byte(&mut self, byte: u8);
    fn number(&mut self, number: u64);

    fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    /// In nanoseconds; the longest there is when it is longer.
    fn duration(&mut self, duration: Duration) {
        self.number(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    fn id(&mut self, id: Option<NodeId>) {
        self.flag(id.is_some());
        if let Some(id) = id {
            self.number(id.0);
        }
    }

    fn rank(&mut self, rank: &Rank) {
        self.number(rank.freshness);
        self.number(rank.priority);
        self.number(rank.id.0);
    }

    fn pledge(&mut self, pledge: Option<&Pledge>) {
        let servers = pledge.map_or(&[][..], Pledge::servers);
        // A pledge names sixteen at most, so the count fits.
        self.byte(u8::try_from(servers.len()).unwrap_or(0));
        for id in servers {
            self.number(id.0);
        }
    }

    /// `None` when it has too many members.
    fn electorate(&mut self, electorate: Option<&Electorate>) -> Option<()> {
        self.flag(electorate.is_some());
        let Some(electorate) = electorate else { return Some(()) };
        if electorate.members.len() + electorate.outgoing.len() > ELECTORS_MAX {
            return None;
        }
        self.number(electorate.group.0);
        self.number(electorate.version.epoch.0);
        self.number(electorate.version.number);
        self.set(&electorate.members)?;
        self.set(&electorate.outgoing)
    }

    fn set(&mut self, ids: &BTreeSet<NodeId>) -> Option<()> {
        self.byte(u8::try_from(ids.len()).ok()?);
        for id in ids {
            self.number(id.0);
        }
        Some(())
    }
}

impl Write for Vec<u8> {
    fn byte(&mut self, byte: u8) {
        self.push(byte);
    }

    fn number(&mut self, number: u64) {
        self.extend_from_slice(&number.to_le_bytes());
    }
}
