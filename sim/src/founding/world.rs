//! Worlds of a founding, drawn from seeds.
//!
//! A storm first: servers start when they like, crash, come back and fall silent; tables are
//! exchanged between whoever reaches whom, and anything that was ever shown may be seen again at
//! any time. Then calm: all are up, but in some worlds one that came after the founding, and
//! whoever speaks is heard. Steps are counted, not timed: no rule of a founding knows a clock.

use std::fmt;

use protocol::bootstrap::{Input, Pledge, Shown};
use protocol::{NodeId, Rng};

use super::laws::{Broken, Ledger};
use super::pool::{Row, Table};
use super::server::{News, Server, Task};
use crate::draw::Draw;

/// Rounds of exchanges that calm takes at most.
const CALM: usize = 200;

/// What a seed draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the rest comes from.
    pub seed: u64,
    /// How many servers are to found the group.
    pub expect: usize,
    /// How many there are.
    pub servers: usize,
    /// Steps of the storm.
    pub steps: usize,
    /// Crashes among a hundred steps.
    crashes: u64,
    /// Changes of who reaches whom, among a thousand steps.
    splits: u64,
    /// Among a hundred sightings, those of things long past.
    stale: u64,
    /// Among a hundred sightings, those that take the living for dead or the dead for living.
    mistaken: u64,
    /// Among a hundred exchanges, those that are lost.
    lost: u64,
    /// One of the servers stays away once a group has been founded without it, or with it.
    absent: bool,
}

/// What came of a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Groups that were founded.
    pub groups: usize,
    /// Pledges that were left for lower ones.
    pub left: usize,
    /// Crashes.
    pub crashes: usize,
    /// Changes of who reaches whom.
    pub splits: usize,
    /// Old things that were seen again.
    pub stale: usize,
    /// Groups that were founded in the storm already.
    pub early: usize,
    /// Servers of which one stayed away for good.
    pub absent: usize,
}

impl Told {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            groups: self.groups + other.groups,
            left: self.left + other.left,
            crashes: self.crashes + other.crashes,
            splits: self.splits + other.splits,
            stale: self.stale + other.stale,
            early: self.early + other.early,
            absent: self.absent + other.absent,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} groups ({} in the storm), {} pledges left, {} crashes, {} splits, {} stale \
             sightings, {} servers that stayed away",
            self.groups, self.early, self.left, self.crashes, self.splits, self.stale, self.absent
        )
    }
}

impl Plan {
    /// What this seed draws: one world in ten has room for two groups.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0xf0bd);
        let expect = 1 + rng.place(5);
        let servers = match rng.percent(10) {
            true => 2 * expect + rng.place(2),
            false => expect + rng.place(expect),
        };
        let some = |rng: &mut Rng, most: u64| if rng.percent(25) { 0 } else { rng.below(most) };
        Self {
            seed,
            expect,
            servers,
            steps: 50 + rng.place(400),
            crashes: some(&mut rng, 15),
            splits: some(&mut rng, 60),
            stale: some(&mut rng, 60),
            mistaken: some(&mut rng, 30),
            lost: some(&mut rng, 70),
            absent: rng.percent(20),
        }
    }

    /// Whether there are too few servers for two groups.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.servers < 2 * self.expect
    }
}

/// Runs the world of a seed.
///
/// # Errors
/// The first law that was broken.
pub fn run(seed: u64) -> Result<Told, Broken> {
    World::new(Plan::new(seed)).run()
}

struct World {
    plan: Plan,
    rng: Rng,
    servers: Vec<Server>,
    /// The table of each, while it is up.
    tables: Vec<Table>,
    /// All that was ever shown.
    history: Vec<Row>,
    /// How often each has shown something.
    versions: Vec<u64>,
    /// Who is where: only those at one place reach each other.
    places: Vec<u64>,
    /// Who has been told that there are two clusters, or anything else.
    warned: Vec<bool>,
    ledger: Ledger,
    told: Told,
}

impl World {
    fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let mut ids: Vec<u64> = (1..=plan.servers as u64).collect();
        rng.shuffle(&mut ids);
        let servers: Vec<Server> = ids.iter().map(|id| Server::new(*id, plan.expect)).collect();
        let count = servers.len();
        Self {
            plan,
            rng,
            servers,
            tables: vec![Table::default(); count],
            history: Vec::new(),
            versions: vec![0; count],
            places: vec![0; count],
            warned: vec![false; count],
            ledger: Ledger::default(),
            told: Told::default(),
        }
    }

    fn run(mut self) -> Result<Told, Broken> {
        for _ in 0..self.plan.steps {
            self.storm()?;
        }
        self.told.early = self.ledger.founded.len();
        self.calm()?;
        self.told.groups = self.ledger.founded.len();
        Ok(self.told)
    }

    fn storm(&mut self) -> Result<(), Broken> {
        let who = self.rng.place(self.servers.len());
        if self.rng.below(1000) < self.plan.splits {
            self.told.splits += 1;
            let parts = 1 + self.rng.below(3);
            self.places.iter_mut().for_each(|place| *place = self.rng.below(parts));
        }
        if self.servers[who].process.is_none() {
            return if self.rng.percent(20) { self.start(who) } else { Ok(()) };
        }
        if self.rng.percent(self.plan.crashes) {
            return self.crash(who);
        }
        match self.rng.below(4) {
            0 => self.step(who, Server::sync),
            1 => self.settle(who),
            _ if self.rng.percent(self.plan.stale) => self.see_again(who),
            _ => {
                let other = self.rng.place(self.servers.len());
                let lost = self.rng.percent(self.plan.lost);
                if lost || self.places[who] != self.places[other] {
                    return Ok(());
                }
                self.exchange(other, who)
            }
        }
    }

    fn start(&mut self, who: usize) -> Result<(), Broken> {
        self.tables[who] = Table::default();
        self.step(who, Server::start)?;
        // What it shows when it starts, even when that is nothing, is told like all else.
        self.showed(who);
        Ok(())
    }

    fn crash(&mut self, who: usize) -> Result<(), Broken> {
        self.told.crashes += 1;
        let wrote = self.rng.percent(50);
        let before = self.servers[who].disk.pledge.clone();
        self.servers[who].crash(wrote, &mut self.ledger)?;
        self.count(who, before.as_ref());
        Ok(())
    }

    fn step(
        &mut self,
        who: usize,
        step: impl FnOnce(&mut Server, &mut Ledger, bool) -> Result<News, Broken>,
    ) -> Result<(), Broken> {
        let alone = self.plan.is_single();
        let before = self.servers[who].disk.pledge.clone();
        let news = step(&mut self.servers[who], &mut self.ledger, alone)?;
        self.count(who, before.as_ref());
        self.warned[who] |= news.warns;
        if news.shows {
            self.showed(who);
        }
        Ok(())
    }

    fn count(&mut self, who: usize, before: Option<&Pledge>) {
        let now = self.servers[who].disk.pledge.as_ref();
        self.told.left += usize::from(before.is_some() && before != now);
    }

    fn showed(&mut self, who: usize) {
        let shown = match &self.servers[who].process {
            Some(process) => process.shown.clone(),
            None => Shown::default(),
        };
        self.versions[who] += 1;
        let sighting = self.servers[who].sighting(shown);
        let row = Row { version: self.versions[who], sighting, alive: true };
        self.tables[who].merge(&row);
        self.history.push(row);
    }

    /// Who joins needs somebody who is of the cluster and reached.
    fn settle(&mut self, who: usize) -> Result<(), Broken> {
        let task = self.servers[who].process.as_ref().and_then(|process| process.task.clone());
        if let Some(Task::Join(cluster)) = task {
            let takes_in = |other: usize| {
                let server = &self.servers[other];
                self.places[other] == self.places[who]
                    && server.process.is_some()
                    && server.disk.cluster == Some(cluster)
            };
            if !(0..self.servers.len()).any(takes_in) {
                return Ok(());
            }
        }
        self.step(who, Server::settle)
    }

    /// Something that was shown at some time is seen, whatever has come since.
    fn see_again(&mut self, who: usize) -> Result<(), Broken> {
        if self.history.is_empty() {
            return Ok(());
        }
        let row = self.history[self.rng.place(self.history.len())].clone();
        self.told.stale += 1;
        let alive = self.rng.percent(50);
        self.see(who, &row, alive)
    }

    fn see(&mut self, who: usize, row: &Row, alive: bool) -> Result<(), Broken> {
        let saw = Input::Saw { sighting: row.sighting.clone(), alive };
        self.step(who, |server, ledger, alone| server.handle(saw, ledger, alone))
    }

    /// One that is up gives its whole table to another, or takes it for dead if it is not.
    fn exchange(&mut self, from: usize, to: usize) -> Result<(), Broken> {
        let up = self.servers[from].process.is_some();
        let id = self.servers[from].seat.id;
        let rows: Vec<Row> = match up {
            true => self.tables[from].rows().cloned().collect(),
            false => {
                let rows = self.tables[to].rows().filter(|row| row.sighting.seat.id == id);
                rows.map(|row| Row { alive: false, ..row.clone() }).collect()
            }
        };
        for mut row in rows {
            if row.sighting.seat.id == self.servers[to].seat.id {
                continue;
            }
            if up && row.sighting.seat.id == id {
                row.alive = true;
            }
            if self.tables[to].merge(&row) {
                let alive = row.alive != self.rng.percent(self.plan.mistaken);
                self.see(to, &row, alive)?;
            }
        }
        Ok(())
    }

    /// Who stays away: one server, if somebody has founded a group and shows it.
    fn absent(&mut self) -> Option<usize> {
        let settled = |server: &Server| server.disk.cluster.is_some();
        let away = self.rng.place(self.servers.len());
        let others = self.servers.iter().enumerate().filter(|(who, _)| *who != away);
        let known = others.filter(|(_, server)| settled(server)).count();
        (self.plan.absent && known > 0).then_some(away)
    }

    fn calm(&mut self) -> Result<(), Broken> {
        let away = self.absent();
        self.told.absent += usize::from(away.is_some());
        (self.plan.mistaken, self.plan.lost) = (0, 0);
        self.places.iter_mut().for_each(|place| *place = 0);
        for who in 0..self.servers.len() {
            match (&self.servers[who].process, away == Some(who)) {
                (Some(_), true) => self.crash(who)?,
                (None, false) => self.start(who)?,
                (Some(_), false) | (None, true) => {}
            }
        }
        for _ in 0..CALM {
            for who in 0..self.servers.len() {
                self.round(who)?;
            }
            if self.is_done(away) {
                return Ok(());
            }
        }
        let seen: Vec<String> = self.servers.iter().map(describe).collect();
        Err(Broken::new("BI4 convergence", seen.join("; ")))
    }

    /// One hears everybody and does all that it has to.
    fn round(&mut self, who: usize) -> Result<(), Broken> {
        if self.servers[who].process.is_none() {
            return Ok(());
        }
        for other in 0..self.servers.len() {
            self.exchange(other, who)?;
            self.correct(who, other)?;
        }
        self.step(who, Server::sync)?;
        self.settle(who)
    }

    /// What the storm made it believe of another's life is set right, as a pool does in the end.
    fn correct(&mut self, who: usize, other: usize) -> Result<(), Broken> {
        let id = self.servers[other].seat.id;
        if who == other {
            return Ok(());
        }
        let row = self.tables[who].rows().find(|row| row.sighting.seat.id == id).cloned();
        let alive = self.servers[other].process.is_some();
        match row {
            Some(row) => self.see(who, &row, alive),
            None => Ok(()),
        }
    }

    /// One group and everybody of it; or, where there is room for two, everybody of some group, or
    /// told that there are two.
    fn is_done(&self, away: Option<usize>) -> bool {
        let present = || self.servers.iter().enumerate().filter(|(who, _)| away != Some(*who));
        let settled = |server: &Server| server.disk.cluster.is_some();
        if self.ledger.founded.len() > 1 {
            return present().all(|(who, server)| settled(server) || self.warned[who]);
        }
        self.ledger.founded.len() == 1 && present().all(|(_, server)| settled(server))
    }
}

fn describe(server: &Server) -> String {
    let id: NodeId = server.seat.id;
    let status = server.process.as_ref().map(|process| process.core.status());
    format!("{id}: {:?} {status:?}", server.disk.pledge)
}
