//! The hand on the world: what scripts, storms and tests do to it.

use std::time::Duration;

use bytes::Bytes;
use node::codec::Envelope;
use node::{Config, Input, Request, RequestId};
use protocol::raft::{self, Entry, HardState, Payload, Role, Write, WriteId};
use protocol::{Index, NodeId, Position, Term, Time};
use storage::disk::Moment;
use storage::log::{Log, LogOptions};
use store::{Command, Member, Put};

use super::machine::Refusal;
use super::ways::Ways;
use super::{Machine, Status, World};
use crate::fault::Fault;
use crate::history::Ending;
use crate::marks::Mark;
use crate::seen::{Place, Seen, Violation, id, place};
use crate::swarm::Options;
use crate::trace::{Trace, name};

/// What an operator has said to a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Nothing.
    Usual,
    /// Nothing; a leader is there for what is in doubt, and its log ends here.
    Led(Index),
    /// Nothing that is in doubt was acknowledged.
    Dismissing,
}

/// A log that a node begins with, for the figures of the papers.
#[derive(Clone, Debug, Default)]
pub struct PresetLog {
    /// The terms of its entries, from index 1 on.
    pub terms: Vec<u64>,
    /// The node's term; at least that of the last entry.
    pub term: u64,
    /// Its vote in that term.
    pub vote: Option<NodeId>,
    /// How far it knows its entries to be committed.
    pub commit: u64,
    /// Its entries are puts, each in a write of its own: of the value `v7` under `k7` at index 7.
    pub puts: bool,
}

impl World {
    /// A world whose nodes begin with these logs. Equal terms at one index mean equal entries.
    #[must_use]
    pub fn with_logs(options: Options, seed: u64, logs: &[PresetLog]) -> Self {
        let mut world = Self::at_rest(options, seed, logs);
        for at in 0..world.machines.len() {
            world.start(at);
        }
        world
    }

    /// The same, before any node has started.
    #[must_use]
    pub fn at_rest(options: Options, seed: u64, logs: &[PresetLog]) -> Self {
        let mut world = Self::dark(options, seed);
        for (at, preset) in logs.iter().enumerate().take(world.machines.len()) {
            let (options, write, id) = (world.log_options(at), preset.write(), WriteId(0));
            // Whoever watches is told, as of any write.
            world.eyes.see(world.now, &Seen::Handed { at, id, write: &write });
            let written = write_log(&world.machines[at], options, &write, preset.puts);
            written.expect("invariant: a preset log fits onto an empty disk");
            world.eyes.see(world.now, &Seen::Durable { at, id });
        }
        world
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.violation().is_none() && self.step(end) {}
    }

    /// Lets time pass until something holds.
    ///
    /// # Errors
    /// The violation that came first, or that it did not hold within `limit`.
    pub fn run_until(
        &mut self,
        what: &str,
        limit: Duration,
        holds: impl FnMut(&Self) -> bool,
    ) -> Result<(), Violation> {
        self.demand("script", what, limit, holds)
    }

    /// Lets time pass until something holds that `law` demands within `limit`.
    pub(crate) fn demand(
        &mut self,
        law: &'static str,
        what: &str,
        limit: Duration,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Result<(), Violation> {
        let end = self.now + limit;
        while !holds(self) {
            if self.violation().is_none() && !self.step(end) {
                self.eyes.violate(end, law, || format!("waited in vain for {what}"));
            }
            if let Some(violation) = self.violation() {
                return Err(violation.clone());
            }
        }
        Ok(())
    }

    /// Starts a node from what its disks hold.
    pub fn start(&mut self, at: Place) {
        self.start_as(at, How::Usual);
    }

    /// Starts a node whose operator knows that nothing its log is in doubt about was acknowledged.
    pub(crate) fn start_dismissing(&mut self, at: Place) {
        self.start_as(at, How::Dismissing);
    }

    pub(super) fn start_as(&mut self, at: Place, how: How) {
        let machine = &self.machines[at];
        if !matches!(machine.status, Status::Down) || machine.lost || machine.retired {
            return;
        }
        self.count_start(at);
        let (config, options) = (self.config(at), self.log_options(at));
        let machine = &mut self.machines[at];
        match machine.start(self.now, config, options, how, &mut self.births) {
            Ok(None) => {
                self.eyes.marks.hit(Mark::LogWounded);
                self.note(&format!("{} lacks entries, and asks for them", name(at)));
                self.feed(at, Input::Timeout);
                self.drain(at);
            }
            Ok(Some(found)) => {
                let life = self.machines[at].life;
                if let Some(running) = self.machines[at].running().filter(|_| self.options.mesh) {
                    running.ways = Some(Ways::new(at, life, self.options.consensus.heartbeat));
                }
                if at >= self.options.nodes && life == 1 {
                    self.crowd.allow(at);
                }
                found.damage.iter().for_each(|damage| self.eyes.marks.damage(damage));
                if found.restored.doubt.is_some() {
                    self.eyes.marks.hit(Mark::InDoubt);
                }
                if found.dismissed {
                    self.eyes.marks.hit(Mark::DoubtDismissed);
                }
                if found.adopted {
                    self.eyes.marks.hit(Mark::LogAdopted);
                }
                if found.set_aside {
                    self.settle_room(at);
                    self.eyes.marks.hit(Mark::StateSetAside);
                }
                let seen = Seen::Started { at, life, restored: &found.restored };
                self.eyes.see(self.now, &seen);
                self.feed(at, Input::Timeout);
                self.drain(at);
                self.measure_soon(at);
            }
            Err(refusal) => self.refused(at, &refusal),
        }
    }

    fn refused(&mut self, at: Place, refusal: &Refusal) {
        let why = refusal.why.as_str();
        if refusal.passing {
            self.eyes.see(self.now, &Seen::Halted { at, why });
            self.supervise(at);
            return;
        }
        self.machines[at].lost = true;
        self.eyes.see(self.now, &Seen::Refused { at, why });
        self.eyes.marks.hit(Mark::RefusedToStart);
    }

    /// Ends a node as a kill does: what the kernel was given survives.
    pub fn crash(&mut self, at: Place) {
        self.crash_with(at, Moment::After, 0);
    }

    /// Ends a node. `moment` says what of the unsynced survives; with a sync under way, the power
    /// fails at one of its operations.
    pub(crate) fn crash_with(&mut self, at: Place, moment: Moment, choice: u64) {
        let machine = &mut self.machines[at];
        let status = std::mem::replace(&mut machine.status, Status::Down);
        let log = machine.log.clone();
        let running = match status {
            Status::Up(running) | Status::Paused(running) => Some(running),
            Status::Mending(_) => None,
            Status::Down => return,
        };
        if let Some(mut running) = running
            && running.syncing.is_some()
            && choice > 0
        {
            self.eyes.marks.hit(Mark::CrashedWithinSync);
            log.crash_within(choice - 1, moment, || {
                let _ = running.log.sync();
            });
        } else {
            log.get().crash(moment);
        }
        if let super::backend::Medium::Disk(files) = &self.machines[at].state {
            files.disk().crash(moment);
        }
        self.settle_room(at);
        self.eyes.see(self.now, &Seen::Crashed { at });
        self.gone(at);
    }

    /// Stops a process where it stands.
    pub fn pause(&mut self, at: Place) {
        let machine = &mut self.machines[at];
        let status = std::mem::replace(&mut machine.status, Status::Down);
        let paused = matches!(status, Status::Up(_));
        machine.status = match status {
            Status::Up(running) => Status::Paused(running),
            other => other,
        };
        if paused {
            self.eyes.see(self.now, &Seen::Paused { at });
        }
    }

    /// Lets it go on; everything that came meanwhile comes at once.
    pub fn resume(&mut self, at: Place) {
        let machine = &mut self.machines[at];
        let status = std::mem::replace(&mut machine.status, Status::Down);
        let Status::Paused(mut running) = status else {
            machine.status = status;
            return;
        };
        let inbox = std::mem::take(&mut running.inbox);
        machine.status = Status::Up(running);
        self.eyes.see(self.now, &Seen::Resumed { at });
        inbox.into_iter().for_each(|input| self.feed(at, input));
        self.open_letters(at);
        self.drain(at);
    }

    /// Tells a node to end in order.
    pub fn stop(&mut self, at: Place) {
        self.feed(at, Input::Stop);
        self.drain(at);
    }

    /// Cuts two nodes apart.
    pub fn cut(&mut self, a: Place, b: Place) {
        self.cut_links("between two", &[(a, b), (b, a)]);
    }

    /// Cuts the nodes into groups that do not hear each other.
    pub fn partition(&mut self, groups: &[&[Place]]) {
        let mut links = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            for other in groups.iter().enumerate().filter(|(other, _)| *other != number) {
                for from in *group {
                    links.extend(other.1.iter().map(|to| (*from, *to)));
                }
            }
        }
        self.cut_links("partition", &links);
    }

    pub(crate) fn cut_links(&mut self, shape: &'static str, links: &[(Place, Place)]) {
        for (from, to) in links {
            self.network.link(*from, *to).cut = true;
        }
        let fault = Fault::Cut { shape, links: links.to_vec() };
        self.eyes.see(self.now, &Seen::Fault(&fault));
    }

    /// All links carry again.
    pub fn heal(&mut self) {
        self.network.heal(None);
        self.eyes.see(self.now, &Seen::Fault(&Fault::Healed));
    }

    /// A client asks a node; the answer comes with [`World::reply`].
    pub fn ask(&mut self, at: Place, request: Request) -> RequestId {
        let id = self.crowd.ask(self.now, at, request.clone());
        if !self.machines[at].is_alive() {
            self.crowd.unreachable(self.now, id);
            return id;
        }
        self.eyes.see(self.now, &Seen::Asked { at, id, request: &request });
        self.feed(at, Input::Request { id, request });
        self.drain(at);
        id
    }

    /// What a client was answered.
    #[must_use]
    pub fn reply(&self, id: RequestId) -> Option<&Ending> {
        self.crowd.reply(id)
    }

    /// The leader of the highest term.
    #[must_use]
    pub fn leader(&self) -> Option<Place> {
        let leads = |at: &Place| self.view(*at).filter(|view| view.role == Role::Leader);
        (0..self.nodes())
            .filter(|at| leads(at).is_some())
            .max_by_key(|at| leads(at).map(|v| v.term))
    }

    /// What a node's disk holds of the log, durably; empty when it is down or was trimmed away.
    #[must_use]
    pub fn log(&self, at: Place) -> Vec<Entry> {
        let Some(running) = self.machines[at].alive() else { return Vec::new() };
        let first = running.log.base().index.next();
        running.log.read(first, usize::MAX).unwrap_or_default()
    }

    /// A remark for the picture.
    pub fn note(&mut self, text: &str) {
        self.eyes.see(self.now, &Seen::Note(text));
    }

    /// Everything that was seen.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.eyes.trace
    }

    fn log_options(&self, at: Place) -> LogOptions {
        let disks = &self.options.disks;
        LogOptions {
            segment_bytes: disks.segment_bytes,
            page_bytes: disks.page_bytes,
            batch_bytes: disks.batch_bytes,
            spares: disks.spares,
            ..LogOptions::new(self.machines[at].identity())
        }
    }

    fn config(&self, at: Place) -> Config {
        let (consensus, stores) = (&self.options.consensus, &self.options.stores);
        let member = |at: Place| Member {
            id: id(at),
            name: String::new(),
            peer_urls: vec![format!("http://n{}:2380", at + 1)],
            client_urls: Vec::new(),
        };
        // Who joins knows nobody.
        let all = 0..if at < self.options.nodes { self.options.nodes } else { 0 };
        Config {
            raft: raft::Config {
                id: id(at),
                voters: all.clone().map(id).collect(),
                learners: std::collections::BTreeSet::new(),
                election_timeout: consensus.election.clone(),
                heartbeat: consensus.heartbeat,
                pre_vote: consensus.pre_vote,
                check_quorum: consensus.check_quorum,
                stickiness: consensus.stickiness,
                read_mode: consensus.reads,
                max_inflight_messages: consensus.window,
                max_inflight_bytes: consensus.append_bytes * 8,
                max_append_bytes: consensus.append_bytes,
                // What waits is to be committed within seconds, however little goes at a time.
                max_uncommitted_bytes: consensus.window * consensus.append_bytes * 8,
                cache_bytes: consensus.cache_bytes,
            },
            protocol: consensus.protocol.clone(),
            members: all.map(member).collect(),
            publish: Member { name: format!("n{}", at + 1), ..member(at) },
            limits: stores.limits,
            watch: stores.watch.clone(),
            incarnation: self.machines[at].life + 1,
            request_timeout: stores.request_timeout,
            tick: stores.tick,
            compare_interval: stores.compare_interval,
            rebuilt_after: None,
            flush_bytes: stores.flush_bytes,
            flush_interval: stores.flush_interval,
            max_unflushed_bytes: 1 << 20,
            max_pending: stores.max_pending,
            max_unapplied: 5_000,
            log_keep_bytes: stores.log_keep_bytes,
            // Of a log that is kept short, a trim may free less.
            trim_stride: (stores.log_keep_bytes / 100).clamp(10, 1_000),
            snapshot_piece_bytes: stores.snapshot_piece_bytes,
        }
    }

    /// The places of all nodes that run.
    #[must_use]
    pub fn up(&self) -> Vec<Place> {
        let up = |machine: &&Machine| matches!(machine.status, Status::Up(_));
        self.machines.iter().filter(up).map(|machine| machine.at).collect()
    }

    /// The leader that a node follows.
    #[must_use]
    pub fn led_by(&self, at: Place) -> Option<Place> {
        self.view(at)?.leader.and_then(place)
    }

    /// Time since the beginning, as a duration.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.now.since(Time(0))
    }
}

impl PresetLog {
    /// The write with which a node would have made it.
    fn write(&self) -> Write {
        let entry = |(term, index): (&u64, u64)| Entry {
            position: Position { term: Term(*term), index: Index(index) },
            payload: if self.puts { put(index) } else { Payload::Empty },
        };
        let last = self.terms.last().copied().unwrap_or(0);
        let hard_state = HardState {
            term: Term(self.term.max(last)),
            vote: self.vote,
            commit: Index(self.commit),
        };
        let entries = self.terms.iter().zip(1..).map(entry).collect();
        Write { hard_state: Some(hard_state), entries, ..Write::default() }
    }
}

/// A put as some node would have proposed it.
fn put(index: u64) -> Payload {
    let text = |letter: char| Bytes::from(format!("{letter}{index}"));
    let put = Put { key: text('k'), value: Some(text('v')), lease: Some(None), prev_kv: false };
    Payload::Command(Envelope::seal(NodeId(99), 1, index, &Command::Put(put)))
}

/// Writes a log onto an empty disk, as a node would have.
fn write_log(
    machine: &Machine,
    options: LogOptions,
    write: &Write,
    singly: bool,
) -> Result<(), storage::log::LogError> {
    let Ok((mut log, _)) = Log::open(machine.log.clone(), options) else { return Ok(()) };
    if singly {
        log.append(&Write { hard_state: write.hard_state, ..Write::default() })?;
        for entry in &write.entries {
            log.append(&Write { entries: vec![entry.clone()], ..Write::default() })?;
            log.sync()?;
        }
    } else {
        log.append(write)?;
    }
    log.close().map(drop)
}
