//! The world of a contest: nodes of one protocol, their disks, and the network between them.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{Rng, Time};

use super::contender::Contender;
use super::member::{Effect, Input, Member, Parcel, View};
use super::meter::{Chain, Meter, Standing};
use super::network::Network;
use super::pool::{News, Pool};
use super::record::{Seen, What};
use super::settings::Settings;
use crate::draw::Draw;
use crate::lab::links::Links;

#[derive(Debug)]
enum Happening {
    Deliver { from: usize, to: usize, generation: u64, parcel: Parcel, chain: Chain },
    Synced { node: usize, life: u64, chain: Chain },
    Link { node: usize, life: u64, input: Input },
    Gossip { node: usize, life: u64 },
    News { from: usize, to: usize, news: News },
}

#[derive(Debug)]
struct Seat {
    member: Member,
    up: bool,
    /// How often it has started.
    life: u64,
    timer: Option<Time>,
    /// What the timer comes from.
    cause: Chain,
    disk_free: Time,
    view: View,
    led: Option<(Time, Chain)>,
    acts: bool,
}

/// A contest.
#[derive(Debug)]
pub(super) struct Contest {
    contender: Contender,
    settings: Settings,
    rng: Rng,
    pub(super) now: Time,
    sequence: u64,
    agenda: BTreeMap<(Time, u64), Happening>,
    seats: Vec<Seat>,
    network: Network,
    pool: Option<Pool>,
    pub(super) meter: Meter,
    /// Everything that happens, where somebody tells of it.
    record: Option<Vec<Seen>>,
}

impl Contest {
    /// Nodes that are all down, with empty disks.
    pub(super) fn new(contender: Contender, nodes: usize, settings: &Settings, seed: u64) -> Self {
        let seat = |place| Seat {
            member: contender.member(place, nodes, settings),
            up: false,
            life: 0,
            timer: None,
            cause: Chain::default(),
            disk_free: Time(0),
            view: View::default(),
            led: None,
            acts: false,
        };
        Self {
            contender,
            settings: settings.clone(),
            rng: Rng::new(seed),
            now: Time(0),
            sequence: 0,
            agenda: BTreeMap::new(),
            seats: (0..nodes).map(seat).collect(),
            network: Network::new(nodes, settings.latency),
            pool: contender.gossips().then(|| Pool::new(nodes, settings)),
            meter: Meter::default(),
            record: None,
        }
    }

    // -- for those who tell of it

    pub(super) fn keep_record(&mut self) {
        self.record = Some(Vec::new());
    }

    pub(super) fn record(&self) -> &[Seen] {
        self.record.as_deref().unwrap_or_default()
    }

    pub(super) fn saw(&mut self, what: impl FnOnce() -> What) {
        let at = self.now;
        if let Some(record) = &mut self.record {
            record.push(Seen { at, what: what() });
        }
    }

    /// A node that has not started yet, to be told more.
    pub(super) fn member(&mut self, node: usize) -> &mut Member {
        &mut self.seats[node].member
    }

    pub(super) fn view(&self, node: usize) -> View {
        self.seats[node].view
    }

    /// Something happens to a node's program.
    pub(super) fn tell(&mut self, node: usize, input: Input) {
        self.input(node, input, self.cause());
    }

    pub(super) const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// The highest term, epoch or ballot of all that are up.
    pub(super) fn epoch(&self) -> u64 {
        self.up().map(|n| self.seats[n].view.epoch).max().unwrap_or(0)
    }

    fn up(&self) -> impl Iterator<Item = usize> {
        (0..self.seats.len()).filter(|&n| self.seats[n].up)
    }

    /// The one that is able to act, when there is one only.
    pub(super) fn leader(&self) -> Option<usize> {
        let mut acting = self.up().filter(|&n| self.seats[n].acts);
        acting.next().filter(|_| acting.next().is_none())
    }

    /// One acts, and all that reach it both ways follow it.
    pub(super) fn is_settled(&self) -> bool {
        let Some(leader) = self.leader() else { return false };
        let mut all = self.up().filter(|&n| n == leader || self.network.joins(n, leader));
        all.all(|n| self.seats[n].view.follows == Some(leader))
    }

    /// What stands now has been, although no time has passed.
    pub(super) fn look(&mut self) {
        self.meter.settle(self.now + Duration::from_nanos(1));
    }

    /// From here on it is measured.
    pub(super) fn mark(&mut self) {
        let leader = self.leader();
        self.meter.begin(self.now, leader);
        for seat in &mut self.seats {
            seat.led = None;
        }
    }

    // -- what is done to nodes

    pub(super) fn start_all(&mut self) {
        for node in 0..self.seats.len() {
            self.boot(node);
        }
        for a in 0..self.seats.len() {
            for b in a + 1..self.seats.len() {
                let (_, generation) = self.network.renew(a, b);
                self.input(a, Input::LinkUp { peer: b, generation }, self.cause());
                self.input(b, Input::LinkUp { peer: a, generation }, self.cause());
            }
        }
        for node in 0..self.seats.len() {
            self.input(node, Input::Timeout, self.cause());
        }
    }

    fn boot(&mut self, node: usize) {
        self.saw(|| What::Up(node));
        let seed = self.rng.next();
        let seat = &mut self.seats[node];
        (seat.up, seat.disk_free) = (true, self.now);
        seat.life += 1;
        seat.member.start(seed);
        let life = seat.life;
        if let Some(pool) = &mut self.pool {
            pool.forget(node);
            let first = self.rng.between(&(Duration::ZERO..=self.settings.beat));
            self.plan(self.now + first, Happening::Gossip { node, life });
        }
    }

    /// A node starts again.
    pub(super) fn start(&mut self, node: usize) {
        if self.seats[node].up {
            return;
        }
        self.boot(node);
        let peers: Vec<_> = self.up().filter(|&peer| self.network.joins(peer, node)).collect();
        for peer in peers {
            self.reconnect(node, peer);
        }
        self.input(node, Input::Timeout, self.cause());
    }

    pub(super) fn crash(&mut self, node: usize) {
        self.saw(|| What::Down(node));
        let seat = &mut self.seats[node];
        seat.up = false;
        seat.member.crash();
        (seat.timer, seat.view, seat.led) = (None, View::default(), None);
        self.judge();
    }

    /// Replaces the links.
    pub(super) fn connect(&mut self, links: Links) {
        self.saw(|| What::Ways(links.to_string()));
        for (a, b) in self.network.connect(links) {
            self.reconnect(a, b);
        }
        self.judge();
    }

    /// A new generation begins, after both ends have heard that the old one ended.
    fn reconnect(&mut self, a: usize, b: usize) {
        if self.contender != Contender::Zab {
            return;
        }
        let (old, generation) = self.network.renew(a, b);
        let down = self.now + self.settings.latency.draw(&mut self.rng);
        let up = down + self.settings.latency.draw(&mut self.rng);
        for (node, peer) in [(a, b), (b, a)] {
            let life = self.seats[node].life;
            let input = Input::LinkDown { peer, generation: old };
            self.plan(down, Happening::Link { node, life, input });
            let input = Input::LinkUp { peer, generation };
            self.plan(up, Happening::Link { node, life, input });
        }
    }

    // -- time

    /// Runs until `done` holds after something happened, or until `until`. Gives whether it held.
    pub(super) fn run(&mut self, until: Time, mut done: impl FnMut(&Self) -> bool) -> bool {
        while self.step(until) {
            if done(self) {
                return true;
            }
        }
        false
    }

    pub(super) fn run_for(&mut self, length: Duration) {
        self.run(self.now + length, |_| false);
    }

    fn step(&mut self, until: Time) -> bool {
        let timers = self.up().filter_map(|n| Some((self.seats[n].timer?, n)));
        let timer = timers.min();
        let next = self.agenda.first_key_value().map(|(&(at, _), _)| at);
        let at = timer.map(|it| it.0).into_iter().chain(next).min();
        let at = at.map(|at| at.max(self.now));
        self.meter.settle(at.unwrap_or(until).min(until));
        let Some(at) = at.filter(|&at| at <= until) else {
            self.now = self.now.max(until);
            self.meter.pass(self.now);
            return false;
        };
        self.now = at;
        self.meter.pass(at);
        match timer {
            Some((fires, node)) if next.is_none_or(|next| fires < next) => self.fire(node),
            Some(_) | None => {
                if let Some((_, happening)) = self.agenda.pop_first() {
                    self.happen(happening);
                }
            }
        }
        true
    }

    fn fire(&mut self, node: usize) {
        let cause = self.seats[node].cause;
        if let Some(pool) = &mut self.pool {
            for input in pool.misses(node, self.now) {
                self.input(node, input, cause);
            }
        }
        self.input(node, Input::Timeout, cause);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver { from, to, generation, parcel, chain } => {
                let is_whole = match self.contender {
                    Contender::Zab => {
                        self.network.joins(from, to)
                            && generation == self.network.generation(from, to)
                    }
                    _ => self.network.is_open(from, to),
                };
                if is_whole {
                    let chain = Chain { hops: chain.hops + 1, ..chain };
                    self.input(to, Input::Receive { from, generation, parcel }, chain);
                }
            }
            Happening::Synced { node, life, chain } => {
                if self.seats[node].life == life {
                    let chain = Chain { syncs: chain.syncs + 1, ..chain };
                    self.input(node, Input::Synced, chain);
                }
            }
            Happening::Link { node, life, input } => {
                if self.seats[node].life == life {
                    self.input(node, input, self.cause());
                }
            }
            Happening::Gossip { node, life } => self.gossip(node, life),
            Happening::News { from, to, news } => {
                if self.seats[to].up && self.network.is_open(from, to) {
                    let (now, rng) = (self.now, &mut self.rng);
                    let heard = self.pool.as_mut().map(|pool| pool.hears(to, news, now, rng));
                    for input in heard.into_iter().flatten() {
                        self.input(to, input, self.cause());
                    }
                    self.arm(to, self.cause());
                }
            }
        }
    }

    /// A chain that begins here.
    const fn cause(&self) -> Chain {
        Chain { mark: self.meter.mark, hops: 0, syncs: 0 }
    }

    fn gossip(&mut self, node: usize, life: u64) {
        let Some(pool) = &self.pool else { return };
        if !self.seats[node].up || self.seats[node].life != life {
            return;
        }
        let news = pool.tells(node, self.now);
        for to in (0..self.seats.len()).filter(|&to| to != node) {
            let at = self.network.arrival(self.now, node, to, &mut self.rng);
            self.plan(at, Happening::News { from: node, to, news: news.clone() });
        }
        self.plan(self.now + self.settings.beat, Happening::Gossip { node, life });
    }

    fn plan(&mut self, at: Time, happening: Happening) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), happening);
    }

    // -- one node

    fn input(&mut self, node: usize, input: Input, chain: Chain) {
        if !self.seats[node].up {
            return;
        }
        let mut chain = if chain.mark == self.meter.mark { chain } else { self.cause() };
        let effects = self.seats[node].member.input(self.now, input);
        let view = self.seats[node].member.view(self.now).unwrap_or_default();
        let before = std::mem::replace(&mut self.seats[node].view, view);
        if self.meter.detects(self.now, before, view) {
            // What came before is how it was noticed, not how it was decided.
            chain = self.cause();
        }
        if view.leads != before.leads {
            self.seats[node].led = view.leads.then_some((self.now, chain));
        }
        if view != before {
            self.saw(|| What::became(node, view));
            if view.serves && !before.serves {
                self.meter.served_by.push(node);
            }
            self.judge();
            self.note_served(chain);
        }
        for effect in effects {
            self.carry_out(node, effect, chain);
        }
        self.arm(node, chain);
    }

    /// The first to act that did not lead at the mark. What has happened just now completes it, to
    /// itself or to one of those behind it.
    fn note_served(&mut self, chain: Chain) {
        let acting = self.up().filter(|&n| self.seats[n].acts).find_map(|n| self.seats[n].led);
        if self.meter.served.is_none() && acting.is_some() {
            (self.meter.decided, self.meter.served) = (acting, Some((self.now, chain)));
        }
    }

    fn arm(&mut self, node: usize, chain: Chain) {
        let pool = self.pool.as_ref().and_then(|pool| pool.timeout(node));
        let seat = &mut self.seats[node];
        let timer = seat.member.timeout().into_iter().chain(pool).min();
        if timer != seat.timer {
            (seat.timer, seat.cause) = (timer, chain);
        }
    }

    fn carry_out(&mut self, node: usize, effect: Effect, chain: Chain) {
        match effect {
            Effect::Send { to, generation, kind, purpose, parcel } => {
                self.meter.sends(self.now, purpose, kind);
                let at = self.network.arrival(self.now, node, to, &mut self.rng);
                let arrives = (self.network.is_open(node, to) && self.seats[to].up).then_some(at);
                self.saw(|| What::sent((node, to), arrives, (kind, purpose), &parcel));
                self.plan(at, Happening::Deliver { from: node, to, generation, parcel, chain });
            }
            Effect::Sync => {
                self.meter.syncs += 1;
                let took = self.settings.sync.draw(&mut self.rng);
                let seat = &mut self.seats[node];
                seat.disk_free = seat.disk_free.max(self.now) + took;
                let (at, life) = (seat.disk_free, seat.life);
                self.plan(at, Happening::Synced { node, life, chain });
            }
            Effect::Reset { peer, generation } => {
                if generation == self.network.generation(node, peer)
                    && self.seats[peer].up
                    && self.network.joins(node, peer)
                {
                    self.reconnect(node, peer);
                }
            }
            Effect::Show(shown) => {
                if let Some(pool) = &mut self.pool {
                    pool.show(node, shown);
                }
            }
            Effect::Stop(epoch) => self.input(node, Input::Stopped(epoch), chain),
        }
    }

    // -- leaders

    fn acts(&self, node: usize) -> bool {
        let seat = &self.seats[node];
        if !seat.up || !seat.view.serves || !self.contender.acts_by_majority() {
            return seat.up && seat.view.serves;
        }
        let with = self.up().filter(|&n| {
            let view = self.seats[n].view;
            let follows = !view.electing && view.epoch == seat.view.epoch;
            n == node || (self.network.joins(n, node) && follows)
        });
        with.count() > self.seats.len() / 2
    }

    /// Notes who leads and who is able to act.
    fn judge(&mut self) {
        for node in 0..self.seats.len() {
            self.seats[node].acts = self.acts(node);
        }
        let leaders = self.up().filter(|&n| self.seats[n].view.leads).count();
        let acting = self.up().filter(|&n| self.seats[n].acts).count();
        self.meter.stands(self.now, Standing { leaders, acting });
    }
}
