//! The safe mode: a majority grants each term of office, which is a lease with an epoch.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use super::ballot::{Ballot, Epoch, Promise, usable};
use super::boundary::{
    ChangeRefusal, Durable, Electors, Input, Leader, Loss, Output, Safety, Shown, Warning, WriteId,
};
use super::candidate::{Asking, Claiming};
use super::core::Core;
use super::damping::Damping;
use super::electorate::Electorate;
use super::leader::{Acked, Leading};
use super::meeting::{Meeting, News};
use super::message::{Body, Message};
use super::writes::Writes;
use crate::mutant::{Mutant, planted};
use crate::{NodeId, Time};

/// What a member does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// Follows a leader, or waits until it may stand: not before `wake`.
    Follower {
        wake: Time,
        /// It left this election to a better one, which has until `wake` to win it.
        yielded: bool,
    },
    /// Asks the members whether they would grant a claim.
    Asking(Asking),
    /// Has claimed an epoch.
    Claiming(Claiming),
    /// Leads.
    Leading(Leading),
    /// Led, until its program has stopped or the lease runs out.
    Stopping {
        epoch: Epoch,
        until: Time,
        successor: Option<NodeId>,
        /// It gave up of its own accord, and leaves it to others for a while.
        willing: bool,
    },
}

/// A candidate of the safe mode. Laws:
///
/// - the epochs of its ballots only grow, and each is claimed by it once at most;
/// - while it leads or stops, its own promise to itself lasts as long as its lease;
/// - it stands for election only when it has promised nothing to anybody, itself included: an
///   earlier lease of its own may still be in its program's hands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Safe {
    pub(super) core: Core,
    pub(super) safety: Safety,
    /// What is durable, or on its way there.
    pub(super) durable: Durable,
    written: Durable,
    pub(super) writes: Writes,
    pub(super) promise: Option<Promise>,
    /// Which epoch each member has given up last: what it said as its leader may come in later.
    pub(super) released: Answers<Epoch>,
    pub(super) role: Role,
    /// The highest epoch heard of.
    pub(super) seen: Epoch,
    /// The better ones had their time and did not win: they are not waited for again.
    pub(super) impatient: bool,
    /// Since when there is a program that wants to lead.
    pub(super) stands: Option<Time>,
    /// It has just given up office, and leaves it to others until then.
    pub(super) rests: Time,
    pub(super) damping: Damping,
    meeting: Option<Meeting>,
}

impl Safe {
    pub(super) fn new(core: Core, safety: Safety, restored: Durable) -> Self {
        let mut durable = restored;
        let meeting = match &safety.electors {
            Electors::Expect(expect) => Some(Meeting::new(core.id(), *expect, &durable)),
            Electors::Named(members) => {
                if durable.electorate.is_none() {
                    durable.electorate = Some(Electorate::first(members.clone()));
                }
                None
            }
        };
        let seen = durable.ballot.map_or(Epoch(0), |ballot| ballot.epoch);
        Self {
            core,
            safety,
            written: durable.clone(),
            durable,
            writes: Writes::default(),
            promise: None,
            released: Answers::new(),
            role: Role::Follower { wake: Time(0), yielded: false },
            seen,
            impatient: false,
            stands: Some(Time(0)),
            rests: Time(0),
            damping: Damping::default(),
            meeting,
        }
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        let own = match &self.role {
            Role::Follower { wake, .. } => {
                let free = self.promise.map_or(Time(0), |promise| promise.until);
                (self.is_member() && self.stands.is_some())
                    .then(|| (*wake).max(free).max(self.rests))
            }
            Role::Asking(asking) => Some(asking.until),
            Role::Claiming(claiming) => Some(claiming.until),
            Role::Leading(leading) => Some(leading.renew_at.min(leading.until)),
            Role::Stopping { until, .. } => Some(*until),
        };
        let promise = self.promise.map(|promise| promise.until);
        own.into_iter().chain(promise).min()
    }

    pub(super) fn handle(&mut self, now: Time, input: Input) {
        if self.core.tick(now) {
            self.start();
        }
        // Before all else: what comes now cannot save a lease that has run out.
        self.expire();
        match input {
            Input::Timeout => {}
            Input::Receive { from, message } => self.on_message(from, message),
            Input::Saw { shown, standing } => {
                self.core.saw(&shown, standing);
                if let Some(meeting) =
                    self.meeting.as_mut().filter(|_| shown.rank.id != self.core.id())
                {
                    meeting.saw(&shown, standing);
                }
            }
            Input::Forgotten(id) => {
                self.core.peers.remove(&id);
                if let Some(meeting) = &mut self.meeting {
                    meeting.forgotten(id);
                }
            }
            Input::Persisted(id) => self.on_persisted(id),
            Input::Priority(priority) => {
                if self.core.priority(priority) {
                    self.show();
                }
            }
            Input::Freshness(freshness) => {
                if self.core.freshness(freshness) {
                    self.show();
                }
            }
            Input::Stand(stands) => self.on_stand(stands),
            Input::Resign => self.on_resign(),
            Input::Stopped(epoch) => self.on_stopped(epoch),
            Input::Change(members) => self.on_change(members),
        }
        self.meet();
        self.step();
    }

    fn start(&mut self) {
        self.show();
        if let Some(electorate) = self.durable.electorate.clone() {
            self.core.out(Output::Electorate(electorate));
        }
        // When the last promise was made is forgotten; that one was made is not. The program of a
        // leader that crashed may still act, so this holds for its own leases, too.
        if let Some(ballot) = self.durable.ballot.filter(|_| !planted(Mutant::G3)) {
            let Ballot { epoch, holder, lease } = ballot;
            self.promise = Some(Promise { to: holder, epoch, until: self.core.now + lease });
        }
        let wake = self.core.now + self.core.stagger(self.core.config.timing.alive);
        self.role = Role::Follower { wake, yielded: false };
    }

    fn show(&mut self) {
        let expect = match &self.safety.electors {
            Electors::Expect(expect) => Some(*expect),
            Electors::Named(_) => None,
        };
        let group = self.durable.electorate.as_ref().map(|electorate| electorate.group);
        let pledge = self.meeting.as_ref().and_then(Meeting::pledge);
        let shown = Shown { rank: self.core.rank(), expect, pledge, group };
        self.core.out(Output::Show(shown));
    }

    /// What the founding wants, until it wants nothing.
    fn meet(&mut self) {
        loop {
            let news = self.meeting.as_mut().map_or_else(Vec::new, Meeting::drain);
            if news.is_empty() {
                return;
            }
            for news in news {
                match news {
                    News::Pledge(its, pledge) => {
                        self.durable.pledge = Some(pledge);
                        self.persist();
                        let ours = self.writes.pending();
                        if let (Some(meeting), Some(ours)) = (&mut self.meeting, ours) {
                            meeting.writes(ours, its);
                        }
                    }
                    News::Show => self.show(),
                    News::Met(electorate) => {
                        if self.durable.electorate.is_none() {
                            self.adopt(electorate);
                        }
                    }
                    News::Warn(warning) => self.core.warn(warning),
                }
            }
        }
    }

    /// What time alone does.
    fn expire(&mut self) {
        let now = self.core.now;
        let lapsed = matches!(&self.role, Role::Leading(leading) if now >= leading.until);
        if lapsed {
            self.leave_office(Loss::Expired, None);
        }
        if matches!(self.role, Role::Stopping { until, .. } if now >= until) {
            self.wait(false);
        }
        if self.promise.is_some_and(|promise| now >= promise.until) {
            self.promise = None;
            if !matches!(self.role, Role::Leading(_)) {
                self.core.follow(None);
            }
        }
    }

    fn step(&mut self) {
        let now = self.core.now;
        match &self.role {
            Role::Follower { wake, yielded } if now >= *wake && self.may_stand() => {
                self.impatient |= *yielded;
                self.ask();
            }
            Role::Asking(asking) if now >= asking.until => self.decide(),
            Role::Claiming(claiming) if now >= claiming.until => self.withdraw(),
            Role::Leading(leading) if now >= leading.renew_at => {
                self.renew();
                self.maybe_hand_over();
            }
            Role::Follower { .. }
            | Role::Asking(_)
            | Role::Claiming(_)
            | Role::Leading(_)
            | Role::Stopping { .. } => {}
        }
    }

    pub(super) fn is_member(&self) -> bool {
        let id = self.core.id();
        self.durable.electorate.as_ref().is_some_and(|electorate| electorate.has(id))
    }

    pub(super) fn may_stand(&self) -> bool {
        let free = self.promise.is_none() && self.core.now >= self.rests;
        self.is_member() && self.stands.is_some() && free
    }

    /// Waits for others, a little or, when they may need it, longer.
    pub(super) fn wait(&mut self, long: bool) {
        let timing = self.core.config.timing;
        let base = if long { timing.victory } else { timing.alive };
        let wake = self.core.now + base + self.core.stagger(timing.victory);
        self.role = Role::Follower { wake, yielded: false };
    }

    /// Hands out what is not durable yet.
    pub(super) fn persist(&mut self) {
        if self.durable != self.written {
            self.written = self.durable.clone();
            let id = self.writes.issue();
            self.core.out(Output::Persist { id, durable: self.written.clone() });
        }
    }

    /// Sends, once all that was to be written so far is durable.
    pub(super) fn send(&mut self, to: NodeId, body: Body) {
        let electorate = self.durable.electorate.clone();
        let message = Message { electorate, rank: self.core.rank(), body };
        if self.writes.pending().is_some() && !planted(Mutant::G2) {
            self.writes.hold(to, message);
        } else {
            self.core.out(Output::Send { to, message });
        }
    }

    /// Sends to all members but this one.
    pub(super) fn tell_members(&mut self, body: Body) {
        for id in self.others() {
            self.send(id, body);
        }
    }

    /// The members but this one.
    pub(super) fn others(&self) -> Vec<NodeId> {
        let own = self.core.id();
        let electorate = self.durable.electorate.iter();
        electorate.flat_map(Electorate::everybody).filter(|id| *id != own).collect()
    }

    fn on_persisted(&mut self, id: WriteId) {
        if !self.writes.acknowledge(id) {
            self.core.dropped += 1;
            return;
        }
        while let Some((to, message)) = self.writes.release() {
            self.core.out(Output::Send { to, message });
        }
        if let Some(meeting) = &mut self.meeting {
            meeting.persisted(id);
        }
        if matches!(&self.role, Role::Claiming(claiming) if claiming.waits_for(id)) {
            self.send_claims();
        }
        self.check_electorate();
    }

    fn on_message(&mut self, from: NodeId, message: Message) {
        let Message { electorate, rank, body } = message;
        let Some(theirs) = electorate.filter(|it| it.is_sane() && rank.id == from) else {
            self.core.dropped += 1;
            return;
        };
        if from == self.core.id() {
            self.core.dropped += 1;
            return;
        }
        let Some(is_behind) = self.compare(from, theirs) else { return };
        self.core.heard(from, rank);
        match body {
            Body::Ask => self.on_ask(from, rank),
            Body::Answer { free, stands, seen } => {
                self.seen = self.seen.max(seen);
                self.on_answer(from, rank, free, stands);
            }
            Body::Claim(terms) => self.on_claim(from, rank, terms, is_behind),
            Body::Grant { epoch, sent } => self.on_grant(from, epoch, sent),
            Body::Refuse { epoch, ballot } => self.on_refuse(from, epoch, ballot),
            Body::Renew(terms) => self.on_renew(from, terms, is_behind),
            Body::Ack { epoch, sent, up, stands } => {
                self.on_ack(from, stands.then_some(rank), Acked { epoch, sent, up, is_behind });
            }
            Body::Release { epoch, successor } => self.on_release(from, epoch, successor),
            Body::Election | Body::Alive | Body::Victory => self.core.dropped += 1,
        }
    }

    /// Takes over a newer electorate; `Some(true)` when theirs is older, `None` when they are of
    /// another group.
    fn compare(&mut self, from: NodeId, theirs: Electorate) -> Option<bool> {
        let Some(ours) = &self.durable.electorate else {
            self.adopt(theirs);
            return Some(false);
        };
        if ours.group != theirs.group {
            self.core.warn(Warning::OtherGroup(from));
            return None;
        }
        let is_behind = theirs.version < ours.version;
        if theirs.version > ours.version {
            self.adopt(theirs);
        }
        Some(is_behind)
    }

    /// Goes by this electorate from now on. What was asked of the members of another one is void.
    fn adopt(&mut self, electorate: Electorate) {
        let group = electorate.group;
        match &self.role {
            Role::Leading(_) => self.leave_office(Loss::Superseded, None),
            Role::Claiming(_) => self.withdraw(),
            Role::Asking(_) => self.wait(false),
            Role::Follower { .. } | Role::Stopping { .. } => {}
        }
        self.put(electorate);
        if let Some(meeting) = &mut self.meeting {
            meeting.settled(group);
        }
    }

    /// Makes this the electorate.
    pub(super) fn put(&mut self, electorate: Electorate) {
        electorate.assert_invariants();
        self.core.out(Output::Electorate(electorate.clone()));
        self.durable.electorate = Some(electorate);
        self.persist();
    }

    /// Notes who leads.
    pub(super) fn follow(&mut self, id: NodeId, epoch: Epoch) {
        self.seen = self.seen.max(epoch);
        self.impatient = false;
        self.damping.leads(self.core.now, id, self.safety.preemption);
        self.core.follow(Some(Leader { id, epoch: Some(epoch) }));
    }

    /// Ends an own term of office. The promises that it rests on stand until the program has
    /// stopped, or they run out.
    pub(super) fn leave_office(&mut self, why: Loss, successor: Option<NodeId>) {
        let Role::Leading(leading) = &self.role else { return };
        let Leading { epoch, until, .. } = *leading;
        let willing = matches!(why, Loss::Resigned | Loss::HandedOver | Loss::Removed);
        self.role = Role::Stopping { epoch, until, successor, willing };
        self.core.follow(None);
        self.core.out(Output::Lost { epoch: Some(epoch), why });
        if planted(Mutant::G8) {
            self.on_stopped(epoch);
        }
    }

    /// A program has come that wants to lead, or has gone. What one before it gave up is nothing to
    /// the new one.
    fn on_stand(&mut self, stands: bool) {
        if stands == self.stands.is_some() {
            return;
        }
        self.stands = stands.then_some(self.core.now);
        if stands {
            self.rests = self.core.now;
            return;
        }
        match &self.role {
            Role::Leading(_) => self.leave_office(Loss::Resigned, None),
            Role::Claiming(_) => self.withdraw(),
            Role::Asking(_) => self.wait(false),
            Role::Follower { .. } | Role::Stopping { .. } => {}
        }
    }

    fn on_resign(&mut self) {
        self.leave_office(Loss::Resigned, None);
    }

    /// The program has stopped: the lease may end now.
    pub(super) fn on_stopped(&mut self, epoch: Epoch) {
        if matches!(&self.role, Role::Leading(leading) if leading.epoch == epoch) {
            self.leave_office(Loss::Resigned, None);
        }
        match self.role {
            Role::Stopping { epoch: ended, successor, willing, .. } if ended == epoch => {
                if willing {
                    self.rests = self.core.now + self.core.config.timing.victory * 4;
                }
                self.release(epoch, successor);
                self.wait(true);
            }
            Role::Stopping { .. }
            | Role::Follower { .. }
            | Role::Asking(_)
            | Role::Claiming(_)
            | Role::Leading(_) => {}
        }
    }

    /// Gives back what was granted.
    pub(super) fn release(&mut self, epoch: Epoch, successor: Option<NodeId>) {
        let own = self.core.id();
        if self.promise.is_some_and(|promise| promise.to == own) {
            self.promise = None;
        }
        self.tell_members(Body::Release { epoch, successor });
    }

    fn on_change(&mut self, members: BTreeSet<NodeId>) {
        if let Err(refusal) = self.change(members) {
            self.core.out(Output::ChangeRefused(refusal));
        }
    }

    /// How long a leader acts on one lease.
    pub(super) fn usable(&self) -> Duration {
        let drift = if planted(Mutant::G5) { 0 } else { self.safety.drift_ppm };
        usable(self.safety.lease, drift)
    }

    pub(super) fn ballot_epoch(&self) -> Epoch {
        self.durable.ballot.map_or(Epoch(0), |ballot| ballot.epoch)
    }

    /// Grants an epoch, or notes whose it is.
    pub(super) fn vote(&mut self, epoch: Epoch, holder: NodeId, lease: Duration) {
        self.durable.ballot = Some(Ballot { epoch, holder, lease });
        self.seen = self.seen.max(epoch);
        self.persist();
    }

    pub(super) fn meeting_status(&self) -> Option<crate::bootstrap::Status> {
        let meets = self.durable.electorate.is_none();
        self.meeting.as_ref().filter(|_| meets).map(Meeting::status)
    }

    #[cfg(feature = "explore")]
    pub(super) fn forget_history(&mut self) {
        self.core.forget_history();
        self.writes.forget_history();
        if let Some(meeting) = &mut self.meeting {
            meeting.forget_history();
        }
    }

    pub(super) fn assert_invariants(&self) {
        self.core.assert_invariants();
        self.writes.assert_invariants();
        let own = self.core.id();
        if let Some(electorate) = &self.durable.electorate {
            electorate.assert_invariants();
        }
        assert!(self.seen >= self.ballot_epoch(), "what was granted was heard of");
        let lease = match &self.role {
            Role::Leading(leading) => Some((leading.epoch, leading.until)),
            Role::Stopping { epoch, until, .. } => Some((*epoch, *until)),
            Role::Claiming(claiming) => Some((claiming.epoch, self.core.now)),
            Role::Follower { .. } | Role::Asking(_) => None,
        };
        if let Some((epoch, until)) = lease.filter(|(_, until)| *until > self.core.now) {
            let holds = self.promise.is_some_and(|it| it.to == own && it.until >= until);
            let longer = planted(Mutant::G4) || self.ballot_epoch() > epoch;
            assert!(holds || longer, "a leader keeps its own promise");
        }
    }
}

/// Answers of the members, by who gave them.
pub(super) type Answers<T> = BTreeMap<NodeId, T>;

/// Why an electorate cannot be changed to this one.
pub(super) type Change = Result<(), ChangeRefusal>;
