//! Zab under a replica: its links, its writes, and its words for the rest of the house.
//!
//! # Writes
//!
//! Zab's writes take effect in order, the epochs of each last, and a crash leaves a prefix. The log
//! syncs what was queued as one, and keeps its hard state beside its entries: of one sync, a crash
//! may leave the one without the other. So epochs travel alone: they are handed to storage when all
//! that came before is durable, and nothing follows before they are.
//!
//! The log has one place for what a node has promised, Raft's hard state: its term holds the
//! accepted epoch, its vote the current one ([`hard_state`], [`epochs`]). That a directory is of a
//! group that runs Zab stands in its identity, not here.
//!
//! Nothing is taken back: when the core gives up a leader, all writes that it has handed out are
//! carried out, and then it is told so.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::link::{self, Frame, Links};
use protocol::raft::{self, HardState, Membership, Role};
use protocol::zab::{self, Epochs, Generation, Phase, Restored, StartError, Timing, Write, Zab};
use protocol::{Index, NodeId, Term, Time, WriteId};

use super::{Event, Message, Output};

/// Zab with all that it needs to be a replica's core.
///
/// - Ids of writes handed to storage ascend by one; `in_flight` has those that are not durable.
/// - While epochs are under way nothing else is.
#[derive(Clone, Debug)]
pub struct Broadcast {
    now: Time,
    zab: Zab,
    links: Links<zab::Message>,
    membership: Membership,
    told_membership: bool,
    /// Parts of writes that are not handed to storage yet.
    waiting: VecDeque<Part>,
    /// Handed to storage, and the write of the core that each completes.
    in_flight: VecDeque<(WriteId, Option<WriteId>)>,
    /// Whether epochs are among what is under way.
    sealed: bool,
    issued: WriteId,
    /// The commit index as it was last written; it lags.
    commit: Index,
    /// The last write that the core has handed out, and the last that is durable.
    given: WriteId,
    durable: WriteId,
    /// Writes after which the core is to be told that its leader's are all carried out.
    cancelled: VecDeque<WriteId>,
    outbox: VecDeque<Output>,
}

/// A part of a write.
#[derive(Clone, Debug)]
struct Part {
    act: Act,
    /// The write that is durable with it.
    completes: Option<WriteId>,
}

#[derive(Clone, Debug)]
enum Act {
    Write(raft::Write),
    Cut(Index),
    Epochs(Epochs),
}

impl Broadcast {
    /// Over what storage held, with the members and sizes of `config`.
    ///
    /// # Errors
    /// As [`Zab::new`].
    pub fn new(
        config: &raft::Config,
        timing: Timing,
        restored: raft::Restored,
        seed: u64,
    ) -> Result<Self, StartError> {
        let beat = timing.ping;
        let own = zab::Config {
            id: config.id,
            voters: config.voters.clone(),
            observers: config.learners.clone(),
            timing,
            max_inflight_bytes: config.max_inflight_bytes,
            max_batch_bytes: config.max_append_bytes,
            max_uncommitted_bytes: config.max_uncommitted_bytes,
            cache_bytes: config.cache_bytes,
        };
        let peers: BTreeSet<NodeId> =
            own.voters.union(&own.observers).copied().filter(|id| *id != own.id).collect();
        let (voters, learners) = (own.voters.clone(), own.observers.clone());
        let raft::Restored { hard_state, base, terms, entries, applied, doubt, .. } = restored;
        let restored =
            Restored { epochs: epochs(&hard_state), base, terms, entries, applied, doubt };
        Ok(Self {
            now: Time(0),
            zab: Zab::new(own, restored, seed)?,
            links: Links::new(&peers, beat, seed.rotate_left(17)),
            membership: Membership { voters, learners, ..Membership::default() },
            told_membership: false,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            sealed: false,
            issued: WriteId(0),
            commit: hard_state.commit,
            given: WriteId(0),
            durable: WriteId(0),
            cancelled: VecDeque::new(),
            outbox: VecDeque::new(),
        })
    }

    /// The protocol itself.
    #[must_use]
    pub const fn zab(&self) -> &Zab {
        &self.zab
    }

    pub(super) const fn membership(&self) -> &Membership {
        &self.membership
    }

    pub(super) fn role(&self) -> Role {
        role(self.zab.role(), self.zab.phase())
    }

    pub(super) fn status(&self) -> raft::Status {
        let status = self.zab.status();
        let peer = |peer: &zab::Peer| raft::Peer {
            matched: peer.matched,
            next: peer.next,
            state: peer.state,
            active: peer.synced,
            awaited: false,
        };
        let peers: BTreeMap<NodeId, raft::Peer> =
            status.peers.iter().map(|(id, it)| (*id, peer(it))).collect();
        let (term, commit) = (status.epochs.current, status.commit);
        raft::Status {
            id: status.id,
            role: self.role(),
            hard_state: HardState { term, vote: None, commit },
            leader: status.leader,
            applied: status.applied,
            last: status.last,
            base: status.base,
            trim_bound: status.trim_bound,
            peers,
            membership: self.membership.clone(),
            dropped: status.dropped,
            doubt: status.doubt,
        }
    }

    pub(super) fn handle(&mut self, now: Time, input: raft::Input) {
        use raft::Input as In;
        self.now = self.now.max(now);
        let input = match input {
            In::Timeout => {
                self.links.timeout(now);
                zab::Input::Timeout
            }
            In::Persisted(id) => return self.persisted(now, id),
            In::Unreachable(peer) => {
                self.links.broke(now, peer);
                return self.heed_links(now);
            }
            In::Applied(index) => zab::Input::Applied(index),
            In::Propose { tag, command } => zab::Input::Propose { tag, command },
            In::Read(id) => zab::Input::Read(id),
            In::Fetched { peer, from, entries } => zab::Input::Fetched { peer, from, entries },
            In::Trimmed(through) => zab::Input::Trimmed(through),
            In::SendChunk { to, last, number, data, done } => {
                zab::Input::SendChunk { to, last, number, data, done }
            }
            In::SnapshotFailed { peer } => zab::Input::SnapshotFailed { peer },
            In::ChunkReply { to, last, next } => zab::Input::ChunkReply { to, last, next },
            In::Installed { last, .. } => zab::Input::Installed { last },
            // Messages come as frames. The members are static, and nobody hands over.
            In::Receive { .. } | In::Reconfigure { .. } | In::TransferLeadership(_) => return,
        };
        self.zab.handle(now, input);
        self.heed_links(now);
    }

    pub(super) fn receive(&mut self, now: Time, from: NodeId, frame: Frame<zab::Message>) {
        self.now = self.now.max(now);
        self.links.arrived(now, from, frame);
        self.heed_links(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.zab.poll_timeout().into_iter().chain(self.links.poll_timeout()).min()
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        if !core::mem::replace(&mut self.told_membership, true) {
            let membership = self.membership.clone();
            self.outbox.push_back(Output::Membership { at: Index(0), membership });
        }
        while self.outbox.is_empty() {
            let output = self.zab.poll_output()?;
            self.heed(output);
        }
        self.outbox.pop_front()
    }

    /// Takes in what the links have to tell, until they have nothing more.
    fn heed_links(&mut self, now: Time) {
        while let Some(output) = self.links.poll_output() {
            let input = match output {
                link::Output::Transmit { to, frame } => {
                    self.outbox.push_back(Output::Send { to, message: Message::Zab(frame) });
                    continue;
                }
                link::Output::Up { peer, generation } => {
                    zab::Input::LinkUp { peer, generation: Generation(generation) }
                }
                link::Output::Down { peer, generation } => {
                    zab::Input::LinkDown { peer, generation: Generation(generation) }
                }
                link::Output::Word { from, generation, message } => {
                    zab::Input::Receive { from, generation: Generation(generation), message }
                }
            };
            self.zab.handle(now, input);
        }
    }
}

impl Broadcast {
    /// Carries out what the core wants, or passes it on.
    fn heed(&mut self, output: zab::Output) {
        use zab::Output as Out;
        let output = match output {
            Out::Send { to, generation, message } => {
                self.links.say(to, generation.0, message);
                return self.heed_links(self.now);
            }
            Out::Reset { peer, generation } => {
                self.links.reset(self.now, peer, generation.0);
                return self.heed_links(self.now);
            }
            Out::Persist { id, write } => return self.queue(id, write),
            Out::Cancel { .. } => {
                self.cancelled.push_back(self.given);
                return self.answer_cancelled();
            }
            Out::Commit(entries) => Output::Commit(entries),
            Out::ReadReady { id, index } => Output::ReadReady { id, index },
            Out::ReadRefused { id, reason } => Output::ReadRefused { id, reason: refusal(reason) },
            Out::ProposalRefused { tag, reason } => {
                Output::ProposalRefused { tag, reason: refusal(reason) }
            }
            Out::Fetch { peer, from, max_bytes } => Output::Fetch { peer, from, max_bytes },
            Out::SnapshotWanted { peer, next } => Output::SnapshotWanted { peer, next },
            Out::SnapshotEnded { peer } => Output::SnapshotEnded { peer },
            Out::Chunk { from, last, number, data, .. } => {
                Output::Chunk { from, last, number, data }
            }
            Out::ChunkAcked { peer, last, next } => Output::ChunkAcked { peer, last, next },
            Out::Event(event) => Output::Event(Event::Zab(event)),
        };
        self.outbox.push_back(output);
    }

    /// Takes a write apart.
    fn queue(&mut self, id: WriteId, write: Write) {
        self.given = id;
        let Write { reset, cut, entries, epochs } = write;
        let mut acts = VecDeque::new();
        if reset.is_some() && cut.is_some() {
            acts.push_back(Act::Write(raft::Write { reset, ..raft::Write::default() }));
        }
        acts.extend(cut.map(Act::Cut));
        let reset = reset.filter(|_| cut.is_none());
        if reset.is_some() || !entries.is_empty() {
            acts.push_back(Act::Write(raft::Write { reset, entries, ..raft::Write::default() }));
        }
        acts.extend(epochs.map(Act::Epochs));
        let last = acts.pop_back();
        self.waiting.extend(acts.into_iter().map(|act| Part { act, completes: None }));
        match last {
            Some(act) => self.waiting.push_back(Part { act, completes: Some(id) }),
            // Nothing to be done: done with what came before.
            None => {
                let act = Act::Write(raft::Write::default());
                self.waiting.push_back(Part { act, completes: Some(id) });
            }
        }
        self.hand_out();
    }

    /// Hands to storage what may go now.
    fn hand_out(&mut self) {
        while let Some(part) = self.waiting.front() {
            let seals = matches!(part.act, Act::Epochs(_));
            if self.sealed || (seals && !self.in_flight.is_empty()) {
                return;
            }
            let Some(Part { act, completes }) = self.waiting.pop_front() else { return };
            self.issued.0 += 1;
            let id = self.issued;
            self.in_flight.push_back((id, completes));
            self.sealed = seals;
            self.outbox.push_back(match act {
                Act::Write(write) => Output::Persist { id, write },
                Act::Cut(through) => Output::Cut { id, through },
                Act::Epochs(epochs) => {
                    self.commit = self.commit.max(self.zab.commit());
                    let hard_state = Some(hard_state(epochs, self.commit));
                    let write = raft::Write { hard_state, ..raft::Write::default() };
                    Output::Persist { id, write }
                }
            });
        }
    }

    /// Storage has done what it was given, up to this.
    fn persisted(&mut self, now: Time, id: WriteId) {
        self.now = self.now.max(now);
        let before = self.durable;
        while let Some((_, completes)) = self.in_flight.front().filter(|(it, _)| *it <= id) {
            self.durable = completes.unwrap_or(self.durable);
            self.in_flight.pop_front();
        }
        self.sealed &= !self.in_flight.is_empty();
        self.hand_out();
        if self.durable > before {
            self.zab.handle(now, zab::Input::Persisted(self.durable));
        }
        self.answer_cancelled();
    }

    fn answer_cancelled(&mut self) {
        while let Some(through) = self.cancelled.front().copied().filter(|it| *it <= self.durable) {
            self.cancelled.pop_front();
            self.zab.handle(self.now, zab::Input::Cancelled(through));
        }
    }
}

/// What a member of a group that runs Zab is, in Raft's words.
pub(super) fn role(role: zab::Role, phase: Phase) -> Role {
    match (role, phase) {
        (zab::Role::Leading, Phase::Broadcast) => Role::Leader,
        (zab::Role::Following | zab::Role::Observing, Phase::Broadcast) => Role::Follower,
        (
            zab::Role::Looking | zab::Role::Leading | zab::Role::Following | zab::Role::Observing,
            Phase::Election | Phase::Discovery | Phase::Synchronization | Phase::Broadcast,
        ) => Role::Candidate,
    }
}

const fn refusal(reason: zab::Refusal) -> raft::Refusal {
    match reason {
        zab::Refusal::NoLeader => raft::Refusal::NoLeader,
        zab::Refusal::Overloaded => raft::Refusal::Overloaded,
        zab::Refusal::LeaderChanged => raft::Refusal::LeaderChanged,
    }
}

/// Epochs, and a commit index, in the place that the log has for what a node has promised.
#[must_use]
pub const fn hard_state(epochs: Epochs, commit: Index) -> HardState {
    let Epochs { accepted, current } = epochs;
    HardState { term: accepted, vote: Some(NodeId(current.0)), commit }
}

/// The epochs that stand in the log.
#[must_use]
pub fn epochs(hard_state: &HardState) -> Epochs {
    let current = hard_state.vote.map_or(Term(0), |it| Term(it.0));
    Epochs { accepted: hard_state.term, current }
}
