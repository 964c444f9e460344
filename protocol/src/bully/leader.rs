//! Leading: renewing the lease, changing the electorate, yielding to a better one.

use alloc::collections::BTreeSet;
use core::time::Duration;

use super::ballot::{Epoch, Promise};
use super::boundary::{ChangeRefusal, Lease, Loss, Output, Standing};
use super::electorate::{Electorate, MOST, Version};
use super::message::{Body, Terms};
use super::rank::Rank;
use super::safe::{Answers, Change, Role, Safe};
use crate::mutant::{Mutant, planted};
use crate::quorum::Outcome;
use crate::{NodeId, Time};

/// A term of office. Laws:
///
/// - the lease never ends later than a majority's promises, and never earlier than it was told;
/// - the next electorate is made when the present one has settled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leading {
    pub(super) epoch: Epoch,
    pub(super) until: Time,
    pub(super) renew_at: Time,
    /// When the last request was sent: nobody can have agreed to a later one.
    asked: Time,
    members: Answers<Member>,
    /// The electorate that is durable at its own majorities.
    settled: Option<Version>,
}

/// What a leader knows of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Member {
    /// When the last request that it agreed to was sent.
    agreed: Time,
    /// What it holds durably.
    version: Option<Version>,
    /// When it last answered, and since when it does so without a gap.
    heard: Time,
    since: Time,
    /// What it said of itself; `None` until it has answered a renewal, and when it would not stand.
    rank: Option<Rank>,
    up: Duration,
}

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Acked {
    pub(super) epoch: Epoch,
    pub(super) sent: Time,
    pub(super) up: Duration,
    /// The member goes by an older electorate than this leader.
    pub(super) is_behind: bool,
}

impl Member {
    const fn new(agreed: Time, now: Time) -> Self {
        let up = Duration::ZERO;
        Self { agreed, version: None, heard: now, since: now, rank: None, up }
    }
}

impl Safe {
    /// A majority has granted the claim that was sent then.
    pub(super) fn become_leader(&mut self, epoch: Epoch, sent: Time) {
        let (own, now) = (self.core.id(), self.core.now);
        let until = sent + self.usable();
        let Some(electorate) = self.durable.electorate.clone().filter(|_| until > now) else {
            return self.withdraw();
        };
        let granted = self.granted().into_iter();
        let members = granted.map(|(id, sent)| (id, Member::new(sent, now))).collect();
        let leading = Leading { epoch, until, renew_at: now, asked: sent, members, settled: None };
        self.role = Role::Leading(leading);
        self.put(electorate.of(epoch));
        self.follow(own, epoch);
        self.core.out(Output::Elected(Some(Lease { epoch, until })));
        self.renew();
    }

    /// Asks everybody for another lease, counted from now.
    pub(super) fn renew(&mut self) {
        let (own, now) = (self.core.id(), self.core.now);
        let (lease, every) = (self.safety.lease, self.safety.renew);
        let Role::Leading(leading) = &mut self.role else { return };
        (leading.renew_at, leading.asked) = (now + every, now);
        leading.members.entry(own).or_insert_with(|| Member::new(now, now)).agreed = now;
        let terms = Terms { epoch: leading.epoch, sent: now, lease };
        let until = self.promise.map_or(now, |promise| promise.until).max(now + lease);
        self.promise = Some(Promise { to: own, epoch: leading.epoch, until });
        self.tell_members(Body::Renew(terms));
        self.tell_observers(Body::Renew(terms));
        self.extend();
        self.check_electorate();
    }

    /// Candidates without a vote, as long as they are there.
    fn tell_observers(&mut self, body: Body) {
        let Some(electorate) = &self.durable.electorate else { return };
        let there = self.core.peers.iter().filter(|(_, peer)| peer.standing == Standing::Alive);
        let others = there.map(|(id, _)| *id).filter(|id| !electorate.has(*id));
        for id in others.collect::<BTreeSet<NodeId>>() {
            self.send(id, body);
        }
    }

    pub(super) fn on_ack(&mut self, from: NodeId, rank: Option<Rank>, acked: Acked) {
        let (now, gap) = (self.core.now, self.safety.lease);
        let Some(electorate) = &self.durable.electorate else { return };
        let (is_member, version) = (electorate.has(from), electorate.version);
        let Role::Leading(leading) = &mut self.role else { return };
        if leading.epoch != acked.epoch || acked.sent > leading.asked || !is_member {
            return;
        }
        // What counts is when the request left: the member received it later, and counts from then.
        let agreed = if planted(Mutant::G4) { now } else { acked.sent };
        let member = leading.members.entry(from).or_insert_with(|| Member::new(agreed, now));
        if now - member.heard > gap {
            member.since = now;
        }
        member.agreed = member.agreed.max(agreed);
        (member.heard, member.rank, member.up) = (now, rank, acked.up);
        if !acked.is_behind {
            member.version = Some(version);
        }
        self.extend();
        self.check_electorate();
    }

    /// The lease lasts as long as a majority has promised.
    fn extend(&mut self) {
        let usable = self.usable();
        let Some(electorate) = &self.durable.electorate else { return };
        let Role::Leading(leading) = &mut self.role else { return };
        let agreed = |id| leading.members.get(&id).map(|member| member.agreed);
        let Some(Some(sent)) = electorate.voters().reached(agreed) else { return };
        if sent + usable > leading.until {
            leading.until = sent + usable;
            let lease = Lease { epoch: leading.epoch, until: leading.until };
            self.core.out(Output::Extended(lease));
        }
    }

    /// Goes on with a change of the electorate once its last step has settled.
    pub(super) fn check_electorate(&mut self) {
        let (own, pending) = (self.core.id(), self.writes.pending().is_some());
        let Some(electorate) = self.durable.electorate.clone() else { return };
        let Role::Leading(leading) = &mut self.role else { return };
        let version = electorate.version;
        if leading.settled == Some(version) {
            return;
        }
        let holds = |id: NodeId| match leading.members.get(&id) {
            _ if id == own => !pending,
            Some(member) => member.version == Some(version),
            None => false,
        };
        if electorate.voters().outcome(|id| Some(holds(id))) != Outcome::Won {
            return;
        }
        leading.settled = Some(version);
        if electorate.is_joint() {
            self.put(electorate.settled());
            return self.renew();
        }
        let removed = !electorate.has(own);
        self.core.out(Output::Settled(electorate));
        if removed {
            self.leave_office(Loss::Removed, None);
        }
    }

    /// Begins to replace the electorate.
    pub(super) fn change(&mut self, members: BTreeSet<NodeId>) -> Change {
        let Role::Leading(leading) = &self.role else { return Err(ChangeRefusal::NotLeader) };
        let Some(electorate) = &self.durable.electorate else {
            return Err(ChangeRefusal::NotLeader);
        };
        if leading.settled != Some(electorate.version) && !planted(Mutant::G6) {
            return Err(ChangeRefusal::UnderWay);
        }
        if members.is_empty() || members.len() > MOST {
            return Err(ChangeRefusal::Size);
        }
        let joint = electorate.towards(members);
        let next = if planted(Mutant::G6) { skip(&joint) } else { joint };
        self.put(next);
        self.renew();
        Ok(())
    }

    /// Yields to the best member that is better than this one, if it is steady.
    pub(super) fn maybe_hand_over(&mut self) {
        let (now, own) = (self.core.now, self.core.rank());
        let Some(electorate) = &self.durable.electorate else { return };
        let Role::Leading(leading) = &self.role else { return };
        if leading.settled != Some(electorate.version) {
            return;
        }
        let fresh = self.safety.renew * 3;
        let there = leading
            .members
            .iter()
            .filter(|(id, member)| electorate.members.contains(id) && now - member.heard < fresh);
        let ranked = there.filter_map(|(_, member)| Some((member.rank?, member)));
        let Some((rank, member)) = ranked.max_by_key(|(rank, _)| *rank) else { return };
        if rank <= own {
            return;
        }
        let steady = (now - member.since).min(member.up);
        if self.damping.yields(now, steady, self.safety.preemption) {
            self.leave_office(Loss::HandedOver, Some(rank.id));
        }
    }
}

/// The planted bug: the new ones decide alone, at once.
fn skip(joint: &Electorate) -> Electorate {
    Electorate { outgoing: BTreeSet::new(), ..joint.clone() }
}
