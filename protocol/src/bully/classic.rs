//! The textbook's algorithm: the highest that is heard leads, and bullies whoever leads below it.
//!
//! ```text
//! start, after T_alive; or the leader
//! is suspected                      ──▶ Election to all above; nobody is: Victory
//!   nobody answers in T_alive       ──▶ Victory to all below
//!   somebody answers                ──▶ wait T_victory for a Victory; none: begin again
//! Election from below               ──▶ Alive, and an election of one's own
//! Victory from above                ──▶ it leads;  from below: an election
//! somebody comes, and one leads     ──▶ Victory to it, or an election when it is above
//! ```
//!
//! Nothing is durable and nobody is counted. So a partition has a leader on each side, one link
//! that works one way only can make two, and a pause is taken for a death: the algorithm assumes
//! that messages arrive within a known time and that nobody who lives is silent. Whoever acts for
//! such a leader has no token to show, and nothing could refuse what the other one does.

use alloc::vec::Vec;

use super::boundary::{ChangeRefusal, Input, Leader, Loss, Output, Shown, Standing};
use super::core::{Core, Peer};
use super::message::{Body, Message};
use super::rank::Rank;
use crate::{NodeId, Time};

/// What a candidate does. Laws:
///
/// - it is its own leader if and only if it has told that it was elected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Classic {
    pub(super) core: Core,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// No election is under way here.
    Idle,
    /// Those above were asked.
    Electing { until: Time },
    /// One of them has answered, and is to win.
    Awaiting { until: Time },
}

impl Classic {
    pub(super) const fn new(core: Core) -> Self {
        Self { core, stage: Stage::Idle }
    }

    pub(super) const fn timeout(&self) -> Option<Time> {
        match self.stage {
            Stage::Idle => None,
            Stage::Electing { until } | Stage::Awaiting { until } => Some(until),
        }
    }

    pub(super) const fn is_electing(&self) -> bool {
        !matches!(self.stage, Stage::Idle)
    }

    pub(super) fn handle(&mut self, now: Time, input: Input) {
        if self.core.tick(now) {
            self.show();
            // Whoever has just come knows nobody yet, and would lead beside those who are there.
            self.stage = Stage::Awaiting { until: self.core.now + self.core.config.timing.alive };
        }
        match input {
            Input::Timeout => {}
            Input::Receive { from, message } => self.on_message(from, &message),
            Input::Saw { shown, standing } => {
                self.on_saw(&shown, standing);
                self.check();
            }
            Input::Forgotten(id) => {
                if let Some(peer) = self.core.peers.get_mut(&id) {
                    peer.standing = Standing::Failed;
                }
                self.check();
                self.core.peers.remove(&id);
            }
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
            // Here whoever has no program is no candidate; its core ends with the program.
            Input::Resign | Input::Stand(false) => self.resign(),
            Input::Change(_) => {
                self.core.out(Output::ChangeRefused(ChangeRefusal::NotLeader));
            }
            // Nothing is written here, and nothing is leased.
            Input::Persisted(_) | Input::Stopped(_) | Input::Stand(true) => {}
        }
        self.maybe_time_out();
    }

    fn show(&mut self) {
        let shown = Shown { rank: self.core.rank(), expect: None, pledge: None, group: None };
        self.core.out(Output::Show(shown));
    }

    fn maybe_time_out(&mut self) {
        match self.stage {
            Stage::Electing { until } if self.core.now >= until => self.win(),
            Stage::Awaiting { until } if self.core.now >= until => self.elect(),
            Stage::Idle | Stage::Electing { .. } | Stage::Awaiting { .. } => {}
        }
    }

    /// A leader presents itself to whoever comes, or comes back; and asks those that are better.
    fn on_saw(&mut self, shown: &Shown, standing: Standing) {
        let id = shown.rank.id;
        let was_there = |peer: &Peer| peer.standing != Standing::Failed;
        let is_new = !self.core.peers.get(&id).is_some_and(was_there);
        self.core.saw(shown, standing);
        let leads = self.core.leader.is_some_and(|leader| leader.id == self.core.id());
        if leads && is_new && standing == Standing::Alive && id != self.core.id() {
            if shown.rank < self.core.rank() {
                self.send(id, Body::Victory);
            } else {
                self.maybe_elect();
            }
        }
    }

    /// An election, when the leader is not there any more.
    fn check(&mut self) {
        let Some(leader) = self.core.leader else { return };
        let peer = self.core.peers.get(&leader.id);
        let is_there = peer.is_none_or(|peer| peer.standing == Standing::Alive);
        if leader.id != self.core.id() && !is_there {
            self.core.follow(None);
            self.maybe_elect();
        }
    }

    fn maybe_elect(&mut self) {
        if !self.is_electing() {
            self.elect();
        }
    }

    fn elect(&mut self) {
        let above = self.candidates(|rank, own| rank > own);
        if above.is_empty() {
            return self.win();
        }
        self.stage = Stage::Electing { until: self.core.now + self.core.config.timing.alive };
        for id in above {
            self.send(id, Body::Election);
        }
    }

    fn win(&mut self) {
        self.stage = Stage::Idle;
        for id in self.candidates(|rank, own| rank < own) {
            self.send(id, Body::Victory);
        }
        let leader = Leader { id: self.core.id(), epoch: None };
        if self.core.leader != Some(leader) {
            self.core.follow(Some(leader));
            self.core.out(Output::Elected(None));
        }
    }

    fn lose(&mut self, why: Loss) {
        if self.core.leader.is_some_and(|leader| leader.id == self.core.id()) {
            self.core.follow(None);
            self.core.out(Output::Lost { epoch: None, why });
        }
    }

    /// It stays the highest, so the others will elect it again when they next have reason to.
    fn resign(&mut self) {
        self.lose(Loss::Resigned);
        self.stage = Stage::Idle;
    }

    /// The others that the pool has not given up, suspects among them.
    fn candidates(&self, wanted: impl Fn(Rank, Rank) -> bool) -> Vec<NodeId> {
        let own = self.core.rank();
        let there = self.core.peers.iter().filter(|(_, peer)| peer.standing != Standing::Failed);
        there.filter(|(_, peer)| wanted(peer.rank, own)).map(|(id, _)| *id).collect()
    }

    fn send(&mut self, to: NodeId, body: Body) {
        let message = Message { electorate: None, rank: self.core.rank(), body };
        self.core.out(Output::Send { to, message });
    }

    fn on_message(&mut self, from: NodeId, message: &Message) {
        if message.electorate.is_some() || message.rank.id != from {
            self.core.dropped += 1;
            return;
        }
        self.core.heard(from, message.rank);
        let is_above = message.rank > self.core.rank();
        match message.body {
            Body::Election => {
                if !is_above {
                    self.send(from, Body::Alive);
                }
                self.maybe_elect();
            }
            Body::Alive => {
                if matches!(self.stage, Stage::Electing { .. }) && is_above {
                    let until = self.core.now + self.core.config.timing.victory;
                    self.stage = Stage::Awaiting { until };
                }
            }
            Body::Victory if is_above => {
                self.stage = Stage::Idle;
                self.lose(Loss::Superseded);
                self.core.follow(Some(Leader { id: from, epoch: None }));
            }
            Body::Victory => self.maybe_elect(),
            Body::Ask
            | Body::Answer { .. }
            | Body::Claim(_)
            | Body::Grant { .. }
            | Body::Refuse { .. }
            | Body::Renew(_)
            | Body::Ack { .. }
            | Body::Release { .. } => self.core.dropped += 1,
        }
    }
}
