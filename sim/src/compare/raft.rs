//! Raft in a contest.

use std::collections::BTreeSet;

use protocol::raft::{
    Body, Config, Entry, HardState, Input as Raw, Message, Output, Raft, ReadMode, Restored, Role,
    Write, WriteId,
};
use protocol::{Index, Position, Term, Time};

use super::member::{Effect, Input, Parcel, Purpose, View, Writes};
use super::settings::Settings;
use crate::lab::cluster::{Guards, id};

/// A node of Raft with its disk.
#[derive(Debug)]
pub(super) struct Voter {
    config: Config,
    hard_state: HardState,
    log: Vec<Entry>,
    writes: Writes<(WriteId, Write)>,
    raft: Option<Raft>,
    /// The term of the last entry that it knows to be committed.
    committed: Term,
    /// Who has been told of the term that it leads.
    told: (Term, BTreeSet<usize>),
}

/// The place of a node.
pub(super) fn place(id: protocol::NodeId) -> usize {
    usize::try_from(id.0 - 1).expect("invariant: places are small")
}

impl Voter {
    pub(super) fn new(place: usize, nodes: usize, settings: &Settings, guards: Guards) -> Self {
        let Guards { pre_vote, check_quorum, stickiness } = guards;
        let config = Config {
            id: id(place),
            voters: (0..nodes).map(id).collect(),
            learners: BTreeSet::new(),
            election_timeout: settings.silence.clone(),
            heartbeat: settings.beat,
            pre_vote,
            check_quorum,
            stickiness,
            read_mode: ReadMode::Quorum,
            max_inflight_messages: 64,
            max_inflight_bytes: 1 << 20,
            max_append_bytes: 1 << 16,
            max_uncommitted_bytes: 1 << 20,
            cache_bytes: 1 << 20,
        };
        Self {
            config,
            hard_state: HardState { term: Term(0), vote: None, commit: Index(0) },
            log: Vec::new(),
            writes: Writes::default(),
            raft: None,
            committed: Term(0),
            told: (Term(0), BTreeSet::new()),
        }
    }

    pub(super) fn start(&mut self, seed: u64) {
        let mut terms: Vec<(Index, Term)> = Vec::new();
        for Position { term, index } in self.log.iter().map(|entry| entry.position) {
            if terms.last().is_none_or(|run| run.1 < term) {
                terms.push((index, term));
            }
        }
        let restored = Restored {
            hard_state: self.hard_state,
            base: Position::ORIGIN,
            terms,
            entries: self.log.clone(),
            applied: Index(0),
            doubt: None,
            membership: None,
        };
        self.raft = Some(Raft::new(self.config.clone(), restored, seed));
    }

    pub(super) fn crash(&mut self) {
        self.raft = None;
        self.writes.lose();
        (self.committed, self.told) = (Term(0), (Term(0), BTreeSet::new()));
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        self.raft.as_ref().and_then(Raft::poll_timeout)
    }

    pub(super) fn view(&self) -> Option<View> {
        let raft = self.raft.as_ref()?;
        let leads = raft.role() == Role::Leader;
        Some(View {
            electing: matches!(raft.role(), Role::Candidate | Role::PreCandidate),
            leads,
            serves: leads && self.committed == raft.term(),
            epoch: raft.term().0,
            follows: raft.leader().map(place),
        })
    }

    pub(super) fn input(&mut self, now: Time, input: Input) -> Vec<Effect> {
        let raw = match input {
            Input::Timeout => Raw::Timeout,
            Input::Receive { from, parcel: Parcel::Raft(message), .. } => {
                Raw::Receive { from: id(from), message }
            }
            Input::Synced => {
                let Some((id, write)) = self.writes.pop() else { return Vec::new() };
                self.store(write);
                Raw::Persisted(id)
            }
            Input::Receive { .. }
            | Input::LinkUp { .. }
            | Input::LinkDown { .. }
            | Input::Saw { .. }
            | Input::Stopped(_)
            | Input::Fresh(_) => return Vec::new(),
        };
        let mut effects = Vec::new();
        let Some(raft) = &mut self.raft else { return effects };
        raft.handle(now, raw);
        while let Some(output) = self.raft.as_mut().and_then(Raft::poll_output) {
            self.output(now, output, &mut effects);
        }
        effects
    }

    fn store(&mut self, write: Write) {
        self.hard_state = write.hard_state.unwrap_or(self.hard_state);
        for entry in write.entries {
            self.log.retain(|held| held.position.index < entry.position.index);
            self.log.push(entry);
        }
    }

    fn output(&mut self, now: Time, output: Output, effects: &mut Vec<Effect>) {
        match output {
            Output::Send { to, message } => {
                let to = place(to);
                let (kind, purpose) = self.word(to, &message);
                let parcel = Parcel::Raft(message);
                effects.push(Effect::Send { to, generation: 0, kind, purpose, parcel });
            }
            Output::Persist { id, write } => {
                self.writes.push((id, write));
                effects.push(Effect::Sync);
            }
            Output::Commit(entries) => {
                let Some(last) = entries.last().map(|entry| entry.position) else { return };
                self.committed = last.term;
                if let Some(raft) = &mut self.raft {
                    raft.handle(now, Raw::Applied(last.index));
                }
            }
            Output::Fetch { peer, from, .. } => {
                let after = |entry: &&Entry| entry.position.index >= from;
                let entries: Vec<Entry> = self.log.iter().filter(after).cloned().collect();
                let entries = (!entries.is_empty()).then_some(entries);
                if let Some(raft) = &mut self.raft {
                    raft.handle(now, Raw::Fetched { peer, from, entries });
                }
            }
            Output::ReadReady { .. }
            | Output::ReadRefused { .. }
            | Output::ProposalRefused { .. }
            | Output::ReconfigureRefused { .. }
            | Output::Membership { .. }
            // Logs are short and never trimmed.
            | Output::SnapshotWanted { .. }
            | Output::SnapshotEnded { .. }
            | Output::Chunk { .. }
            | Output::ChunkAcked { .. }
            | Output::Event(_) => {}
        }
    }

    /// What a message is. The first one of a leader to each peer makes it known.
    fn word(&mut self, to: usize, message: &Message) -> (&'static str, Purpose) {
        match &message.body {
            Body::PreVote { .. } => ("PreVote", Purpose::Election),
            Body::PreVoteReply { .. } => ("PreVoteReply", Purpose::Election),
            Body::Vote { .. } => ("Vote", Purpose::Election),
            Body::VoteReply { .. } => ("VoteReply", Purpose::Election),
            Body::TimeoutNow => ("TimeoutNow", Purpose::Election),
            Body::Append { .. } | Body::Heartbeat { .. } => {
                if self.told.0 != message.term {
                    self.told = (message.term, BTreeSet::new());
                }
                match (&message.body, self.told.1.insert(to)) {
                    (_, true) => ("Announcement", Purpose::Election),
                    (Body::Append { .. }, false) => ("Append", Purpose::Recovery),
                    (_, false) => ("Heartbeat", Purpose::Routine),
                }
            }
            Body::AppendAccepted { .. } => ("AppendAccepted", Purpose::Recovery),
            Body::AppendRejected(_) => ("AppendRejected", Purpose::Recovery),
            Body::HeartbeatReply { .. } => ("HeartbeatReply", Purpose::Routine),
            Body::Propose { .. }
            | Body::ReadIndex { .. }
            | Body::ReadIndexReply { .. }
            | Body::TransferLeadership { .. }
            | Body::Snapshot { .. }
            | Body::SnapshotReply { .. }
            | Body::Mend(_) => ("other", Purpose::Routine),
        }
    }
}
