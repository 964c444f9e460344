//! Linearizable reads that write nothing, and the pings that confirm them.
//!
//! A read gets the commit index as its *read index* once a round of pings that was sent after it
//! arrived has been answered by a quorum; it is served when that index has been applied. All reads
//! that wait share the next round. A learner asks its leader, within their session.
//!
//! Why it holds: a follower that answers has not promised a later epoch, for it would have hung up
//! first. Any later leader needs the promise of one of those who answered, so whatever it commits
//! is committed after the read arrived. And what was committed before is known: an established
//! leader has committed all that it began with.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::boundary::{Output, ReadId, Refusal};
use super::leader::Stage;
use super::learner::Step;
use super::message::Message;
use super::status::Phase;
use super::{State, Zab};
use crate::{Index, NodeId};

/// Who waits for a read index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Reader {
    Here(ReadId),
    There(NodeId, ReadId),
}

/// Reads that wait for the same round.
#[derive(Clone, Debug, Hash)]
struct Batch {
    round: u64,
    index: Index,
    readers: Vec<Reader>,
}

/// The reads of a leader.
///
/// - `batches` ascend by round and index.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct ReadQueue {
    /// No round has been started for these.
    fresh: Vec<Reader>,
    batches: VecDeque<Batch>,
}

impl ReadQueue {
    /// The session of `peer` is over.
    pub(super) fn forget(&mut self, peer: NodeId) {
        let stays = |reader: &Reader| !matches!(reader, Reader::There(node, _) if *node == peer);
        self.fresh.retain(stays);
        for batch in &mut self.batches {
            batch.readers.retain(stays);
        }
    }

    /// Takes out everything, and gives back what was asked here.
    pub(super) fn take_own(&mut self) -> Vec<ReadId> {
        let Self { fresh, batches } = core::mem::take(self);
        let readers = batches.into_iter().flat_map(|batch| batch.readers).chain(fresh);
        let own = |reader| match reader {
            Reader::Here(id) => Some(id),
            Reader::There(..) => None,
        };
        readers.filter_map(own).collect()
    }
}

impl Zab {
    pub(super) fn on_read(&mut self, id: ReadId) {
        match &mut self.state {
            State::Leading(leader) if leader.phase == Phase::Broadcast => {
                leader.reads.fresh.push(Reader::Here(id));
            }
            State::Following(learner) if learner.step == Step::Serving => learner.fresh.push(id),
            State::Leading(_) | State::Following(_) | State::Looking(_) | State::Draining => {
                self.refuse_read(id, Refusal::NoLeader);
            }
        }
    }

    pub(super) fn refuse_read(&mut self, id: ReadId, reason: Refusal) {
        self.outbox.push_back(Output::ReadRefused { id, reason });
    }

    /// A learner asks.
    pub(super) fn on_read_index(&mut self, from: NodeId, reads: Vec<ReadId>) {
        if !self.serves(from) {
            return self.drop_message();
        }
        let State::Leading(leader) = &mut self.state else { return };
        leader.reads.fresh.extend(reads.into_iter().map(|id| Reader::There(from, id)));
    }

    /// Starts the round that confirms the reads which wait for none yet.
    pub(super) fn start_read_round(&mut self) {
        let index = self.commit;
        let State::Leading(leader) = &mut self.state else { return };
        if leader.reads.fresh.is_empty() {
            return;
        }
        let readers = core::mem::take(&mut leader.reads.fresh);
        let round = leader.round + 1;
        leader.reads.batches.push_back(Batch { round, index, readers });
        self.ping();
        self.confirm_reads();
    }

    /// A new round: pings everybody who has a session.
    pub(super) fn ping(&mut self) {
        self.trim = self.trim.max(self.lowest_match());
        let trim = self.trim;
        let State::Leading(leader) = &mut self.state else { return };
        leader.round += 1;
        let round = leader.round;
        let peers: Vec<NodeId> = leader.learners.keys().copied().collect();
        for peer in peers {
            self.send(peer, Message::Ping { round, trim });
        }
    }

    pub(super) fn on_ping(&mut self, round: u64, trim: Index) {
        self.trim = self.trim.max(trim);
        self.tell_leader(Message::Pong { round });
    }

    /// An answer counts from those only who have promised this epoch and are of it.
    pub(super) fn on_pong(&mut self, from: NodeId, round: u64) {
        let Some(learning) = self.learning(from) else { return };
        if learning.stage == Stage::Synced {
            learning.pong = learning.pong.max(round);
            self.confirm_reads();
        }
    }

    /// Answers the reads whose round a quorum has answered.
    fn confirm_reads(&mut self) {
        let State::Leading(leader) = &mut self.state else { return };
        let answered = |id| {
            let own = (id == self.config.id).then_some(u64::MAX);
            own.or_else(|| leader.learners.get(&id).map(|it| it.pong)).unwrap_or(0)
        };
        let confirmed = self.voters.reached(answered).unwrap_or(0);
        let ready = leader.reads.batches.partition_point(|batch| batch.round <= confirmed);
        let batches: Vec<Batch> = leader.reads.batches.drain(..ready).collect();
        let mut there: BTreeMap<(NodeId, Index), Vec<ReadId>> = BTreeMap::new();
        for Batch { index, readers, .. } in batches {
            for reader in readers {
                match reader {
                    Reader::Here(id) => self.outbox.push_back(Output::ReadReady { id, index }),
                    Reader::There(node, id) => there.entry((node, index)).or_default().push(id),
                }
            }
        }
        for ((node, index), reads) in there {
            self.send(node, Message::ReadIndexReply { reads, index });
        }
    }

    /// Passes new reads on to the leader, all in one question.
    pub(super) fn ask(&mut self) {
        let State::Following(learner) = &mut self.state else { return };
        if learner.fresh.is_empty() {
            return;
        }
        let name = ReadId(self.next_question);
        self.next_question = self.next_question.wrapping_add(1);
        learner.asked.insert(name, core::mem::take(&mut learner.fresh));
        self.tell_leader(Message::ReadIndex { reads: Vec::from([name]) });
    }

    pub(super) fn on_read_index_reply(&mut self, reads: &[ReadId], index: Index) {
        for name in reads {
            let State::Following(learner) = &mut self.state else { return };
            for id in learner.asked.remove(name).unwrap_or_default() {
                self.outbox.push_back(Output::ReadReady { id, index });
            }
        }
    }
}
