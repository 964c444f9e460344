//! Wishes in line, and the configuration as it was last applied.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use protocol::raft::Membership;
use protocol::{NodeId, Position};

use super::change::{MemberChange, MemberRefusal, read_change, write_change};
use super::table::MemberTable;
use crate::codec::{DecodeError, Reader, put_len, put_u64};
use crate::meta::Name;
use crate::{Error, Outcome, Store};

/// Wishes that may wait; further ones are refused.
pub const MAX_WISHES: usize = 16;
/// Members that may be meant to stay learners, as etcd has it by default.
const MAX_LEARNERS: usize = 1;

/// A wish in line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wish {
    /// Its name: the index of the entry it came in.
    pub ticket: u64,
    /// What is wished.
    pub change: MemberChange,
}

/// The line.
///
/// ```text
/// the first one stands u8 | list of: ticket u64 | change
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    /// The first one has been judged, and is the leader's to fulfil.
    stands: bool,
    wishes: VecDeque<Wish>,
}

impl Queue {
    /// Its bytes; none when nobody waits.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        if self.wishes.is_empty() {
            return None;
        }
        let mut out = Vec::from([u8::from(self.stands)]);
        put_len(&mut out, self.wishes.len());
        for wish in &self.wishes {
            put_u64(&mut out, wish.ticket);
            write_change(&mut out, &wish.change);
        }
        Some(out)
    }

    pub(crate) fn decode(r: &mut Reader) -> Result<Self, DecodeError> {
        let stands = r.flag()?;
        let wishes = r.list(|r| Ok(Wish { ticket: r.u64()?, change: read_change(r)? }))?;
        Ok(Self { stands, wishes: wishes.into() })
    }
}

/// Who belongs to the cluster, and who shall.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    /// As last applied; `None` until the log holds one.
    pub(crate) membership: Option<Membership>,
    /// Those who were members and are not.
    pub(crate) removed: BTreeSet<NodeId>,
    pub(crate) queue: Queue,
    /// What became of wishes since the last look. No part of the state.
    settled: Vec<(u64, Result<(), Error>)>,
}

impl Store {
    /// The configuration as last applied; `None` until the log has held one.
    #[must_use]
    pub const fn membership(&self) -> Option<&Membership> {
        self.roster.membership.as_ref()
    }

    /// Whether somebody was a member and was removed. Its id never comes back.
    #[must_use]
    pub fn was_removed(&self, id: NodeId) -> bool {
        self.roster.removed.contains(&id)
    }

    /// How many were removed. It only grows.
    #[must_use]
    pub fn removed_count(&self) -> usize {
        self.roster.removed.len()
    }

    /// Those who were members and were removed, ascending.
    pub fn removed(&self) -> impl Iterator<Item = NodeId> {
        self.roster.removed.iter().copied()
    }

    /// The wish that the leader is to fulfil or to refuse: none while the members are on their way.
    #[must_use]
    pub fn wish(&self) -> Option<&Wish> {
        let joint = self.membership().is_none_or(Membership::is_joint);
        let queue = &self.roster.queue;
        queue.wishes.front().filter(|_| queue.stands && !joint)
    }

    /// Whether wishes wait for a first configuration.
    #[must_use]
    pub fn wants_membership(&self) -> bool {
        self.roster.membership.is_none() && !self.roster.queue.wishes.is_empty()
    }

    /// What became of wishes since the last call, by ticket.
    pub fn take_settled(&mut self) -> Vec<(u64, Result<(), Error>)> {
        core::mem::take(&mut self.roster.settled)
    }

    /// Applies the configuration at a position of the log.
    ///
    /// # Errors
    /// When its context is no table of members: a later version wrote it. Nothing was applied.
    ///
    /// # Panics
    /// As [`Store::apply`].
    pub fn apply_membership(
        &mut self,
        position: Position,
        membership: &Membership,
    ) -> Result<(), DecodeError> {
        MemberTable::of(membership)?;
        self.note_applied(position);
        let before = self.roster.membership.replace(membership.clone());
        self.dirty.insert(Name::Membership);
        // Also by a joint configuration: a learner can leave with its first half, and the second
        // never names it.
        for id in before.iter().flat_map(Membership::members) {
            if !membership.contains(id) {
                self.forget_member(id);
            }
        }
        if membership.is_joint() {
            return Ok(());
        }
        if self.roster.queue.stands {
            let done = self.roster.queue.wishes.front().is_some_and(|it| self.is_done(&it.change));
            if done {
                self.settle_front(Ok(()));
            }
            // Judged by members that may be others now.
            self.roster.queue.stands = false;
        }
        self.judge_wishes();
        Ok(())
    }

    /// Puts a wish in line.
    pub(crate) fn apply_member(&mut self, change: &MemberChange) -> Result<Outcome, Error> {
        if self.roster.queue.wishes.len() >= MAX_WISHES {
            return Err(Error::TooManyWishes);
        }
        let ticket = self.applied.index.0;
        self.dirty.insert(Name::Queue);
        self.roster.queue.wishes.push_back(Wish { ticket, change: change.clone() });
        self.judge_wishes();
        Ok(Outcome::Queued(ticket))
    }

    /// The leader refuses the wish at the front; one that is not there any more is left alone.
    pub(crate) fn apply_settle(&mut self, ticket: u64, refusal: MemberRefusal) -> Outcome {
        if self.roster.queue.wishes.front().is_some_and(|wish| wish.ticket == ticket) {
            self.settle_front(Err(refusal.into()));
            self.judge_wishes();
        }
        Outcome::Done
    }

    fn settle_front(&mut self, result: Result<(), Error>) {
        self.dirty.insert(Name::Queue);
        self.roster.queue.stands = false;
        if let Some(wish) = self.roster.queue.wishes.pop_front() {
            self.roster.settled.push((wish.ticket, result));
        }
    }

    /// Judges the first in line until one stands.
    fn judge_wishes(&mut self) {
        if self.membership().is_none_or(Membership::is_joint) {
            return;
        }
        while !self.roster.queue.stands {
            let Some(wish) = self.roster.queue.wishes.front() else { return };
            match self.check(&wish.change) {
                Err(error) => self.settle_front(Err(error)),
                Ok(()) if self.is_done(&wish.change) => self.settle_front(Ok(())),
                Ok(()) => {
                    self.dirty.insert(Name::Queue);
                    self.roster.queue.stands = true;
                }
            }
        }
    }

    /// Whether the members are as wished.
    fn is_done(&self, change: &MemberChange) -> bool {
        let after = self.membership().and_then(|now| Some((now, change.on(now).ok()?)));
        after.is_some_and(|(now, after)| *now == after)
    }

    /// The checks of a wish, in etcd's order.
    fn check(&self, change: &MemberChange) -> Result<(), Error> {
        let Some(membership) = self.membership() else { return Ok(()) };
        let table =
            MemberTable::of(membership).expect("invariant: it was read when it was applied");
        let known = |id: &NodeId| table.seats.contains_key(id);
        let present = |id| if known(id) { Ok(()) } else { Err(Error::MemberNotFound) };
        let fresh = |id| {
            let taken = known(id) || self.roster.removed.contains(id);
            if taken { Err(Error::MemberIdExists) } else { Ok(()) }
        };
        let free = |urls: &[_], except| {
            if urls.is_empty() {
                return Err(Error::BadPeerUrls);
            }
            if table.takes_any(urls, except) { Err(Error::PeerUrlExists) } else { Ok(()) }
        };
        match change {
            MemberChange::Add { id, peer_urls, voter } => {
                fresh(id)?;
                free(peer_urls, *id)?;
                let crowded = !voter && table.learners() >= MAX_LEARNERS;
                if crowded { Err(Error::TooManyLearners) } else { Ok(()) }
            }
            MemberChange::Remove { id } | MemberChange::Demote { id } => {
                present(id)?;
                self.started_without(membership, *id)
            }
            MemberChange::Update { id, peer_urls } => {
                present(id)?;
                free(peer_urls, *id)
            }
            MemberChange::Promote { id } => {
                present(id)?;
                let votes = membership.voters.contains(id);
                if votes { Err(Error::MemberNotLearner) } else { Ok(()) }
            }
            MemberChange::Replace { old, id, peer_urls } => {
                present(old)?;
                fresh(id)?;
                free(peer_urls, *old)
            }
        }
    }

    /// Whether the voters can do without `id`: of the others, a majority has started. A cluster
    /// never loses its last voter so.
    fn started_without(&self, membership: &Membership, id: NodeId) -> Result<(), Error> {
        if !membership.voters.contains(&id) {
            return Ok(());
        }
        let rest = membership.voters.iter().filter(|voter| **voter != id);
        let has_started = |id: &&NodeId| self.members.get(id).is_some_and(|it| !it.name.is_empty());
        let (count, started) = (rest.clone().count(), rest.filter(has_started).count());
        if started > count / 2 { Ok(()) } else { Err(Error::NotEnoughStarted) }
    }

    /// Somebody was removed: what it told of itself goes with it, and so do its alarms, and that
    /// its disk is short of space.
    fn forget_member(&mut self, id: NodeId) {
        self.roster.removed.insert(id);
        self.dirty.insert(Name::Removed(id));
        if self.members.remove(&id).is_some() {
            self.dirty.insert(Name::Member(id));
        }
        let gone = self.alarms.extract_if(.., |(by, _)| *by == id);
        self.dirty.extend(gone.map(|(by, what)| Name::Alarm(by, what)));
        if self.short.remove(&id) {
            self.dirty.insert(Name::Short(id));
        }
    }
}
