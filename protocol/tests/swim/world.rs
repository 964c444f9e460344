//! Many members on one virtual network.
//!
//! Packets take some milliseconds, may be lost, and are cut off by blocked links, each direction
//! for itself; streams need both directions. Members crash, start again, and stand still while
//! what comes for them waits. Everything follows from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::swim::message::{Addr, Facts, Message, Name, PushPull, State, Vsn};
use protocol::swim::{
    Address, Config, Event, ExchangeId, Identity, Input, Label, Lane, Output, StreamId, Swim, Tag,
};
use protocol::{Rng, Time};

use crate::oracle::Oracle;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What happens at a member.
enum Arrival {
    Wake,
    Input(Input),
    /// Somebody's half of an exchange: who, which of its exchanges, what.
    Asked(usize, ExchangeId, PushPull),
    Resume,
}

pub(crate) struct Node {
    pub(crate) swim: Option<Swim>,
    pub(crate) facts: Facts,
    label: Label,
    incarnation: Option<u32>,
    /// Lives, so that what comes for an earlier one is dropped.
    life: u32,
    wake: Option<Time>,
    paused: bool,
    waiting: Vec<Arrival>,
    asked: BTreeMap<StreamId, (usize, u32, ExchangeId)>,
    pub(crate) joined: Vec<bool>,
    pub(crate) events: Vec<(Time, Event)>,
    pub(crate) heard: Vec<(Time, Bytes)>,
    pub(crate) gone: Option<bool>,
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) config: Config,
    pub(crate) nodes: Vec<Node>,
    pub(crate) oracle: Oracle,
    rng: Rng,
    arrivals: BTreeMap<(Time, u64), (usize, u32, Arrival)>,
    number: u64,
    places: BTreeMap<Address, usize>,
    /// Packets lost, of a thousand.
    pub(crate) loss: u64,
    /// Packets from the first to the second are lost.
    pub(crate) no_packets: BTreeSet<(usize, usize)>,
    /// Nothing goes from the first to the second.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    /// Whether a member that starts again knows its last incarnation.
    pub(crate) remembers: bool,
    pub(crate) packets: u64,
}

pub(crate) fn name(node: usize) -> Name {
    Name::from(format!("m{node:03}").as_str())
}

fn facts(node: usize) -> Facts {
    let [high, low] = u16::try_from(node).unwrap().to_be_bytes();
    let addr = Addr::from([10, 1, high, low]);
    Facts { name: name(node), addr, port: 7946, meta: Bytes::new(), vsn: Vsn::SERF }
}

impl World {
    /// Members that have not started yet.
    pub(crate) fn new(members: usize, config: Config, seed: u64) -> Self {
        let node = |number| Node {
            swim: None,
            facts: facts(number),
            label: Label::default(),
            incarnation: None,
            life: 0,
            wake: None,
            paused: false,
            waiting: Vec::new(),
            asked: BTreeMap::new(),
            joined: Vec::new(),
            events: Vec::new(),
            heard: Vec::new(),
            gone: None,
        };
        let nodes: Vec<Node> = (0..members).map(node).collect();
        let places = nodes.iter().enumerate();
        let places = places.map(|(at, node)| (Address::of(&node.facts), at)).collect();
        Self {
            now: Time(0),
            oracle: Oracle::new(&config),
            config,
            nodes,
            rng: Rng::new(seed),
            arrivals: BTreeMap::new(),
            number: 0,
            places,
            loss: 0,
            no_packets: BTreeSet::new(),
            cut: BTreeSet::new(),
            remembers: false,
            packets: 0,
        }
    }

    /// Members that know each other, all quiet.
    pub(crate) fn pool(members: usize, config: Config, seed: u64) -> Self {
        let mut world = Self::new(members, config, seed);
        for node in 0..members {
            world.start(node);
            if node > 0 {
                let to = world.any(node);
                world.join(node, to);
            }
            world.run(20 * MS);
        }
        for _ in 0..60 {
            world.run(2 * SECOND);
            if world.differences().is_empty() {
                return world;
            }
            // Without exchanges, gossip alone leaves somebody out now and then.
            let (node, to) = (world.any(members), world.any(members));
            if node != to {
                world.join(node, to);
            }
        }
        panic!("SI7: {members} members do not become a pool: {:?}", world.differences());
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap()
    }

    fn any(&mut self, bound: usize) -> usize {
        self.below(bound)
    }

    pub(crate) fn label(&mut self, node: usize, label: &'static str) {
        self.nodes[node].label = Label::new(Bytes::from_static(label.as_bytes())).unwrap();
    }

    pub(crate) fn start(&mut self, node: usize) {
        let seed = self.rng.next();
        let remembers = self.remembers;
        let actor = &mut self.nodes[node];
        let incarnation = actor.incarnation.filter(|_| remembers);
        let identity = Identity { facts: actor.facts.clone(), incarnation };
        actor.swim = Some(Swim::new(self.config.clone(), identity, seed));
        actor.life += 1;
        (actor.wake, actor.paused, actor.gone) = (None, false, None);
        actor.asked.clear();
        actor.waiting.clear();
        self.oracle.started(&self.nodes[node].facts.name, remembers);
        self.input(node, Input::Timeout);
    }

    pub(crate) fn crash(&mut self, node: usize) {
        self.nodes[node].swim = None;
    }

    pub(crate) fn join(&mut self, node: usize, to: usize) {
        let to = Address::of(&self.nodes[to].facts);
        self.input(node, Input::Join { tag: Tag(1), to });
    }

    /// Stands still for so long.
    pub(crate) fn pause(&mut self, node: usize, time: Duration) {
        if self.nodes[node].swim.is_some() && !self.nodes[node].paused {
            self.nodes[node].paused = true;
            self.arrive(time, node, Arrival::Resume);
        }
    }

    /// No way between these and all others.
    pub(crate) fn cut_off(&mut self, nodes: &[usize]) {
        for &inside in nodes {
            for outside in (0..self.nodes.len()).filter(|other| !nodes.contains(other)) {
                self.cut.insert((inside, outside));
                self.cut.insert((outside, inside));
            }
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
        self.no_packets.clear();
        self.loss = 0;
    }

    fn arrive(&mut self, after: Duration, node: usize, arrival: Arrival) {
        let life = self.nodes[node].life;
        self.number += 1;
        self.arrivals.insert((self.now + after, self.number), (node, life, arrival));
    }

    fn latency(&mut self) -> Duration {
        Duration::from_micros(500 + self.rng.below(4500))
    }

    /// Lets so much time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((&(at, number), _)) = self.arrivals.first_key_value() {
            if at > end {
                break;
            }
            let (node, life, arrival) = self.arrivals.remove(&(at, number)).unwrap();
            self.now = at;
            if self.nodes[node].life == life {
                self.happen(node, arrival);
            }
        }
        self.now = end;
    }

    /// Until this is so; the time it took.
    pub(crate) fn run_until(
        &mut self,
        most: Duration,
        is_so: impl Fn(&Self) -> bool,
    ) -> Option<Duration> {
        let begun = self.now;
        while !is_so(self) {
            if self.now - begun >= most {
                return None;
            }
            self.run(50 * MS);
        }
        Some(self.now - begun)
    }

    fn happen(&mut self, node: usize, arrival: Arrival) {
        let actor = &mut self.nodes[node];
        if actor.swim.is_none() {
            return;
        }
        if actor.paused && !matches!(arrival, Arrival::Resume) {
            actor.waiting.push(arrival);
            return;
        }
        match arrival {
            Arrival::Wake => {
                if actor.wake == Some(self.now) {
                    actor.wake = None;
                }
                self.input(node, Input::Timeout);
            }
            Arrival::Input(input) => self.input(node, input),
            Arrival::Asked(from, id, state) => {
                let stream = StreamId(self.number);
                self.number += 1;
                let life = self.nodes[from].life;
                self.nodes[node].asked.insert(stream, (from, life, id));
                self.input(node, Input::Asked { id: stream, state });
            }
            Arrival::Resume => {
                actor.paused = false;
                actor.wake = None;
                let waiting = std::mem::take(&mut actor.waiting);
                // What is read first after standing still, the clock or the socket, is chance.
                if self.rng.below(2) == 0 {
                    self.input(node, Input::Timeout);
                }
                for arrival in waiting {
                    self.happen(node, arrival);
                }
                self.input(node, Input::Timeout);
            }
        }
    }

    /// Gives an input to a member, and does what it wants done.
    pub(crate) fn input(&mut self, node: usize, input: Input) {
        if let Input::Update { meta } = &input {
            self.nodes[node].facts.meta = meta.clone();
        }
        let now = self.now;
        let Some(swim) = &mut self.nodes[node].swim else { return };
        let before = self.oracle.before(swim, &input);
        swim.handle(now, input);
        let mut outputs = Vec::new();
        while let Some(output) = swim.poll_output() {
            outputs.push(output);
        }
        self.oracle.after(now, swim, before, &outputs);
        for output in outputs {
            self.output(node, output);
        }
        self.schedule(node);
    }

    /// Sees to it that the member is woken when it wants to be.
    fn schedule(&mut self, node: usize) {
        let (actor, now) = (&mut self.nodes[node], self.now);
        let Some(due) = actor.swim.as_ref().and_then(Swim::poll_timeout) else { return };
        if actor.wake.is_none_or(|wake| due < wake || wake < now) {
            let due = due.max(now);
            actor.wake = Some(due);
            self.arrive(due - now, node, Arrival::Wake);
        }
    }

    fn output(&mut self, node: usize, output: Output) {
        match output {
            Output::Send { to, messages, .. } => self.send(node, to, messages),
            Output::StreamPing { to, ping, .. } => {
                let place = self.places.get(&to).copied();
                if place.is_some_and(|to| self.stream(node, to) && !self.nodes[to].paused) {
                    let time = 2 * self.latency();
                    self.arrive(time, node, Arrival::Input(Input::StreamAcked { seq: ping.seq }));
                }
            }
            Output::Exchange { id, to, state, deadline } => {
                let place = self.places.get(&to).copied();
                if let Some(to) = place.filter(|&to| self.stream(node, to)) {
                    let time = self.latency();
                    self.arrive(time, to, Arrival::Asked(node, id, state));
                }
                let failed = Input::Exchanged { id, state: None };
                self.arrive(deadline - self.now, node, Arrival::Input(failed));
            }
            Output::Answer { id, state } => {
                let Some((to, life, id)) = self.nodes[node].asked.remove(&id) else { return };
                if self.nodes[to].life == life && self.stream(node, to) {
                    let answer = Input::Exchanged { id, state: Some(state) };
                    let time = self.latency();
                    self.arrive(time, to, Arrival::Input(answer));
                }
            }
            Output::Joined { result, .. } => self.nodes[node].joined.push(result.is_ok()),
            Output::Incarnation(incarnation) => self.nodes[node].incarnation = Some(incarnation),
            Output::Gone { told } => self.nodes[node].gone = Some(told),
            Output::Event(event) => self.nodes[node].events.push((self.now, event)),
            Output::User(message) => {
                let heard = &mut self.nodes[node].heard;
                // The layer above passes on what it hears for the first time.
                if !heard.iter().any(|(_, known)| *known == message) {
                    heard.push((self.now, message.clone()));
                    self.broadcast(node, message);
                }
            }
            Output::UserState { .. } | Output::Acked { .. } | Output::Sent(_) => {}
        }
    }

    /// Whether a stream between the two works.
    fn stream(&self, from: usize, to: usize) -> bool {
        let cut = self.cut.contains(&(from, to)) || self.cut.contains(&(to, from));
        let label = self.nodes[from].label.bytes();
        let label = (!label.is_empty()).then_some(&label[..]);
        self.nodes[to].swim.is_some() && !cut && self.nodes[to].label.admits(label)
    }

    fn send(&mut self, from: usize, to: Address, messages: Vec<Message>) {
        self.packets += 1;
        let Some(&place) = self.places.get(&to) else { return };
        let lost = self.rng.below(1000) < self.loss;
        let blocked = self.cut.contains(&(from, place)) || self.no_packets.contains(&(from, place));
        let label = self.nodes[from].label.bytes().clone();
        let label = (!label.is_empty()).then_some(&label[..]);
        if !lost && !blocked && self.nodes[place].label.admits(label) {
            let from = Address::of(&self.nodes[from].facts);
            let time = self.latency();
            self.arrive(time, place, Arrival::Input(Input::Receive { from, messages }));
        }
    }

    pub(crate) fn swim(&self, node: usize) -> &Swim {
        self.nodes[node].swim.as_ref().unwrap()
    }

    pub(crate) fn living(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&node| self.nodes[node].swim.is_some()).collect()
    }

    /// What one believes of another.
    pub(crate) fn state(&self, observer: usize, of: usize) -> Option<State> {
        Some(self.swim(observer).member(&self.nodes[of].facts.name)?.state)
    }

    pub(crate) fn all_believe(&self, of: usize, state: State) -> bool {
        self.living().iter().filter(|&&node| node != of).all(|&node| {
            self.nodes[node].label != self.nodes[of].label || self.state(node, of) == Some(state)
        })
    }

    /// SI7: what the living, of one label, do not believe of each other as it is.
    pub(crate) fn differences(&self) -> Vec<String> {
        let living = self.living();
        let mut found = Vec::new();
        for &of in living.iter().filter(|&&of| self.nodes[of].gone.is_none()) {
            let (truth, incarnation) = (&self.nodes[of], self.swim(of).incarnation());
            let facts = &truth.facts;
            for &observer in living.iter().filter(|&&node| self.nodes[node].label == truth.label) {
                let held = self.swim(observer).member(&facts.name);
                let right = held.as_ref().is_some_and(|held| {
                    let same = held.incarnation == incarnation && *held.facts == *facts;
                    same && held.state == State::Alive
                });
                if !right {
                    found.push(format!("{} of {}: {held:?}", name(observer), facts.name));
                }
            }
        }
        found.truncate(3);
        found
    }

    /// Events at one member about another.
    pub(crate) fn told(&self, observer: usize, of: usize) -> Vec<&'static str> {
        let facts = &self.nodes[of].facts;
        let kinds = self.nodes[observer].events.iter().filter_map(|(_, event)| kind(event));
        kinds.filter(|(_, who)| who.name == facts.name).map(|(kind, _)| kind).collect()
    }

    /// Says something that it has not said or heard before.
    pub(crate) fn say(&mut self, node: usize, message: Bytes) {
        self.nodes[node].heard.push((self.now, message.clone()));
        self.broadcast(node, message);
    }

    fn broadcast(&mut self, node: usize, message: Bytes) {
        self.input(node, Input::Broadcast { lane: Lane::Event, name: None, tag: None, message });
    }
}

/// The events of a member's life.
pub(crate) fn kind(event: &Event) -> Option<(&'static str, &Arc<Facts>)> {
    match event {
        Event::Joined(facts) => Some(("joined", facts)),
        Event::Left(facts) => Some(("left", facts)),
        Event::Failed(facts) => Some(("failed", facts)),
        Event::Updated(facts) => Some(("updated", facts)),
        Event::Suspected { member, .. } => Some(("suspected", member)),
        _ => None,
    }
}
