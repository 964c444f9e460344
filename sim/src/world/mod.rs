//! The virtual world: production nodes on faulty machines, a faulty network between them, clients
//! around them, and eyes on everything.
//!
//! ```text
//!   crowd ── requests ──► Node ◄── messages ── network
//!     ▲                    │ ▲
//!     └──── replies ───────┤ └── Persisted, Flushed, Loaded ── machine (log, state, clock)
//!                          ▼
//!            Seen ──► trace, invariants, marks
//! ```
//!
//! Laws:
//!
//! - what runs is the production [`Node`] on the production log; only network, disk and clock are
//!   of this world;
//! - everything follows from the options and one seed; each part draws from a generator of its own,
//!   so that one draw more in one place does not reshuffle the others;
//! - time is virtual and jumps to whatever is due next;
//! - everything that happens is shown, in order, to the trace and to the invariants. After the
//!   first violation nothing more is judged.
//!
//! What is left out: sockets, threads, the wire of clients. Real processes are for those.

mod act;
mod backend;
mod carry;
mod clock;
mod disk;
mod eyes;
mod harm;
mod lives;
mod machine;
mod members;
mod mending;
mod network;
mod queue;
mod script;
mod space;
mod ways;

use std::time::Duration;

use node::{Input, Message, Node, Protocol};
use protocol::mesh::{self, Packet};
use protocol::{Index, NodeId, Rng, Time};

pub use network::Weather;
pub use script::PresetLog;

pub(crate) use clock::TRUE_RATE;
pub(crate) use eyes::{Eyes, digest};
pub(crate) use machine::{Machine, Status};
pub(crate) use network::{Link, Network};

use crate::crowd::{Act, Crowd};
use crate::history::History;
use crate::seen::{Place, Seen, View, Violation};
use crate::storm::{self, Storm};
use crate::swarm::Options;
use queue::Queue;

/// Steps at one moment without an end are a fault of the product.
const STEPS_AT_ONCE: u64 = 100_000;

/// What is going to happen.
#[derive(Debug)]
enum Event {
    Deliver {
        from: Place,
        to: Place,
        number: u64,
        message: Message,
    },
    /// The same, in a world with ways around broken links.
    Packet {
        from: Place,
        to: Place,
        packet: Packet<ways::Letter>,
    },
    /// A node learns that its link to a peer broke.
    Broken {
        at: Place,
        peer: NodeId,
    },
    Synced {
        at: Place,
        life: u64,
        number: u64,
    },
    /// The first chore of one of the state's threads is done.
    Chore {
        at: Place,
        life: u64,
        thread: usize,
    },
    Fetched {
        at: Place,
        life: u64,
        peer: NodeId,
        from: Index,
        max_bytes: usize,
    },
    /// It is time to look at what is free on a node's disks.
    Measure {
        at: Place,
    },
    Storm(storm::Step),
}

/// A world.
pub struct World {
    pub(crate) options: Options,
    pub(crate) now: Time,
    pub(crate) machines: Vec<Machine>,
    pub(crate) network: Network,
    pub(crate) crowd: Crowd,
    pub(crate) storm: Storm,
    pub(crate) eyes: Eyes,
    /// How long disks take, and what survives a crash.
    pub(crate) disks: Rng,
    /// Seeds of nodes, and where their clocks begin.
    births: Rng,
    lives: lives::Lives,
    queue: Queue<Event>,
    acts: Vec<Act>,
    frame: Vec<u8>,
    steps_at_once: u64,
    /// Steps since the beginning.
    pub(crate) steps: u64,
}

impl World {
    /// A world at its beginning: every node of the cluster has started on empty disks.
    #[must_use]
    pub fn new(options: Options, seed: u64) -> Self {
        let mut world = Self::dark(options, seed);
        for at in 0..world.options.nodes {
            world.start(at);
        }
        world
    }

    /// A world in which no node runs yet.
    fn dark(options: Options, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut child = || Rng::new(rng.next());
        let (nodes, machines) = (options.nodes, options.machines());
        let mut births = child();
        let mut network = Network::new(machines, options.weather, child());
        if let Protocol::Zab(_) = options.consensus.protocol {
            network.connect();
        }
        let places = (0..machines)
            .map(|at| Machine::new(at, nodes, options.disks.tables, &mut births))
            .collect();
        Self {
            now: Time(0),
            machines: places,
            network,
            crowd: Crowd::new(options.crowd.clone(), nodes, child()),
            storm: Storm::new(options.storm.clone(), nodes, options.joiners, child()),
            eyes: Eyes::new(&options),
            disks: child(),
            births,
            lives: lives::Lives::new(options.loses_disks()),
            queue: Queue::default(),
            acts: Vec::new(),
            frame: Vec::new(),
            steps_at_once: 0,
            steps: 0,
            options,
        }
    }

    /// Lets the next thing happen, unless it comes after `end`; then it is `end`, and false is
    /// given.
    pub(crate) fn step(&mut self, end: Time) -> bool {
        let queued = self.queue.time().unwrap_or(Time(u64::MAX));
        let crowd = self.crowd.next_time().unwrap_or(Time(u64::MAX));
        let (timer, at) = self.next_timer();
        let next = queued.min(crowd).min(timer).max(self.now);
        if next > end {
            self.now = end;
            return false;
        }
        self.count_step(next);
        self.now = next;
        self.dial_all();
        if queued <= next {
            self.happen();
        } else if crowd <= next {
            self.act();
        } else {
            self.tell_mesh(at, mesh::Input::Timeout);
            self.feed(at, Input::Timeout);
            self.drain(at);
        }
        true
    }

    fn count_step(&mut self, next: Time) {
        self.steps += 1;
        self.steps_at_once = if next == self.now { self.steps_at_once + 1 } else { 0 };
        if self.steps_at_once > STEPS_AT_ONCE {
            self.eyes.violate(self.now, "progress of time", || "the world spins".into());
        }
    }

    fn next_timer(&self) -> (Time, Place) {
        let mut first = (Time(u64::MAX), 0);
        for machine in &self.machines {
            let timer = match &machine.status {
                Status::Up(running) => running.timer,
                Status::Mending(patient) => patient.timer,
                Status::Down | Status::Paused(_) => None,
            };
            if let Some(timer) = timer
                && timer < first.0
            {
                first = (timer, machine.at);
            }
        }
        first
    }

    /// The first thing in the queue, and whatever reaches the same node at the same moment.
    fn happen(&mut self) {
        let Some((time, event)) = self.queue.pop() else { return };
        match event {
            Event::Deliver { from, to, number, message } => {
                self.deliver(from, to, number, message);
                while matches!(
                    self.queue.peek(),
                    Some((at, Event::Deliver { to: next, .. })) if at == time && *next == to
                ) {
                    let Some((_, Event::Deliver { from, number, message, .. })) = self.queue.pop()
                    else {
                        break;
                    };
                    self.deliver(from, to, number, message);
                }
                self.drain(to);
            }
            Event::Packet { from, to, packet } => self.arrived(from, to, packet),
            Event::Broken { at, peer } => {
                self.tell_mesh(at, mesh::Input::Down(peer));
                self.feed(at, Input::Unreachable(peer));
                self.drain(at);
            }
            Event::Synced { at, life, number } => self.synced(at, life, number),
            Event::Chore { at, life, thread } => self.chore_done(at, life, thread),
            Event::Fetched { at, life, peer, from, max_bytes } => {
                self.fetched(at, life, peer, from, max_bytes);
            }
            Event::Measure { at } => self.measure(at),
            Event::Storm(step) => storm::strike(self, step),
        }
    }

    fn deliver(&mut self, from: Place, to: Place, number: u64, message: Message) {
        if matches!(self.machines[to].status, Status::Down) || !self.may_speak(from, to) {
            return;
        }
        if let Message::Raft(message) = &message {
            self.eyes.see(self.now, &Seen::Delivered { from, to, number, message });
        }
        self.feed(to, Input::Receive { from: crate::seen::id(from), message });
    }

    /// Gives a node something; a paused one finds it when it wakes up.
    pub(crate) fn feed(&mut self, at: Place, input: Input) {
        let machine = &mut self.machines[at];
        match &mut machine.status {
            Status::Up(running) => {
                let local = machine.clock.local(self.now);
                running.node.handle(local, input);
            }
            Status::Paused(running) => running.inbox.push_back(input),
            Status::Mending(_) => self.feed_patient(at, input),
            Status::Down => {}
        }
    }

    pub(crate) fn schedule(&mut self, after: Duration, step: storm::Step) {
        self.queue.push(self.now + after, Event::Storm(step));
    }

    /// The node at a place, while it is alive.
    #[must_use]
    pub fn node(&self, at: Place) -> Option<&Node> {
        self.machines[at].alive().map(|running| &running.node)
    }

    /// What a node looks like.
    #[must_use]
    pub fn view(&self, at: Place) -> Option<View> {
        self.node(at).map(eyes::view)
    }

    /// Ends the world: what its clients saw, with the truth to judge it by, and what was seen.
    pub(crate) fn into_history(self) -> (History, Eyes) {
        let (now, mut eyes) = (self.now, self.eyes);
        let mut history = self.crowd.finish(now);
        match eyes.invariants.truth() {
            Ok(truth) => history.truth = truth,
            Err(unreadable) => eyes.violate(now, "RI5 commands", || unreadable.to_string()),
        }
        history.leader_changes.clone_from(&eyes.leader_changes);
        history.leaps.clone_from(&eyes.leaps);
        history.drift_per_mille = self.options.storm.drift_per_mille;
        history.healed_at = eyes.healed_at;
        history.commit_delay = Duration::from_secs(6);
        history.ended_at = now;
        (history, eyes)
    }

    /// The law that was broken, if one was.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.eyes.violation()
    }

    /// The time since the beginning.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// How many machines there are, whether their nodes run or not.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.machines.len()
    }
}
