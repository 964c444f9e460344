//! The state instead of entries (Raft §7).
//!
//! ```text
//! leader    SnapshotWanted ─▶ SendChunk… ─▶ Snapshot…      SnapshotReply ─▶ ChunkAcked…
//!                                              │                 ▲
//! follower                                  Chunk… ─▶ … ─▶ ChunkReply
//!                                                     … ─▶ Installed ─▶ Write { reset } ─▶ durable
//! leader    SnapshotEnded ◀───────────────────────────────── AppendAccepted ◀───────────────┘
//! ```
//!
//! What makes it safe, whatever is lost, repeated, late or out of order:
//!
//! - A snapshot covers committed entries only, so every later leader's log holds its last position:
//!   a node that has installed it agrees with any leader up to there.
//! - A node never goes back: pieces of what is committed here are not passed on, and what is not
//!   ahead of the applied state installs nothing.
//! - The log follows the state, never the other way round. Between the two a crash leaves the state
//!   ahead of the log, which is recognised and mended at the next start; and until the log is
//!   durable as well, only what was agreed before is acknowledged.
//! - The term is durable before a piece is passed on: no state is ahead of the term.
//!
//! Left out: a follower never asks for a snapshot, and never passes one on to another follower. A
//! new leader starts its own transfer; that the pieces of the old one may be of use is not known
//! here.

use super::boundary::Output;
use super::configurations::Configurations;
use super::log::weight;
use super::membership::Membership;
use super::message::Body;
use super::writes::Held;
use super::{Raft, State};
use crate::mutant::{Mutant, planted};
use crate::{Index, NodeId, Position, Term};

impl Raft {
    pub(super) fn on_send_chunk(&mut self, to: NodeId, last: Position, piece: Body) {
        if self.progress(to).is_some_and(|progress| progress.sends_chunk(last.index)) {
            self.send(to, piece);
        }
    }

    pub(super) fn on_snapshot_failed(&mut self, peer: NodeId) {
        let State::Leader(leader) = &mut self.state else { return };
        if let Some(progress) = leader.peers.get_mut(&peer) {
            progress.snapshot_failed(&self.log);
        }
    }

    pub(super) fn on_snapshot_reply(&mut self, peer: NodeId, last: Position, next: Option<u64>) {
        if self.progress(peer).is_some_and(|progress| progress.needs_snapshot()) {
            self.outbox.push_back(Output::ChunkAcked { peer, last, next });
        }
    }

    /// Leadership is lost, and with it all transfers.
    pub(super) fn end_snapshots(&mut self) {
        let State::Leader(leader) = &self.state else { return };
        let needy = leader.peers.iter().filter(|(_, progress)| progress.needs_snapshot());
        self.outbox.extend(needy.map(|(&peer, _)| Output::SnapshotEnded { peer }));
    }

    pub(super) fn on_snapshot(&mut self, from: NodeId, last: Position, chunk: Output) {
        let absurd = last.index == Index(0) || last.term == Term(0) || last.term > self.term;
        if !self.hear(from) || absurd {
            return self.drop_message();
        }
        let covered = self.log.position(last.index) == Some(last);
        if covered {
            // Raft §5.3: equal positions have equal pasts, and what a snapshot covers is committed.
            self.learn_commit(last.index, Index(0));
        }
        if last.index <= self.commit && !planted(Mutant::R17) {
            let State::Follower(follower) = &mut self.state else { return };
            follower.verified = follower.verified.max(self.commit);
            follower.owes = true;
            return self.resolve_doubt();
        }
        self.when_durable(Held::Chunk(self.term, chunk));
    }

    /// Hands a piece out, unless its time has passed while it was held.
    pub(super) fn pass_on(&mut self, term: Term, chunk: Output) {
        let Output::Chunk { from, last, .. } = &chunk else { return };
        let current = self.term == term && self.leader == Some(*from);
        if current && (last.index > self.commit || planted(Mutant::R17)) {
            self.outbox.push_back(chunk);
        }
    }

    pub(super) fn on_chunk_reply(&mut self, to: NodeId, last: Position, next: Option<u64>) {
        if matches!(self.state, State::Follower(_)) && self.leader == Some(to) {
            self.send(to, Body::SnapshotReply { last, next });
        }
    }

    pub(super) fn on_installed(&mut self, last: Position, membership: Option<Membership>) {
        let ahead = last.index > self.applied || planted(Mutant::R17);
        if !ahead {
            return;
        }
        assert!(last.term <= self.term, "the state that was installed is ahead of the term");
        // What the driver has not taken yet is void like what it has taken and not applied.
        self.outbox.retain(|output| !matches!(output, Output::Commit(_)));
        if self.log.position(last.index) == Some(last) && !planted(Mutant::R17) {
            self.fast_forward(last.index);
        } else {
            self.begin_anew(last, membership);
        }
        (self.delivered, self.applied) = (last.index, last.index);
        if let State::Follower(follower) = &mut self.state {
            follower.verified = follower.verified.max(self.commit);
            follower.owes = true;
            self.resolve_doubt();
        }
        self.evict();
    }

    /// The log holds what the state covers, and perhaps more.
    fn fast_forward(&mut self, through: Index) {
        if through <= self.commit {
            return;
        }
        if let State::Leader(leader) = &mut self.state {
            let freed = self.log.range(self.commit.next(), through).map(weight).sum();
            leader.settle(freed);
        }
        self.commit = through;
    }

    /// Nothing in the log leads to what the state covers: entries of the past, or of leaders that
    /// lost.
    fn begin_anew(&mut self, base: Position, membership: Option<Membership>) {
        assert!(
            base.index > self.commit || planted(Mutant::R17),
            "the state that was installed contradicts the log"
        );
        if !matches!(self.state, State::Follower(_)) {
            // It asks with a log that it no longer has.
            self.become_follower(self.term, None);
        }
        if let State::Follower(follower) = &mut self.state {
            // What became durable is given up with the rest.
            follower.grew = false;
        }
        self.writes.reset(self.commit.min(base.index.previous()));
        self.log.reset(base);
        self.commit = base.index;
        self.configurations =
            Configurations::new(base.index, membership.unwrap_or_else(|| self.config.membership()));
        self.reconfigured();
    }
}
