//! Production cores under loss, duplication, slow disks and crashes break no law.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use node::codec::Envelope;
use node::{Header, Reply, Request, RequestId};
use protocol::raft::{
    Config, Entry, HardState, Input, Message, Output, Payload, Raft, ReadId, ReadMode, Restored,
    Tag, Write, WriteId,
};
use protocol::{Index, NodeId, Position, Rng, Term, Time};
use sim::invariants::{self, Invariants};
use sim::seen::{Fate, Place, Seen, View, id, place};
use store::{Command, Put};

/// A disk that holds confirmed writes, and may keep any of the others from the front.
#[derive(Default)]
struct Disk {
    hard: HardState,
    base: Position,
    entries: Vec<Entry>,
    pending: VecDeque<(WriteId, Write)>,
    /// What the state machine has on disk.
    flushed: Index,
}

impl Disk {
    fn take(&mut self) -> Option<WriteId> {
        let (id, write) = self.pending.pop_front()?;
        self.hard = write.hard_state.unwrap_or(self.hard);
        if let Some(first) = write.entries.first() {
            self.entries.retain(|entry| entry.position.index < first.position.index);
        }
        self.entries.extend(write.entries);
        Some(id)
    }

    fn restored(&self) -> Restored {
        let mut terms: Vec<(Index, Term)> = Vec::new();
        for Entry { position, .. } in &self.entries {
            if terms.last().is_none_or(|&(_, term)| term != position.term) {
                terms.push((position.index, position.term));
            }
        }
        let above = |entry: &&Entry| entry.position.index > self.flushed;
        Restored {
            hard_state: self.hard,
            base: self.base,
            terms,
            entries: self.entries.iter().filter(above).cloned().collect(),
            applied: self.flushed,
            doubt: None,
            membership: None,
        }
    }

    fn trim(&mut self, through: Index) {
        while self.entries.first().is_some_and(|entry| entry.position.index <= through) {
            self.base = self.entries.remove(0).position;
        }
    }
}

#[derive(Default)]
struct Machine {
    raft: Option<Raft>,
    disk: Disk,
    life: u64,
    applied: Position,
    /// Revision by applied index: what the backend would know at a flush.
    revisions: BTreeMap<Index, i64>,
    reads: BTreeMap<ReadId, RequestId>,
    ready: Vec<(Index, RequestId)>,
    syncing: bool,
}

impl Machine {
    fn revision(&self) -> i64 {
        self.revisions.get(&self.applied.index).copied().unwrap_or(1)
    }
}

enum Event {
    Deliver { from: Place, to: Place, message: Message },
    Synced { at: Place, life: u64, id: WriteId },
    Start(Place),
}

pub(crate) struct Cluster {
    now: Time,
    rng: Rng,
    machines: Vec<Machine>,
    queue: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    pub(crate) laws: Invariants,
    pub(crate) answered: u64,
    pub(crate) crashes: u64,
    pub(crate) seen: u64,
}

impl Cluster {
    pub(crate) fn new(nodes: usize, seed: u64) -> Self {
        let mut cluster = Self {
            now: Time(0),
            rng: Rng::new(seed),
            machines: (0..nodes).map(|_| Machine::default()).collect(),
            queue: BTreeMap::new(),
            sequence: 0,
            laws: Invariants::new(&invariants::Config::new(nodes)),
            answered: 0,
            crashes: 0,
            seen: 0,
        };
        (0..nodes).for_each(|at| cluster.start(at));
        cluster
    }

    fn see(&mut self, seen: &Seen<'_>) {
        self.seen += 1;
        if let Err(violation) = self.laws.see(self.now, seen) {
            panic!("{violation}\nat {seen:?}");
        }
    }

    fn push(&mut self, after_us: u64, event: Event) {
        self.sequence += 1;
        let time = self.now + Duration::from_micros(after_us);
        self.queue.insert((time, self.sequence), event);
    }

    fn start(&mut self, at: Place) {
        if self.machines[at].raft.is_some() {
            return;
        }
        let nodes = self.machines.len();
        let config = Config {
            id: id(at),
            voters: (0..nodes).map(id).collect::<BTreeSet<NodeId>>(),
            learners: BTreeSet::new(),
            election_timeout: Duration::from_millis(100)..=Duration::from_millis(200),
            heartbeat: Duration::from_millis(20),
            pre_vote: self.rng.below(2) == 0,
            check_quorum: true,
            stickiness: true,
            read_mode: ReadMode::Quorum,
            max_inflight_messages: 4,
            max_inflight_bytes: 1 << 20,
            max_append_bytes: 600,
            max_uncommitted_bytes: 1 << 20,
            cache_bytes: 1 << 20,
        };
        let machine = &mut self.machines[at];
        let restored = machine.disk.restored();
        machine.life += 1;
        machine.syncing = false;
        let term = machine.disk.entries.iter().find(|it| it.position.index == restored.applied);
        machine.applied = term.map_or(machine.disk.base, |entry| entry.position);
        let life = machine.life;
        self.see(&Seen::Started { at, life, restored: &restored });
        let seed = self.rng.next();
        self.machines[at].raft = Some(Raft::new(config, restored, seed));
        self.handle(at, Input::Timeout);
        self.drain(at);
    }

    fn crash(&mut self, at: Place) {
        let machine = &mut self.machines[at];
        if machine.raft.take().is_none() {
            return;
        }
        self.crashes += 1;
        machine.reads.clear();
        machine.ready.clear();
        let kept = self.rng.below(machine.disk.pending.len() as u64 + 1);
        for _ in 0..kept {
            machine.disk.take();
        }
        machine.disk.pending.clear();
        self.see(&Seen::Crashed { at });
        let after = self.rng.below(400_000);
        self.push(after, Event::Start(at));
    }

    fn handle(&mut self, at: Place, input: Input) {
        let now = self.now;
        if let Some(raft) = &mut self.machines[at].raft {
            raft.handle(now, input);
        }
    }

    fn drain(&mut self, at: Place) {
        while let Some(output) = self.machines[at].raft.as_mut().and_then(Raft::poll_output) {
            self.carry_out(at, output);
        }
        let Some(raft) = &self.machines[at].raft else { return };
        let (trim, status) = (raft.trim_bound(), raft.status());
        let machine = &mut self.machines[at];
        if machine.applied.index.0.is_multiple_of(7) {
            machine.disk.flushed = machine.applied.index;
        }
        let through = trim.min(machine.disk.flushed);
        if through.0 >= machine.disk.base.index.0 + 20 {
            let flushed = machine.disk.flushed;
            machine.disk.trim(through);
            let base = machine.disk.base;
            let applied = Position { index: flushed, ..base };
            self.see(&Seen::Flushed { at, applied });
            self.see(&Seen::Trimmed { at, base });
            self.handle(at, Input::Trimmed(base.index));
            return self.drain(at);
        }
        let machine = &self.machines[at];
        let view = View {
            role: status.role,
            term: status.hard_state.term,
            leader: status.leader,
            commit: status.hard_state.commit,
            applied: machine.applied,
            last: status.last,
            revision: machine.revision(),
            compact_revision: 0,
            digest: Some(machine.revision() as u64),
        };
        self.see(&Seen::Turn { at, view: &view, last: false });
        if !machine_idle(&self.machines[at]) {
            self.machines[at].syncing = true;
            let (life, id) = (self.machines[at].life, self.machines[at].disk.pending.back());
            let id = id.unwrap().0;
            let after = 50 + self.rng.below(8_000);
            self.push(after, Event::Synced { at, life, id });
        }
    }

    fn carry_out(&mut self, at: Place, output: Output) {
        match output {
            Output::Send { to, message } => self.send(at, place(to).unwrap(), message),
            Output::Persist { id, write } => {
                self.see(&Seen::Handed { at, id, write: &write });
                self.machines[at].disk.pending.push_back((id, write));
            }
            Output::Commit(entries) => self.apply(at, entries),
            Output::ReadReady { id, index } => {
                let machine = &mut self.machines[at];
                let request = machine.reads.remove(&id).unwrap();
                machine.ready.push((index, request));
                self.answer(at);
            }
            Output::ReadRefused { id, .. } => {
                self.machines[at].reads.remove(&id);
            }
            Output::Fetch { peer, from, .. } => {
                let held = &self.machines[at].disk.entries;
                let entries: Vec<Entry> =
                    held.iter().filter(|it| it.position.index >= from).take(5).cloned().collect();
                let whole = entries.first().is_some_and(|it| it.position.index == from);
                let entries = whole.then_some(entries);
                self.handle(at, Input::Fetched { peer, from, entries });
            }
            Output::ProposalRefused { .. }
            | Output::ReconfigureRefused { .. }
            | Output::Membership { .. }
            | Output::SnapshotWanted { .. }
            | Output::SnapshotEnded { .. }
            | Output::Chunk { .. }
            | Output::ChunkAcked { .. }
            | Output::Event(_) => {}
        }
    }

    fn apply(&mut self, at: Place, entries: Vec<Entry>) {
        let machine = &mut self.machines[at];
        for Entry { position, payload } in entries {
            let grown = i64::from(matches!(payload, Payload::Command(_)));
            let revision = machine.revision() + grown;
            machine.applied = position;
            machine.revisions.insert(position.index, revision);
        }
        let index = machine.applied.index;
        self.handle(at, Input::Applied(index));
        self.answer(at);
    }

    fn answer(&mut self, at: Place) {
        let machine = &mut self.machines[at];
        let (applied, revision) = (machine.applied.index, machine.revision());
        let ready = std::mem::take(&mut machine.ready);
        for (index, id) in ready {
            if index > applied {
                self.machines[at].ready.push((index, id));
                continue;
            }
            self.answered += 1;
            let header = Header { revision, term: Term(0) };
            let reply = Reply { header, body: Ok(node::Body::Done) };
            self.see(&Seen::Replied { at, id, reply: &reply });
        }
    }

    fn send(&mut self, from: Place, to: Place, message: Message) {
        let number = self.sequence;
        self.see(&Seen::Sent { from, to, number, message: &message, fate: Fate::Lost });
        let copies = match self.rng.below(20) {
            0 | 1 => 0,
            2 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let long = if self.rng.below(30) == 0 { 400_000 } else { 5_000 };
            let after = 100 + self.rng.below(long);
            self.push(after, Event::Deliver { from, to, message: message.clone() });
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { from, to, message } => {
                if self.machines[to].raft.is_some() {
                    self.see(&Seen::Delivered { from, to, number: 0, message: &message });
                    self.handle(to, Input::Receive { from: id(from), message });
                    // Sometimes more comes in before the node works it off.
                    if self.rng.below(3) > 0 {
                        self.drain(to);
                    }
                }
            }
            Event::Synced { at, life, id } => {
                if self.machines[at].life == life && self.machines[at].raft.is_some() {
                    while self.machines[at].disk.pending.front().is_some_and(|it| it.0 <= id) {
                        self.machines[at].disk.take();
                    }
                    self.machines[at].syncing = false;
                    self.see(&Seen::Durable { at, id });
                    self.handle(at, Input::Persisted(id));
                    self.drain(at);
                }
            }
            Event::Start(at) => self.start(at),
        }
    }

    fn client(&mut self, number: u64) {
        let at = usize::try_from(self.rng.below(self.machines.len() as u64)).unwrap();
        if self.machines[at].raft.is_none() {
            return;
        }
        if self.rng.below(3) == 0 {
            let (id, read) = (RequestId(number), ReadId(number));
            self.see(&Seen::Asked { at, id, request: &Request::Barrier });
            self.machines[at].reads.insert(read, id);
            self.handle(at, Input::Read(read));
        } else {
            let put = Put { key: "k".into(), value: Some("v".into()), ..Put::default() };
            let command = Envelope::seal(id(at), 1, number, &Command::Put(put));
            self.handle(at, Input::Propose { tag: Tag(number), command });
        }
        self.drain(at);
    }

    /// Runs for this many steps of a millisecond.
    pub(crate) fn run(&mut self, steps: u64) {
        for step in 0..steps {
            let end = Time(0) + Duration::from_millis(step + 1);
            loop {
                let timers = self.machines.iter().enumerate().filter_map(|(at, machine)| {
                    machine.raft.as_ref().and_then(Raft::poll_timeout).map(|time| (time, at))
                });
                let timer = timers.min().map_or(Time(u64::MAX), |timer| timer.0);
                let at = self.machines.iter().position(|machine| {
                    machine.raft.as_ref().and_then(Raft::poll_timeout) == Some(timer)
                });
                let queued = self.queue.keys().next().map_or(Time(u64::MAX), |key| key.0);
                if timer.min(queued) > end {
                    break;
                }
                self.now = self.now.max(timer.min(queued));
                if queued <= timer {
                    let (_, event) = self.queue.pop_first().unwrap();
                    self.happen(event);
                } else if let Some(at) = at {
                    self.handle(at, Input::Timeout);
                    self.drain(at);
                }
            }
            self.now = self.now.max(end);
            self.client(step);
            if self.rng.below(150) == 0 {
                let at = usize::try_from(self.rng.below(self.machines.len() as u64)).unwrap();
                self.crash(at);
            }
        }
    }
}

fn machine_idle(machine: &Machine) -> bool {
    machine.syncing || machine.disk.pending.is_empty()
}

#[test]
fn cores_in_a_storm_break_no_law() {
    let (mut committed, mut answered, mut crashes) = (0, 0, 0);
    for (nodes, seed) in [1, 3, 5, 4, 3, 5].into_iter().cycle().zip(0..12) {
        let mut cluster = Cluster::new(nodes, seed);
        cluster.run(4_000);
        committed += cluster.laws.committed().len();
        answered += cluster.answered;
        crashes += cluster.crashes;
        let truth = cluster.laws.truth().unwrap();
        assert!(truth.is_sorted_by(|a, b| a.position < b.position && a.at <= b.at));
        assert!(truth.iter().any(|entry| entry.command.is_some()));
    }
    assert!(committed > 5_000, "{committed} entries are committed");
    assert!(answered > 1_000, "{answered} reads are answered");
    assert!(crashes > 200, "{crashes} crashes");
}
