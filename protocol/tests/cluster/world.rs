//! A cluster in memory: virtual time, a bad network, and disks that lose what was not synced.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use protocol::raft::{
    Config, Entry, HardState, Input, Message, Output, Raft, ReadId, ReadMode, Restored, Role, Tag,
    Write, WriteId,
};
use protocol::{Index, NodeId, Position, Rng, Term, Time};

use crate::members::membership;
use crate::oracle::{Image, Oracle};
use crate::transfer::Snapshots;

const MS: Duration = Duration::from_millis(1);

/// What a world is like; drawn from the seed.
pub(crate) struct Weather {
    pub(crate) lose_percent: u64,
    pub(crate) duplicate_percent: u64,
    pub(crate) delay_ms: u64,
    pub(crate) sync_ms: u64,
    pub(crate) fault_percent: u64,
    pub(crate) linger_percent: u64,
}

pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) raft: Raft,
    pub(crate) up: bool,
    /// Counts starts, so that what belongs to an earlier one is recognised.
    pub(crate) life: u64,
    pub(crate) view: Vec<Entry>,
    pub(crate) durable: Vec<Entry>,
    pub(crate) hard_state: HardState,
    pub(crate) pending: VecDeque<(WriteId, Write)>,
    /// All that was applied, in memory and as it survives a crash.
    pub(crate) state: Vec<Entry>,
    pub(crate) disk: Vec<Entry>,
    /// Handed out while another state is being installed.
    pub(crate) queue: Vec<Entry>,
    pub(crate) base: Index,
    pub(crate) snapshots: Snapshots,
    pub(crate) paused_until: Time,
}

pub(crate) enum Happening {
    Deliver { from: usize, to: usize, message: Message },
    Sync { node: usize, life: u64 },
    Answer { node: usize, life: u64, input: Input },
    Remind { node: usize, life: u64, peer: NodeId, name: u64 },
    Switch { node: usize, life: u64 },
    Switched { node: usize, life: u64 },
}

pub(crate) struct World {
    pub(crate) rng: Rng,
    now: Time,
    pub(crate) sequence: u64,
    agenda: BTreeMap<(Time, u64), Happening>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) configs: Vec<Config>,
    pub(crate) oracle: Oracle,
    pub(crate) weather: Weather,
    /// Links that lose everything, by (from, to).
    cut: Vec<(usize, usize)>,
    commands: u64,
    /// Peers also send nonsense.
    pub(crate) forge: bool,
    /// Logs are also trimmed beyond what the slowest member needs.
    pub(crate) strand: bool,
    /// Members come and go.
    pub(crate) living: bool,
    /// Changes of the members that were asked for, and configurations that came into force.
    pub(crate) changes: u64,
    pub(crate) configurations: u64,
    pub(crate) snapshots_sent: u64,
    pub(crate) snapshots_installed: u64,
    /// Crashes after which the log had to follow the state.
    pub(crate) logs_mended: u64,
}

fn configs(rng: &mut Rng) -> Vec<Config> {
    let (size, learners) = (1 + rng.below(5), u64::from(rng.below(4) == 0));
    let id = |n| NodeId(n + 1);
    let switches = rng.below(8);
    let lease = switches & 3 == 3 && rng.below(2) == 0;
    let config = Config {
        id: id(0),
        voters: (0..size).map(id).collect(),
        learners: (size..size + learners).map(id).collect(),
        election_timeout: 100 * MS..=200 * MS,
        heartbeat: 20 * MS,
        stickiness: switches & 1 != 0,
        check_quorum: switches & 2 != 0,
        pre_vote: switches & 4 != 0,
        read_mode: if lease { ReadMode::Lease { drift_per_mille: 10 } } else { ReadMode::Quorum },
        max_inflight_messages: 1 + usize::try_from(rng.below(4)).unwrap(),
        max_inflight_bytes: 40 << rng.below(6),
        max_append_bytes: 20 << rng.below(5),
        max_uncommitted_bytes: 100 << rng.below(5),
        cache_bytes: usize::try_from(rng.below(3)).unwrap() * 100,
    };
    // A rolling upgrade: some ask before they campaign, some do not.
    let mixed = rng.below(4) == 0;
    let mut node = |n| {
        let pre_vote = if mixed { rng.below(2) == 0 } else { config.pre_vote };
        Config { id: id(n), pre_vote, ..config.clone() }
    };
    (0..size + learners).map(&mut node).collect()
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let configs = configs(&mut rng);
        let weather = Weather {
            lose_percent: [0, 2, 10, 30][usize::try_from(rng.below(4)).unwrap()],
            duplicate_percent: rng.below(3) * 10,
            delay_ms: 1 + rng.below(4) * 15,
            sync_ms: 1 + rng.below(4) * 10,
            fault_percent: rng.below(6),
            linger_percent: rng.below(2) * 50,
        };
        let (agenda, cut) = (BTreeMap::new(), Vec::new());
        let mut world = Self {
            rng,
            now: Time(0),
            sequence: 0,
            agenda,
            nodes: Vec::new(),
            configs,
            oracle: Oracle::default(),
            weather,
            cut,
            commands: 0,
            forge: false,
            strand: false,
            living: false,
            changes: 0,
            configurations: 0,
            snapshots_sent: 0,
            snapshots_installed: 0,
            logs_mended: 0,
        };
        world.populate();
        world
    }

    /// Everyone who is configured starts, with an empty disk.
    pub(crate) fn populate(&mut self) {
        self.nodes.clear();
        for config in self.configs.clone() {
            self.nodes.push(Node {
                id: config.id,
                raft: Raft::new(config, Restored::default(), self.rng.next()),
                up: true,
                life: 0,
                view: Vec::new(),
                durable: Vec::new(),
                hard_state: HardState::default(),
                pending: VecDeque::new(),
                state: Vec::new(),
                disk: Vec::new(),
                queue: Vec::new(),
                base: Index(0),
                snapshots: Snapshots::default(),
                paused_until: Time(0),
            });
        }
    }

    pub(crate) fn fingerprint(&self) -> String {
        let nodes = self.nodes.iter().map(|node| format!("{:?}", node.raft));
        format!("{:?} {}", self.now, nodes.collect::<Vec<_>>().join("\n"))
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.rng.below(100) < percent
    }

    pub(crate) fn pick(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(u64::try_from(bound).unwrap())).unwrap()
    }

    pub(crate) fn plan(&mut self, after_ms: u64, happening: Happening) {
        self.sequence += 1;
        let micros = after_ms * 1000 + self.rng.below(1000);
        let at = self.now + Duration::from_micros(micros);
        self.agenda.insert((at, self.sequence), happening);
    }

    pub(crate) fn run_with_faults(&mut self, steps: u64) {
        for _ in 0..steps {
            if self.chance(self.weather.fault_percent) {
                self.fault();
            }
            if self.chance(20) {
                self.request();
            }
            self.step();
        }
    }

    /// The next thing on the agenda, or the next timer, whichever is earlier.
    fn step(&mut self) {
        let timer = (0..self.nodes.len())
            .filter(|&n| self.nodes[n].up)
            .filter_map(|n| {
                let node = &self.nodes[n];
                Some((node.raft.poll_timeout()?.max(node.paused_until), n))
            })
            .min();
        let next = self.agenda.keys().next().copied();
        match (timer, next) {
            (Some((at, n)), next) if next.is_none_or(|(time, _)| at < time) => {
                self.now = self.now.max(at);
                self.input(n, Input::Timeout);
                let next = self.nodes[n].raft.poll_timeout();
                assert!(next.is_none_or(|next| next > self.now), "a timer of {n} is due for ever");
            }
            (_, Some(key)) => {
                self.now = self.now.max(key.0);
                let happening = self.agenda.remove(&key).unwrap();
                self.happen(happening);
            }
            (_, None) => {}
        }
    }

    fn happen(&mut self, happening: Happening) {
        let n = match happening {
            Happening::Deliver { to, .. } => to,
            Happening::Sync { node, .. }
            | Happening::Answer { node, .. }
            | Happening::Remind { node, .. }
            | Happening::Switch { node, .. }
            | Happening::Switched { node, .. } => node,
        };
        if self.nodes[n].paused_until > self.now {
            // What arrives during a pause waits in buffers.
            self.sequence += 1;
            self.agenda.insert((self.nodes[n].paused_until, self.sequence), happening);
            return;
        }
        match happening {
            Happening::Deliver { from, to, message } => {
                if self.nodes[to].up && !self.cut.contains(&(from, to)) {
                    let from = self.nodes[from].id;
                    self.input(to, Input::Receive { from, message });
                }
            }
            Happening::Sync { node, life } if self.is_alive(node, life) => self.sync(node),
            Happening::Answer { node, life, input } if self.is_alive(node, life) => {
                self.input(node, input);
            }
            Happening::Remind { node, life, peer, name } if self.is_alive(node, life) => {
                self.remind(node, peer, name);
            }
            Happening::Switch { node, life } if self.is_alive(node, life) => self.switch(node),
            Happening::Switched { node, life } if self.is_alive(node, life) => self.switched(node),
            Happening::Sync { .. }
            | Happening::Answer { .. }
            | Happening::Remind { .. }
            | Happening::Switch { .. }
            | Happening::Switched { .. } => {}
        }
    }

    fn is_alive(&self, n: usize, life: u64) -> bool {
        self.nodes[n].up && self.nodes[n].life == life
    }

    fn sync(&mut self, n: usize) {
        // Any number of writes that wait may be covered by one sync.
        let count = 1 + self.pick(self.nodes[n].pending.len().max(1));
        let mut last = None;
        for _ in 0..count {
            let Some((id, write)) = self.nodes[n].pending.pop_front() else { break };
            self.nodes[n].reach_disk(write);
            last = Some(id);
        }
        if let Some(id) = last {
            self.input(n, Input::Persisted(id));
        }
    }

    pub(crate) fn input(&mut self, n: usize, input: Input) {
        self.nodes[n].raft.handle(self.now, input);
        // A busy driver takes in more before it drains.
        if self.weather.linger_percent == 0 || !self.chance(self.weather.linger_percent) {
            self.drain(n);
        } else {
            let life = self.nodes[n].life;
            self.plan(0, Happening::Answer { node: n, life, input: Input::Applied(Index(0)) });
            if self.chance(70) {
                self.drain(n);
            }
        }
    }

    fn drain(&mut self, n: usize) {
        while let Some(output) = self.nodes[n].raft.poll_output() {
            let (node, others) = images(&self.nodes, n);
            self.oracle.emits(&node, &others, &output);
            self.output(n, output);
        }
        let (node, others) = images(&self.nodes, n);
        self.oracle.observe(&node, &others);
    }

    fn output(&mut self, n: usize, output: Output) {
        let life = self.nodes[n].life;
        match output {
            Output::Send { to, message } => self.transmit(n, to, message),
            Output::Persist { id, write } => {
                if let Some(base) = write.reset {
                    let (node, _) = images(&self.nodes, n);
                    self.oracle.resets(&node, base);
                    self.nodes[n].view = Node::begins_anew(&self.nodes[n].state, base);
                }
                let (node, _) = images(&self.nodes, n);
                self.oracle.persists(&node, &write.entries);
                splice(&mut self.nodes[n].view, &write.entries);
                self.nodes[n].pending.push_back((id, write));
                let after = self.rng.below(self.weather.sync_ms);
                self.plan(after, Happening::Sync { node: n, life });
            }
            Output::Commit(entries) => {
                let last = entries.last().unwrap().position.index;
                let node = &mut self.nodes[n];
                assert_eq!(entries[0].position.index, node.handed_out().next());
                if node.snapshots.installing.is_some() {
                    return node.queue.extend(entries);
                }
                node.state.extend(entries);
                let input = Input::Applied(last);
                let after = self.rng.below(5);
                self.plan(after, Happening::Answer { node: n, life, input });
                if self.chance(30) {
                    self.trim(n);
                }
            }
            Output::Fetch { peer, from, .. } => {
                let count = 1 + self.rng.below(3);
                let node = &self.nodes[n];
                let held = from > node.base;
                let entries = node.durable.iter().filter(|entry| entry.position.index >= from);
                let entries = entries.take(usize::try_from(count).unwrap()).cloned().collect();
                let entries = held.then_some(entries);
                let input = Input::Fetched { peer, from, entries };
                self.plan(3, Happening::Answer { node: n, life, input });
            }
            Output::Membership { .. } => self.configurations += 1,
            Output::ReadReady { .. }
            | Output::ReadRefused { .. }
            | Output::ProposalRefused { .. }
            | Output::ReconfigureRefused { .. }
            | Output::Event(_) => {}
            other => self.snapshot_output(n, other),
        }
    }

    fn trim(&mut self, n: usize) {
        let beyond = self.strand && self.chance(70);
        let node = &mut self.nodes[n];
        if node.snapshots.installing.is_some() {
            return;
        }
        node.disk.clone_from(&node.state);
        let applied = node.raft.status().applied;
        let through = if beyond { applied } else { node.raft.trim_bound().min(applied) };
        if through > node.base {
            node.base = through;
            node.raft.handle(self.now, Input::Trimmed(through));
        }
    }

    fn transmit(&mut self, n: usize, to: NodeId, message: Message) {
        let to = self.nodes.iter().position(|node| node.id == to).unwrap();
        let copies = 1 + u64::from(self.chance(self.weather.duplicate_percent));
        for _ in 0..copies {
            if self.chance(self.weather.lose_percent) {
                continue;
            }
            let mut message = message.clone();
            if self.forge && self.chance(10) {
                message = self.forged(message);
            }
            let slow = if self.chance(5) { 10 } else { 1 };
            let delay = self.rng.below(self.weather.delay_ms) * slow;
            self.plan(delay, Happening::Deliver { from: n, to, message });
        }
    }

    fn request(&mut self) {
        let n = self.pick(self.nodes.len());
        if !self.nodes[n].up || self.nodes[n].paused_until > self.now {
            return;
        }
        match self.rng.below(20) {
            1..4 if self.living => self.reconfigure(),
            0 => {
                let voters = self.configs[0].voters.len();
                let to = NodeId(1 + u64::try_from(self.pick(voters)).unwrap());
                self.input(n, Input::TransferLeadership(to));
            }
            1..8 => self.read(n),
            _ => self.propose(n),
        }
    }

    fn read(&mut self, n: usize) {
        self.commands += 1;
        let id = ReadId(self.commands);
        // Only what some node has been told is committed counts as seen.
        let commits = self.nodes.iter().filter(|n| n.up).map(|node| node.raft.commit()).max();
        let node = self.nodes[n].id;
        self.oracle.read_arrives(node, id, commits);
        self.input(n, Input::Read(id));
    }

    fn propose(&mut self, n: usize) {
        self.commands += 1;
        let command = Bytes::from(format!("{}", self.commands));
        self.oracle.proposed(&command, self.nodes[n].raft.term());
        self.input(n, Input::Propose { tag: Tag(self.commands), command });
    }

    fn fault(&mut self) {
        let n = self.pick(self.nodes.len());
        match self.rng.below(10) {
            0..4 if self.nodes[n].up => self.crash(n),
            0..6 if !self.nodes[n].up => self.restart(n),
            4..6 => self.isolate(n),
            6 => {
                let m = self.pick(self.nodes.len());
                self.cut.push((n, m));
            }
            7 => self.cut.clear(),
            8 => {
                let ms = 1 + u32::try_from(self.rng.below(400)).unwrap();
                self.nodes[n].paused_until = self.now + ms * MS;
            }
            _ => {
                let m = self.pick(self.nodes.len());
                let peer = self.nodes[m].id;
                if self.nodes[n].up && peer != self.nodes[n].id {
                    self.input(n, Input::Unreachable(peer));
                }
            }
        }
    }

    fn isolate(&mut self, n: usize) {
        for m in 0..self.nodes.len() {
            self.cut.extend([(n, m), (m, n)]);
        }
    }

    pub(crate) fn crash(&mut self, n: usize) {
        let survives = self.pick(self.nodes[n].pending.len() + 1);
        let torn = self.chance(30);
        let node = &mut self.nodes[n];
        node.up = false;
        for _ in 0..survives {
            let (_, write) = node.pending.pop_front().unwrap();
            node.reach_disk(write);
        }
        // A torn write: its parts take effect in order, entries one by one.
        if let Some((_, mut write)) = node.pending.pop_front().filter(|_| torn) {
            let keep = write.entries.len() / 2;
            write.entries.truncate(keep);
            if keep == 0 {
                write.reset = None;
            }
            node.reach_disk(write);
        }
        node.pending.clear();
    }

    fn restart(&mut self, n: usize) {
        let seed = self.rng.next();
        let node = &mut self.nodes[n];
        node.up = true;
        node.life += 1;
        node.paused_until = Time(0);
        self.logs_mended += u64::from(node.mend());
        node.view = node.durable.clone();
        let (id, restored) = (node.id, node.restored());
        self.nodes[n].raft = self.core(n, restored, seed);
        self.oracle.restarted(id);
        self.input(n, Input::Timeout);
        self.drain(n);
    }

    /// RI16: with the faults gone, the cluster gets going, agrees, and answers everything.
    pub(crate) fn heal_and_converge(&mut self) {
        self.cut.clear();
        self.forge = false;
        self.weather.lose_percent = 0;
        self.weather.fault_percent = 0;
        self.weather.delay_ms = self.weather.delay_ms.min(10);
        for n in 0..self.nodes.len() {
            self.nodes[n].paused_until = Time(0);
            if !self.nodes[n].up {
                self.restart(n);
            }
        }
        let deadline = self.now + 6000 * MS;
        let mut marker = None;
        while self.now < deadline {
            self.step();
            let leaders = self.nodes.iter().filter(|node| node.raft.role() == Role::Leader);
            let Some(leader) = leaders.max_by_key(|node| node.raft.term()) else { continue };
            let (id, term) = (leader.id, leader.raft.term());
            let Some((_, target)) = marker.filter(|&(proposed_in, _)| proposed_in == term) else {
                let n = self.nodes.iter().position(|node| node.id == id).unwrap();
                self.propose(n);
                marker = Some((term, self.nodes[n].raft.last().index));
                continue;
            };
            let members = leader.raft.membership().clone();
            let mut members = self.nodes.iter().filter(|node| members.contains(node.id));
            let done = members.all(|node| node.handed_out() >= target);
            if done && self.oracle.waiting_reads() == 0 {
                return self.nodes.iter().for_each(|node| self.oracle.agrees(node.id, &node.state));
            }
        }
        let status: Vec<_> = self.nodes.iter().map(|node| node.raft.status()).collect();
        panic!("RI16: no progress; {} reads wait; {status:#?}", self.oracle.waiting_reads());
    }
}

impl Node {
    fn image(&self) -> Image<'_> {
        let (view, durable, hard_state) = (&self.view, &self.durable, self.hard_state);
        Image { id: self.id, raft: &self.raft, view, durable, hard_state }
    }

    fn reach_disk(&mut self, write: Write) {
        if let Some(hard_state) = write.hard_state {
            self.hard_state = hard_state;
        }
        if let Some(base) = write.reset {
            self.durable = Self::begins_anew(&self.disk, base);
            self.base = base.index;
        }
        splice(&mut self.durable, &write.entries);
    }

    /// The last index handed to the state machine in this life.
    fn handed_out(&self) -> Index {
        Index(u64::try_from(self.state.len() + self.queue.len()).unwrap())
    }

    fn restored(&self) -> Restored {
        let position = |index: Index| match index.0 {
            0 => Position::ORIGIN,
            n => self.durable[usize::try_from(n).unwrap() - 1].position,
        };
        let above = |index: Index| self.durable.iter().filter(move |e| e.position.index > index);
        let mut terms: Vec<(Index, Term)> = Vec::new();
        for entry in above(self.base) {
            if terms.last().is_none_or(|&(_, term)| term != entry.position.term) {
                terms.push((entry.position.index, entry.position.term));
            }
        }
        let applied = Index(u64::try_from(self.disk.len()).unwrap());
        Restored {
            hard_state: self.hard_state,
            base: position(self.base),
            terms,
            entries: above(applied).cloned().collect(),
            applied,
            doubt: None,
            membership: membership(&self.disk),
        }
    }
}

fn splice(log: &mut Vec<Entry>, entries: &[Entry]) {
    if let Some(first) = entries.first() {
        log.truncate(usize::try_from(first.position.index.0).unwrap() - 1);
        log.extend_from_slice(entries);
    }
}

/// One node as the oracle sees it, and all others that are up. Disks of those that are down count.
fn images(nodes: &[Node], n: usize) -> (Image<'_>, Vec<Image<'_>>) {
    let others = nodes.iter().enumerate().filter(|&(m, _)| m != n).map(|(_, node)| node.image());
    (nodes[n].image(), others.collect())
}
