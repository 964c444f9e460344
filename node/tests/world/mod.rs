//! A small world for replicas: virtual time, a network with delays and losses, disks that lose
//! what was not synced. Everything follows from one seed.

#![allow(dead_code, reason = "no test uses all of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use node::{
    Config, Input, Message, Node, Output, Protocol, Reply, Request, RequestId, ViewHead, ViewId,
};
use protocol::raft::{self, Body as Said, Entry, HardState, Payload, Write, WriteId};
use protocol::{Index, NodeId, Position, Rng, Term, Time};
use store::watch::WatchLimits;
use store::{
    Backend, BackendRead, Limits, Member, MemoryBackend, Record, RestoreError, Revision, Store,
};

/// What a replica keeps over its crashes.
#[derive(Debug, Default)]
struct Disk {
    hard_state: HardState,
    base: Position,
    entries: Vec<Entry>,
    backend: MemoryBackend,
    views: BTreeMap<ViewId, MemoryBackend>,
}

#[derive(Debug)]
enum Event {
    Deliver { from: usize, to: usize, message: Message },
    Persisted { at: usize, run: u64, id: WriteId, write: Write },
    Done { at: usize, run: u64, input: Input },
}

/// Replicas and everything between them.
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    /// Messages lost, of a hundred.
    pub(crate) loss: u64,
    /// Pieces of snapshots that arrive damaged, of a hundred.
    pub(crate) damage: u64,
    /// Pieces of snapshots that were sent.
    pub(crate) pieces: usize,
    /// How often a state was installed.
    pub(crate) installed: usize,
    /// How far logs are kept for those that lag, in bytes.
    pub(crate) keep: u64,
    /// Whether replicas may end by themselves, and those that did, with why.
    pub(crate) may_halt: bool,
    pub(crate) halts: Vec<(usize, String)>,
    /// How often states are compared.
    pub(crate) compare: Option<Duration>,
    /// Whose states are had anew, and after which entry.
    pub(crate) rebuilt_after: BTreeMap<usize, Index>,
    /// How many members the cluster has at first; the others may join.
    initial: usize,
    /// Those who were told that they are members no more.
    pub(crate) removed: BTreeSet<usize>,
    nodes: Vec<Option<Node>>,
    disks: Vec<Disk>,
    runs: Vec<u64>,
    events: BTreeMap<(Time, u64), Event>,
    next_event: u64,
    next_request: u64,
    /// Links that carry nothing, as ordered pairs.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    pub(crate) replies: BTreeMap<(usize, u64), Reply>,
}

fn id(at: usize) -> NodeId {
    NodeId(at as u64 + 1)
}

impl World {
    pub(crate) fn new(size: usize, seed: u64) -> Self {
        Self::with_spares(size, 0, seed)
    }

    /// With room for some who join later.
    pub(crate) fn with_spares(initial: usize, spares: usize, seed: u64) -> Self {
        let size = initial + spares;
        let mut world = Self {
            initial,
            removed: BTreeSet::new(),
            now: Time(1),
            rng: Rng::new(seed),
            loss: 0,
            damage: 0,
            pieces: 0,
            installed: 0,
            keep: u64::MAX,
            may_halt: false,
            halts: Vec::new(),
            compare: None,
            rebuilt_after: BTreeMap::new(),
            nodes: (0..size).map(|_| None).collect(),
            disks: (0..size).map(|_| Disk::default()).collect(),
            runs: vec![0; size],
            events: BTreeMap::new(),
            next_event: 0,
            next_request: 0,
            cut: BTreeSet::new(),
            replies: BTreeMap::new(),
        };
        (0..initial).for_each(|at| world.start(at));
        world
    }

    /// Adds replicas to a world that had none, so that what is set before counts for them.
    pub(crate) fn grow(&mut self, size: usize) {
        assert!(self.nodes.is_empty(), "a world that has none");
        self.initial = size;
        self.nodes = (0..size).map(|_| None).collect();
        self.disks = (0..size).map(|_| Disk::default()).collect();
        self.runs = vec![0; size];
        (0..size).for_each(|at| self.start(at));
    }

    fn config(&self, at: usize) -> Config {
        // Who joins knows nobody.
        let size = if at < self.initial { self.initial } else { 0 };
        let member = |at: usize| Member {
            id: id(at),
            name: String::new(),
            peer_urls: vec![format!("http://m{at}")],
            client_urls: Vec::new(),
        };
        Config {
            protocol: Protocol::Raft,
            raft: raft::Config {
                id: id(at),
                voters: (0..size).map(id).collect(),
                learners: BTreeSet::new(),
                election_timeout: Duration::from_millis(1000)..=Duration::from_millis(2000),
                heartbeat: Duration::from_millis(100),
                pre_vote: true,
                check_quorum: true,
                stickiness: true,
                read_mode: raft::ReadMode::Quorum,
                max_inflight_messages: 8,
                max_inflight_bytes: 1 << 16,
                max_append_bytes: 1 << 12,
                max_uncommitted_bytes: 1 << 20,
                cache_bytes: 1 << 12,
            },
            members: (0..size).map(member).collect(),
            publish: Member { name: format!("m{at}"), ..member(at) },
            limits: Limits { hot_bytes: 256, ..Limits::default() },
            watch: WatchLimits::default(),
            incarnation: self.runs[at],
            request_timeout: Duration::from_secs(7),
            tick: Duration::from_millis(500),
            compare_interval: self.compare,
            rebuilt_after: self.rebuilt_after.get(&at).copied(),
            flush_bytes: 512,
            flush_interval: Duration::from_secs(1),
            max_unflushed_bytes: 1 << 20,
            log_keep_bytes: self.keep,
            trim_stride: 10,
            snapshot_piece_bytes: 500,
            max_pending: 10_000,
            max_unapplied: 5_000,
        }
    }

    /// Starts a replica from what its disk holds.
    pub(crate) fn start(&mut self, at: usize) {
        assert!(self.nodes[at].is_none());
        self.runs[at] += 1;
        let disk = &self.disks[at];
        let limits = self.config(at).limits;
        let mut restoring = Store::restore(limits, disk.backend.meta().unwrap()).unwrap();
        let everything = store::Revision::new(i64::MAX, 0);
        let records = disk.backend.scan(store::Revision::default(), everything, usize::MAX);
        for (revision, record) in records.unwrap() {
            restoring.record(revision, &record);
        }
        let (store, dead) = restoring.finish().unwrap();
        let applied = store.applied();
        let disk = &mut self.disks[at];
        let last = disk.entries.last().map_or(disk.base, |entry| entry.position);
        if store.installed() == Some(applied) && last.index < applied.index {
            (disk.base, disk.entries) = (applied, Vec::new());
        }
        let disk = &self.disks[at];
        let mut terms: Vec<(Index, Term)> = Vec::new();
        for entry in &disk.entries {
            if terms.last().is_none_or(|(_, term)| *term != entry.position.term) {
                terms.push((entry.position.index, entry.position.term));
            }
        }
        let restored = raft::Restored {
            hard_state: disk.hard_state,
            base: disk.base,
            terms,
            entries: disk
                .entries
                .iter()
                .filter(|entry| entry.position.index > applied.index)
                .cloned()
                .collect(),
            applied: applied.index,
            doubt: None,
            membership: None,
        };
        self.disks[at].backend.discard(&dead).unwrap();
        let seed = self.rng.next();
        let node = Node::new(self.config(at), restored, store, seed).unwrap();
        self.nodes[at] = Some(node);
        self.feed(at, Input::Timeout);
    }

    /// Ends a replica without warning: what is not durable is lost.
    pub(crate) fn crash(&mut self, at: usize) {
        self.nodes[at] = None;
        self.runs[at] += 1;
    }

    pub(crate) fn running(&self, at: usize) -> bool {
        self.nodes[at].is_some()
    }

    pub(crate) fn node(&self, at: usize) -> &Node {
        self.nodes[at].as_ref().unwrap()
    }

    /// Asks a replica, and names the reply to come.
    pub(crate) fn ask(&mut self, at: usize, request: Request) -> (usize, u64) {
        self.next_request += 1;
        let id = self.next_request;
        self.feed(at, Input::Request { id: RequestId(id), request });
        (at, id)
    }

    fn at(&mut self, delay: Duration, event: Event) {
        self.next_event += 1;
        self.events.insert((self.now + delay, self.next_event), event);
    }

    fn feed(&mut self, at: usize, input: Input) {
        let now = self.now;
        if let Some(node) = self.nodes[at].as_mut() {
            node.handle(now, input);
        }
        loop {
            let Some(output) = self.nodes[at].as_mut().and_then(Node::poll_output) else { return };
            self.carry_out(at, output);
        }
    }

    fn done(&mut self, at: usize, input: Input) {
        let run = self.runs[at];
        let delay = Duration::from_micros(self.rng.below(3_000));
        self.at(delay, Event::Done { at, run, input });
    }

    fn carry_out(&mut self, at: usize, output: Output) {
        match output {
            Output::Send { to, message } => {
                let to = usize::try_from(to.0).unwrap() - 1;
                let message = self.on_the_way(message);
                if self.rng.below(100) >= self.loss && !self.cut.contains(&(at, to)) {
                    let delay = Duration::from_micros(200 + self.rng.below(2_000));
                    self.at(delay, Event::Deliver { from: at, to, message });
                }
            }
            Output::Persist { id, write } => self.plan_sync(at, id, write),
            Output::Cut { .. } => unreachable!("only Zab cuts, and these run Raft"),
            Output::Fetch { peer, from, max_bytes } => {
                let entries = self.fetch(at, from, max_bytes);
                self.done(at, Input::Fetched { peer, from, entries });
            }
            // Kept whole, unless a test is about those that lag.
            Output::Trim(_) if self.keep == u64::MAX => {}
            Output::Trim(through) => {
                let disk = &mut self.disks[at];
                let gone = disk.entries.iter().take_while(|entry| entry.position.index <= through);
                let gone = gone.count();
                disk.base = disk.entries.drain(..gone).last().map_or(disk.base, |it| it.position);
                let base = disk.base;
                self.done(at, Input::Trimmed(base));
            }
            Output::Removed => {
                self.removed.insert(at);
                self.crash(at);
            }
            Output::Membership { .. }
            | Output::Look { .. }
            | Output::Event(_)
            | Output::Watch { .. }
            | Output::WatchOverrun(_) => {}
            Output::Reply { id, reply } => {
                self.replies.insert((at, id.0), reply);
            }
            Output::Load(revisions) => {
                let backend = &self.disks[at].backend;
                let load = |revision| Ok((revision, backend.get(revision)?));
                let loaded = revisions.into_iter().map(load).collect();
                self.done(at, Input::Loaded(loaded));
            }
            Output::Flush(flush) => {
                let applied = flush.applied;
                let result = self.disks[at].backend.flush(&flush).map(|()| applied);
                self.done(at, Input::Flushed(result));
            }
            Output::Discard(dead) => self.disks[at].backend.discard(&dead).unwrap(),
            Output::ViewOpen { .. }
            | Output::ViewRead { .. }
            | Output::ViewClose { .. }
            | Output::StageBegin
            | Output::Stage(_)
            | Output::StageAbort
            | Output::Install { .. } => self.snapshot(at, output),
            Output::SnapshotRefused { from, why } => panic!("{at} refuses {from}'s state: {why}"),
            Output::Scan { token, from, to, limit } => {
                let records = self.disks[at].backend.scan(from, to, limit);
                self.done(at, Input::Scanned { token, records });
            }
            Output::Halt(error) if self.may_halt => {
                self.halts.push((at, error.to_string()));
                self.crash(at);
            }
            Output::Halt(error) => panic!("replica {at} halts: {error}"),
            Output::Economise(_) | Output::Stopped => {}
        }
    }

    fn plan_sync(&mut self, at: usize, id: WriteId, write: Write) {
        // Acknowledged in order: no later write before this one.
        let last = self.events.iter().rev().find_map(|((time, _), event)| {
            matches!(event, Event::Persisted { at: other, .. } if *other == at).then_some(*time)
        });
        let wait = last.unwrap_or(self.now).since(self.now);
        let delay = wait + Duration::from_micros(50 + self.rng.below(2_000));
        let run = self.runs[at];
        self.at(delay, Event::Persisted { at, run, id, write });
    }

    /// What a log still holds from an index on.
    fn fetch(&self, at: usize, from: Index, max_bytes: usize) -> Option<Vec<Entry>> {
        let disk = &self.disks[at];
        let mut bytes = 0;
        let entries = disk.entries.iter().skip_while(|entry| entry.position.index < from);
        let entries = entries.take_while(|entry| {
            let size = match &entry.payload {
                Payload::Empty => 0,
                Payload::Command(bytes) | Payload::Membership(bytes) => bytes.len(),
            };
            let first = bytes == 0;
            bytes += size.max(1);
            first || bytes <= max_bytes
        });
        (from > disk.base.index).then(|| entries.cloned().collect())
    }

    /// A message as it arrives.
    fn on_the_way(&mut self, mut message: Message) -> Message {
        if let Message::Raft(raft::Message { body: Said::Snapshot { data, .. }, .. }) = &mut message
        {
            self.pieces += 1;
            if self.rng.below(100) < self.damage && !data.is_empty() {
                let mut bytes = data.to_vec();
                let place = usize::try_from(self.rng.below(bytes.len() as u64)).unwrap();
                bytes[place] ^= 1;
                *data = bytes.into();
            }
        }
        message
    }

    /// What the state's thread does for snapshots.
    fn snapshot(&mut self, at: usize, output: Output) {
        let disk = &mut self.disks[at];
        let input = match output {
            Output::ViewOpen { view } => {
                let pinned = disk.backend.view();
                let meta = pinned.meta().unwrap();
                let opened = Ok(ViewHead { applied: pinned.applied(), meta });
                disk.views.insert(view, pinned);
                Input::ViewOpened { view, opened }
            }
            Output::ViewRead { view, from, limit } => {
                let Some(pinned) = disk.views.get(&view) else { return };
                let records = pinned.scan(from, store::Revision::new(i64::MAX, 0), limit);
                Input::ViewRead { view, from, records }
            }
            Output::ViewClose { view } => {
                disk.views.remove(&view);
                return;
            }
            Output::StageBegin => return disk.backend.stage_begin(),
            Output::Stage(records) => {
                disk.backend.stage(&records);
                Input::Staged(Ok(()))
            }
            Output::StageAbort => return disk.backend.stage_abort(),
            Output::Install { meta, applied } => {
                disk.backend.install(&meta, applied);
                self.installed += 1;
                Input::Installed(Ok(()))
            }
            other => unreachable!("{other:?}"),
        };
        self.done(at, input);
    }

    fn persist(&mut self, at: usize, write: Write) {
        let disk = &mut self.disks[at];
        if let Some(hard_state) = write.hard_state {
            disk.hard_state = hard_state;
        }
        if let Some(base) = write.reset {
            (disk.base, disk.entries) = (base, Vec::new());
        }
        if let Some(first) = write.entries.first() {
            disk.entries.retain(|entry| entry.position.index < first.position.index);
        }
        disk.entries.extend(write.entries);
    }

    /// Changes what a replica that does not run has in its backend.
    pub(crate) fn tamper(&mut self, at: usize, change: impl FnOnce(&mut Vec<(Revision, Record)>)) {
        assert!(self.nodes[at].is_none(), "a replica that runs would not read it again");
        let backend = &mut self.disks[at].backend;
        let end = Revision::new(i64::MAX, 0);
        let mut records = backend.scan(Revision::default(), end, usize::MAX).unwrap();
        change(&mut records);
        let (meta, applied) = (backend.meta().unwrap(), backend.applied());
        backend.stage_begin();
        backend.stage(&records);
        backend.install(&meta, applied);
    }

    /// Puts the backend of a replica that does not run aside, as a server does with one that must
    /// not be served, and starts it again.
    pub(crate) fn rebuild(&mut self, at: usize, after: Index) {
        self.disks[at].backend = MemoryBackend::default();
        self.rebuilt_after.insert(at, after);
        self.start(at);
    }

    /// What a start would make of a replica's backend.
    pub(crate) fn restore(&self, at: usize) -> Result<(), RestoreError> {
        let meta = self.disks[at].backend.meta().unwrap();
        Store::restore(self.config(at).limits, meta).map(drop)
    }

    /// What a replica's disk holds of the log.
    pub(crate) fn log(&self, at: usize) -> &[Entry] {
        &self.disks[at].entries
    }

    /// How far a replica's backend has come.
    pub(crate) fn flushed(&self, at: usize) -> Index {
        self.disks[at].backend.applied().index
    }

    /// Feeds a replica something out of the ordinary, and gives what it wants done.
    pub(crate) fn poke(&mut self, at: usize, input: Input) -> Vec<Output> {
        let now = self.now;
        let node = self.nodes[at].as_mut().unwrap();
        node.handle(now, input);
        std::iter::from_fn(|| node.poll_output()).collect()
    }

    /// Lets time pass up to the next thing that happens.
    pub(crate) fn step(&mut self) {
        let timers = self.nodes.iter().enumerate();
        let timers = timers.filter_map(|(at, node)| Some((node.as_ref()?.poll_timeout()?, at)));
        let timer = timers.min();
        let event = self.events.first_key_value().map(|(key, _)| key.0);
        match (timer, event) {
            (Some((time, at)), event) if event.is_none_or(|event| time < event) => {
                self.now = self.now.max(time);
                self.feed(at, Input::Timeout);
            }
            (_, Some(_)) => {
                let ((time, _), event) = self.events.pop_first().unwrap();
                self.now = self.now.max(time);
                self.happen(event);
            }
            (_, None) => panic!("nothing will ever happen again"),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { from, to, message } => {
                self.feed(to, Input::Receive { from: id(from), message });
            }
            Event::Persisted { at, run, id, write } if run == self.runs[at] => {
                self.persist(at, write);
                self.feed(at, Input::Persisted(id));
            }
            Event::Done { at, run, input } if run == self.runs[at] => self.feed(at, input),
            Event::Persisted { .. } | Event::Done { .. } => {}
        }
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step();
        }
    }

    /// Lets time pass until something holds.
    pub(crate) fn run_until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = self.now + Duration::from_secs(60);
        while !holds(self) {
            assert!(self.now < end, "in vain waited for: {what}");
            self.step();
        }
    }

    /// Waits for a leader that all running replicas follow, and gives its place.
    pub(crate) fn leader(&mut self) -> usize {
        let find = |world: &Self| {
            let mut leaders = (0..world.nodes.len())
                .filter_map(|at| world.nodes[at].as_ref())
                .map(|node| node.core().leader());
            let first = leaders.next()??;
            leaders.all(|leader| leader == Some(first)).then_some(first)
        };
        self.run_until("a leader", |world| find(world).is_some());
        usize::try_from(find(self).unwrap().0).unwrap() - 1
    }

    /// Fetches what a view only names, as a connection does.
    pub(crate) fn complete(&self, at: usize, view: store::View) -> store::RangeResult {
        let backend = &self.disks[at].backend;
        view.complete(|revision| backend.get(revision).unwrap()).unwrap()
    }

    pub(crate) fn size(&self) -> usize {
        self.nodes.len()
    }
}
