//! All groups of an agent: one task on the thread of the pool.
//!
//! Nothing here waits for a disk. A letter that the pool does not take at once is lost, as letters
//! are.

mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use protocol::NodeId;
use protocol::bully::wire::{Group as Name, Letter, Says, decode, encode};
use protocol::bully::{Durable, Input, Standing, Timing, WriteId};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::calls::Call;
use super::clock::boot_time;
use super::file::{Folder, Record};
use super::group::{Effect, Group, LINES};
use super::handle::{ElectionError, Elections, Program, Told};
use super::peers::{self, Peer};
use super::settings::{GroupSettings, Mode, NAMED_MOST, Wish};
use super::{candidate, peers::tag, words};
use crate::gossip::{PoolHandle, Profile, Subscription};

/// Calls that may wait.
const CALLS: usize = 256;
/// Letters that may wait; further ones are lost.
const LETTERS: usize = 4_096;
/// Groups that one agent can be in: as many as its tag has room for.
const GROUPS: usize = 16;
/// Programs that observe one agent's groups.
const OBSERVERS: usize = 128;
/// How often the pool is looked at when something has changed there, and clocks are compared.
const LOOK: Duration = Duration::from_millis(100);
/// Looks from one telling of what is shown to the next.
const ROUND: u32 = 10;
/// How many are told in each.
const FEW: usize = 3;

/// The way of letters from the pool to the groups.
pub(crate) fn letters() -> (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>) {
    mpsc::channel(LETTERS)
}

/// What groups begin with.
#[derive(Debug)]
pub(crate) struct Office {
    agent: String,
    folder: Option<Folder>,
    timing: Timing,
    records: Vec<Record>,
    calls: mpsc::Receiver<Call>,
}

impl Office {
    /// Reads what was kept, and joins what the settings say.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub(crate) fn open(
        agent: &str,
        data_dir: Option<&Path>,
        profile: Profile,
        groups: &[(Name, Wish)],
    ) -> Result<(Elections, Self), String> {
        let folder = data_dir.map(Folder::of);
        let mut records = match &folder {
            Some(folder) => folder.read(agent)?,
            None => Vec::new(),
        };
        for (group, wish) in groups {
            let fail = |why: String| format!("the group {:?}: {why}", group.as_str());
            match records.iter_mut().find(|record| record.group == *group) {
                Some(record) => record.settings = record.settings.with(wish).map_err(fail)?,
                None => {
                    let settings = GroupSettings::of(wish).map_err(fail)?;
                    if settings.mode == Mode::Classic {
                        let text = "a classic group is there for as long as a program stands; it \
                                    needs no settings beforehand";
                        return Err(fail(text.to_owned()));
                    }
                    if folder.is_none() {
                        return Err(fail(words::no_folder()));
                    }
                    let (agent, group) = (agent.to_owned(), group.clone());
                    let durable = Durable::default();
                    records.push(Record { agent, group, settings, durable });
                }
            }
        }
        if records.len() > GROUPS {
            return Err(words::too_many(GROUPS));
        }
        let ms = Duration::from_millis;
        let timing = match profile {
            Profile::Lan | Profile::Local => Timing { alive: ms(500), victory: ms(1_500) },
            Profile::Wan => Timing { alive: ms(2_000), victory: ms(6_000) },
        };
        let (calls, called) = mpsc::channel(CALLS);
        let agent = agent.to_owned();
        Ok((Elections { calls }, Self { agent, folder, timing, records, calls: called }))
    }

    /// Works until the pool has ended.
    pub(crate) async fn run(self, pool: PoolHandle, letters: mpsc::Receiver<Bytes>) {
        let Self { agent, folder, timing, records, calls } = self;
        let (written, writes) = mpsc::unbounded_channel();
        let (gone, leavers) = mpsc::unbounded_channel();
        let mut task = Task {
            own: candidate(&agent),
            agent,
            folder,
            timing,
            events: pool.subscribe(),
            pool,
            groups: BTreeMap::new(),
            peers: BTreeMap::new(),
            written,
            gone,
            programs: 0,
            refused: 0,
            is_stale: true,
            is_tagged: false,
            is_refused: false,
            round: 0,
        };
        for record in records {
            task.join(record.group, record.settings, record.durable);
        }
        task.run(calls, letters, (writes, leavers)).await;
    }
}

/// A write that has ended.
type Written = (Name, WriteId, io::Result<()>);

/// Tells when a program has gone: when this is dropped.
#[derive(Debug)]
pub(super) struct Leaves {
    name: Name,
    number: u64,
    gone: mpsc::UnboundedSender<(Name, u64)>,
}

impl Drop for Leaves {
    fn drop(&mut self) {
        // The task may have ended since.
        let _ended = self.gone.send((self.name.clone(), self.number));
    }
}

struct Task {
    own: NodeId,
    agent: String,
    folder: Option<Folder>,
    timing: Timing,
    pool: PoolHandle,
    events: Subscription,
    groups: BTreeMap<Name, Group>,
    peers: BTreeMap<NodeId, Peer>,
    written: mpsc::UnboundedSender<Written>,
    gone: mpsc::UnboundedSender<(Name, u64)>,
    programs: u64,
    /// Letters that made no sense.
    refused: u64,
    /// Something has changed in the pool, or in what this agent is to say there.
    is_stale: bool,
    /// This agent may say in the pool that it is in groups.
    is_tagged: bool,
    /// The pool does not take the tag, and the log says so.
    is_refused: bool,
    round: u32,
}

impl Task {
    async fn run(
        &mut self,
        mut calls: mpsc::Receiver<Call>,
        mut letters: mpsc::Receiver<Bytes>,
        (mut writes, mut leavers): (
            mpsc::UnboundedReceiver<Written>,
            mpsc::UnboundedReceiver<(Name, u64)>,
        ),
    ) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let elects = !self.groups.is_empty();
            let due = self.due();
            tokio::select! {
                biased;
                () = sleep_until(due), if elects => self.wake(),
                Some((name, id, result)) = writes.recv() => self.on_written(&name, id, result),
                Some((name, number)) = leavers.recv() => self.on_gone(&name, number),
                Some(call) = calls.recv() => self.on_call(call),
                Some(letter) = letters.recv() => self.on_letter(&letter),
                notice = self.events.next() => match notice {
                    Some(_) => self.is_stale = true,
                    None => return,
                },
                _ = ticks.tick(), if elects || self.is_tagged => self.tick().await,
            }
        }
    }

    /// When the next core wants to be called. Timers stand still while the machine is suspended,
    /// which leases do not; so nobody sleeps for long.
    fn due(&self) -> Instant {
        let now = boot_time();
        let next = self.groups.values().filter_map(Group::due).min();
        let wait = next.map_or(LOOK, |due| due.since(now).min(LOOK));
        Instant::now() + wait
    }

    fn wake(&mut self) {
        let now = boot_time();
        let due = |group: &Group| group.due().is_some_and(|due| due <= now);
        let names: Vec<Name> =
            self.groups.values().filter(|group| due(group)).map(|it| it.name.clone()).collect();
        for name in names {
            self.handle(&name, Input::Timeout);
        }
    }

    fn handle(&mut self, name: &Name, input: Input) {
        if let Some(group) = self.groups.get_mut(name) {
            group.handle(boot_time(), input);
        }
        self.carry_out(name);
    }

    /// Does what a group wants done.
    fn carry_out(&mut self, name: &Name) {
        loop {
            let effects = self.groups.get_mut(name).map(Group::effects).unwrap_or_default();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Send(to, letter) => self.send(to, &letter),
                    Effect::Show(letter) => {
                        for to in self.others(name) {
                            self.send(to, &letter);
                        }
                    }
                    Effect::Write(id, durable) => self.write(name, id, durable),
                    Effect::Leader(leader) => {
                        let leader = self.known(leader);
                        if let Some(group) = self.groups.get_mut(name) {
                            group.tell_leader(leader);
                        }
                    }
                    Effect::Warn(warning) => {
                        let text = words::warning(&warning, |id| self.name_of_text(id));
                        if let Some(group) = self.groups.get_mut(name) {
                            group.warn(&text);
                        }
                    }
                }
            }
        }
    }

    /// Those who are in a group, but this one.
    fn others(&self, name: &Name) -> Vec<NodeId> {
        self.peers.iter().filter(|(_, peer)| peer.is_in(name)).map(|(id, _)| *id).collect()
    }

    fn send(&self, to: NodeId, letter: &Letter) {
        let Some(peer) = self.peers.get(&to) else { return };
        if let Some(bytes) = encode(letter) {
            self.pool.tell(peer.address, Bytes::from(bytes));
        }
    }

    fn write(&self, name: &Name, id: WriteId, durable: Durable) {
        let (Some(folder), Some(group)) = (self.folder.clone(), self.groups.get(name)) else {
            return;
        };
        let (agent, settings) = (self.agent.clone(), group.settings.clone());
        let record = Record { agent, group: name.clone(), settings, durable };
        let (done, name) = (self.written.clone(), name.clone());
        tokio::task::spawn_blocking(move || {
            let result = folder.write(&record);
            // The task may have ended since.
            let _ended = done.send((name, id, result));
        });
    }

    fn on_written(&mut self, name: &Name, id: WriteId, result: io::Result<()>) {
        if let Some(group) = self.groups.get_mut(name) {
            group.written(boot_time(), id, result);
        }
        self.carry_out(name);
    }

    fn join(&mut self, name: Name, settings: GroupSettings, durable: Durable) {
        let config = settings.config(self.own, self.timing);
        tracing::info!(group = %name, %settings, "this agent elects in a group");
        let group = Group::new(name.clone(), settings, config, durable, boot_time());
        self.groups.insert(name.clone(), group);
        self.is_stale = true;
        self.carry_out(&name);
    }

    fn on_gone(&mut self, name: &Name, number: u64) {
        let Some(group) = self.groups.get_mut(name) else { return };
        group.detach(boot_time(), number);
        self.carry_out(name);
        let is_over = |group: &Group| group.settings.mode == Mode::Classic && !group.stands();
        let ended = self.groups.get(name).filter(|group| is_over(group));
        if let Some(group) = ended {
            let letter = group.farewell(self.own);
            for to in self.others(name) {
                self.send(to, &letter);
            }
            self.groups.remove(name);
            self.is_stale = true;
        }
    }

    fn on_letter(&mut self, bytes: &[u8]) {
        let Some(Letter { group: name, says }) = decode(bytes) else {
            self.refused += 1;
            return;
        };
        let from = says.sender();
        if from == self.own {
            self.refused += 1;
            return;
        }
        let standing = self.peers.get(&from).map(|peer| peer.standing);
        let now = boot_time();
        let Some(group) = self.groups.get_mut(&name) else { return };
        match says {
            Says::Shown(shown) => {
                let answer = group.shows(now, shown, standing).then(|| group.shown()).flatten();
                if let Some(letter) = answer {
                    self.send(from, &letter);
                }
            }
            Says::Gone(id) => group.forgets(now, id),
            Says::Message(message) => group.handle(now, Input::Receive { from, message }),
        }
        self.carry_out(&name);
    }

    async fn tick(&mut self) {
        self.round = (self.round + 1) % ROUND;
        if std::mem::take(&mut self.is_stale) || self.round == 0 {
            self.look().await;
        }
        if self.round == 0 {
            let names: Vec<Name> = self.groups.keys().cloned().collect();
            for name in names {
                self.show_again(&name);
            }
        }
    }

    fn show_again(&mut self, name: &Name) {
        let others = self.others(name);
        let Some(group) = self.groups.get_mut(name) else { return };
        let Some(letter) = group.shown() else { return };
        for to in group.turn(&others, FEW) {
            self.send(*to, &letter);
        }
    }

    /// Looks at the pool: who is there, and what this agent says of itself.
    async fn look(&mut self) {
        let Ok(members) = self.pool.members().await else { return };
        let (peers, ours) = peers::of(&members, &self.agent);
        let before = std::mem::replace(&mut self.peers, peers);
        let now = boot_time();
        let names: Vec<Name> = self.groups.keys().cloned().collect();
        for name in names {
            let is_in = |peer: &&Peer| peer.is_in(&name);
            let inside = self.peers.iter().filter(|(_, peer)| peer.is_in(&name));
            let standings: BTreeMap<NodeId, Standing> =
                inside.map(|(id, peer)| (*id, peer.standing)).collect();
            let Some(group) = self.groups.get_mut(&name) else { continue };
            group.look(now, &standings);
            let letter = group.shown();
            for id in standings.keys().filter(|id| before.get(id).filter(is_in).is_none()) {
                if let Some(letter) = &letter {
                    self.send(*id, letter);
                }
            }
            self.carry_out(&name);
        }
        let wanted = tag(self.groups.keys());
        self.is_tagged = ours.is_some() || wanted.is_some();
        if ours != wanted {
            self.say(wanted).await;
        }
    }

    /// Others set tags of this member, too: what they have not seen is said again.
    async fn say(&mut self, wanted: Option<String>) {
        let Ok(tags) = self.pool.own_tags().await else { return };
        match self.pool.set_tags(peers::with_tag(tags, wanted)).await {
            Ok(()) => self.is_refused = false,
            Err(error) => {
                if !std::mem::replace(&mut self.is_refused, true) {
                    let text = "the pool does not take the tag of this agent's groups: nobody \
                                elects with it";
                    tracing::error!(%error, "{text}");
                }
            }
        }
    }

    fn on_call(&mut self, call: Call) {
        // Whoever asked may have gone since; then the program is dropped, and that is noticed.
        match call {
            Call::Stand { group, wish, reply } => drop(reply.send(self.stand(&group, &wish))),
            Call::Observe { group, reply } => drop(reply.send(self.observe(&group))),
            Call::Stopped { group, epoch, reply } => {
                let known = self.member(&group).map(|group| group.stopped(boot_time(), epoch));
                self.carry_out(&group);
                drop(reply.send(known));
            }
            Call::Report { group, freshness, reply } => {
                let known = self.member(&group).map(|_| ());
                self.handle(&group, Input::Freshness(freshness));
                drop(reply.send(known));
            }
            Call::Change { group, electors, reply } => match self.electors(&group, &electors) {
                Ok(electors) => {
                    if let Some(group) = self.groups.get_mut(&group) {
                        group.change(boot_time(), electors, reply);
                    }
                    self.carry_out(&group);
                }
                Err(error) => drop(reply.send(Err(error))),
            },
            Call::List(reply) => {
                drop(reply.send(Ok(self.groups.values().map(|it| self.view(it)).collect())));
            }
        }
    }

    fn member(&mut self, name: &Name) -> Result<&mut Group, ElectionError> {
        self.groups.get_mut(name).ok_or_else(|| ElectionError::Conflict(words::not_in(name)))
    }

    /// The ids of those who are to decide in a group that is led from here. Newcomers among them
    /// must be there, in the group: a name that nobody has would never decide anything.
    fn electors(
        &mut self,
        name: &Name,
        electors: &BTreeSet<String>,
    ) -> Result<BTreeSet<NodeId>, ElectionError> {
        let (own, agent) = (self.own, self.agent.clone());
        let group = self.member(name)?;
        if group.settings.mode == Mode::Classic {
            return Err(ElectionError::Conflict(words::CLASSIC.to_owned()));
        }
        if group.is_broken() {
            return Err(ElectionError::Conflict(words::broken()));
        }
        let leader = group.leader();
        if leader.is_none_or(|leader| leader.id != own) {
            let leader = leader.map(|leader| self.name_of(leader.id));
            return Err(ElectionError::Conflict(words::led_elsewhere(leader.as_deref())));
        }
        if electors.is_empty() || electors.len() > NAMED_MOST {
            return Err(ElectionError::Refused(words::size(NAMED_MOST)));
        }
        let present = group.core().status().electorate;
        let decides = |id| present.as_ref().is_some_and(|present| present.has(id));
        let is_there = |peer: &Peer| peer.is_in(name) && peer.standing != Standing::Failed;
        let is_in = |id| self.peers.get(&id).is_some_and(is_there);
        let ids = electors.iter().map(|elector| {
            let id = if *elector == agent { own } else { candidate(elector) };
            let known = id == own || decides(id) || is_in(id);
            known.then_some(id).ok_or_else(|| ElectionError::Conflict(words::nobody(elector, name)))
        });
        ids.collect()
    }

    fn stand(&mut self, name: &Name, wish: &Wish) -> Result<Program, ElectionError> {
        match self.groups.get_mut(name) {
            None => {
                let settings = GroupSettings::of(wish).map_err(ElectionError::Refused)?;
                if settings.mode == Mode::Safe && self.folder.is_none() {
                    return Err(ElectionError::Conflict(words::no_folder()));
                }
                if self.groups.len() >= GROUPS {
                    return Err(ElectionError::Conflict(words::too_many(GROUPS)));
                }
                self.join(name.clone(), settings, Durable::default());
            }
            Some(group) => {
                let settings = group.settings.with(wish).map_err(ElectionError::Conflict)?;
                if group.is_broken() {
                    return Err(ElectionError::Conflict(words::broken()));
                }
                if group.stands() {
                    let text = "a program stands in this group at this agent already: stop that \
                                one, or stand at another agent";
                    return Err(ElectionError::Conflict(text.to_owned()));
                }
                group.settings = settings;
            }
        }
        let (program, number, lines) = self.enter(name)?;
        let advice = self.groups.get(name).and_then(|group| self.advice(group));
        if let Some(text) = advice {
            // There is room for it.
            let _sent = lines.try_send(Told::Warning(text));
        }
        if let Some(group) = self.groups.get_mut(name) {
            group.attach(boot_time(), number, lines);
        }
        self.carry_out(name);
        Ok(program)
    }

    fn observe(&mut self, name: &Name) -> Result<Program, ElectionError> {
        let observers: usize = self.groups.values().map(Group::observers).sum();
        if observers >= OBSERVERS {
            let text = format!("{OBSERVERS} programs observe groups at this agent already");
            return Err(ElectionError::Conflict(text));
        }
        if self.member(name)?.is_broken() {
            return Err(ElectionError::Conflict(words::broken()));
        }
        let (program, number, lines) = self.enter(name)?;
        self.member(name)?.observe(number, lines);
        Ok(program)
    }

    /// A program's place, and its first lines.
    fn enter(&mut self, name: &Name) -> Result<(Program, u64, mpsc::Sender<Told>), ElectionError> {
        let group = self.member(name)?;
        let (settings, leader) = (group.settings.clone(), group.leader());
        let leader = self.known(leader);
        let (lines, coming) = mpsc::channel(LINES);
        for told in [Told::Settings(settings), Told::Leader(leader)] {
            // There is room for them.
            let _sent = lines.try_send(told);
        }
        self.programs += 1;
        let number = self.programs;
        let leaves = Leaves { name: name.clone(), number, gone: self.gone.clone() };
        Ok((Program { lines: coming, _leaves: leaves }, number, lines))
    }
}
