//! Bully in a contest.

use std::collections::BTreeSet;

use protocol::bully::message::{Body, Message};
use protocol::bully::{
    Bully, Config, Durable, Electors, Input as Raw, Mode, Output, Part, Preemption, Ranking,
    Safety, Timing, WriteId,
};
use protocol::{NodeId, Time};

use super::member::{Effect, Input, Parcel, Purpose, View, Writes};
use super::raft::place;
use super::settings::Settings;
use crate::lab::cluster::id;

/// A candidate with its disk. Its program stops as soon as it is told, and dies with it.
#[derive(Debug)]
pub(super) struct Candidate {
    config: Config,
    durable: Durable,
    writes: Writes<(WriteId, Durable)>,
    bully: Option<Bully>,
    /// Who has been told of the term of office that it holds.
    told: BTreeSet<usize>,
}

impl Candidate {
    /// In the safe mode when it is said when a leader yields.
    pub(super) fn new(
        place: usize,
        nodes: usize,
        settings: &Settings,
        safe: Option<Preemption>,
    ) -> Self {
        let all: BTreeSet<NodeId> = (0..nodes).map(id).collect();
        let mode = safe.map_or(Mode::Classic, |preemption| {
            Mode::Safe(Safety {
                electors: Electors::Named(all),
                lease: settings.limit(),
                renew: settings.beat,
                drift_ppm: 1_000,
                preemption,
            })
        });
        let timing = Timing { alive: settings.alive, victory: settings.victory };
        let config = Config { id: id(place), priority: 0, ranking: Ranking::Id, timing, mode };
        let (durable, writes) = (Durable::default(), Writes::default());
        Self { config, durable, writes, bully: None, told: BTreeSet::new() }
    }

    /// Whoever has the freshest state ranks highest, as MongoDB had it.
    pub(super) const fn rank_by_freshness(&mut self) {
        self.config.ranking = Ranking::Freshness;
    }

    pub(super) fn start(&mut self, seed: u64) {
        self.bully = Some(Bully::new(self.config.clone(), self.durable.clone(), seed));
    }

    pub(super) fn crash(&mut self) {
        self.bully = None;
        self.writes.lose();
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        self.bully.as_ref().and_then(Bully::poll_timeout)
    }

    pub(super) fn view(&self, now: Time) -> Option<View> {
        let status = self.bully.as_ref()?.status();
        let own = self.config.id;
        let follows = status.leader.map(|leader| leader.id);
        let leads = match &self.config.mode {
            Mode::Classic => follows == Some(own),
            Mode::Safe(_) => matches!(status.part, Part::Leader | Part::Stopping),
        };
        let may_act = match &self.config.mode {
            Mode::Classic => true,
            Mode::Safe(_) => status.lease.is_some_and(|lease| now < lease.until),
        };
        Some(View {
            electing: status.part == Part::Candidate,
            leads,
            serves: leads && may_act,
            epoch: status.ballot.map_or(0, |ballot| ballot.epoch.0),
            follows: follows.map(place),
        })
    }

    pub(super) fn input(&mut self, now: Time, input: Input) -> Vec<Effect> {
        let raw = match input {
            Input::Timeout => Raw::Timeout,
            Input::Receive { from, parcel: Parcel::Bully(message), .. } => {
                Raw::Receive { from: id(from), message }
            }
            Input::Synced => {
                let Some((id, durable)) = self.writes.pop() else { return Vec::new() };
                self.durable = durable;
                Raw::Persisted(id)
            }
            Input::Saw { shown, standing } => Raw::Saw { shown, standing },
            Input::Stopped(epoch) => Raw::Stopped(epoch),
            Input::Fresh(freshness) => Raw::Freshness(freshness),
            Input::Receive { .. } | Input::LinkUp { .. } | Input::LinkDown { .. } => {
                return Vec::new();
            }
        };
        let mut effects = Vec::new();
        let Some(bully) = &mut self.bully else { return effects };
        bully.handle(now, raw);
        while let Some(output) = self.bully.as_mut().and_then(Bully::poll_output) {
            self.output(output, &mut effects);
        }
        effects
    }

    fn output(&mut self, output: Output, effects: &mut Vec<Effect>) {
        match output {
            Output::Send { to, message } => {
                let to = place(to);
                let (kind, purpose) = self.word(to, &message);
                let parcel = Parcel::Bully(message);
                effects.push(Effect::Send { to, generation: 0, kind, purpose, parcel });
            }
            Output::Persist { id, durable } => {
                self.writes.push((id, durable));
                effects.push(Effect::Sync);
            }
            Output::Show(shown) => effects.push(Effect::Show(shown)),
            Output::Lost { epoch: Some(epoch), .. } => effects.push(Effect::Stop(epoch)),
            Output::Lost { epoch: None, .. }
            | Output::Elected(_)
            | Output::Extended(_)
            | Output::Leader(_)
            | Output::Electorate(_)
            | Output::Settled(_)
            | Output::ChangeRefused(_)
            | Output::Warn(_) => {}
        }
    }

    /// What a message is. The first renewal to each member makes a leader known.
    fn word(&mut self, to: usize, message: &Message) -> (&'static str, Purpose) {
        let purpose = match message.body {
            Body::Claim(_) => {
                self.told.clear();
                Purpose::Election
            }
            Body::Renew(_) if self.told.insert(to) => return ("Announcement", Purpose::Election),
            Body::Renew(_) | Body::Ack { .. } => Purpose::Routine,
            Body::Election
            | Body::Alive
            | Body::Victory
            | Body::Ask
            | Body::Answer { .. }
            | Body::Grant { .. }
            | Body::Refuse { .. }
            | Body::Release { .. } => Purpose::Election,
        };
        (message.body.kind(), purpose)
    }
}
