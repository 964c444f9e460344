//! A cluster in virtual time: nodes, their disks and states, links between them, and the judge.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use protocol::zab::{
    Config, Entry, Event, Generation, Input, Message, Output, Phase, ReadId, Role, Status, Tag,
    Timing, Zab,
};
use protocol::{Index, NodeId, Position, Rng, Time};

use crate::disk::{Disk, Done};
use crate::host::{Host, Install};
use crate::judge::Judge;
use crate::network::{Happening, Network, Parcel};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// Times that make much happen in little time.
pub(crate) fn brisk() -> Timing {
    Timing {
        finalize_wait: 10 * MS,
        backoff_min: 20 * MS,
        backoff_max: 160 * MS,
        knock: 10 * MS,
        epoch_wait: 60 * MS,
        ping: 40 * MS,
        init_limit: 300 * MS,
        sync_limit: 120 * MS,
    }
}

/// Holds messages back, by sender, receiver and content.
pub(crate) type Gate = Box<dyn Fn(NodeId, NodeId, &Message) -> bool>;

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    pub(crate) hosts: BTreeMap<NodeId, Host>,
    pub(crate) net: Network,
    pub(crate) judge: Judge,
    pub(crate) gate: Gate,
    pub(crate) delay: RangeInclusive<u64>,
    pub(crate) disk_delay: RangeInclusive<u64>,
    pub(crate) reconnect: Duration,
    /// How many of a hundred inputs are taken in before the outputs of those before are drained.
    pub(crate) lazy: u64,
    /// What the nodes have told about themselves.
    pub(crate) events: Vec<(NodeId, Event)>,
    /// Pairs that cannot reach each other.
    severed: BTreeSet<(NodeId, NodeId)>,
    states: Vec<Vec<Entry>>,
    /// The messages that were delivered last.
    pub(crate) delivered: u64,
    next_name: u64,
    tracing: bool,
}

pub(crate) fn id(number: u64) -> NodeId {
    NodeId(number)
}

impl World {
    /// Voters 1 to `voters`, then observers; all running, no link up yet.
    pub(crate) fn new(seed: u64, voters: u64, observers: u64, timing: &Timing) -> Self {
        let voting: BTreeSet<NodeId> = (1..=voters).map(id).collect();
        let observing: BTreeSet<NodeId> = (voters + 1..=voters + observers).map(id).collect();
        let all: Vec<NodeId> = voting.union(&observing).copied().collect();
        let host = |&id: &NodeId| {
            let config = Config {
                id,
                voters: voting.clone(),
                observers: observing.clone(),
                timing: timing.clone(),
                max_inflight_bytes: 200,
                max_batch_bytes: 60,
                max_uncommitted_bytes: 4000,
                cache_bytes: 100,
            };
            (id, Host::new(config))
        };
        let mut world = Self {
            now: Time(0),
            rng: Rng::new(seed),
            hosts: all.iter().map(host).collect(),
            net: Network::new(&all),
            judge: Judge::new(voting.clone()),
            gate: Box::new(|_, _, _| false),
            delay: 1..=1,
            disk_delay: 1..=1,
            reconnect: 2 * MS,
            lazy: 0,
            events: Vec::new(),
            severed: BTreeSet::new(),
            states: Vec::new(),
            delivered: 0,
            next_name: 0,
            tracing: std::env::var_os("ZAB_TRACE").is_some(),
        };
        for &id in &all {
            world.start(id);
        }
        world
    }

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.hosts.keys().copied().collect()
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = (NodeId, &Zab)> {
        self.hosts.iter().filter_map(|(&id, host)| host.zab.as_ref().map(|zab| (id, zab)))
    }

    pub(crate) fn status(&self, node: u64) -> Status {
        self.hosts[&id(node)].zab.as_ref().expect("it runs").status()
    }

    pub(crate) fn host(&mut self, node: NodeId) -> &mut Host {
        self.hosts.get_mut(&node).unwrap()
    }

    pub(crate) fn disk(&mut self, node: u64) -> &mut Disk {
        &mut self.host(id(node)).disk
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.tracing {
            println!("{:>8.1} {}", self.now.0 as f64 / 1e6, what());
        }
    }

    fn draw(rng: &mut Rng, range: &RangeInclusive<u64>) -> Duration {
        let width = range.end() - range.start();
        // In tenths, so that ties are rare.
        let tenths = if width == 0 { 0 } else { rng.below(width * 10) };
        Duration::from_micros(range.start() * 1000 + tenths * 100)
    }

    // -- processes

    pub(crate) fn start(&mut self, node: NodeId) {
        self.start_in_doubt(node, Index(0));
    }

    /// Starts a node whose disk may have lost entries up to `doubt`.
    pub(crate) fn start_in_doubt(&mut self, node: NodeId, doubt: Index) {
        let seed = self.rng.next();
        let host = self.host(node);
        assert!(host.zab.is_none(), "it runs already");
        let mut restored = host.disk.restored(&host.state);
        restored.doubt = Some(doubt);
        let zab = Zab::new(host.config.clone(), restored, seed).expect("ZI14: it may start");
        host.zab = Some(zab);
        self.tell(|| format!("{node} starts"));
        for peer in self.ids() {
            if peer != node {
                self.connect(node, peer);
            }
        }
        self.input(node, Input::Timeout);
    }

    pub(crate) fn crash(&mut self, node: NodeId) {
        self.tell(|| format!("{node} crashes"));
        let Self { rng, hosts, judge, .. } = self;
        let host = hosts.get_mut(&node).unwrap();
        host.zab = None;
        let before = host.disk.clone();
        let installed = host.install.take().is_some_and(|it| host.begin_anew(it));
        host.disk.crash(rng);
        let kept = if installed { host.state.len() } else { host.flushed };
        host.state.truncate(kept);
        host.flushed = kept;
        judge.sees_disk(node, &before, &host.disk, kept);
        host.drain_at = None;
        host.transfers.clear();
        host.staged = (0, 0);
        host.reads.clear();
        for peer in self.ids() {
            if peer != node {
                self.cut(node, peer, Some(node));
            }
        }
        self.net.deafen(node);
    }

    /// As [`World::crash`], and of what was under way to the disk nothing remains.
    pub(crate) fn lose(&mut self, node: u64) {
        self.disk(node).forget_pending();
        self.crash(id(node));
    }

    pub(crate) fn is_running(&self, node: NodeId) -> bool {
        self.hosts[&node].zab.is_some()
    }

    // -- links

    /// Makes a link, in a while, between two that run and are not severed.
    fn connect(&mut self, a: NodeId, b: NodeId) {
        let pair = (a.min(b), a.max(b));
        if self.is_running(a) && self.is_running(b) && !self.severed.contains(&pair) {
            let at = self.now + self.reconnect + Self::draw(&mut self.rng, &self.delay);
            self.net.connect(a, b, at);
        }
    }

    /// Breaks a link; it is made anew if it may be.
    pub(crate) fn cut(&mut self, a: NodeId, b: NodeId, quiet: Option<NodeId>) {
        let at = self.now + Self::draw(&mut self.rng, &self.delay);
        self.net.cut(a, b, at, quiet);
        self.connect(a, b);
    }

    pub(crate) fn sever(&mut self, a: u64, b: u64) {
        self.severed.insert((id(a.min(b)), id(a.max(b))));
        self.cut(id(a), id(b), None);
    }

    /// Nothing gets through any more, and nobody is told.
    pub(crate) fn black_hole(&mut self, a: u64, b: u64) {
        self.severed.insert((id(a.min(b)), id(a.max(b))));
        self.net.stall(id(a), id(b), true);
        self.net.stall(id(b), id(a), true);
    }

    pub(crate) fn heal(&mut self) {
        self.severed.clear();
        for a in self.ids() {
            for b in self.ids() {
                if a < b {
                    self.net.stall(a, b, false);
                    self.net.stall(b, a, false);
                    self.connect(a, b);
                }
            }
        }
    }

    // -- clients

    /// Gives a command of its own to this node.
    pub(crate) fn propose(&mut self, node: u64) -> Bytes {
        self.next_name += 1;
        let command = Bytes::from(format!("c{}", self.next_name));
        self.judge.proposes(&command);
        let tag = Tag(self.next_name);
        self.input(id(node), Input::Propose { tag, command: command.clone() });
        command
    }

    pub(crate) fn read(&mut self, node: u64) -> ReadId {
        self.next_name += 1;
        let name = ReadId(self.next_name);
        self.judge.asks(id(node), name);
        self.input(id(node), Input::Read(name));
        name
    }

    pub(crate) fn has_applied(&self, node: u64, command: &Bytes) -> bool {
        self.hosts[&id(node)].state.iter().any(|entry| is(entry, command))
    }

    /// The state of this node becomes durable as far as it is, and the log forgets what it covers,
    /// all but `keep` entries.
    pub(crate) fn flush_and_trim(&mut self, node: NodeId, keep: u64) {
        let host = self.host(node);
        host.flushed = host.state.len();
        let through = Index((host.flushed as u64).saturating_sub(keep));
        if host.zab.is_some() && through > host.disk.base.index {
            let covered = host.disk.last().index.min(through);
            host.disk.trim(covered);
            self.input(node, Input::Trimmed(covered));
        }
    }

    // -- time

    /// Lets the next thing happen; `None` when nothing ever will, or not before `until`.
    pub(crate) fn step(&mut self, until: Time) -> Option<()> {
        let network = self.net.next(&*self.gate);
        let mut first = network.map(|(at, what)| (at.max(self.now), Next::Network(what)));
        let mut offer = |at: Option<Time>, what: Next| {
            if let Some(at) = at.map(|at| at.max(self.now))
                && first.as_ref().is_none_or(|(time, _)| at < *time)
            {
                first = Some((at, what));
            }
        };
        for (&node, host) in &self.hosts {
            if let Some(zab) = &host.zab {
                offer(host.disk.next(), Next::Disk(node));
                offer(host.install.as_ref().map(|it| it.at), Next::Install(node));
                offer(zab.poll_timeout(), Next::Timeout(node));
                offer(host.drain_at, Next::Drain(node));
            }
        }
        let (at, next) = first.filter(|(at, _)| *at <= until)?;
        self.now = at;
        match next {
            Next::Network(Happening::Up(a, b)) => self.net.come_up(a, b, at),
            Next::Network(Happening::Arrival(from, to)) => self.arrive(from, to),
            Next::Disk(node) => self.advance_disk(node),
            Next::Install(node) => self.install(node),
            Next::Drain(node) => self.drain(node),
            Next::Timeout(node) => self.input(node, Input::Timeout),
        }
        Some(())
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.step(until).is_some() {}
        self.now = until;
    }

    /// Runs until `reached`; fails when that takes more virtual time than anything should.
    pub(crate) fn run_until(&mut self, what: &str, mut reached: impl FnMut(&Self) -> bool) {
        let deadline = self.now + Duration::from_secs(60);
        while !reached(self) {
            let went_on = self.step(deadline).is_some();
            assert!(went_on, "never: {what}; {:#?}", self.account());
        }
    }

    /// What every node says of itself.
    pub(crate) fn account(&self) -> Vec<String> {
        self.running().map(|(id, zab)| format!("{id}: {:?}", zab.status())).collect()
    }

    fn arrive(&mut self, from: NodeId, to: NodeId) {
        let Some(parcel) = self.net.take(from, to) else { return };
        let input = match parcel {
            Parcel::Up(generation) => Input::LinkUp { peer: from, generation },
            Parcel::Down(generation) => Input::LinkDown { peer: from, generation },
            Parcel::Message(generation, message) => {
                self.delivered += 1;
                self.tell(|| format!("{from} → {to} {message}"));
                Input::Receive { from, generation, message }
            }
        };
        self.input(to, input);
    }

    fn advance_disk(&mut self, node: NodeId) {
        let now = self.now;
        let Self { hosts, judge, .. } = self;
        let host = hosts.get_mut(&node).unwrap();
        let before = host.disk.clone();
        let done = host.disk.advance(now);
        judge.sees_disk(node, &before, &host.disk, host.state.len());
        match done {
            Some(Done::Persisted(id)) => self.input(node, Input::Persisted(id)),
            Some(Done::Cancelled(id)) => self.input(node, Input::Cancelled(id)),
            None => {}
        }
    }

    fn install(&mut self, node: NodeId) {
        let host = self.host(node);
        let Some(install) = host.install.take() else { return };
        let last = install.last;
        if host.begin_anew(install) {
            self.tell(|| format!("{node} installs the state at {last}"));
            self.input(node, Input::Installed { last });
        }
    }

    // -- one node

    /// Tells a node something, if it runs, and does what it asks for.
    pub(crate) fn input(&mut self, node: NodeId, input: Input) {
        let now = self.now;
        let Some(zab) = &mut self.host(node).zab else { return };
        zab.handle(now, input);
        let host = self.hosts.get_mut(&node).unwrap();
        if self.lazy > 0 && self.rng.below(100) < self.lazy {
            host.drain_at.get_or_insert(now + MS);
            return;
        }
        self.drain(node);
    }

    /// Does all that a node asks for.
    fn drain(&mut self, node: NodeId) {
        self.host(node).drain_at = None;
        while let Some(output) = self.host(node).zab.as_mut().and_then(Zab::poll_output) {
            let host = &self.hosts[&node];
            let status = host.zab.as_ref().unwrap().status();
            self.judge.sees(node, &output, &status, &host.disk);
            self.carry_out(node, output);
        }
    }

    fn carry_out(&mut self, node: NodeId, output: Output) {
        match output {
            Output::Send { to, generation, message } => self.send(node, to, generation, message),
            Output::Reset { peer, generation } => {
                if self.net.generation(node, peer) == generation {
                    self.tell(|| format!("{node} hangs up on {peer}"));
                    self.cut(node, peer, Some(node));
                }
            }
            Output::Persist { id, write } => {
                let at = self.now + Self::draw(&mut self.rng, &self.disk_delay);
                self.host(node).disk.write(at, id, write);
            }
            Output::Cancel { after } => {
                let host = self.hosts.get_mut(&node).unwrap();
                host.disk.cancel(after, &mut self.rng);
            }
            Output::Commit(entries) => self.apply(node, &entries),
            Output::ReadReady { id, index } => {
                self.host(node).reads.insert(id, Some(index));
            }
            Output::ReadRefused { id, .. } => {
                self.host(node).reads.insert(id, None);
            }
            Output::ProposalRefused { tag, .. } => self.host(node).refused.push(tag),
            Output::Fetch { peer, from, .. } => {
                let disk = &self.host(node).disk;
                let rest = (0..3).map_while(|more| disk.entry(Index(from.0 + more)));
                let entries: Vec<Entry> = rest.cloned().collect();
                let entries = (!entries.is_empty()).then_some(entries);
                self.input(node, Input::Fetched { peer, from, entries });
            }
            Output::SnapshotWanted { peer, next } => self.begin_transfer(node, peer, next),
            Output::SnapshotEnded { peer } => {
                self.host(node).transfers.remove(&peer);
            }
            Output::Chunk { from, last, number, data, done } => {
                self.take_chunk(node, from, (last, number, done), &data);
            }
            Output::ChunkAcked { peer, next, .. } => {
                if let Some(number) = next {
                    self.send_chunk(node, peer, number);
                }
            }
            Output::Event(event) => {
                self.tell(|| format!("{node}: {event:?}"));
                self.events.push((node, event));
            }
        }
    }

    fn send(&mut self, from: NodeId, to: NodeId, generation: Generation, message: Message) {
        let at = self.now + Self::draw(&mut self.rng, &self.delay);
        self.net.send((from, to), generation, message, at);
    }

    fn apply(&mut self, node: NodeId, entries: &[Entry]) {
        if self.hosts[&node].install.is_some() {
            // They are void, and are handed out anew if the new state lacks them.
            return;
        }
        let disks = self.hosts.iter().map(|(&id, host)| (id, (&host.disk, host.state.len())));
        self.judge.applies(node, &self.hosts[&node].state, entries, &disks.collect());
        let host = self.host(node);
        host.state.extend_from_slice(entries);
        let applied = Index(host.state.len() as u64);
        self.tell(|| format!("{node} has applied {applied}"));
        self.input(node, Input::Applied(applied));
    }

    // -- states that are sent

    fn begin_transfer(&mut self, node: NodeId, peer: NodeId, next: Index) {
        let host = self.host(node);
        if (host.state.len() as u64) < next.0 {
            return self.input(node, Input::SnapshotFailed { peer });
        }
        let state = host.state.clone();
        self.states.push(state);
        let name = self.states.len() as u64 - 1;
        self.host(node).transfers.insert(peer, name);
        self.send_chunk(node, peer, 0);
    }

    fn send_chunk(&mut self, node: NodeId, peer: NodeId, number: u64) {
        let Some(&name) = self.host(node).transfers.get(&peer) else { return };
        let state = &self.states[usize::try_from(name).unwrap()];
        let last = state.last().unwrap().position;
        let data = Bytes::copy_from_slice(&name.to_le_bytes());
        let chunk = Input::SendChunk { to: peer, last, number, data, done: number == 1 };
        if number < 2 {
            self.input(node, chunk);
        }
    }

    fn take_chunk(
        &mut self,
        node: NodeId,
        from: NodeId,
        (last, number, done): (Position, u64, bool),
        data: &[u8],
    ) {
        let name = u64::from_le_bytes(data.try_into().unwrap());
        // A state takes longer to install than an entry to write: leaders come and go meanwhile.
        let at = self.now + Self::draw(&mut self.rng, &self.disk_delay) * 8;
        let state = self.states[usize::try_from(name).unwrap()].clone();
        let host = self.host(node);
        if host.staged.0 != name {
            host.staged = (name, 0);
        }
        if number == host.staged.1 {
            host.staged.1 += 1;
        }
        let next = Some(host.staged.1);
        let ahead = last.index.0 > host.state.len() as u64;
        if done && number + 1 == host.staged.1 {
            host.staged = (0, 0);
            if ahead {
                host.install = Some(Install { at, last, state });
            } else {
                return self.input(node, Input::Installed { last });
            }
        }
        self.input(node, Input::ChunkReply { to: from, last, next });
    }
}

enum Next {
    Network(Happening),
    Disk(NodeId),
    Install(NodeId),
    Drain(NodeId),
    Timeout(NodeId),
}

pub(crate) fn is(entry: &Entry, command: &Bytes) -> bool {
    matches!(&entry.payload, protocol::zab::Payload::Command(bytes) if bytes == command)
}

// -- looking at a cluster

impl World {
    /// The one established leader with a quorum that serves it, if there is one.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        let leads = |zab: &Zab| zab.role() == Role::Leading && zab.phase() == Phase::Broadcast;
        self.running()
            .filter(|(_, zab)| leads(zab))
            .map(|(id, zab)| (zab.epoch(), id))
            .max()
            .map(|it| it.1)
    }

    /// Whether everybody who runs serves one leader and has applied the same.
    pub(crate) fn is_settled(&self) -> bool {
        let Some(leader) = self.leader() else { return false };
        let length = self.hosts[&leader].state.len();
        let last = self.hosts[&leader].zab.as_ref().map(Zab::last);
        self.running().all(|(id, zab)| {
            zab.leader() == Some(leader)
                && self.hosts[&id].state.len() == length
                && Some(zab.last()) == last
                && zab.last().index == Index(length as u64)
        })
    }

    pub(crate) fn settle(&mut self) {
        self.run_until("everybody serves one leader", World::is_settled);
    }

    /// Elects, settles, and gives the leader's number.
    pub(crate) fn settled_leader(&mut self) -> u64 {
        self.settle();
        self.leader().unwrap().0
    }
}
