//! Linearizable reads that write nothing (thesis §6.4).
//!
//! A read gets the commit index as its *read index* once a round of heartbeats that was sent after
//! it arrived has been answered by a quorum; it is served when that index has been applied. All
//! reads that wait share the next round. A follower asks its leader. A question has a name that is
//! never used twice, not even after a restart, so that an old answer cannot serve a new read; it is
//! asked again with the period of heartbeats and given up after an election timeout.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::boundary::{Output, ReadId, Refusal};
use super::message::Body;
use super::{Raft, State};
use crate::mutant::{Mutant, planted};
use crate::{Index, NodeId, Time};

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
    since: Time,
    readers: Vec<Reader>,
}

/// The reads of a leader.
///
/// - `batches` ascend by round, index and time.
/// - `remote` holds exactly the questions of others that wait: one asked again waits once.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct ReadQueue {
    /// No round has been started for these, and when the first of them came.
    fresh: Vec<Reader>,
    fresh_since: Time,
    batches: VecDeque<Batch>,
    remote: BTreeSet<(NodeId, ReadId)>,
}

/// Reads of a follower that share one question.
#[derive(Clone, Debug, Hash)]
pub(super) struct Asked {
    reads: Vec<ReadId>,
    since: Time,
}

impl ReadQueue {
    fn add(&mut self, reader: Reader, now: Time) {
        if let Reader::There(node, id) = reader
            && !self.remote.insert((node, id))
        {
            return;
        }
        if self.fresh.is_empty() {
            self.fresh_since = now;
        }
        self.fresh.push(reader);
    }

    /// Everyone who waits.
    fn take_all(&mut self) -> Vec<Reader> {
        let batches = core::mem::take(&mut self.batches).into_iter();
        let mut readers: Vec<Reader> = batches.flat_map(|batch| batch.readers).collect();
        readers.append(&mut self.fresh);
        self.remote.clear();
        readers
    }

    /// Those of the first batch, when it satisfies `ready`.
    fn take_batch(&mut self, ready: impl Fn(&Batch) -> bool) -> Option<Batch> {
        if !self.batches.front().is_some_and(ready) {
            return None;
        }
        let batch = self.batches.pop_front()?;
        self.release(&batch.readers);
        Some(batch)
    }

    fn release(&mut self, readers: &[Reader]) {
        for reader in readers {
            if let &Reader::There(node, id) = reader {
                self.remote.remove(&(node, id));
            }
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.batches.iter().map(|batch| batch.readers.len()).sum::<usize>()
    }

    pub(super) fn assert_invariants(&self) {
        assert!(self.remote.len() <= self.len());
        assert!(self.batches.iter().is_sorted_by_key(|batch| (batch.round, batch.index)));
    }
}

impl Raft {
    pub(super) fn on_read(&mut self, id: ReadId) {
        match &mut self.state {
            State::Leader(_) => self.lead_read(Reader::Here(id)),
            State::Follower(follower) if self.leader.is_some() => follower.reads.push(id),
            State::Follower(_) | State::Candidate(_) => self.refuse_read(id, Refusal::NoLeader),
        }
    }

    pub(super) fn on_read_index(&mut self, from: NodeId, reads: Vec<ReadId>) {
        match &self.state {
            State::Leader(_) => {
                for id in reads {
                    self.lead_read(Reader::There(from, id));
                }
            }
            State::Follower(_) | State::Candidate(_) => {
                self.send(from, Body::ReadIndexReply { reads, index: None });
            }
        }
    }

    fn lead_read(&mut self, reader: Reader) {
        let State::Leader(leader) = &self.state else { return };
        let certain = self.is_alone() || self.holds_lease(leader) || planted(Mutant::R13);
        if certain && self.knows_commit(leader) {
            return self.answer(Vec::from([reader]), Some(self.commit));
        }
        let now = self.now;
        if let State::Leader(leader) = &mut self.state {
            leader.reads.add(reader, now);
        }
    }

    /// Starts the round that confirms the reads which wait for none yet.
    pub(super) fn start_read_round(&mut self) {
        let State::Leader(leader) = &self.state else { return };
        if leader.reads.fresh.is_empty() || !self.knows_commit(leader) {
            return;
        }
        let (now, index) = (self.now, self.commit);
        let State::Leader(leader) = &mut self.state else { return };
        let readers = core::mem::take(&mut leader.reads.fresh);
        let round = leader.rounds.start(now);
        let since = leader.reads.fresh_since;
        leader.reads.batches.push_back(Batch { round, index, since, readers });
        self.send_round(round, false);
        self.confirm_reads();
    }

    /// Answers the reads whose round a quorum has answered.
    pub(super) fn confirm_reads(&mut self) {
        let State::Leader(leader) = &self.state else { return };
        let confirmed = self.confirmed_round(leader);
        while let State::Leader(leader) = &mut self.state
            && let Some(batch) = leader.reads.take_batch(|batch| batch.round <= confirmed)
        {
            self.answer(batch.readers, Some(batch.index));
        }
    }

    /// Refuses what has waited for an election timeout: without check-quorum, a leader that nobody
    /// answers would gather reads for ever (etcd #7571).
    pub(super) fn expire_reads(&mut self) {
        let (now, patience) = (self.now, *self.config.election_timeout.end());
        while let State::Leader(leader) = &mut self.state
            && let Some(batch) = leader.reads.take_batch(|batch| now - batch.since >= patience)
        {
            self.answer(batch.readers, None);
        }
        let State::Leader(leader) = &mut self.state else { return };
        if !leader.reads.fresh.is_empty() && now - leader.reads.fresh_since >= patience {
            let readers = core::mem::take(&mut leader.reads.fresh);
            leader.reads.release(&readers);
            self.answer(readers, None);
        }
    }

    /// Tells each reader what it must see; `None` when that cannot be known here any more.
    fn answer(&mut self, readers: Vec<Reader>, index: Option<Index>) {
        let mut there: BTreeMap<NodeId, Vec<ReadId>> = BTreeMap::new();
        for reader in readers {
            match reader {
                Reader::Here(id) => self.conclude_read(id, index),
                Reader::There(node, id) => there.entry(node).or_default().push(id),
            }
        }
        for (node, reads) in there {
            self.send(node, Body::ReadIndexReply { reads, index });
        }
    }

    fn conclude_read(&mut self, id: ReadId, index: Option<Index>) {
        match index {
            Some(index) => self.outbox.push_back(Output::ReadReady { id, index }),
            None => self.refuse_read(id, Refusal::LeaderChanged),
        }
    }

    fn refuse_read(&mut self, id: ReadId, reason: Refusal) {
        self.outbox.push_back(Output::ReadRefused { id, reason });
    }

    /// Passes new reads on to the leader, all in one question.
    pub(super) fn ask(&mut self) {
        let (State::Follower(follower), Some(leader)) = (&mut self.state, self.leader) else {
            return;
        };
        let one_name = planted(Mutant::R15);
        if follower.reads.is_empty() || one_name && !follower.asked.is_empty() {
            return;
        }
        let reads = core::mem::take(&mut follower.reads);
        let name = ReadId(self.next_question);
        self.next_question = self.next_question.wrapping_add(u64::from(!one_name));
        if follower.asked.is_empty() {
            follower.ask_at = self.now + self.config.heartbeat;
        }
        follower.asked.insert(name, Asked { reads, since: self.now });
        self.send(leader, Body::ReadIndex { reads: Vec::from([name]) });
    }

    pub(super) fn on_follower_timeout(&mut self) {
        let (State::Follower(follower), Some(leader)) = (&mut self.state, self.leader) else {
            return;
        };
        if follower.asked.is_empty() || self.now < follower.ask_at {
            return;
        }
        follower.ask_at = self.now + self.config.heartbeat;
        let (now, patience) = (self.now, *self.config.election_timeout.end());
        let mut late = Vec::new();
        follower.asked.retain(|_, asked| {
            let waits = now - asked.since < patience;
            if !waits {
                late.append(&mut asked.reads);
            }
            waits
        });
        let reads: Vec<ReadId> = follower.asked.keys().copied().collect();
        for id in late {
            self.refuse_read(id, Refusal::NoLeader);
        }
        if !reads.is_empty() {
            self.send(leader, Body::ReadIndex { reads });
        }
    }

    pub(super) fn on_read_index_reply(
        &mut self,
        from: NodeId,
        reads: &[ReadId],
        index: Option<Index>,
    ) {
        if self.leader != Some(from) {
            return;
        }
        for name in reads {
            let State::Follower(follower) = &mut self.state else { return };
            let Some(asked) = follower.asked.remove(name) else { continue };
            for id in asked.reads {
                self.conclude_read(id, index);
            }
        }
    }

    /// The leader, or this node as leader, is lost: nothing may wait for it any longer.
    pub(super) fn abandon_requests(&mut self) {
        match &mut self.state {
            State::Leader(leader) => {
                let readers = leader.reads.take_all();
                self.answer(readers, None);
                self.end_snapshots();
            }
            State::Follower(follower) => {
                let follower = core::mem::take(follower);
                let asked = follower.asked.into_values().flat_map(|asked| asked.reads);
                for id in asked.chain(follower.reads) {
                    self.refuse_read(id, Refusal::LeaderChanged);
                }
                // They were proposed in the old term and must not enter the log of a later one.
                for (tag, _) in follower.proposals {
                    let reason = Refusal::LeaderChanged;
                    self.outbox.push_back(Output::ProposalRefused { tag, reason });
                }
            }
            State::Candidate(_) => {}
        }
    }
}
