//! Many agents on one virtual network.
//!
//! Packets take some milliseconds, may be lost, and are cut off by blocked links, each direction
//! for itself; streams need both directions. Agents crash, start again, and end when they have
//! gone. Everything follows from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use protocol::swim::message::{Addr, Facts, Message, Name, PushPull, Vsn};
use protocol::swim::serf::{
    Config, Event, Filter, Input, KeyResponse, Output, QueryId, Question, Serf, Status, Tags, Topic,
};
use protocol::swim::{self, Address, ExchangeId, Identity, StreamId, Tag};
use protocol::{Rng, Time};

use crate::oracle::Oracle;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What happens at an agent.
enum Arrival {
    Wake,
    Input(Input),
    /// Somebody's half of an exchange: who, which of its exchanges, what.
    Asked(usize, ExchangeId, PushPull),
}

pub(crate) struct Node {
    pub(crate) serf: Option<Serf>,
    /// Where it is; its name may be another one's, too.
    pub(crate) facts: Facts,
    incarnation: Option<u32>,
    life: u32,
    wake: Option<Time>,
    asked: BTreeMap<StreamId, (usize, u32, ExchangeId)>,
    /// Whether it joined, each time.
    pub(crate) joined: Vec<bool>,
    /// What it told of, in all its lives.
    pub(crate) events: Vec<(Time, Event)>,
    /// Answers to its questions, by tag.
    pub(crate) answers: BTreeMap<Tag, BTreeMap<Name, Bytes>>,
    pub(crate) acks: BTreeMap<Tag, BTreeSet<Name>>,
    pub(crate) ended: BTreeSet<Tag>,
    pub(crate) refused: u64,
    /// It has gone and said so.
    pub(crate) gone: Option<bool>,
    /// Its name is that of the one there.
    pub(crate) lost: Option<Address>,
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
}

pub(crate) fn name(node: usize) -> Name {
    Name::from(format!("m{node:03}").as_str())
}

/// A third of the agents are web servers.
pub(crate) fn tags(node: usize) -> Tags {
    let role = if node.is_multiple_of(3) { "web" } else { "db" };
    Tags([(Bytes::from_static(b"role"), Bytes::from_static(role.as_bytes()))].into())
}

fn facts(node: usize) -> Facts {
    let [high, low] = u16::try_from(node).unwrap().to_be_bytes();
    let (addr, meta) = (Addr::from([10, 1, high, low]), tags(node).encode());
    Facts { name: name(node), addr, port: 7946, meta, vsn: Vsn::SERF }
}

impl World {
    /// Agents that have not started yet.
    pub(crate) fn new(agents: usize, config: Config, seed: u64) -> Self {
        let node = |number| Node {
            serf: None,
            facts: facts(number),
            incarnation: None,
            life: 0,
            wake: None,
            asked: BTreeMap::new(),
            joined: Vec::new(),
            events: Vec::new(),
            answers: BTreeMap::new(),
            acks: BTreeMap::new(),
            ended: BTreeSet::new(),
            refused: 0,
            gone: None,
            lost: None,
        };
        let nodes: Vec<Node> = (0..agents).map(node).collect();
        let places = nodes.iter().enumerate();
        let places = places.map(|(at, node)| (Address::of(&node.facts), at)).collect();
        Self {
            now: Time(0),
            config,
            nodes,
            oracle: Oracle::default(),
            rng: Rng::new(seed),
            arrivals: BTreeMap::new(),
            number: 0,
            places,
            loss: 0,
            no_packets: BTreeSet::new(),
            cut: BTreeSet::new(),
        }
    }

    /// Agents that know each other, all quiet.
    pub(crate) fn pool(agents: usize, config: Config, seed: u64) -> Self {
        let mut world = Self::new(agents, config, seed);
        for node in 0..agents {
            world.start(node);
            if node > 0 {
                let to = world.below(node);
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
            let (node, to) = (world.below(agents), world.below(agents));
            if node != to {
                world.join(node, to);
            }
        }
        panic!("SI12: {agents} agents do not become a pool: {:?}", world.differences());
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap()
    }

    pub(crate) fn start(&mut self, node: usize) {
        let seed = self.rng.next();
        let now = self.now;
        let actor = &mut self.nodes[node];
        actor.life += 1;
        actor.wake = None;
        (actor.gone, actor.lost) = (None, None);
        actor.asked.clear();
        let identity = Identity { facts: actor.facts.clone(), incarnation: actor.incarnation };
        actor.serf = Some(Serf::new(self.config.clone(), identity, seed));
        self.oracle.started(node);
        // A process starts with the clock that it finds.
        self.nodes[node].serf.as_mut().unwrap().handle(now, Input::Timeout);
        self.drain(node);
    }

    /// It stops, and nobody is told.
    pub(crate) fn crash(&mut self, node: usize) {
        self.nodes[node].serf = None;
    }

    pub(crate) fn join(&mut self, node: usize, to: usize) {
        let to = Address::of(&self.nodes[to].facts);
        self.input(node, Input::Join { tag: Tag(1), to, ignore_old: false });
    }

    /// Nothing goes between these and the others.
    pub(crate) fn cut_off(&mut self, part: &[usize]) {
        for inside in part.iter().copied() {
            for outside in (0..self.nodes.len()).filter(|node| !part.contains(node)) {
                self.cut.extend([(inside, outside), (outside, inside)]);
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
            if self.nodes[node].life == life && self.nodes[node].serf.is_some() {
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
            self.run(100 * MS);
        }
        Some(self.now - begun)
    }

    fn happen(&mut self, node: usize, arrival: Arrival) {
        match arrival {
            Arrival::Wake => {
                if self.nodes[node].wake == Some(self.now) {
                    self.nodes[node].wake = None;
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
        }
    }

    /// Gives an input to an agent, and does what it wants done.
    pub(crate) fn input(&mut self, node: usize, input: Input) {
        let now = self.now;
        let Some(serf) = &mut self.nodes[node].serf else { return };
        self.oracle.before(serf);
        serf.handle(now, input);
        self.drain(node);
    }

    fn drain(&mut self, node: usize) {
        let Some(serf) = &mut self.nodes[node].serf else { return };
        let mut outputs = Vec::new();
        while let Some(output) = serf.poll_output() {
            outputs.push(output);
        }
        self.oracle.after(node, serf, &outputs);
        for output in outputs {
            self.output(node, output);
        }
        self.schedule(node);
    }

    /// Sees to it that the agent is woken when it wants to be.
    fn schedule(&mut self, node: usize) {
        let (actor, now) = (&mut self.nodes[node], self.now);
        let Some(due) = actor.serf.as_ref().and_then(Serf::poll_timeout) else { return };
        if actor.wake.is_none_or(|wake| due < wake || wake < now) {
            let due = due.max(now);
            actor.wake = Some(due);
            self.arrive(due - now, node, Arrival::Wake);
        }
    }

    fn output(&mut self, node: usize, output: Output) {
        let actor = &mut self.nodes[node];
        match output {
            Output::Send { to, messages, .. } => self.send(node, to, messages),
            Output::StreamPing { to, ping, .. } => {
                let place = self.places.get(&to).copied();
                if place.is_some_and(|to| self.stream(node, to)) {
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
                let Some((to, life, id)) = actor.asked.remove(&id) else { return };
                if self.nodes[to].life == life && self.stream(node, to) {
                    let time = self.latency();
                    let answer = Input::Exchanged { id, state: Some(state) };
                    self.arrive(time, to, Arrival::Input(answer));
                }
            }
            Output::Joined { result, .. } => actor.joined.push(result.is_ok()),
            Output::Incarnation(incarnation) => actor.incarnation = Some(incarnation),
            Output::Event(event) => self.event(node, event),
            Output::QueryAcked { tag, from } => {
                actor.acks.entry(tag).or_default().insert(from);
            }
            Output::QueryAnswered { tag, from, payload } => {
                actor.answers.entry(tag).or_default().insert(from, payload);
            }
            Output::QueryEnded { tag } => {
                actor.ended.insert(tag);
            }
            Output::KeyRequest { id, .. } => {
                let response = KeyResponse { result: true, ..KeyResponse::default() };
                self.arrive(MS, node, Arrival::Input(Input::KeyAnswer { id, response }));
            }
            Output::Done { result, .. } => actor.refused += u64::from(result.is_err()),
            Output::Gone { told } => {
                actor.gone = Some(told);
                actor.serf = None;
            }
            // It stays: nothing may come of whatever happens to it now.
            Output::NameLost { to } => actor.lost = Some(to),
            Output::Acked { .. } => {}
        }
    }

    fn event(&mut self, node: usize, event: Event) {
        let now = self.now;
        if let Event::Query { id, .. } = &event {
            let payload = self.nodes[node].facts.name.bytes().clone();
            let answer = Input::Respond { tag: Tag(9), id: *id, payload };
            self.arrive(MS, node, Arrival::Input(answer));
        }
        self.nodes[node].events.push((now, event));
    }

    /// Whether a stream between the two works.
    fn stream(&self, from: usize, to: usize) -> bool {
        let cut = self.cut.contains(&(from, to)) || self.cut.contains(&(to, from));
        self.nodes[to].serf.is_some() && !cut
    }

    fn send(&mut self, from: usize, to: Address, messages: Vec<Message>) {
        let Some(&place) = self.places.get(&to) else { return };
        let lost = self.rng.below(1000) < self.loss;
        let blocked = self.cut.contains(&(from, place)) || self.no_packets.contains(&(from, place));
        if !lost && !blocked {
            let from = Address::of(&self.nodes[from].facts);
            let time = self.latency();
            self.arrive(time, place, Arrival::Input(Input::Receive { from, messages }));
        }
    }

    pub(crate) fn serf(&self, node: usize) -> &Serf {
        self.nodes[node].serf.as_ref().unwrap()
    }

    pub(crate) fn living(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&node| self.nodes[node].serf.is_some()).collect()
    }

    /// What one believes of another.
    pub(crate) fn status(&self, observer: usize, of: usize) -> Option<Status> {
        Some(self.serf(observer).member(&self.nodes[of].facts.name)?.status)
    }

    /// Whether all others that live believe this.
    pub(crate) fn all_believe(&self, of: usize, status: Option<Status>) -> bool {
        let mut others = self.living().into_iter().filter(|&node| node != of);
        others.all(|node| self.status(node, of) == status)
    }

    /// SI12: what the living do not believe as it is: the living are alive, and of those who are
    /// gone all who remember them believe the same.
    pub(crate) fn differences(&self) -> Vec<String> {
        let living = self.living();
        let mut found = Vec::new();
        for of in 0..self.nodes.len() {
            let statuses: Vec<(usize, Option<Status>)> =
                living.iter().map(|&node| (node, self.status(node, of))).collect();
            let gone = statuses.iter().find_map(|(_, status)| *status);
            for (observer, status) in statuses {
                let right = if living.contains(&of) {
                    let known = self.serf(observer).member(&self.nodes[of].facts.name);
                    let held = known.is_some_and(|known| known.facts == *self.serf(of).own());
                    held && status == Some(Status::Alive)
                } else {
                    let gone = gone.filter(|gone| matches!(gone, Status::Left | Status::Failed));
                    status.is_none() || status == gone
                };
                if !right {
                    found.push(format!("{observer} of {of}: {status:?}"));
                }
            }
        }
        found.truncate(4);
        found
    }

    /// Events at one agent about the membership of another.
    pub(crate) fn told(&self, observer: usize, of: usize) -> Vec<&'static str> {
        let name = &self.nodes[of].facts.name;
        let kinds = self.nodes[observer].events.iter().filter_map(|(_, event)| match event {
            Event::Joined(facts) if facts.name == *name => Some("joined"),
            Event::Left(facts) if facts.name == *name => Some("left"),
            Event::Failed(facts) if facts.name == *name => Some("failed"),
            Event::Updated(facts) if facts.name == *name => Some("updated"),
            Event::Reaped(facts) if facts.name == *name => Some("reaped"),
            _ => None,
        });
        kinds.collect()
    }

    pub(crate) fn fire(&mut self, node: usize, name: &str) {
        let name = Bytes::copy_from_slice(name.as_bytes());
        self.oracle.fired.insert(name.clone());
        let input = Input::Event { tag: Tag(3), name, payload: Bytes::new(), coalesce: false };
        self.input(node, input);
    }

    /// How many of the living were told of this event.
    pub(crate) fn heard(&self, name: &str) -> usize {
        let heard = |node: &&usize| {
            self.nodes[**node].events.iter().any(
                |(_, event)| matches!(event, Event::User(event) if event.name == name.as_bytes()),
            )
        };
        self.living().iter().filter(heard).count()
    }

    pub(crate) fn ask(&mut self, node: usize, tag: u64, filters: Vec<Filter>, relay_factor: u8) {
        let name = Bytes::copy_from_slice(format!("question {tag}").as_bytes());
        self.oracle.asked.insert(name.clone(), filters.clone());
        let topic = Topic::Named { name, payload: Bytes::new() };
        let question = Question { topic, filters, ack: true, relay_factor, timeout: None };
        self.input(node, Input::Query { tag: Tag(tag), question });
    }

    pub(crate) fn force_leave(&mut self, node: usize, of: usize, prune: bool) {
        let name = self.nodes[of].facts.name.clone();
        self.input(node, Input::ForceLeave { tag: Tag(6), node: name, prune });
    }
}

/// Without exchanges.
pub(crate) const QUIET: Config =
    Config { swim: swim::Config { exchange_interval: None, ..swim::Config::LAN }, ..Config::LAN };

/// Names a query for who is to answer it.
pub(crate) type Asked = (usize, QueryId);
