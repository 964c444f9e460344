//! The state instead of entries.
//!
//! ```text
//! leader   Sync(Snap), SnapshotWanted ─▶ SendChunk… ─▶ Snapshot…   SnapshotReply ─▶ ChunkAcked…
//!                                               │                       ▲
//! learner                                 Chunk… ─▶ … ─▶ ChunkReply ────┘
//!                                               … ─▶ Installed ─▶ durable ─▶ Resume(tail)
//! leader   SnapshotEnded, Sync(Diff) ◀──────────────────────────────────────────┘
//! ```
//!
//! A snapshot covers committed entries only, so it is right under any leader, and a transfer that
//! its leader does not live to see the end of has done no harm (ZOOKEEPER-3642): what the learner
//! says it holds is what is durable. After it the learner is asked again what it holds, and gets
//! the rest as entries; so nothing that is proposed meanwhile is missed (ZOOKEEPER-3104).

use bytes::Bytes;

use super::boundary::Output;
use super::leader::Stage;
use super::learner::Step;
use super::message::Message;
use super::writes::Held;
use super::{State, Zab};
use crate::{NodeId, Position};

impl Zab {
    pub(super) fn on_send_chunk(&mut self, to: NodeId, piece: Message) {
        if self.waits_for_snapshot(to) {
            self.send(to, piece);
        }
    }

    fn waits_for_snapshot(&mut self, peer: NodeId) -> bool {
        self.learning(peer).is_some_and(|it| matches!(it.stage, Stage::Snapshot { .. }))
    }

    pub(super) fn on_snapshot_failed(&mut self, peer: NodeId) {
        if let Some(learning) = self.learning(peer)
            && let Stage::Snapshot { wanted } = &mut learning.stage
        {
            *wanted = false;
        }
    }

    /// Asks again for what the driver has given up.
    pub(super) fn want_snapshots(&mut self) {
        let next = self.history.base().index;
        let State::Leading(leader) = &mut self.state else { return };
        for (&peer, learning) in &mut leader.learners {
            if let Stage::Snapshot { wanted } = &mut learning.stage
                && !core::mem::replace(wanted, true)
            {
                self.outbox.push_back(Output::SnapshotWanted { peer, next });
            }
        }
    }

    pub(super) fn on_snapshot_reply(&mut self, peer: NodeId, last: Position, next: Option<u64>) {
        if self.waits_for_snapshot(peer) {
            self.moved();
            self.outbox.push_back(Output::ChunkAcked { peer, last, next });
        }
    }

    /// A session that stood at `stage` is over, or goes on without the state.
    pub(super) fn snapshot_ended(&mut self, peer: NodeId, stage: &Stage) {
        if matches!(stage, Stage::Snapshot { .. }) {
            self.outbox.push_back(Output::SnapshotEnded { peer });
        }
    }

    /// A piece came.
    pub(super) fn on_snapshot(&mut self, last: Position, number: u64, data: Bytes, done: bool) {
        let State::Following(learner) = &self.state else { return };
        let absurd = last.term > self.epochs.accepted || last.index.0 == 0;
        if learner.step != Step::Installing || absurd {
            return self.drop_message();
        }
        let from = learner.leader;
        self.outbox.push_back(Output::Chunk { from, last, number, data, done });
    }

    pub(super) fn on_chunk_reply(&mut self, to: NodeId, last: Position, next: Option<u64>) {
        if let State::Following(learner) = &self.state
            && learner.leader == to
        {
            self.tell_leader(Message::SnapshotReply { last, next });
        }
    }

    /// The state is there: the leader is asked for the rest when the log begins behind it.
    pub(super) fn resume_learning(&mut self) {
        if self.step() == Some(Step::Installing) {
            self.set_step(Step::Promised);
            let tail = self.history.tail(self.commit);
            self.when_durable(Held::Tell(Message::Resume { tail }));
        } else if self.history.is_anew() {
            // It came too late, and the leader has been told of a history that is gone.
            self.abandon(super::Abandon::Replaced);
        }
    }
}
