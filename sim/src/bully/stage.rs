//! The mechanics of a world: events, and what comes of them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use protocol::bully::message::Message;
use protocol::bully::{Epoch, Input, Lease, Loss, Output, Standing};
use protocol::{NodeId, Rng};

use super::agenda::{Agenda, Event};
use super::laws::{Broken, Ledger};
use super::member::Member;
use super::network::Network;
use crate::draw::Draw;

/// What a process that stands still finds waiting, at most: a socket's buffer.
const WAITING: usize = 1_000;

/// How things that are not the network take their time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) disk: RangeInclusive<Duration>,
    /// What a program takes to stop.
    pub(super) stop: RangeInclusive<Duration>,
    /// Of a hundred programs, those that never say that they have stopped.
    pub(super) silent: u64,
    /// Of a hundred sightings, those that are wrong.
    pub(super) mistaken: u64,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Messages sent, by kind.
    pub(super) sent: BTreeMap<&'static str, u64>,
    /// Who was elected, in order.
    pub(super) elected: Vec<usize>,
    pub(super) extended: usize,
    pub(super) expired: usize,
    pub(super) handed_over: usize,
    pub(super) resigned: usize,
    pub(super) removed: usize,
    pub(super) settled: usize,
    /// Leases that outlived the process that held them.
    pub(super) outlived: usize,
}

/// A world.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) now: u64,
    pub(super) rng: Rng,
    pub(super) members: Vec<Member>,
    pub(super) network: Network,
    pub(super) pace: Pace,
    pub(super) agenda: Agenda,
    pub(super) ledger: Ledger,
    pub(super) counts: Counts,
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Stage {
    pub(super) fn new(rng: Rng, members: Vec<Member>, network: Network, pace: Pace) -> Self {
        Self {
            now: 0,
            rng,
            members,
            network,
            pace,
            agenda: Agenda::default(),
            ledger: Ledger::default(),
            counts: Counts::default(),
        }
    }

    pub(super) fn after(&mut self, delay: Duration, event: Event) {
        self.agenda.note(self.now.saturating_add(nanos(delay)), event);
    }

    /// Lets things happen until then; gives back what is for the director of the world.
    pub(super) fn next(&mut self, until: u64) -> Result<Option<Event>, Broken> {
        while let Some((at, event)) = self.agenda.next(until) {
            self.now = self.now.max(at);
            match event {
                Event::Wake { who, setting } => self.wake(who, setting)?,
                Event::Deliver { to, from, message } => {
                    self.handle(to, Input::Receive { from, message })?;
                }
                Event::Synced { who, life } => self.sync(who, life)?,
                Event::Stopped { who, life, epoch } => self.stopped(who, life, epoch)?,
                Event::Start { who } => self.start(who)?,
                Event::Resume { who, pause } => self.resume(who, pause)?,
                Event::Strike | Event::Gossip => return Ok(Some(event)),
            }
        }
        self.now = until;
        Ok(None)
    }

    fn wake(&mut self, who: usize, setting: u64) -> Result<(), Broken> {
        let Some(process) = &mut self.members[who].process else { return Ok(()) };
        if process.setting != setting || process.still.is_some() {
            return Ok(());
        }
        process.armed = None;
        self.handle(who, Input::Timeout)
    }

    /// Something happens to a process, when there is one that runs.
    pub(super) fn handle(&mut self, who: usize, input: Input) -> Result<(), Broken> {
        let now = self.members[who].clock.time(self.now);
        let Some(process) = &mut self.members[who].process else { return Ok(()) };
        if let Some((_, waiting)) = &mut process.still {
            if waiting.len() < WAITING {
                waiting.push(input);
            }
            return Ok(());
        }
        process.core.handle(now, input);
        self.drain(who)?;
        self.arm(who);
        Ok(())
    }

    fn arm(&mut self, who: usize) {
        let member = &mut self.members[who];
        let Some(process) = member.process.as_mut().filter(|it| it.still.is_none()) else {
            return;
        };
        let due = process.core.poll_timeout();
        if due == process.armed {
            return;
        }
        process.armed = due;
        process.setting += 1;
        let setting = process.setting;
        if let Some(due) = due {
            let at = member.clock.when(due).max(self.now);
            self.agenda.note(at, Event::Wake { who, setting });
        }
    }

    /// From now on this clock is so much faster than the slowest.
    pub(super) fn drift(&mut self, who: usize, fast_ppm: u32) {
        let member = &mut self.members[who];
        member.clock.run(self.now, fast_ppm);
        if let Some(process) = &mut member.process {
            process.armed = None;
        }
        self.arm(who);
    }

    pub(super) fn start(&mut self, who: usize) -> Result<(), Broken> {
        if self.members[who].process.is_some() {
            return Ok(());
        }
        let mut rng = Rng::new(self.rng.next());
        self.members[who].start(&mut rng);
        self.handle(who, Input::Timeout)
    }

    /// The process dies. Of what was on its way to the disk, the first so many writes are there.
    pub(super) fn crash(&mut self, who: usize) {
        let uses = self.members[who].uses(self.now).is_some();
        let member = &mut self.members[who];
        let Some(process) = member.process.take() else { return };
        self.counts.outlived += usize::from(uses);
        let kept = self.rng.place(process.writing.len() + 1);
        for (_, durable) in process.writing.into_iter().take(kept) {
            self.ledger.durable(member.config.id, &durable);
            member.disk = durable;
        }
    }

    fn sync(&mut self, who: usize, life: u64) -> Result<(), Broken> {
        let member = &mut self.members[who];
        let process = member.process.as_mut().filter(|_| member.life == life);
        let Some((id, durable)) = process.and_then(|it| it.writing.pop_front()) else {
            return Ok(());
        };
        self.ledger.durable(member.config.id, &durable);
        member.disk = durable;
        self.handle(who, Input::Persisted(id))
    }

    fn stopped(&mut self, who: usize, life: u64, epoch: Epoch) -> Result<(), Broken> {
        let member = &mut self.members[who];
        member.office.take_if(|lease| lease.epoch == epoch);
        if member.life == life { self.handle(who, Input::Stopped(epoch)) } else { Ok(()) }
    }

    /// The process stands still for a while.
    pub(super) fn pause(&mut self, who: usize, length: Duration) {
        let number = self.rng.next();
        let Some(process) = &mut self.members[who].process else { return };
        if process.still.is_none() {
            process.still = Some((number, Vec::new()));
            self.after(length, Event::Resume { who, pause: number });
        }
    }

    pub(super) fn resume(&mut self, who: usize, pause: u64) -> Result<(), Broken> {
        let Some(process) = &mut self.members[who].process else { return Ok(()) };
        let Some((_, waiting)) = process.still.take_if(|(number, _)| *number == pause) else {
            return Ok(());
        };
        process.armed = None;
        for input in waiting {
            self.handle(who, input)?;
        }
        self.arm(who);
        Ok(())
    }

    /// Whoever stands still goes on.
    pub(super) fn resume_all(&mut self) -> Result<(), Broken> {
        for who in 0..self.members.len() {
            let still = self.members[who].process.as_ref().and_then(|it| it.still.as_ref());
            if let Some(pause) = still.map(|(pause, _)| *pause) {
                self.resume(who, pause)?;
            }
        }
        Ok(())
    }

    fn drain(&mut self, who: usize) -> Result<(), Broken> {
        loop {
            let process = self.members[who].process.as_mut();
            let Some(output) = process.and_then(|process| process.core.poll_output()) else {
                return Ok(());
            };
            self.carry_out(who, output)?;
        }
    }

    fn carry_out(&mut self, who: usize, output: Output) -> Result<(), Broken> {
        let id = self.members[who].id();
        let life = self.members[who].life;
        match output {
            Output::Send { to, message } => self.send(who, to, message)?,
            Output::Persist { id, durable } => {
                let delay = self.rng.between(&self.pace.disk);
                if let Some(process) = &mut self.members[who].process {
                    process.writing.push_back((id, durable));
                }
                self.after(delay, Event::Synced { who, life });
            }
            Output::Show(shown) => self.members[who].shown = Some(shown),
            Output::Elected(Some(lease)) => self.elected(who, lease)?,
            Output::Elected(None) => self.leads(who, true),
            Output::Extended(lease) => self.extended(who, lease)?,
            Output::Lost { epoch, why } => self.lost(who, epoch, why)?,
            Output::Leader(leader) => {
                if let Some(process) = &mut self.members[who].process {
                    process.leader = leader;
                }
            }
            Output::Electorate(electorate) => {
                let Some(process) = &mut self.members[who].process else { return Ok(()) };
                let before = process.electorate.replace(electorate.clone());
                self.ledger.goes_by(id, &electorate, before.as_ref())?;
            }
            Output::Settled(electorate) => {
                self.counts.settled += usize::from(electorate.version.number > 0);
                self.ledger.settled(&electorate)?;
            }
            Output::ChangeRefused(_) | Output::Warn(_) => {}
        }
        Ok(())
    }

    fn send(&mut self, from: usize, to: NodeId, message: Message) -> Result<(), Broken> {
        let id = self.members[from].id();
        *self.counts.sent.entry(message.body.kind()).or_default() += 1;
        self.ledger.said(id, to, &message.body)?;
        let Some(to) = self.members.iter().position(|member| member.id() == to) else {
            return Ok(());
        };
        for delay in self.network.carry(&mut self.rng, from, to) {
            self.after(delay, Event::Deliver { to, from: id, message: message.clone() });
        }
        Ok(())
    }

    fn leads(&mut self, who: usize, leads: bool) {
        if leads {
            self.counts.elected.push(who);
        }
        if let Some(process) = &mut self.members[who].process {
            process.leads = leads;
        }
    }

    fn elected(&mut self, who: usize, lease: Lease) -> Result<(), Broken> {
        self.alone(who, lease, true)?;
        let member = &mut self.members[who];
        member.office = Some(lease);
        let by = member.process.as_ref().and_then(|process| process.electorate.as_ref());
        self.counts.elected.push(who);
        self.ledger.elected(member.config.id, lease.epoch, by)
    }

    fn extended(&mut self, who: usize, lease: Lease) -> Result<(), Broken> {
        self.alone(who, lease, false)?;
        self.counts.extended += 1;
        let held = self.members[who].uses(self.now).filter(|held| held.epoch == lease.epoch);
        if held.is_none_or(|held| held.until > lease.until) {
            let seen = format!("{} extends {held:?} to {lease:?}", self.members[who].id());
            return Err(Broken::new("GI1 one lease", seen));
        }
        self.members[who].office = Some(lease);
        Ok(())
    }

    /// Nobody else uses a lease now, nor this one an earlier lease of its own.
    fn alone(&self, who: usize, lease: Lease, is_new: bool) -> Result<(), Broken> {
        for (other, member) in self.members.iter().enumerate() {
            let Some(used) = member.uses(self.now).filter(|_| is_new || other != who) else {
                continue;
            };
            let left = member.clock.when(used.until) - self.now;
            let seen = format!(
                "{} has epoch {} while {} uses epoch {} for another {:?}",
                self.members[who].id(),
                lease.epoch,
                member.id(),
                used.epoch,
                Duration::from_nanos(left),
            );
            return Err(Broken::new("GI1 one lease", seen));
        }
        Ok(())
    }

    fn lost(&mut self, who: usize, epoch: Option<Epoch>, why: Loss) -> Result<(), Broken> {
        match why {
            Loss::Expired => self.counts.expired += 1,
            Loss::Superseded if epoch.is_some() => {
                let seen = format!("{} is superseded in epoch {epoch:?}", self.members[who].id());
                return Err(Broken::new("GI7 offices end for a reason", seen));
            }
            Loss::Superseded => {}
            Loss::Resigned => self.counts.resigned += 1,
            Loss::HandedOver => self.counts.handed_over += 1,
            Loss::Removed => self.counts.removed += 1,
        }
        let Some(epoch) = epoch else {
            self.leads(who, false);
            return Ok(());
        };
        if !self.rng.percent(self.pace.silent) {
            let (delay, life) = (self.rng.between(&self.pace.stop), self.members[who].life);
            self.after(delay, Event::Stopped { who, life, epoch });
        }
        Ok(())
    }

    /// A round of gossip: the pool tells some of what others show, and who is there.
    pub(super) fn gossip(&mut self, chance: u64) -> Result<(), Broken> {
        let count = self.members.len();
        for (to, of) in (0..count * count).map(|pair| (pair / count, pair % count)) {
            if to != of && self.members[to].is_up() && self.rng.percent(chance) {
                self.see(to, of)?;
            }
        }
        Ok(())
    }

    fn see(&mut self, to: usize, of: usize) -> Result<(), Broken> {
        let cut = &self.network.cut;
        let is_there = self.members[of].is_up() && !cut.contains(&(of, to));
        let mistaken = self.rng.percent(self.pace.mistaken);
        let known = self.members[to].process.as_ref().and_then(|it| it.known.get(&of)).cloned();
        let shown = match (is_there, &known) {
            (true, _) => self.members[of].shown.clone(),
            (false, Some((shown, _))) => Some(shown.clone()),
            (false, None) => None,
        };
        let standing = match is_there != mistaken {
            true => Standing::Alive,
            // A suspect that stays away is given up.
            false => match known.as_ref().map(|(_, standing)| *standing) {
                Some(Standing::Suspect | Standing::Failed) => Standing::Failed,
                Some(Standing::Alive) | None => Standing::Suspect,
            },
        };
        let Some(shown) = shown else { return Ok(()) };
        let news = (shown.clone(), standing);
        if known.as_ref() == Some(&news) {
            return Ok(());
        }
        if let Some(process) = &mut self.members[to].process {
            process.known.insert(of, news);
        }
        self.handle(to, Input::Saw { shown, standing })
    }

    /// How many lead in the classic mode, as they see it.
    pub(super) fn leaders(&self) -> usize {
        let processes = self.members.iter().filter_map(|member| member.process.as_ref());
        processes.filter(|process| process.leads).count()
    }
}
