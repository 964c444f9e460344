//! Bootstrap: the first servers that meet in a pool found one group, and only one.
//!
//! Nobody writes a list of members by hand. Every server is told one number, N, and shows in its
//! tags what it has *pledged*: a set of N servers that it would found a group with. Tags travel by
//! gossip, so they are seen late, out of order, twice, or not at all, and what is seen may long
//! have changed. No other message is needed.
//!
//! # The rule
//!
//! ```text
//! nothing ──▶ pledge S ──▶ pledge T < S ──▶ …      durable before it is shown; only ever down
//!    │            │ all of S have shown S ─────▶ found the group S
//!    └────────────┴─ somebody shows a cluster ─▶ ask it to be taken in
//! ```
//!
//! - A group S is founded if and only if each of its N servers has at some time shown the pledge S.
//! - Pledges are ordered. A server leaves S only for a lower one, and only when it has seen some
//!   server of S show a pledge below S.
//! - Whoever has pledged nothing joins a pledge that names it and may still come to be. Only where
//!   no pledge at all may come to be does anybody make a new one: of the N lowest that are alive
//!   and have pledged nothing.
//!
//! # Why there is never a second group
//!
//! *A pledge that somebody has left is never founded.* Look at the first server that left S: it saw
//! some m of S show a pledge below S. Pledges only go down, so m will not pledge S any more; and m
//! had not, for then it would have left S before the first. So m never shows S. This holds for ever
//! after, which is why an old sighting is as good as a new one, and no clock is needed.
//!
//! *Two groups have no server in common.* It would have shown both pledges, hence left the higher
//! one, which then was never founded. So two groups take 2N servers. This holds whatever the sizes
//! of the two, too: a server with another N may share no founder with this one's group.
//!
//! # Why there is a first
//!
//! Let all servers be up, at least N of them, and everybody see what everybody shows. Each server
//! makes at most one new pledge, and goes down among finitely many: the moves come to an end. If
//! nothing has been pledged by then, the N lowest would have made a pledge; so there is a lowest
//! one, S. Nobody shows less, so nobody has reason to give S up. Were S not founded, one of its
//! servers would hold nothing, and join a pledge that names it; or hold a higher T. If somebody
//! in T shows less than T, it would leave T for S. If nobody does, T was not founded either, and
//! the same is true of T, and of a still higher one, and so on without end: but there are finitely
//! many. So S, or one of those above it, has been founded.
//!
//! # What this takes, and what it does not promise
//!
//! - With 2N servers or more, two groups can be founded while they do not see each other. They
//!   differ in the cluster's id, so they never mix, and whoever sees both says so.
//! - A server that is named in a pledge and was never seen to hold it has to come back, if need be
//!   with an empty disk: with the same name and address it is the same server. Until then those
//!   that wait for it say so. One that *was* seen may be gone: its word stands. When a server that
//!   is waited for can never come back, all that wait are stopped, each one's pledge is removed
//!   ([`Restored::pledge`]), and they are started again.
//! - A server that lost its disk after it pledged may pledge anew, and the promise ends there.
//! - No group is founded while a cluster is known, even if all of it seems dead: it may be behind a
//!   broken link. When the pool forgets its members, so does this.

mod boundary;
mod known;
mod pledge;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::mem::discriminant;

use crate::mutant::{Mutant, planted};
use crate::{ClusterId, NodeId};

pub use boundary::{
    Config, Input, Output, Restored, Seat, Shown, Sighting, Status, Warning, WriteId,
};
use known::Known;
pub use pledge::Pledge;

/// Different warnings of one kind that one process gives.
const WARNINGS: usize = 64;

/// One server's part in founding a group. Laws:
///
/// - what it shows as its pledge is durable;
/// - its pledges only go down;
/// - while a pledge is being written, nothing else is decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Founding {
    config: Config,
    pledge: Option<Pledge>,
    cluster: Option<ClusterId>,
    /// Under way to the disk.
    writing: Option<(WriteId, Pledge)>,
    writes: u64,
    known: Known,
    /// What was decided, and is not undone: to form, or to follow.
    decided: Option<Decided>,
    outbox: VecDeque<Output>,
    warned: BTreeSet<Warning>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Decided {
    Form,
    Follow(ClusterId),
}

impl Founding {
    /// A server that starts, with what its disk holds. It shows itself at once.
    #[must_use]
    pub fn new(config: Config, restored: Restored) -> Self {
        assert!((1..=Pledge::MOST).contains(&config.expect), "a group has 1 to 16 founders");
        let Restored { pledge, cluster } = restored;
        let mut founding = Self {
            config,
            pledge,
            cluster,
            writing: None,
            writes: 0,
            known: Known::default(),
            decided: None,
            outbox: VecDeque::new(),
            warned: BTreeSet::new(),
        };
        founding.show();
        founding.decide();
        founding
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Saw { sighting, alive } => self.saw(sighting, alive),
            Input::Forgotten(server) => self.known.forget(server),
            Input::Persisted(id) => self.persisted(id),
            Input::Settled(cluster) => {
                if self.decided != Some(Decided::Form) {
                    // Whoever shows a pledge beside a cluster has founded it by that pledge. One
                    // that is still being written would be shown when it is durable.
                    (self.pledge, self.writing) = (None, None);
                }
                self.cluster = Some(cluster);
                self.show();
            }
        }
        self.decide();
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// The pledge that it holds durably.
    #[must_use]
    pub const fn pledge(&self) -> Option<&Pledge> {
        self.pledge.as_ref()
    }

    /// Whom to ask for a seat in this cluster: those that were seen to belong to it, then those
    /// that may have come to it meanwhile; of either the living first.
    #[must_use]
    pub fn askable(&self, cluster: ClusterId) -> Vec<Seat> {
        self.known.askable(cluster)
    }

    /// How far it has come.
    #[must_use]
    pub fn status(&self) -> Status {
        if let Some(cluster) = self.cluster {
            return Status::Settled(cluster);
        }
        match (self.decided, &self.pledge) {
            (Some(Decided::Form), _) => Status::Forming,
            (Some(Decided::Follow(cluster)), _) => Status::Following(cluster),
            (None, _) if self.known.clusters().next().is_some() => Status::Barred,
            (None, Some(pledge)) => {
                let missing = self.known.missing(pledge, self.own());
                let name = |id: NodeId| self.known.name(id).unwrap_or_else(|| id.to_string());
                Status::Pledged {
                    pledge: pledge.clone(),
                    missing: missing.into_iter().map(name).collect(),
                }
            }
            (None, None) if self.hopes().next().is_some() => Status::Watching,
            (None, None) => {
                Status::Meeting { met: self.candidates().len(), expect: self.config.expect }
            }
        }
    }

    /// Forgets what it has warned of and how many writes there were: nothing that it does depends
    /// on either.
    #[cfg(feature = "explore")]
    pub fn forget_history(&mut self) {
        self.warned.clear();
        if self.writing.is_none() {
            self.writes = 0;
        }
    }

    fn own(&self) -> NodeId {
        self.config.own.id
    }

    fn show(&mut self) {
        let shown = Shown { pledge: self.pledge.clone(), cluster: self.cluster };
        self.outbox.push_back(Output::Show(shown));
    }

    /// Each once, and of each kind no more than so many: their texts are others' to choose, and
    /// whoever floods one kind hides no other.
    fn warn(&mut self, warning: Warning) {
        let kind = discriminant(&warning);
        let alike = || self.warned.iter().filter(|other| discriminant(*other) == kind).count();
        if !self.warned.contains(&warning) && alike() < WARNINGS {
            self.warned.insert(warning.clone());
            self.outbox.push_back(Output::Warn(warning));
        }
    }

    fn saw(&mut self, sighting: Sighting, alive: bool) {
        let seat = sighting.seat.clone();
        if seat.id == self.own() {
            return;
        }
        let shows_own_name = seat.name == self.config.own.name;
        let doubt = self.known.saw(sighting, alive, self.config.expect);
        let own = &self.config.own;
        let is_same = alive && (shows_own_name || seat.peer == own.peer);
        let same =
            is_same.then(|| own.clone()).or_else(|| self.known.namesake(&seat).filter(|_| alive));
        if let Some(other) = same {
            let (one, other) = ((seat.name, seat.peer), (other.name, other.peer));
            let (one, other) = (one.clone().min(other.clone()), one.max(other));
            self.warn(Warning::Same { one, other });
        }
        if let Some(doubt) = doubt {
            self.warn(doubt);
        }
        if let Some(warning) = self.known.two_clusters(self.cluster, &self.config.own.name) {
            self.warn(warning);
        }
    }

    fn persisted(&mut self, id: WriteId) {
        if let Some((_, pledge)) = self.writing.take_if(|(writing, _)| *writing <= id) {
            let falls = self.pledge.as_ref().is_none_or(|held| pledge < *held);
            assert!(falls || planted(Mutant::B3), "pledges only go down");
            self.pledge = Some(pledge);
            if !planted(Mutant::B1) {
                self.show();
            }
        }
    }

    fn decide(&mut self) {
        if self.cluster.is_some() || self.writing.is_some() || self.decided.is_some() {
            return;
        }
        if let Some(seats) = self.founders() {
            self.decided = Some(Decided::Form);
            self.outbox.push_back(Output::Form(seats));
        } else if self.known.clusters().next().is_some() {
            if let Some(cluster) = self.known.only_cluster_alive() {
                self.decided = Some(Decided::Follow(cluster));
                self.outbox.push_back(Output::Follow(cluster));
            }
        } else if let Some(pledge) = self.next() {
            self.writes += 1;
            let id = WriteId(self.writes);
            if planted(Mutant::B1) {
                let shown = Shown { pledge: Some(pledge.clone()), cluster: None };
                self.outbox.push_back(Output::Show(shown));
            }
            self.writing = Some((id, pledge.clone()));
            self.outbox.push_back(Output::Persist { id, pledge });
        }
    }

    /// Everybody that the pledge names, when each was seen to hold it; or when one that held it was
    /// seen to be of a cluster, for whoever follows another group's founding shows no pledge.
    fn founders(&self) -> Option<Vec<Seat>> {
        let pledge = self.pledge.as_ref()?;
        let missing = self.known.missing(pledge, self.own()).len();
        let enough = missing == 0 || (planted(Mutant::B4) && missing == 1);
        if !enough && !self.known.was_founded(pledge) {
            return None;
        }
        let own = &self.config.own;
        let seat =
            |id: &NodeId| if *id == own.id { Some(own.clone()) } else { self.known.seat(*id) };
        pledge.servers().iter().map(seat).collect()
    }

    /// What to pledge instead of what is held.
    fn next(&self) -> Option<Pledge> {
        let mine = self.hopes().filter(|hope| hope.names(self.own()));
        match &self.pledge {
            Some(held) if planted(Mutant::B3) => self.best(mine.filter(|hope| *hope != held)),
            Some(held) if !self.known.is_dead(held) && !planted(Mutant::B2) => None,
            Some(held) => self.best(mine.filter(|hope| *hope < held)),
            None if self.known.shares_seat(&self.config.own) => None,
            None => self.best(mine).or_else(|| self.fresh()),
        }
    }

    /// The pledges of others that may still come to be, as far as is known.
    fn hopes(&self) -> impl Iterator<Item = &Pledge> {
        let Config { expect, .. } = self.config;
        self.known.pledges().filter(move |pledge| {
            pledge.size() == expect && self.known.is_hopeful(pledge, self.own(), expect)
        })
    }

    /// The one that most have pledged, and of those the lowest.
    fn best<'a>(&self, pledges: impl Iterator<Item = &'a Pledge>) -> Option<Pledge> {
        let missing = |pledge: &Pledge| self.known.missing(pledge, self.own()).len();
        pledges.max_by_key(|pledge| Reverse((missing(pledge), *pledge))).cloned()
    }

    /// A new pledge, when nothing else gives hope and this server is among those it would name.
    fn fresh(&self) -> Option<Pledge> {
        if self.hopes().next().is_some() {
            return None;
        }
        let lowest = self.candidates().into_iter().take(self.config.expect);
        let pledge = Pledge::new(lowest)?;
        (pledge.size() == self.config.expect && pledge.names(self.own())).then_some(pledge)
    }

    /// Those who could make a new pledge, this server with them, in ascending order.
    fn candidates(&self) -> BTreeSet<NodeId> {
        let others = self.known.candidates(self.config.expect);
        others.chain(core::iter::once(self.own())).collect()
    }
}
