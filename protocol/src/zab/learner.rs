//! What a follower or observer knows of its session with a leader.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::boundary::{Abandon, ReadId, Refusal, Tag};
use super::message::Message;
use super::status::Phase;
use super::{State, Zab};
use crate::mutant::{Mutant, planted};
use crate::{Index, NodeId, Time};

/// How often a learner knocks without a link before it looks for another leader.
const MISSED_KNOCKS: u32 = 5;

/// How far a learner has got with its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// It has said that it is here, or waits for a link to do so.
    Knocking,
    /// It has answered the leader's epoch, or will when its promise is durable.
    Promised,
    /// It is getting equal.
    Syncing,
    /// It waits for the state.
    Installing,
    /// It has been sent everything, and says so when it is durable.
    Complete,
    /// It serves.
    Serving,
}

/// A learner's side of its session.
///
/// - Nothing waits in `requests`, `fresh` or `asked` before it serves.
#[derive(Clone, Debug, Hash)]
pub(super) struct Learner {
    pub(super) leader: NodeId,
    pub(super) step: Step,
    /// By when the leader must have been heard.
    pub(super) until: Time,
    pub(super) knock_at: Time,
    /// How often there was no link to knock at.
    pub(super) missed: u32,
    /// Whether the leader has still to be told how far the log is durable.
    pub(super) owes: bool,
    /// What was said to be committed before it may be believed.
    pub(super) remembered: Index,
    pub(super) requests: Vec<(Tag, Bytes)>,
    /// What was passed on: refused with the leader.
    pub(super) fresh: Vec<ReadId>,
    pub(super) asked: BTreeMap<ReadId, Vec<ReadId>>,
}

impl Learner {
    pub(super) const fn phase(&self) -> Phase {
        match self.step {
            Step::Knocking | Step::Promised => Phase::Discovery,
            Step::Syncing | Step::Installing | Step::Complete => Phase::Synchronization,
            Step::Serving => Phase::Broadcast,
        }
    }

    /// Whether the leader has answered.
    pub(super) fn has_begun(&self) -> bool {
        self.step > Step::Knocking
    }

    pub(super) fn timeout(&self) -> Time {
        if self.has_begun() { self.until } else { self.until.min(self.knock_at) }
    }

    pub(super) fn assert_invariants(&self) {
        let waits = !self.requests.is_empty() || !self.fresh.is_empty() || !self.asked.is_empty();
        assert!(!waits || self.step == Step::Serving, "nothing waits for nobody");
    }
}

impl Zab {
    pub(super) fn become_following(&mut self, leader: NodeId) {
        assert!(leader != self.config.id && matches!(self.state, State::Looking(_)));
        self.state = State::Following(Learner {
            leader,
            step: Step::Knocking,
            until: self.now + self.config.timing.init_limit,
            knock_at: self.now,
            missed: 0,
            owes: false,
            remembered: Index(0),
            requests: Vec::new(),
            fresh: Vec::new(),
            asked: BTreeMap::new(),
        });
        self.knock();
    }

    /// Says that it is here.
    pub(super) fn knock(&mut self) {
        let State::Following(learner) = &mut self.state else { return };
        if learner.has_begun() {
            return;
        }
        learner.knock_at = self.now + self.config.timing.knock;
        if !self.links.contains_key(&learner.leader) {
            learner.missed += 1;
            if learner.missed >= MISSED_KNOCKS {
                self.abandon(Abandon::LinkLost);
            }
            return;
        }
        let (accepted, observer) = (self.epochs.accepted, self.config.observes());
        self.tell_leader(Message::LearnerInfo { accepted, observer });
    }

    pub(super) fn on_learner_timeout(&mut self) {
        let State::Following(learner) = &self.state else { return };
        if self.now >= learner.until {
            let serves = learner.step == Step::Serving;
            self.abandon(if serves { Abandon::SyncLimit } else { Abandon::InitLimit });
        } else if self.now >= learner.knock_at {
            self.knock();
        }
    }

    /// The leader is heard.
    pub(super) fn hear(&mut self) {
        let State::Following(learner) = &mut self.state else { return };
        let timing = &self.config.timing;
        let serves = learner.step == Step::Serving;
        learner.until = self.now + if serves { timing.sync_limit } else { timing.init_limit };
    }

    pub(super) fn learn(&mut self, message: Message) {
        if matches!(message, Message::NotLeading) {
            return self.on_not_leading();
        }
        self.hear();
        match message {
            Message::LeaderInfo { epoch } => self.on_leader_info(epoch),
            Message::Sync(mode) => self.on_sync(mode),
            Message::Proposals { base, entries } => self.on_proposals(base, entries),
            Message::Inform { base, entries } => self.on_inform(base, entries),
            Message::NewLeader { epoch } => self.on_new_leader(epoch),
            Message::UpToDate { commit } => self.on_up_to_date(commit),
            Message::Commit { through } => self.on_commit(through),
            Message::Ping { round, trim } => self.on_ping(round, trim),
            Message::RequestsRefused { tags, reason } => self.on_requests_refused(tags, reason),
            Message::ReadIndexReply { reads, index } => self.on_read_index_reply(&reads, index),
            Message::Snapshot { last, number, data, done } => {
                self.on_snapshot(last, number, data, done);
            }
            Message::Notification(_)
            | Message::LearnerInfo { .. }
            | Message::NotLeading
            | Message::AckEpoch { .. }
            | Message::Resume { .. }
            | Message::Stored { .. }
            | Message::AckLeader { .. }
            | Message::Ack { .. }
            | Message::Pong { .. }
            | Message::Requests { .. }
            | Message::ReadIndex { .. }
            | Message::SnapshotReply { .. } => self.drop_message(),
        }
    }

    /// How far this learner has got.
    pub(super) const fn step(&self) -> Option<Step> {
        match &self.state {
            State::Following(learner) => Some(learner.step),
            State::Draining | State::Looking(_) | State::Leading(_) => None,
        }
    }

    pub(super) fn set_step(&mut self, step: Step) {
        if let State::Following(learner) = &mut self.state {
            learner.step = step;
        }
    }

    /// A correct leader never says that: whatever it is, it is not to be followed.
    pub(super) fn disbelieve(&mut self) {
        self.drop_message();
        self.abandon(Abandon::Illegal);
    }

    fn on_not_leading(&mut self) {
        if self.step() == Some(Step::Knocking) {
            self.abandon(Abandon::NotLeading);
        }
    }

    /// Tells the leader what piled up: how far the log is durable, commands and reads.
    pub(super) fn flush_learner(&mut self) {
        let through = self.writes.durable();
        let State::Following(learner) = &mut self.state else { return };
        let (step, requests) = (learner.step, core::mem::take(&mut learner.requests));
        if core::mem::take(&mut learner.owes) {
            match step {
                Step::Syncing => self.tell_leader(Message::Stored { through }),
                Step::Serving => self.tell_leader(Message::Ack { through }),
                Step::Complete if planted(Mutant::Z8) => self.tell_leader(Message::Ack { through }),
                Step::Knocking | Step::Promised | Step::Installing | Step::Complete => {}
            }
        }
        if !requests.is_empty() {
            self.tell_leader(Message::Requests { requests });
        }
        self.ask();
    }

    /// With the leader goes what was asked of it.
    pub(super) fn refuse_everything(&mut self, reason: Refusal) {
        match &mut self.state {
            State::Following(learner) => {
                let asked = core::mem::take(&mut learner.asked).into_values().flatten();
                let reads: Vec<ReadId> = asked.chain(core::mem::take(&mut learner.fresh)).collect();
                let requests = core::mem::take(&mut learner.requests);
                for id in reads {
                    self.refuse_read(id, reason);
                }
                for (tag, _) in requests {
                    self.refuse_proposal(tag, reason);
                }
            }
            State::Leading(leader) => {
                for id in leader.reads.take_own() {
                    self.refuse_read(id, reason);
                }
            }
            State::Draining | State::Looking(_) => {}
        }
    }
}
