//! Every configuration that anybody ever put into a log, and which of them is in force where.
//!
//! A configuration is in force from its append on (Raft §6), so a log says what rules its node: the
//! last one in it. What a node believes is not asked.

use std::collections::{BTreeMap, BTreeSet};

use protocol::raft::{Membership, Payload};
use protocol::{Index, NodeId, Position, Term};

use super::shadow::Shadow;
use crate::seen::{Place, id};

/// All configurations, by their places in logs. By log matching one position holds one entry.
#[derive(Clone, Debug)]
pub(crate) struct Configurations {
    /// Of those that the cluster began with.
    first: Membership,
    made: BTreeMap<(Index, Term), Membership>,
}

impl Configurations {
    pub(crate) fn new(voters: usize) -> Self {
        Self { first: Membership::of((0..voters).map(id)), made: BTreeMap::new() }
    }

    /// Notes what an entry carries.
    pub(crate) fn note(&mut self, position: Position, payload: &Payload) {
        let Payload::Membership(bytes) = payload else { return };
        if let Ok(membership) = Membership::decode(bytes) {
            self.made.insert((position.index, position.term), membership);
        }
    }

    /// What the cluster began with.
    pub(crate) fn first(&self) -> &Membership {
        &self.first
    }

    /// Whether nobody has changed the members yet.
    pub(crate) fn is_first(&self) -> bool {
        self.made.is_empty()
    }

    /// Those in a log up to `end`, the last one first; the one that the cluster began with stands
    /// at index 0.
    pub(crate) fn within<'a>(
        &'a self,
        log: &'a Shadow,
        end: Index,
    ) -> impl Iterator<Item = (Index, &'a Membership)> {
        let through = self.made.range(..=(end, Term(u64::MAX))).rev();
        let held = through.filter(|((index, term), _)| {
            log.position(*index).is_some_and(|position| position.term == *term)
        });
        held.map(|((index, _), membership)| (*index, membership))
            .chain(std::iter::once((Index(0), &self.first)))
    }

    /// What is in force with this log.
    pub(crate) fn in_force<'a>(&'a self, log: &'a Shadow) -> (Index, &'a Membership) {
        let mut all = self.within(log, log.last_index());
        all.next().unwrap_or((Index(0), &self.first))
    }

    /// Those up to `end` that were in force since `from`, the last one first: that at `from`, too.
    pub(crate) fn since<'a>(
        &'a self,
        log: &'a Shadow,
        end: Index,
        from: Index,
    ) -> impl Iterator<Item = &'a Membership> {
        let mut over = false;
        let wanted = move |(index, _): &(Index, &Membership)| {
            let was_over = over;
            over = *index <= from;
            !was_over
        };
        self.within(log, end).take_while(wanted).map(|(_, membership)| membership)
    }

    /// Whoever stands in any of them.
    pub(crate) fn everybody(&self) -> BTreeSet<NodeId> {
        self.made.values().chain([&self.first]).flat_map(Membership::members).collect()
    }

    /// Whether somebody has been a member since before `index`, in all configurations that anybody
    /// made.
    pub(crate) fn has_stayed(&self, at: Place, log: &Shadow, index: Index) -> bool {
        let who = id(at);
        let before = self.within(log, index).next();
        let later = self.made.range((index.next(), Term(0))..);
        before.is_some_and(|(_, membership)| membership.contains(who))
            && later.into_iter().all(|(_, membership)| membership.contains(who))
    }
}

/// Whether these are enough to decide: of the voters a majority, and one of those that go, too.
pub(crate) fn decides(membership: &Membership, agrees: impl Fn(NodeId) -> bool) -> bool {
    let most = |ids: &BTreeSet<NodeId>| {
        ids.is_empty() || ids.iter().filter(|id| agrees(**id)).count() > ids.len() / 2
    };
    most(&membership.voters) && most(&membership.outgoing)
}
