//! The apparatus: bare cores on a bench, under virtual time.
//!
//! One agenda orders everything that happens. A message takes a time drawn from one distribution
//! and arrives if its link is up then; links have a direction. A disk takes one write after the
//! other, each for a time that depends on what it carries. A core that is down neither hears nor
//! fires; nobody comes back. What the bench notes about elections is in [`Notes`].

mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use protocol::mesh::{self, Mesh, Packet};
use protocol::raft::{
    Body, Config, Entry, Event, HardState, Input, Message, Output, Payload, Raft, ReadMode,
    Restored, Role, Tag, Write, WriteId,
};
use protocol::{Index, NodeId, Position, Rng, Term, Time};
use serde::Serialize;

use super::links::Links;

/// A duration drawn uniformly between two bounds, both included.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The least.
    pub from: Duration,
    /// The most.
    pub to: Duration,
}

impl Spread {
    /// No time at all.
    pub const NONE: Self = Self { from: Duration::ZERO, to: Duration::ZERO };

    /// Between two numbers of microseconds.
    #[must_use]
    pub const fn micros(from: u64, to: u64) -> Self {
        Self { from: Duration::from_micros(from), to: Duration::from_micros(to) }
    }

    /// Between two numbers of milliseconds.
    #[must_use]
    pub const fn millis(from: u64, to: u64) -> Self {
        Self::micros(from * 1000, to * 1000)
    }

    /// One of them.
    pub fn draw(self, rng: &mut Rng) -> Duration {
        let width = self.to.saturating_sub(self.from).as_nanos();
        let width = u64::try_from(width).unwrap_or(u64::MAX);
        self.from + Duration::from_nanos(rng.below(width.saturating_add(1)))
    }
}

/// How long a disk takes, by what a write carries. Writes of one node never overlap.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    /// A new term with the vote for oneself.
    pub own_vote: Spread,
    /// A vote for another.
    pub vote: Spread,
    /// A term without a vote, or entries.
    pub rest: Spread,
}

impl Disk {
    /// A disk that costs nothing.
    pub const FREE: Self = Self { own_vote: Spread::NONE, vote: Spread::NONE, rest: Spread::NONE };
}

/// The protections against needless elections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Guards {
    /// Ask before campaigning (thesis §9.6).
    pub pre_vote: bool,
    /// A leader that no quorum answers steps down (thesis §6.2).
    pub check_quorum: bool,
    /// No vote while a leader is heard (thesis §4.2.3).
    pub stickiness: bool,
}

impl Guards {
    /// As in the paper's figures.
    pub const OFF: Self = Self { pre_vote: false, check_quorum: false, stickiness: false };
    /// As in production.
    pub const ON: Self = Self { pre_vote: true, check_quorum: true, stickiness: true };
}

/// Everything that the cores of one bench share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many voters.
    pub nodes: usize,
    /// The range of election timeouts.
    pub election: RangeInclusive<Duration>,
    /// The period of heartbeats.
    pub heartbeat: Duration,
    /// Which protections are on.
    pub guards: Guards,
    /// How long a message is under way.
    pub latency: Spread,
    /// How long a write takes.
    pub disk: Disk,
}

impl Settings {
    fn config(&self, n: usize) -> Config {
        let Guards { pre_vote, check_quorum, stickiness } = self.guards;
        Config {
            id: id(n),
            voters: (0..self.nodes).map(id).collect(),
            learners: BTreeSet::new(),
            election_timeout: self.election.clone(),
            heartbeat: self.heartbeat,
            pre_vote,
            check_quorum,
            stickiness,
            read_mode: ReadMode::Quorum,
            max_inflight_messages: 64,
            max_inflight_bytes: 1 << 20,
            max_append_bytes: 1 << 16,
            max_uncommitted_bytes: 1 << 20,
            cache_bytes: 1 << 20,
        }
    }
}

/// The name of the node at place `n`: counted from one, as in the papers' drawings.
#[must_use]
pub fn id(n: usize) -> NodeId {
    NodeId(u64::try_from(n).unwrap_or(u64::MAX).saturating_add(1))
}

/// What a bench has seen of elections.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Who led each term, and since when. A second leader of one term ends the experiment.
    pub leaders: BTreeMap<Term, (Time, usize)>,
    /// When a node first heard a leader that was elected on this bench.
    pub heard: Option<Time>,
    /// How often each node has campaigned in earnest.
    pub campaigns: Vec<u32>,
}

#[derive(Debug)]
struct Member {
    raft: Raft,
    up: bool,
    timer: Option<Time>,
    disk_free: Time,
    role: Role,
}

#[derive(Debug)]
enum Happening {
    Deliver { from: usize, to: usize, packet: Packet<Message> },
    Synced { node: usize, id: WriteId },
}

/// A cluster of bare cores.
#[derive(Debug)]
pub struct Cluster {
    settings: Settings,
    rng: Rng,
    now: Time,
    sequence: u64,
    agenda: BTreeMap<(Time, u64), Happening>,
    members: Vec<Member>,
    /// Empty on a bench without ways around broken links.
    meshes: Vec<Mesh<Message>>,
    links: Links,
    notes: Notes,
}

impl Cluster {
    /// Nodes with logs of `lengths` entries of term 1 (nothing at all where zero), of which the
    /// shortest log's are committed. All links are up and every timer is fresh.
    ///
    /// # Panics
    ///
    /// When there is not one length a node.
    #[must_use]
    pub fn new(settings: &Settings, lengths: &[u64], seed: u64) -> Self {
        assert_eq!(lengths.len(), settings.nodes, "one log a node");
        let mut rng = Rng::new(seed);
        let common = lengths.iter().copied().min().unwrap_or(0);
        let members = lengths.iter().enumerate().map(|(n, &length)| Member {
            raft: Raft::new(settings.config(n), restored(length, common), rng.next()),
            up: true,
            timer: Some(Time(0)),
            disk_free: Time(0),
            role: Role::Follower,
        });
        let members = members.collect();
        let notes = Notes { campaigns: vec![0; settings.nodes], ..Notes::default() };
        Self {
            settings: settings.clone(),
            rng,
            now: Time(0),
            sequence: 0,
            agenda: BTreeMap::new(),
            members,
            meshes: Vec::new(),
            links: Links::full(settings.nodes),
            notes,
        }
    }

    /// What has been seen.
    #[must_use]
    pub const fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The time of the bench.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// A core.
    #[must_use]
    pub fn raft(&self, n: usize) -> &Raft {
        &self.members[n].raft
    }

    /// The one source of chance.
    pub const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Stops a node for good.
    pub fn crash(&mut self, n: usize) {
        self.members[n].up = false;
    }

    /// Replaces the links; what is under way arrives if its link is up at its arrival.
    pub fn connect(&mut self, links: Links) {
        self.links = links;
    }

    /// Plans the arrival of a message that no core has sent, `after` from now.
    pub fn inject(&mut self, after: Duration, from: usize, to: usize, message: Message) {
        let packet = Packet::Direct(message);
        self.plan(self.now + after, Happening::Deliver { from, to, packet });
    }

    /// Hands a command to a node.
    pub fn propose(&mut self, n: usize) {
        let command = Bytes::from_static(b"measured");
        self.input(n, Input::Propose { tag: Tag(0), command });
    }

    /// The places of those that lead now.
    pub fn leaders(&self) -> impl Iterator<Item = usize> {
        self.members.iter().enumerate().filter(|(_, m)| m.up && m.role == Role::Leader).map(|m| m.0)
    }

    /// The highest term of any node.
    #[must_use]
    pub fn term(&self) -> Term {
        self.members.iter().map(|member| member.raft.term()).max().unwrap_or_default()
    }

    /// The highest commit index of any node.
    #[must_use]
    pub fn commit(&self) -> Index {
        self.members.iter().map(|member| member.raft.commit()).max().unwrap_or_default()
    }

    /// Runs until `done` holds after something happened, or until the time `until`. Gives whether
    /// `done` held.
    pub fn run(&mut self, until: Time, mut done: impl FnMut(&Self) -> bool) -> bool {
        while self.step(until) {
            if done(self) {
                return true;
            }
        }
        false
    }

    /// The next thing on the agenda, or the next timer, whichever is earlier. Gives `false` when
    /// nothing is left before `until`, and the time is `until` then.
    fn step(&mut self, until: Time) -> bool {
        let timers = self.members.iter().enumerate().filter(|(_, member)| member.up);
        let timer = timers.filter_map(|(n, member)| Some((member.timer?, n))).min();
        let next = self.agenda.first_key_value().map(|(&(at, _), _)| at);
        let at = timer.map(|(at, _)| at).into_iter().chain(next).min();
        let Some(at) = at.filter(|&at| at <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(at);
        match timer {
            Some((fires, n)) if next.is_none_or(|next| fires < next) => {
                self.mesh(n, mesh::Input::Timeout);
                self.input(n, Input::Timeout);
            }
            Some(_) | None => {
                if let Some((_, happening)) = self.agenda.pop_first() {
                    self.happen(happening);
                }
            }
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver { from, to, packet } => {
                if self.members[to].up && self.links.is_up(from, to) {
                    self.arrived(from, to, packet);
                    self.set_timer(to);
                }
            }
            Happening::Synced { node, id } => {
                if self.members[node].up {
                    self.input(node, Input::Persisted(id));
                }
            }
        }
    }

    fn receive(&mut self, from: NodeId, to: usize, message: Message) {
        self.note_leader_heard(&message);
        self.input(to, Input::Receive { from, message });
    }

    fn set_timer(&mut self, n: usize) {
        let mesh = self.mesh_timer(n);
        self.members[n].timer = self.members[n].raft.poll_timeout().into_iter().chain(mesh).min();
    }

    fn note_leader_heard(&mut self, message: &Message) {
        let leads = matches!(message.body, Body::Append { .. } | Body::Heartbeat { .. });
        if leads && self.notes.heard.is_none() && self.notes.leaders.contains_key(&message.term) {
            self.notes.heard = Some(self.now);
        }
    }

    fn input(&mut self, n: usize, input: Input) {
        self.members[n].raft.handle(self.now, input);
        while let Some(output) = self.members[n].raft.poll_output() {
            self.output(n, output);
        }
        self.set_timer(n);
    }

    fn output(&mut self, n: usize, output: Output) {
        match output {
            Output::Send { to, message } => self.send(n, to, message),
            Output::Persist { id, write } => self.write(n, id, &write),
            Output::Commit(entries) => {
                if let Some(last) = entries.last() {
                    let input = Input::Applied(last.position.index);
                    self.members[n].raft.handle(self.now, input);
                }
            }
            Output::Event(Event::Role { role, term, .. }) => self.note_role(n, role, term),
            Output::Fetch { peer, from, .. } => {
                let input = Input::Fetched { peer, from, entries: None };
                self.members[n].raft.handle(self.now, input);
            }
            Output::ReadReady { .. }
            | Output::ReadRefused { .. }
            | Output::ProposalRefused { .. }
            | Output::ReconfigureRefused { .. }
            | Output::Membership { .. }
            // Nobody is far behind here.
            | Output::SnapshotWanted { .. }
            | Output::SnapshotEnded { .. }
            | Output::Chunk { .. }
            | Output::ChunkAcked { .. }
            | Output::Event(_) => {}
        }
    }

    fn write(&mut self, n: usize, write_id: WriteId, write: &Write) {
        let disk = self.settings.disk;
        let spread = match write.hard_state.and_then(|state| state.vote) {
            Some(vote) if write.entries.is_empty() && vote == id(n) => disk.own_vote,
            Some(_) if write.entries.is_empty() => disk.vote,
            Some(_) | None => disk.rest,
        };
        let starts = self.members[n].disk_free.max(self.now);
        let ends = starts + spread.draw(&mut self.rng);
        self.members[n].disk_free = ends;
        self.plan(ends, Happening::Synced { node: n, id: write_id });
    }

    fn note_role(&mut self, n: usize, role: Role, term: Term) {
        self.members[n].role = role;
        match role {
            Role::Candidate => self.notes.campaigns[n] += 1,
            Role::Leader => {
                let (_, first) = *self.notes.leaders.entry(term).or_insert((self.now, n));
                // Raft figure 3: election safety.
                assert_eq!(first, n, "two leaders in term {term}");
            }
            Role::Follower | Role::PreCandidate => {}
        }
    }

    fn plan(&mut self, at: Time, happening: Happening) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), happening);
    }
}

/// A disk that holds `length` entries of term 1, of which `committed` are known to be committed.
fn restored(length: u64, committed: u64) -> Restored {
    let entry = |index| Entry {
        position: Position::new(Term(1), Index(index)),
        payload: Payload::Command(Bytes::new()),
    };
    let term = Term(u64::from(length > 0));
    Restored {
        hard_state: HardState { term, vote: None, commit: Index(committed) },
        base: Position::ORIGIN,
        terms: if length > 0 { vec![(Index(1), Term(1))] } else { Vec::new() },
        entries: (committed + 1..=length).map(entry).collect(),
        applied: Index(committed),
        doubt: None,
        membership: None,
    }
}
