//! A few candidates, a clock for all of them, and a network that does what the test says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use protocol::bully::message::{Body, Message};
use protocol::bully::{
    Bully, Config, Durable, Electors, Input, Lease, Loss, Mode, Output, Preemption, Ranking,
    Safety, Shown, Standing, Timing, WriteId,
};
use protocol::{NodeId, Time};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const LEASE: Duration = Duration::from_millis(1_000);
pub(crate) const RENEW: Duration = Duration::from_millis(200);

pub(crate) fn ids(ids: &[u64]) -> BTreeSet<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

pub(crate) fn timing() -> Timing {
    Timing { alive: 50 * MS, victory: 100 * MS }
}

pub(crate) fn safety(electors: Electors) -> Safety {
    Safety { electors, lease: LEASE, renew: RENEW, drift_ppm: 0, preemption: Preemption::Never }
}

pub(crate) fn config(id: u64, mode: Mode) -> Config {
    Config { id: NodeId(id), priority: 0, ranking: Ranking::Priority, timing: timing(), mode }
}

pub(crate) fn named(id: u64, members: &[u64]) -> Config {
    config(id, Mode::Safe(safety(Electors::Named(ids(members)))))
}

pub(crate) fn shown(config: &Config) -> Shown {
    let expect = match &config.mode {
        Mode::Safe(Safety { electors: Electors::Expect(expect), .. }) => Some(*expect),
        Mode::Safe(_) | Mode::Classic => None,
    };
    let rank = config.ranking.rank(config.id, config.priority, 0);
    Shown { rank, expect, pledge: None, group: None }
}

/// A candidate and all that it has said.
pub(crate) struct Actor {
    pub(crate) config: Config,
    pub(crate) core: Bully,
    pub(crate) disk: Durable,
    pub(crate) writing: VecDeque<(WriteId, Durable)>,
    /// Its writes become durable at once.
    pub(crate) syncs: bool,
    /// It is down: nothing reaches it.
    pub(crate) down: bool,
    pub(crate) lease: Option<Lease>,
    /// It leads, as it was told.
    pub(crate) leads: bool,
    pub(crate) told: Vec<Output>,
}

/// The stage.
pub(crate) struct Stage {
    pub(crate) now: Time,
    pub(crate) actors: BTreeMap<NodeId, Actor>,
    pub(crate) flying: VecDeque<(NodeId, NodeId, Message)>,
    /// Ways that are cut.
    pub(crate) cut: BTreeSet<(NodeId, NodeId)>,
    pub(crate) sent: BTreeMap<&'static str, u64>,
    /// A program says that it has stopped as soon as it is told to.
    pub(crate) stops: bool,
}

impl Stage {
    pub(crate) fn new(configs: Vec<Config>) -> Self {
        let mut stage = Self {
            now: Time(1_000_000_000),
            actors: BTreeMap::new(),
            flying: VecDeque::new(),
            cut: BTreeSet::new(),
            sent: BTreeMap::new(),
            stops: true,
        };
        for config in configs {
            stage.add(config);
        }
        stage
    }

    pub(crate) fn add(&mut self, config: Config) {
        let core = Bully::new(config.clone(), Durable::default(), config.id.0);
        let actor = Actor {
            core,
            disk: Durable::default(),
            writing: VecDeque::new(),
            syncs: true,
            down: false,
            lease: None,
            leads: false,
            told: Vec::new(),
            config: config.clone(),
        };
        self.actors.insert(config.id, actor);
    }

    pub(crate) fn actor(&mut self, id: u64) -> &mut Actor {
        self.actors.get_mut(&NodeId(id)).unwrap()
    }

    /// Everybody has seen everybody in the pool, as it shows itself at the start.
    pub(crate) fn meet(&mut self) {
        let all: Vec<Shown> = self.actors.values().map(|actor| shown(&actor.config)).collect();
        for id in self.ids() {
            for shown in &all {
                self.handle(id, Input::Saw { shown: shown.clone(), standing: Standing::Alive });
            }
        }
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.actors.keys().map(|id| id.0).collect()
    }

    pub(crate) fn handle(&mut self, id: u64, input: Input) {
        let now = self.now;
        let actor = self.actor(id);
        if actor.down {
            return;
        }
        actor.core.handle(now, input);
        self.drain(id);
    }

    fn drain(&mut self, id: u64) {
        let (own, stops) = (NodeId(id), self.stops);
        loop {
            let actor = self.actor(id);
            let Some(output) = actor.core.poll_output() else { return };
            actor.told.push(output.clone());
            match output {
                Output::Send { to, message } => {
                    *self.sent.entry(message.body.kind()).or_default() += 1;
                    self.flying.push_back((own, to, message));
                }
                Output::Persist { id: write, durable } => {
                    actor.writing.push_back((write, durable));
                    if actor.syncs {
                        self.sync(id);
                    }
                }
                Output::Elected(lease) => (actor.lease, actor.leads) = (lease, true),
                Output::Extended(lease) => actor.lease = Some(lease),
                Output::Lost { epoch, .. } => {
                    (actor.lease, actor.leads) = (None, false);
                    if let Some(epoch) = epoch.filter(|_| stops) {
                        self.handle(id, Input::Stopped(epoch));
                    }
                }
                Output::Show(_)
                | Output::Leader(_)
                | Output::Electorate(_)
                | Output::Settled(_)
                | Output::ChangeRefused(_)
                | Output::Warn(_) => {}
            }
        }
    }

    /// All writes of this one are durable now.
    pub(crate) fn sync(&mut self, id: u64) {
        while let Some((write, durable)) = self.actor(id).writing.pop_front() {
            self.actor(id).disk = durable;
            self.handle(id, Input::Persisted(write));
        }
    }

    /// What flies arrives, and what comes of that, until nothing flies.
    pub(crate) fn deliver(&mut self) {
        for _ in 0..10_000 {
            let Some((from, to, message)) = self.flying.pop_front() else { return };
            if self.actors.contains_key(&to) && !self.cut.contains(&(from, to)) {
                self.handle(to.0, Input::Receive { from, message });
            }
        }
        panic!("candidates never stop talking");
    }

    /// Time passes; whoever has a timer acts, and everything arrives at once.
    pub(crate) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        self.deliver();
        for _ in 0..100_000 {
            let up = self.actors.iter().filter(|(_, actor)| !actor.down);
            let due = up.filter_map(|(id, actor)| Some((actor.core.poll_timeout()?, id.0)));
            let Some((at, id)) = due.min().filter(|(at, _)| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            self.handle(id, Input::Timeout);
            self.deliver();
        }
        panic!("timers never stop");
    }

    pub(crate) fn crash(&mut self, id: u64) {
        let actor = self.actor(id);
        actor.down = true;
        actor.writing.clear();
        actor.lease = None;
        actor.leads = false;
    }

    pub(crate) fn restart(&mut self, id: u64) {
        let actor = self.actor(id);
        actor.down = false;
        actor.core = Bully::new(actor.config.clone(), actor.disk.clone(), id + 100);
        self.handle(id, Input::Timeout);
    }

    /// Cuts every way between these and the others.
    pub(crate) fn isolate(&mut self, these: &[u64]) {
        let inside = ids(these);
        let all: Vec<NodeId> = self.actors.keys().copied().collect();
        for (from, to) in all.iter().flat_map(|from| all.iter().map(move |to| (*from, *to))) {
            if inside.contains(&from) != inside.contains(&to) {
                self.cut.insert((from, to));
            }
        }
    }

    /// Those who lead, as they were told.
    pub(crate) fn leaders(&self) -> Vec<u64> {
        let leads = self.actors.iter().filter(|(_, actor)| actor.leads && !actor.down);
        leads.map(|(id, _)| id.0).collect()
    }

    pub(crate) fn losses(&mut self, id: u64) -> Vec<Loss> {
        let lost = |output: &Output| match output {
            Output::Lost { why, .. } => Some(*why),
            Output::Send { .. }
            | Output::Persist { .. }
            | Output::Show(_)
            | Output::Elected(_)
            | Output::Extended(_)
            | Output::Leader(_)
            | Output::Electorate(_)
            | Output::Settled(_)
            | Output::ChangeRefused(_)
            | Output::Warn(_) => None,
        };
        self.actor(id).told.iter().filter_map(lost).collect()
    }

    pub(crate) fn total(&self) -> u64 {
        self.sent.values().sum()
    }
}

/// Whatever this one sends now, by what it says.
pub(crate) fn says(core: &mut Bully) -> Vec<Body> {
    let outputs = std::iter::from_fn(|| core.poll_output());
    let body =
        |output| if let Output::Send { message, .. } = output { Some(message.body) } else { None };
    outputs.filter_map(body).collect()
}
