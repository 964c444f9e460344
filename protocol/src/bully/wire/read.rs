//! Reading the parts that letters and files share. Whatever is there is anybody's.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use super::ELECTORS_MAX;
use crate::bootstrap::Pledge;
use crate::bully::{Electorate, Epoch, Rank, Version};
use crate::{ClusterId, NodeId};

/// What has not been read yet. Everything gives `None` when it is not there, or makes no sense.
pub(super) struct Read<'a>(pub(super) &'a [u8]);

impl Read<'_> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*bytes))
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn duration(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_nanos)
    }

    pub(super) fn id(&mut self) -> Option<Option<NodeId>> {
        if self.flag()? { self.number().map(|id| Some(NodeId(id))) } else { Some(None) }
    }

    pub(super) fn epoch(&mut self) -> Option<Epoch> {
        self.number().map(Epoch)
    }

    pub(super) fn rank(&mut self) -> Option<Rank> {
        let (freshness, priority) = (self.number()?, self.number()?);
        Some(Rank { freshness, priority, id: NodeId(self.number()?) })
    }

    pub(super) fn pledge(&mut self) -> Option<Option<Pledge>> {
        let count = usize::from(self.byte()?);
        if count == 0 {
            return Some(None);
        }
        let ids = self.ids(count, Pledge::MOST)?;
        Pledge::new(ids).map(Some)
    }

    pub(super) fn electorate(&mut self) -> Option<Option<Electorate>> {
        if !self.flag()? {
            return Some(None);
        }
        let group = ClusterId(self.number()?);
        let version = Version { epoch: self.epoch()?, number: self.number()? };
        let count = usize::from(self.byte()?);
        let members: BTreeSet<NodeId> = self.ids(count, ELECTORS_MAX)?.into_iter().collect();
        let count = usize::from(self.byte()?);
        let left = ELECTORS_MAX.checked_sub(members.len())?;
        let outgoing = self.ids(count, left)?.into_iter().collect();
        let sane = !members.is_empty();
        sane.then_some(Some(Electorate { group, version, members, outgoing }))
    }

    /// So many ids, in ascending order.
    fn ids(&mut self, count: usize, most: usize) -> Option<Vec<NodeId>> {
        if count > most {
            return None;
        }
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            ids.push(NodeId(self.number()?));
        }
        ids.is_sorted_by(|one, next| one < next).then_some(ids)
    }

    pub(super) fn text(&mut self, length: usize) -> Option<&str> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        core::str::from_utf8(bytes).ok()
    }
}
