//! Bringing the members to what operators wish.
//!
//! A wish is a command; the state refuses it or keeps it in line (`store/src/member.rs`). What
//! stands first in line is the leader's to fulfil, whoever leads by then: it compares the wish with
//! the configuration in force and takes one step. Each step is an entry of the log, and what
//! follows from it is looked at anew once it has been applied. So a change of leaders in the middle
//! leaves nothing half done, and nothing is remembered that a crash could lose.
//!
//! What a leader sees to:
//!
//! - *No vote before the log is nearly complete.* Whoever shall vote is a learner until it holds
//!   all but the last [`NEAR`] entries durably; then it becomes a voter without being asked for.
//! - *No change that cannot be decided.* Of the voters that there would be, a majority must have
//!   answered lately; otherwise the wish is refused, as etcd does.
//! - *A leader that shall go hands over first* (thesis §3.10), to a voter that stays. Should that
//!   fail, consensus lets it decide its own removal and then step down.
//!
//! A member that finds itself outside the configuration takes no more requests and tells those that
//! it has not passed on yet that nothing was done, in a way that sends clients elsewhere. What it
//! has passed on is answered for as long as the leader still tells it what was decided.
//!
//! Left out: nobody is demoted for being out of reach; that is the operators' decision.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use protocol::mutant::{Mutant, planted};
use protocol::raft::{self, Membership, Peer, Role, Status};
use protocol::{Index, NodeId, Time};
use store::{Command, MemberChange, MemberRefusal, MemberTable, Part, Seat, Store, Wish};

use crate::node::Node;
use crate::output::Output;
use crate::request::{Body, Failure, MemberInfo, RequestId};
use crate::writes::Waiter;

/// Entries that a new voter may lack beside the newest. Its vote counts at once, and a majority may
/// have to wait for what it lacks.
const NEAR: u64 = 500;

/// Operators who wait, and what is under way.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// By ticket: who waits for it, and until when.
    waiting: BTreeMap<u64, (RequestId, Time)>,
    /// The entry of the configuration in force.
    since: Index,
    /// After a step, when to look again whether it was taken.
    look_at: Time,
    /// The wish first in line, and when this leader first saw it.
    seen: Option<(u64, Time)>,
    /// What became of it, where this leader has refused it: it stays refused until that is settled.
    refused: Option<(u64, MemberRefusal)>,
    /// How far the log grows.
    pace: Option<Pace>,
    /// This leader was to hand over before it goes, and has until then.
    handing: Option<Time>,
    /// A configuration has named this member.
    belonged: bool,
    /// This member is in no configuration any more.
    pub(crate) leaving: bool,
    /// Its removal is committed and applied; when it gives up what is not answered yet.
    gone: Option<Time>,
    told: bool,
}

/// Where the log ended not long ago: who has that keeps up, however fast the log grows.
#[derive(Clone, Copy, Debug)]
struct Pace {
    since: Time,
    /// At `since`.
    last: Index,
    /// A period before that, or at the same time.
    before: Index,
}

/// What a leader does next about the members.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Nothing for now.
    Wait,
    /// Refuse the first in line.
    Refuse(u64, MemberRefusal),
    /// Change the configuration.
    Change(Membership),
}

impl Members {
    /// Nothing is to be done.
    fn rest(&mut self) {
        (self.seen, self.handing, self.refused, self.pace) = (None, None, None, None);
        self.look_at = Time::default();
    }

    /// When something is due.
    pub(crate) fn timeout(&self) -> Option<Time> {
        let waiting = self.waiting.values().map(|(_, until)| *until).min();
        let looks = self.look_at > Time::default();
        let gone = self.gone.filter(|_| !self.told);
        [waiting, looks.then_some(self.look_at), gone].into_iter().flatten().min()
    }
}

impl Node {
    /// An operator wishes for other members.
    pub(crate) fn member_change(&mut self, id: RequestId, change: MemberChange) {
        if !self.core.is_elastic() {
            return self.reply(id, Err(Failure::StaticMembers));
        }
        self.client_write(Waiter::Member(id), id, &Command::Member(change));
    }

    /// A wish is in line: whoever wished it waits until it is settled.
    pub(crate) fn wish_queued(&mut self, id: RequestId, ticket: u64) {
        let until = self.now + self.config.request_timeout;
        self.members.waiting.insert(ticket, (id, until));
    }

    /// Answers those whose wishes were settled by what was just applied.
    pub(crate) fn answer_wishes(&mut self) {
        for (ticket, result) in self.store.take_settled() {
            let Some((id, _)) = self.members.waiting.remove(&ticket) else { continue };
            let body = match result {
                Ok(()) => Ok(Body::Members(self.member_list())),
                Err(error) => Err(Failure::Store(error)),
            };
            self.reply(id, body);
        }
    }

    /// The members, as last applied; as configured until the log has told.
    pub(crate) fn member_list(&self) -> Vec<MemberInfo> {
        let table = self.member_table();
        let in_force = self.store.membership().unwrap_or_else(|| self.core.membership());
        let member = |(id, seat): (NodeId, Seat)| {
            let told = self.store.members().find(|member| member.id == id);
            let (name, client_urls) =
                told.map(|it| (it.name.clone(), it.client_urls.clone())).unwrap_or_default();
            let member = store::Member { id, name, peer_urls: seat.peer_urls, client_urls };
            MemberInfo { member, learner: in_force.learners.contains(&id) }
        };
        table.seats.into_iter().map(member).collect()
    }

    /// The seats, as last applied; as configured until the log has told.
    fn member_table(&self) -> MemberTable {
        if let Some(membership) = self.store.membership() {
            return MemberTable::of(membership).unwrap_or_default();
        }
        let learners = &self.config.raft.learners;
        let seat = |member: &store::Member| {
            let part = if learners.contains(&member.id) { Part::Learner } else { Part::Voter };
            (member.id, Seat { part, replaces: None, peer_urls: member.peer_urls.clone() })
        };
        MemberTable { seats: self.config.members.iter().map(seat).collect() }
    }

    /// Another configuration is in force, or the first one.
    pub(crate) fn members_changed(&mut self, at: Index, membership: Membership) {
        self.members.since = at;
        self.members.look_at = Time::default();
        let own = self.config.raft.id;
        let belongs = membership.contains(own);
        let belonged = self.members.belonged || self.store.was_removed(own);
        self.members.leaving = !belongs && belonged;
        self.members.belonged |= belongs;
        self.output(Output::Membership { at, membership });
    }

    /// Applies a configuration. False when it is of a version that cannot be read.
    pub(crate) fn apply_membership(
        &mut self,
        position: protocol::Position,
        bytes: &bytes::Bytes,
    ) -> bool {
        let decoded = Membership::decode(bytes);
        decoded.is_ok_and(|membership| self.store.apply_membership(position, &membership).is_ok())
    }

    /// As leader, takes the next step towards what is wished.
    pub(crate) fn reconcile(&mut self) {
        let leads = self.core.role() == Role::Leader
            && (self.store.applied().term == self.core.term() || planted(Mutant::R20))
            && self.stopping.is_none()
            && self.core.is_elastic();
        if !leads {
            return self.members.rest();
        }
        let in_force = self.core.membership();
        let pending = self.members.since > self.store.applied().index;
        if in_force.is_joint() || pending && !planted(Mutant::R19) {
            // What is applied next leads back here.
            self.members.look_at = Time::default();
            return;
        }
        if self.now < self.members.look_at {
            return;
        }
        let Some(applied) = self.store.membership() else {
            if self.store.wants_membership() {
                let context = self.member_table().encode();
                let membership = Membership { context, ..in_force.clone() };
                self.change_members(membership);
            }
            return;
        };
        if self.store.wish().is_none() && !awaits_vote(applied) {
            return self.members.rest();
        }
        self.note_wish();
        let since = self.members.seen.map_or(self.now, |(_, since)| since);
        let patient = self.now < since + self.config.request_timeout / 2;
        let status = self.core.status();
        let pace = self.pace(&status);
        let step = match self.members.refused {
            Some((ticket, refusal)) => Step::Refuse(ticket, refusal),
            None => step(&self.store, &status, pace, patient),
        };
        match step {
            Step::Change(membership) => self.change_members(membership),
            Step::Refuse(ticket, refusal) => {
                self.members.refused = Some((ticket, refusal));
                self.look_again();
                self.write(Waiter::Nobody, &Command::Settle { ticket, refusal });
            }
            Step::Wait => {
                self.members.look_at = self.now + self.config.raft.heartbeat;
            }
        }
    }

    /// Where the log ended one to two periods ago, or when there began to be something to do.
    fn pace(&mut self, status: &Status) -> Index {
        let (now, last) = (self.now, status.last.index);
        let pace = self.members.pace.get_or_insert(Pace { since: now, last, before: last });
        if now >= pace.since + *self.config.raft.election_timeout.start() / 2 {
            *pace = Pace { since: now, last, before: pace.last };
        }
        pace.before
    }

    fn note_wish(&mut self) {
        let ticket = self.store.wish().map(|wish| wish.ticket);
        if self.members.seen.map(|(seen, _)| seen) != ticket {
            self.members.seen = ticket.map(|ticket| (ticket, self.now));
            (self.members.handing, self.members.refused) = (None, None);
        }
    }

    fn look_again(&mut self) {
        self.members.look_at = self.now + self.config.raft.heartbeat * 2;
    }

    /// Changes the members; a leader that is not among the voters any more hands over first.
    fn change_members(&mut self, next: Membership) {
        self.look_again();
        let own = self.config.raft.id;
        if self.core.membership().votes(own) && !next.voters.contains(&own) {
            match (self.members.handing, self.heir(&next)) {
                (None, Some(heir)) => {
                    let patience = *self.config.raft.election_timeout.start() * 2;
                    self.members.handing = Some(self.now + patience);
                    return self.consensus(raft::Input::TransferLeadership(heir));
                }
                (Some(until), Some(_)) if self.now < until => return,
                (Some(_) | None, _) => {}
            }
        }
        self.consensus(raft::Input::Reconfigure { membership: next });
    }

    /// The voter, now and then, with the longest log of those that answer.
    fn heir(&self, next: &Membership) -> Option<NodeId> {
        let status = self.core.status();
        let able = |id: &NodeId| status.membership.voters.contains(id) && next.voters.contains(id);
        let pace = self.members.pace.map_or(status.last.index, |pace| pace.before);
        let near = status.peers.iter().filter(|(id, peer)| able(id) && is_near(peer, pace));
        near.max_by_key(|(_, peer)| peer.matched).map(|(id, _)| *id)
    }

    /// What is due: wishes that nobody waits for any longer, and the end of a member that was
    /// removed.
    pub(crate) fn members_due(&mut self) {
        let late = self.members.waiting.extract_if(.., |_, (_, until)| self.now >= *until);
        let late: Vec<RequestId> = late.map(|(_, (id, _))| id).collect();
        for id in late {
            self.counters.failed += 1;
            self.reply(id, Err(Failure::Timeout));
        }
        if self.members.leaving && self.store.was_removed(self.config.raft.id) {
            self.leave();
        }
    }

    /// The removal of this member has been applied: what was not passed on is refused, what was is
    /// waited for as long as the leader may still tell.
    fn leave(&mut self) {
        if self.members.told {
            return;
        }
        let until = self.now + *self.config.raft.election_timeout.end();
        let until = *self.members.gone.get_or_insert(until);
        for waiter in self.writes.give_back() {
            self.fail(waiter, Failure::NotServing);
        }
        for id in self.reads.drain() {
            self.reply(id, Err(Failure::NotServing));
        }
        if self.now < until && self.writes.len() > 0 {
            return;
        }
        self.members.told = true;
        for waiter in self.writes.drain() {
            self.fail(waiter, Failure::Timeout);
        }
        self.output(Output::Removed);
    }
}

/// Whether somebody shall vote who does not yet.
fn awaits_vote(membership: &Membership) -> bool {
    if membership.learners.is_empty() {
        return false;
    }
    let seats = MemberTable::of(membership).unwrap_or_default().seats;
    seats.iter().any(|(id, seat)| seat.part == Part::Voter && membership.learners.contains(id))
}

/// What to do next. `pace`: who has this of the log keeps up. `patient`: the first in line has not
/// stood there for long.
fn step(store: &Store, status: &Status, pace: Index, patient: bool) -> Step {
    let Some(membership) = store.membership() else { return Step::Wait };
    let wished = store.wish().map(|wish| fulfil(wish, membership, status, (pace, patient)));
    match wished {
        Some(step @ (Step::Change(_) | Step::Refuse(..))) => step,
        Some(Step::Wait) | None => promote(membership, status, pace),
    }
}

/// What becomes of the first in line.
fn fulfil(
    wish: &Wish,
    membership: &Membership,
    status: &Status,
    (pace, patient): (Index, bool),
) -> Step {
    let Ok(next) = wish.change.on(membership) else { return Step::Wait };
    if let MemberChange::Promote { id } = &wish.change {
        let peer = status.peers.get(id);
        // etcd: nine tenths of the leader's log make a learner ready.
        let begun =
            peer.is_some_and(|it| it.active && it.matched.0 >= status.last.index.0 / 10 * 9);
        let near = peer.is_some_and(|peer| is_near(peer, pace));
        if !near && begun && patient {
            return Step::Wait;
        }
        if !near {
            return Step::Refuse(wish.ticket, MemberRefusal::LearnerNotReady);
        }
    }
    if next.voters != membership.voters && !is_healthy(&next, status) {
        let may_be = is_majority(&next, status, |peer| peer.active || peer.awaited);
        let refusal = Step::Refuse(wish.ticket, MemberRefusal::Unhealthy);
        return if may_be { Step::Wait } else { refusal };
    }
    Step::Change(next)
}

/// Gives their votes to those who shall have them and are ready, all at once.
fn promote(membership: &Membership, status: &Status, pace: Index) -> Step {
    let Ok(table) = MemberTable::of(membership) else { return Step::Wait };
    let mut next = membership.clone();
    for (&id, seat) in &table.seats {
        let waits = seat.part == Part::Voter && membership.learners.contains(&id);
        let ready = status.peers.get(&id).is_some_and(|peer| is_near(peer, pace));
        if waits
            && ready
            && let Ok(promoted) = (MemberChange::Promote { id }).on(&next)
            && is_healthy(&promoted, status)
        {
            next = promoted;
        }
    }
    if next == *membership { Step::Wait } else { Step::Change(next) }
}

/// Whether a member answers, and lacks little of the log but what was written a moment ago.
fn is_near(peer: &Peer, pace: Index) -> bool {
    // Nothing matched is nothing known: it may never have answered.
    peer.active && peer.matched > Index(0) && peer.matched.0 + NEAR >= pace.0
}

/// Whether a majority of the voters has answered this leader, lately. Nobody is taken for alive
/// who has not: a change that the dead have to decide would be the end of the cluster.
fn is_healthy(membership: &Membership, status: &Status) -> bool {
    is_majority(membership, status, |peer| peer.active)
}

fn is_majority(membership: &Membership, status: &Status, counts: impl Fn(&Peer) -> bool) -> bool {
    let counted = |id: &&NodeId| **id == status.id || status.peers.get(*id).is_some_and(&counts);
    membership.voters.iter().filter(counted).count() > membership.voters.len() / 2
}
