//! Zab in a contest.

use std::collections::BTreeSet;

use protocol::zab::{
    Config, Entry, Epochs, Generation, Input as Raw, Message, Output, Phase, Restored, Role,
    Timing, Write, WriteId, Zab,
};
use protocol::{Index, Position, Term, Time};

use super::member::{Effect, Input, Parcel, Purpose, View, Writes};
use super::raft::place;
use super::settings::Settings;
use crate::lab::cluster::id;

/// A node of Zab with its disk.
#[derive(Debug)]
pub(super) struct Peer {
    config: Config,
    epochs: Epochs,
    log: Vec<Entry>,
    writes: Writes<(WriteId, Write)>,
    zab: Option<Zab>,
    issued: WriteId,
    done: WriteId,
    /// Answers that are owed, each when this write is done.
    cancels: Writes<WriteId>,
}

impl Peer {
    pub(super) fn new(place: usize, nodes: usize, settings: &Settings) -> Self {
        let limit = settings.limit();
        let timing = Timing {
            finalize_wait: settings.finalize,
            backoff_min: settings.finalize * 2,
            backoff_max: limit * 4,
            knock: settings.beat,
            epoch_wait: limit,
            ping: settings.beat,
            init_limit: limit * 2,
            sync_limit: limit,
        };
        let config = Config {
            id: id(place),
            voters: (0..nodes).map(id).collect(),
            observers: BTreeSet::new(),
            timing,
            max_inflight_bytes: 1 << 20,
            max_batch_bytes: 1 << 16,
            max_uncommitted_bytes: 1 << 20,
            cache_bytes: 1 << 20,
        };
        Self {
            config,
            epochs: Epochs::default(),
            log: Vec::new(),
            writes: Writes::default(),
            zab: None,
            issued: WriteId(0),
            done: WriteId(0),
            cancels: Writes::default(),
        }
    }

    /// These have no vote, and learn.
    pub(super) fn observe(&mut self, observers: &[usize]) {
        for observer in observers {
            self.config.voters.remove(&id(*observer));
            self.config.observers.insert(id(*observer));
        }
    }

    /// What it is, in Zab's words.
    pub(super) fn role(&self) -> Option<Role> {
        self.zab.as_ref().map(Zab::role)
    }

    pub(super) fn start(&mut self, seed: u64) {
        let mut terms: Vec<(Index, Term)> = Vec::new();
        for Position { term, index } in self.log.iter().map(|entry| entry.position) {
            if terms.last().is_none_or(|run| run.1 < term) {
                terms.push((index, term));
            }
        }
        let restored = Restored {
            epochs: self.epochs,
            base: Position::ORIGIN,
            terms,
            entries: self.log.clone(),
            applied: Index(0),
            doubt: None,
        };
        let zab = Zab::new(self.config.clone(), restored, seed);
        self.zab = Some(zab.expect("invariant: what was written in order can be started from"));
    }

    pub(super) fn crash(&mut self) {
        self.zab = None;
        self.writes.lose();
        self.cancels.lose();
        (self.issued, self.done) = (WriteId(0), WriteId(0));
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        self.zab.as_ref().and_then(Zab::poll_timeout)
    }

    pub(super) fn view(&self) -> Option<View> {
        let zab = self.zab.as_ref()?;
        let leads = zab.role() == Role::Leading;
        Some(View {
            electing: zab.role() == Role::Looking,
            leads,
            serves: leads && zab.phase() == Phase::Broadcast,
            epoch: zab.status().epochs.accepted.0,
            follows: zab.leader().map(place),
        })
    }

    pub(super) fn input(&mut self, now: Time, input: Input) -> Vec<Effect> {
        let raw = match input {
            Input::Timeout => Raw::Timeout,
            Input::Receive { from, generation, parcel: Parcel::Zab(message) } => {
                Raw::Receive { from: id(from), generation: Generation(generation), message }
            }
            Input::Synced => {
                let Some((id, write)) = self.writes.pop() else { return Vec::new() };
                self.store(write);
                self.done = id;
                Raw::Persisted(id)
            }
            Input::LinkUp { peer, generation } => {
                Raw::LinkUp { peer: id(peer), generation: Generation(generation) }
            }
            Input::LinkDown { peer, generation } => {
                Raw::LinkDown { peer: id(peer), generation: Generation(generation) }
            }
            Input::Receive { .. } | Input::Saw { .. } | Input::Stopped(_) | Input::Fresh(_) => {
                return Vec::new();
            }
        };
        let mut effects = Vec::new();
        let mut next = Some(raw);
        while let (Some(raw), Some(zab)) = (next.take(), &mut self.zab) {
            zab.handle(now, raw);
            while let Some(output) = self.zab.as_mut().and_then(Zab::poll_output) {
                self.output(now, output, &mut effects);
            }
            let owed = self.cancels.first().is_some_and(|&last| last <= self.done);
            next = owed.then(|| self.cancels.pop()).flatten().map(|_| Raw::Cancelled(self.done));
        }
        effects
    }

    fn store(&mut self, write: Write) {
        let Write { reset, cut, entries, epochs } = write;
        assert!(reset.is_none(), "nobody is sent a state here");
        if let Some(through) = cut {
            self.log.retain(|held| held.position.index <= through);
        }
        for entry in entries {
            self.log.retain(|held| held.position.index < entry.position.index);
            self.log.push(entry);
        }
        self.epochs = epochs.unwrap_or(self.epochs);
    }

    fn output(&mut self, now: Time, output: Output, effects: &mut Vec<Effect>) {
        match output {
            Output::Send { to, generation, message } => {
                let (kind, purpose) = word(&message);
                let (to, parcel) = (place(to), Parcel::Zab(message));
                effects.push(Effect::Send { to, generation: generation.0, kind, purpose, parcel });
            }
            Output::Reset { peer, generation } => {
                effects.push(Effect::Reset { peer: place(peer), generation: generation.0 });
            }
            Output::Persist { id, write } => {
                self.issued = id;
                self.writes.push((id, write));
                effects.push(Effect::Sync);
            }
            // This disk stops nothing that it was given, and says so when it has done all of it.
            Output::Cancel { .. } => self.cancels.push(self.issued),
            Output::Commit(entries) => {
                if let (Some(last), Some(zab)) = (entries.last(), &mut self.zab) {
                    zab.handle(now, Raw::Applied(last.position.index));
                }
            }
            Output::Fetch { peer, from, .. } => {
                let after = |entry: &&Entry| entry.position.index >= from;
                let entries: Vec<Entry> = self.log.iter().filter(after).cloned().collect();
                let entries = (!entries.is_empty()).then_some(entries);
                if let Some(zab) = &mut self.zab {
                    zab.handle(now, Raw::Fetched { peer, from, entries });
                }
            }
            Output::ReadReady { .. }
            | Output::ReadRefused { .. }
            | Output::ProposalRefused { .. }
            // Logs are short and never trimmed.
            | Output::SnapshotWanted { .. }
            | Output::SnapshotEnded { .. }
            | Output::Chunk { .. }
            | Output::ChunkAcked { .. }
            | Output::Event(_) => {}
        }
    }
}

fn word(message: &Message) -> (&'static str, Purpose) {
    match message {
        Message::Notification(_) => ("Notification", Purpose::Election),
        Message::LearnerInfo { .. } => ("LearnerInfo", Purpose::Recovery),
        Message::NotLeading => ("NotLeading", Purpose::Recovery),
        Message::LeaderInfo { .. } => ("LeaderInfo", Purpose::Recovery),
        Message::AckEpoch { .. } => ("AckEpoch", Purpose::Recovery),
        Message::Sync(_) => ("Sync", Purpose::Recovery),
        Message::Resume { .. } => ("Resume", Purpose::Recovery),
        Message::Stored { .. } => ("Stored", Purpose::Recovery),
        Message::NewLeader { .. } => ("NewLeader", Purpose::Recovery),
        Message::AckLeader { .. } => ("AckLeader", Purpose::Recovery),
        Message::UpToDate { .. } => ("UpToDate", Purpose::Recovery),
        Message::Proposals { .. } | Message::Inform { .. } => ("Proposals", Purpose::Recovery),
        Message::Ack { .. } => ("Ack", Purpose::Recovery),
        Message::Commit { .. } => ("Commit", Purpose::Recovery),
        Message::Ping { .. } => ("Ping", Purpose::Routine),
        Message::Pong { .. } => ("Pong", Purpose::Routine),
        Message::Requests { .. }
        | Message::RequestsRefused { .. }
        | Message::ReadIndex { .. }
        | Message::ReadIndexReply { .. }
        | Message::Snapshot { .. }
        | Message::SnapshotReply { .. } => ("other", Purpose::Routine),
    }
}
