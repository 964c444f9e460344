//! What is known of who hears whom.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use crate::{NodeId, Time};

/// Whom a member hears, as it said itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Whose view.
    pub node: NodeId,
    /// Which life of its.
    pub life: u64,
    /// Grows by one with each view of that life.
    pub number: u64,
    /// Whom it hears, ascending.
    pub hears: Vec<NodeId>,
}

impl View {
    pub(super) fn hears(&self, id: NodeId) -> bool {
        self.hears.contains(&id)
    }
}

/// The newest view of each member, with when it came.
///
/// - What is older than `lasting` counts for nothing: a member that nobody hears has no view.
#[derive(Clone, Debug)]
pub(super) struct Views {
    lasting: Duration,
    known: BTreeMap<NodeId, (View, Time)>,
}

impl Views {
    pub(super) const fn new(lasting: Duration) -> Self {
        Self { lasting, known: BTreeMap::new() }
    }

    fn is_fresh(&self, at: Time, now: Time) -> bool {
        now - at < self.lasting
    }

    /// What is known of this member.
    pub(super) fn of(&self, id: NodeId, now: Time) -> Option<&View> {
        let (view, at) = self.known.get(&id)?;
        self.is_fresh(*at, now).then_some(view)
    }

    /// All that is known.
    pub(super) fn fresh(&self, now: Time) -> impl Iterator<Item = &View> {
        self.known.values().filter(move |(_, at)| self.is_fresh(*at, now)).map(|(view, _)| view)
    }

    /// A view came in by `from`. Lives have no order: a member knows its own best, and what others
    /// say of another life is believed once the known one says nothing any more.
    pub(super) fn learn(&mut self, from: NodeId, view: View, now: Time) {
        let newer = self.known.get(&view.node).is_none_or(|(known, at)| {
            let same = known.life == view.life;
            (same && view.number > known.number)
                || (!same && (from == view.node || !self.is_fresh(*at, now)))
        });
        if newer {
            self.known.insert(view.node, (view, now));
        }
    }

    /// Forgets those who are no members.
    pub(super) fn retain(&mut self, members: &BTreeSet<NodeId>) {
        self.known.retain(|id, _| members.contains(id));
    }
}
