//! Worlds of the safe mode, drawn from seeds: a storm, then calm.

use std::fmt;
use std::time::Duration;

use protocol::bully::{Input, Part};

use super::agenda::Event;
use super::laws::Broken;
use super::plan::{Plan, some_of};
use super::stage::{Stage, nanos};
use crate::draw::Draw;
use protocol::Rng;

/// Between two rounds of gossip.
const ROUND: Duration = Duration::from_millis(100);
/// Leases that calm takes at most.
const CALM: u32 = 60;
/// Looks, one a lease, at which all have to agree.
const AGREED: u32 = 3;

/// What came of a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Terms of office.
    pub elections: usize,
    /// Renewals that made a lease longer.
    pub extended: usize,
    /// Leases that ran out in the hands of a leader.
    pub expired: usize,
    /// Leaders that yielded to a better one.
    pub handed_over: usize,
    /// Leaders whose program wanted it, or went.
    pub resigned: usize,
    /// Programs that came or went.
    pub programs: usize,
    /// Changes of electorates that have settled.
    pub changes: usize,
    /// Leases that outlived the process that held them.
    pub outlived: usize,
    /// Crashes.
    pub crashes: usize,
    /// Processes that stood still.
    pub pauses: usize,
    /// Changes of who reaches whom.
    pub cuts: usize,
}

impl Told {
    /// Its parts, with their names.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, usize); 11] {
        [
            ("elections", self.elections),
            ("extended", self.extended),
            ("expired", self.expired),
            ("handed over", self.handed_over),
            ("resigned", self.resigned),
            ("programs that came or went", self.programs),
            ("changes of electorates", self.changes),
            ("leases that outlived a process", self.outlived),
            ("crashes", self.crashes),
            ("pauses", self.pauses),
            ("cuts", self.cuts),
        ]
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            elections: self.elections + other.elections,
            extended: self.extended + other.extended,
            expired: self.expired + other.expired,
            handed_over: self.handed_over + other.handed_over,
            resigned: self.resigned + other.resigned,
            programs: self.programs + other.programs,
            changes: self.changes + other.changes,
            outlived: self.outlived + other.outlived,
            crashes: self.crashes + other.crashes,
            pauses: self.pauses + other.pauses,
            cuts: self.cuts + other.cuts,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (what, count)) in self.parts().into_iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {what}")?;
        }
        Ok(())
    }
}

/// Runs the world of a seed.
///
/// # Errors
/// The first law that was broken.
pub fn run(seed: u64) -> Result<Told, Broken> {
    World::new(Plan::new(seed)).run()
}

/// Runs the worlds of these seeds: what came of them, and those that broke a law.
#[must_use]
pub fn sweep(seeds: impl IntoIterator<Item = u64>) -> (Told, Vec<(u64, Broken)>) {
    let mut told = Told::default();
    let mut laws = Vec::new();
    for seed in seeds {
        match run(seed) {
            Ok(some) => told = told.and(some),
            Err(broken) => laws.push((seed, broken)),
        }
    }
    (told, laws)
}

struct World {
    plan: Plan,
    stage: Stage,
    /// What the storm draws from: one strike more or less leaves the rest of the world as it is.
    storm: Rng,
    told: Told,
}

impl World {
    fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let storm = Rng::new(rng.next());
        let members = plan.members(&mut rng);
        let stage = Stage::new(rng, members, plan.network.clone(), plan.pace.clone());
        Self { plan, stage, storm, told: Told::default() }
    }

    fn run(mut self) -> Result<Told, Broken> {
        for who in 0..self.plan.candidates {
            let fast = self.fast();
            self.stage.drift(who, fast);
            let delay = self.storm.between(&(Duration::ZERO..=self.plan.lease));
            self.stage.after(delay, Event::Start { who });
        }
        self.stage.after(ROUND, Event::Gossip);
        self.stage.after(self.plan.lull, Event::Strike);
        let end = nanos(self.plan.storm);
        while let Some(event) = self.stage.next(end)? {
            match event {
                Event::Gossip => self.gossip()?,
                _ => {
                    self.strike()?;
                    let lull = self.storm.between(&(Duration::ZERO..=self.plan.lull));
                    self.stage.after(lull, Event::Strike);
                }
            }
        }
        self.calm()?;
        let counts = &self.stage.counts;
        Ok(Told {
            elections: self.stage.ledger.elections(),
            extended: counts.extended,
            expired: counts.expired,
            handed_over: counts.handed_over,
            resigned: counts.resigned,
            changes: counts.settled,
            outlived: counts.outlived,
            ..self.told
        })
    }

    fn gossip(&mut self) -> Result<(), Broken> {
        self.stage.gossip(50)?;
        self.stage.after(ROUND, Event::Gossip);
        Ok(())
    }

    fn fast(&mut self) -> u32 {
        let most = u64::from(self.plan.drift_ppm);
        let fast = self.storm.below(most + 1);
        // Bounds are where mistakes are.
        let fast = if self.storm.percent(50) { fast } else { self.storm.one_of(&[0, most]) };
        u32::try_from(fast).unwrap_or(0)
    }

    fn strike(&mut self) -> Result<(), Broken> {
        let who = self.victim();
        let weights = self.plan.weights.clone();
        let all = [
            weights.crash,
            weights.pause,
            weights.split,
            weights.one_way,
            weights.isolate,
            weights.heal,
            weights.drift,
            weights.resign,
            weights.change,
            weights.freshness,
            weights.stand,
        ];
        let mut drawn = self.storm.below(all.iter().sum());
        let mut kind = 0;
        while drawn >= all[kind] {
            drawn -= all[kind];
            kind += 1;
        }
        match kind {
            0 => self.crash(who),
            1 => {
                self.told.pauses += 1;
                let length = self.storm.between(&(Duration::ZERO..=self.plan.lease * 2));
                self.stage.pause(who, length);
                Ok(())
            }
            2..=4 => {
                self.cut(who, kind);
                Ok(())
            }
            5 => {
                self.stage.network.cut.clear();
                Ok(())
            }
            6 => {
                let fast = self.fast();
                self.stage.drift(who, fast);
                Ok(())
            }
            7 => self.stage.handle(who, Input::Resign),
            8 => {
                let members = some_of(&mut self.storm, self.plan.candidates);
                self.stage.handle(who, Input::Change(members))
            }
            9 => {
                let freshness = self.storm.below(5);
                self.stage.handle(who, Input::Freshness(freshness))
            }
            _ => {
                self.told.programs += 1;
                let stands = self.storm.percent(50);
                self.stage.handle(who, Input::Stand(stands))
            }
        }
    }

    /// Somebody; a leader, half of the times when there is one.
    fn victim(&mut self) -> usize {
        let members = &self.stage.members;
        let leader = members.iter().position(|member| member.uses(self.stage.now).is_some());
        let any = self.storm.place(members.len());
        leader.filter(|_| self.storm.percent(50)).unwrap_or(any)
    }

    fn crash(&mut self, who: usize) -> Result<(), Broken> {
        if self.stage.members[who].process.is_none() {
            return self.stage.start(who);
        }
        self.told.crashes += 1;
        self.stage.crash(who);
        let most = if self.storm.percent(50) { self.plan.lease / 4 } else { self.plan.lease * 3 };
        let delay = self.storm.between(&(Duration::ZERO..=most));
        self.stage.after(delay, Event::Start { who });
        Ok(())
    }

    fn cut(&mut self, who: usize, kind: usize) {
        self.told.cuts += 1;
        let count = self.plan.candidates;
        match kind {
            2 => {
                let parts = 2 + self.storm.below(2);
                let places: Vec<u64> = (0..count).map(|_| self.storm.below(parts)).collect();
                self.stage.network.split(&places);
            }
            3 => {
                let ways = 1 + self.storm.place(count);
                for _ in 0..ways {
                    let other = self.storm.place(count);
                    self.stage.network.cut.insert((who, other));
                }
            }
            _ => {
                // Nobody hears it, or it hears nobody, or both.
                let (mute, deaf) = self.storm.one_of(&[(true, true), (true, false), (false, true)]);
                for other in 0..count {
                    if mute {
                        self.stage.network.cut.insert((who, other));
                    }
                    if deaf {
                        self.stage.network.cut.insert((other, who));
                    }
                }
            }
        }
    }

    /// All are up, everything arrives, and the pool is right.
    fn calm(&mut self) -> Result<(), Broken> {
        self.stage.network.heal();
        self.stage.pace.mistaken = 0;
        let quick = Duration::from_millis(1);
        self.stage.pace.disk = quick..=quick * 5;
        self.stage.network.delay = self.stage.network.delay.min(quick * 20);
        self.stage.resume_all()?;
        for who in 0..self.plan.candidates {
            self.stage.start(who)?;
            self.stage.handle(who, Input::Stand(true))?;
        }
        let mut agreed = 0;
        for _ in 0..CALM {
            let until = self.stage.now + nanos(self.plan.lease);
            while let Some(event) = self.stage.next(until)? {
                if event == Event::Gossip {
                    self.gossip()?;
                }
            }
            agreed = if self.is_agreed() { agreed + 1 } else { 0 };
            if agreed == AGREED {
                return Ok(());
            }
        }
        let members = self.stage.members.iter().filter_map(|member| member.process.as_ref());
        let seen: Vec<String> = members.map(|it| format!("{:?}", it.core.status())).collect();
        Err(Broken::new("GI6 convergence", seen.join("\n")))
    }

    /// One leads, with a lease, and everybody knows it.
    fn is_agreed(&self) -> bool {
        let members = &self.stage.members;
        let leads = |who: &usize| {
            let process = members[*who].process.as_ref();
            process.is_some_and(|it| it.core.status().part == Part::Leader)
        };
        let leaders: Vec<usize> = (0..members.len()).filter(leads).collect();
        let [leader] = leaders[..] else { return false };
        let Some(lease) = members[leader].uses(self.stage.now) else { return false };
        members.iter().all(|member| {
            let known = member.process.as_ref().and_then(|process| process.leader);
            known.is_some_and(|known| {
                known.id == members[leader].id() && known.epoch == Some(lease.epoch)
            })
        })
    }
}
