//! Every order of events of a founding with few servers.
//!
//! A state is what processes, disks and the pool hold. From each, every step that anybody can take
//! is taken: a server starts, crashes before or after a write has reached its disk, makes a write
//! durable, sees anything that was ever shown, as of somebody alive or dead, and settles. So all
//! delays, losses, repetitions and reorderings are among the paths.
//!
//! From each state, or a share of them, the storm also ends: everybody comes up and sees what
//! everybody shows. One group has to come of it.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashSet;
use protocol::NodeId;
use protocol::bootstrap::{Input, Shown};
use xxhash_rust::xxh3::Xxh3Builder;

use super::laws::{Broken, Ledger};
use super::server::{News, Server, Task};

/// What is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many servers are to found the group.
    pub expect: usize,
    /// How many there are.
    pub servers: usize,
    /// Crashes on any path.
    pub crashes: u8,
    /// Whether the living may be taken for dead.
    pub mistakes: bool,
    /// One of so many states is looked at to its end; 1: every one.
    pub calm_every: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Different states.
    pub states: u64,
    /// Steps taken.
    pub steps: u64,
    /// States from which the storm was ended.
    pub calmed: u64,
    /// The law that was broken, and by which steps.
    pub broken: Option<(Broken, Vec<String>)>,
    /// Whether every state was reached: no law was broken, and there were not too many.
    pub is_complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    servers: Vec<Server>,
    /// All that was ever shown.
    shown: BTreeSet<Fact>,
    ledger: Ledger,
    crashes: u8,
}

/// Who showed what: the place of the server, and what [`Shown`] has in an order.
type Fact = (usize, Option<protocol::bootstrap::Pledge>, Option<protocol::ClusterId>);

#[derive(Clone, Debug)]
enum Step {
    Start(usize),
    Crash(usize, bool),
    Sync(usize),
    Settle(usize),
    See(usize, Fact, bool),
}

/// Explores until every state was seen, a law was broken, or there are `most` states.
#[must_use]
pub fn explore(bounds: Bounds, most: u64) -> Explored {
    let mut found = Explored::default();
    let mut seen: HashSet<u64, Xxh3Builder> = HashSet::default();
    let first = State::new(bounds);
    // States with the steps that led to them, as links into a list of all steps.
    let mut story: Vec<(usize, String)> = Vec::new();
    let mut open: Vec<(State, usize)> = vec![(first, usize::MAX)];
    while let Some((state, from)) = open.pop() {
        for step in state.steps(bounds) {
            found.steps += 1;
            let mut next = state.clone();
            let taken = next.take(&step, bounds);
            let print = seen.hasher().hash_one(&next);
            if taken.is_ok() && !seen.insert(print) {
                continue;
            }
            let is_sample = taken.is_ok() && print.is_multiple_of(bounds.calm_every);
            found.calmed += u64::from(is_sample);
            let judged = if is_sample { next.clone().calm(bounds) } else { taken };
            if let Err(broken) = judged {
                let mut steps = path(&story, from, format!("{step:?}"));
                steps.extend(is_sample.then(|| "calm".to_owned()));
                found.broken = Some((broken, steps));
                return found;
            }
            found.states += 1;
            story.push((from, format!("{step:?}")));
            open.push((next, story.len() - 1));
            if found.states == most {
                return found;
            }
        }
    }
    found.is_complete = true;
    found
}

fn path(story: &[(usize, String)], mut at: usize, last: String) -> Vec<String> {
    let mut steps = vec![last];
    while let Some((before, step)) = story.get(at) {
        steps.push(step.clone());
        at = *before;
    }
    steps.reverse();
    steps
}

impl State {
    fn new(bounds: Bounds) -> Self {
        let servers = (1..=bounds.servers as u64).map(|id| Server::new(id, bounds.expect));
        Self {
            servers: servers.collect(),
            shown: BTreeSet::new(),
            ledger: Ledger::default(),
            crashes: 0,
        }
    }

    fn steps(&self, bounds: Bounds) -> Vec<Step> {
        let mut steps = Vec::new();
        for (who, server) in self.servers.iter().enumerate() {
            let Some(process) = &server.process else {
                steps.push(Step::Start(who));
                continue;
            };
            if process.writing.is_some() {
                steps.push(Step::Sync(who));
            }
            if self.can_settle(who) {
                steps.push(Step::Settle(who));
            }
            for fact in self.shown.iter().filter(|(other, ..)| *other != who) {
                steps.push(Step::See(who, fact.clone(), true));
                if bounds.mistakes {
                    steps.push(Step::See(who, fact.clone(), false));
                }
            }
            if self.crashes < bounds.crashes {
                steps.push(Step::Crash(who, false));
                if process.writing.is_some() {
                    steps.push(Step::Crash(who, true));
                }
            }
        }
        steps
    }

    fn can_settle(&self, who: usize) -> bool {
        let task = self.servers[who].process.as_ref().and_then(|process| process.task.as_ref());
        match task {
            None => false,
            Some(Task::Found(_)) => true,
            Some(Task::Join(cluster)) => {
                let is_member = |server: &Server| server.disk.cluster == Some(*cluster);
                self.servers.iter().any(|server| server.process.is_some() && is_member(server))
            }
        }
    }

    fn take(&mut self, step: &Step, bounds: Bounds) -> Result<(), Broken> {
        let alone = bounds.servers < 2 * bounds.expect;
        let ledger = &mut self.ledger;
        let (who, news) = match step {
            Step::Start(who) => (*who, self.servers[*who].start(ledger, alone)?),
            Step::Crash(who, wrote) => {
                self.crashes += 1;
                self.servers[*who].crash(*wrote, ledger)?;
                (*who, News::default())
            }
            Step::Sync(who) => (*who, self.servers[*who].sync(ledger, alone)?),
            Step::Settle(who) => (*who, self.servers[*who].settle(ledger, alone)?),
            Step::See(who, (other, pledge, cluster), alive) => {
                let shown = Shown { pledge: pledge.clone(), cluster: *cluster };
                let sighting = self.servers[*other].sighting(shown);
                let saw = Input::Saw { sighting, alive: *alive };
                (*who, self.servers[*who].handle(saw, ledger, alone)?)
            }
        };
        let Some(process) = &mut self.servers[who].process else { return Ok(()) };
        process.core.forget_history();
        if news.shows || matches!(step, Step::Start(_)) {
            let shown = &process.shown;
            self.shown.insert((who, shown.pledge.clone(), shown.cluster));
        }
        Ok(())
    }

    /// Everybody comes up, and sees what everybody shows now, until nothing changes: pledges only
    /// go down, so that comes.
    fn calm(mut self, bounds: Bounds) -> Result<(), Broken> {
        let all = 0..self.servers.len();
        for who in all.clone() {
            if self.servers[who].process.is_none() {
                self.take(&Step::Start(who), bounds)?;
            }
        }
        let mut before = None;
        while before.as_ref() != Some(&self) {
            before = Some(self.clone());
            for (who, other) in all.clone().flat_map(|who| all.clone().map(move |it| (who, it))) {
                let shown = self.servers[other].process.as_ref().map(|it| it.shown.clone());
                let shown = shown.unwrap_or_default();
                if who != other {
                    let fact = (other, shown.pledge, shown.cluster);
                    self.take(&Step::See(who, fact, true), bounds)?;
                }
            }
            for who in all.clone() {
                self.take(&Step::Sync(who), bounds)?;
                if self.can_settle(who) {
                    self.take(&Step::Settle(who), bounds)?;
                }
            }
        }
        let clusters: BTreeSet<_> = self.servers.iter().map(|it| it.disk.cluster).collect();
        let is_one = clusters.len() == 1 && !clusters.contains(&None);
        let may_be_more = bounds.servers >= 2 * bounds.expect && self.ledger.founded.len() > 1;
        if is_one || may_be_more {
            return Ok(());
        }
        let seen = self.servers.iter().map(|server| {
            let status = server.process.as_ref().map(|process| process.core.status());
            let id: NodeId = server.seat.id;
            format!("{id}: {:?} {status:?}", server.disk.pledge)
        });
        Err(Broken::new("BI4 convergence", seen.collect::<Vec<_>>().join("; ")))
    }
}
