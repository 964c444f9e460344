//! One machine: its disks, its clock and, while it runs, the production node on them.
//!
//! It does what the server's driver does with a log of its own thread: writes queue up while a sync
//! is under way, the next sync takes them all; one thread writes the state, another one reads it,
//! each its jobs one after the other. How long each takes is the world's affair.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use node::{Config, Input, Node, ViewHead, ViewId};
use protocol::raft::{Membership, Restored, Write, WriteId};
use protocol::{ClusterId, Index, NodeId, Position, Rng, Term, Time};
use storage::Identity;
use storage::disk::{FaultPlan, FaultyDisk};
use storage::log::{Covered, Damage, Log, LogError, LogOptions, Opening};
use storage::state::FaultyFiles;
use store::{Backend, BackendError, BackendRead, Flush, Record, Revision, Store};

use super::backend::{Medium, ROOM, State, View};
use super::clock::Clock;
use super::disk::SharedDisk;
use super::lives::{Copy, Papers};
use super::mending::Patient;
use super::script::How;
use super::ways::Ways;
use crate::seen::{Place, id};

const CLUSTER: ClusterId = ClusterId(0xC1);
/// Records read at once while the index is rebuilt.
const SCAN: usize = 200;

/// What the log is to do at its next sync.
#[derive(Debug)]
pub(crate) enum Queued {
    Write(Write),
    Cut(Index),
}

/// What a machine is doing.
pub(crate) enum Status {
    /// The node is not running.
    Down,
    /// It runs.
    Up(Box<Running>),
    /// It runs no further, and does not know it.
    Paused(Box<Running>),
    /// Its process runs, and gets from others what its log lacks, before its node does.
    Mending(Box<Patient>),
}

/// One machine.
pub(crate) struct Machine {
    pub(crate) at: Place,
    pub(crate) log: SharedDisk,
    pub(crate) state: Medium,
    pub(crate) clock: Clock,
    pub(crate) status: Status,
    /// How often it has started.
    pub(crate) life: u64,
    /// Whom its operator names as the first members.
    founders: BTreeSet<NodeId>,
    /// Its disk holds what must not be served: it cannot start any more.
    pub(crate) lost: bool,
    /// Its node was removed from the cluster, and has ended for good.
    pub(crate) retired: bool,
    /// What stands on its disk besides log and state.
    pub(crate) papers: Papers,
    /// A copy of its disks, from an earlier start.
    pub(crate) copy: Option<Copy>,
    /// Part of a state has been staged and is not installed.
    pub(crate) staged: bool,
    /// What is free on its disks is being measured.
    pub(crate) measured: bool,
}

/// A job of the state's thread.
pub(crate) enum Chore {
    Flush(Flush),
    Discard(Vec<Revision>),
    Load(Vec<Revision>),
    Scan { token: u64, from: Revision, to: Revision, limit: usize },
    ViewOpen(ViewId),
    ViewClose(ViewId),
    Pin(ViewId, View),
    Part { view: ViewId, from: Revision, limit: usize },
    Unpin(ViewId),
    StageBegin,
    Stage(Vec<(Revision, Record)>),
    StageAbort,
    Install { meta: Vec<(Bytes, Bytes)>, applied: Position },
}

impl Chore {
    /// Which of the state's threads does it: the one that writes, or the one that reads.
    fn reads(&self) -> bool {
        match self {
            Self::Load(_)
            | Self::Scan { .. }
            | Self::Pin(..)
            | Self::Part { .. }
            | Self::Unpin(_) => true,
            Self::Flush(_)
            | Self::Discard(_)
            | Self::ViewOpen(_)
            | Self::ViewClose(_)
            | Self::StageBegin
            | Self::Stage(_)
            | Self::StageAbort
            | Self::Install { .. } => false,
        }
    }
}

/// One of the state's threads: it does its chores one after the other.
#[derive(Default)]
pub(crate) struct Thread {
    pub(crate) chores: VecDeque<Chore>,
    /// A chore is under way.
    pub(crate) busy: bool,
}

/// The thread that writes the state, and gives space back when it has nothing else to do.
pub(crate) const WRITER: usize = 0;
/// The thread that reads it.
pub(crate) const READER: usize = 1;

/// What came of a chore.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What the node is told.
    pub(crate) input: Option<Input>,
    /// What the state on disk stands for from now on.
    pub(crate) durable: Option<Durable>,
}

/// How the state on disk came to stand where it does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Durable {
    Flushed(Position),
    Installed(Position),
}

impl From<Input> for Done {
    fn from(input: Input) -> Self {
        Self { input: Some(input), durable: None }
    }
}

/// A node that runs.
pub(crate) struct Running {
    pub(crate) node: Node,
    /// None in a world without ways around broken links.
    pub(crate) ways: Option<Ways>,
    pub(crate) log: Log<SharedDisk>,
    pub(crate) backend: State,
    /// Handed over while a sync is under way.
    pub(crate) queued: Vec<(WriteId, Queued)>,
    /// The sync under way covers everything up to this.
    pub(crate) syncing: Option<WriteId>,
    /// The number of the latest sync in this life.
    pub(crate) syncs: u64,
    /// [`WRITER`] and [`READER`].
    pub(crate) threads: [Thread; 2],
    /// What is pinned, for whom.
    pub(crate) views: BTreeMap<ViewId, View>,
    /// What came in while it was paused.
    pub(crate) inbox: VecDeque<Input>,
    pub(crate) restless: bool,
    /// The configuration in force, and the index of its entry.
    pub(crate) in_force: (Index, Membership),
    /// The last index at which a digest of the state was taken.
    pub(crate) digested: Index,
    /// The true time of its next timer.
    pub(crate) timer: Option<Time>,
}

/// Why a node did not start.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The disk failed this time; it may do better the next.
    pub(crate) passing: bool,
    /// In the words of the storage crate.
    pub(crate) why: String,
}

impl Refusal {
    fn passing(why: &dyn std::fmt::Display) -> Self {
        Self { passing: true, why: why.to_string() }
    }

    fn lasting(why: &dyn std::fmt::Display) -> Self {
        Self { passing: false, why: why.to_string() }
    }
}

impl From<storage::state::OpenError> for Refusal {
    fn from(error: storage::state::OpenError) -> Self {
        match error {
            storage::state::OpenError::Io(_) => Self::passing(&error),
            _ => Self::lasting(&error),
        }
    }
}

impl From<storage::log::OpenError> for Refusal {
    fn from(error: storage::log::OpenError) -> Self {
        match error {
            storage::log::OpenError::Io { .. } => Self::passing(&error),
            _ => Self::lasting(&error),
        }
    }
}

impl From<storage::log::ReadError> for Refusal {
    fn from(error: storage::log::ReadError) -> Self {
        match error {
            storage::log::ReadError::Io { .. } => Self::passing(&error),
            _ => Self::lasting(&error),
        }
    }
}

impl From<BackendError> for Refusal {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Io(_) | BackendError::Full(_) => Self::passing(&error),
            BackendError::Corrupt(_) => Self::lasting(&error),
        }
    }
}

/// What was found on the disks at a start.
pub(crate) struct Found {
    pub(crate) restored: Restored,
    pub(crate) damage: Vec<Damage>,
    /// There was a doubt, and it was dismissed.
    pub(crate) dismissed: bool,
    /// The state was installed and the log did not know.
    pub(crate) adopted: bool,
    /// The state was damaged: it is begun anew, from the log.
    pub(crate) set_aside: bool,
}

impl Machine {
    /// A machine with empty disks.
    pub(crate) fn new(at: Place, founders: usize, on_disk: bool, rng: &mut Rng) -> Self {
        let state = if on_disk {
            let disk = FaultyDisk::new(FaultPlan { seed: rng.next(), ..FaultPlan::default() });
            Medium::Disk(FaultyFiles::new(disk, ROOM))
        } else {
            Medium::Memory(Arc::default())
        };
        Self {
            at,
            log: SharedDisk::new(rng.next()),
            state,
            clock: Clock::new(Time(0), Time(0), super::clock::TRUE_RATE),
            status: Status::Down,
            life: 0,
            founders: (0..founders).map(id).collect(),
            lost: false,
            retired: false,
            papers: Papers::new(at as u64),
            copy: None,
            staged: false,
            measured: false,
        }
    }

    /// The other members, as the state has them; without one, as its operator does.
    fn others(&self, store: Option<&Store>) -> BTreeSet<NodeId> {
        let known = store.and_then(Store::membership).map(Membership::members);
        let mut others = known.unwrap_or_else(|| self.founders.clone());
        others.remove(&id(self.at));
        others
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity { cluster: CLUSTER, node: id(self.at) }
    }

    /// Opens the disks and puts a node together, as a server does; `None` when the log lacks what
    /// only others have.
    pub(crate) fn start(
        &mut self,
        now: Time,
        config: Config,
        options: LogOptions,
        how: How,
        rng: &mut Rng,
    ) -> Result<Option<Found>, Refusal> {
        let opened = self.open_state(&config);
        let damaged = matches!(&opened, Err(refusal) if !refusal.passing);
        let covered = match &opened {
            Ok((_, store)) => Covered { applied: store.applied(), installed: store.installed() },
            Err(refusal) if refusal.passing => return Err(refusal.clone()),
            Err(_) => Covered::default(),
        };
        // A monotonic clock begins anew with every boot.
        self.clock = Clock::new(now, Time(1 + rng.below(1 << 40)), self.clock.rate());
        let others = self.others(opened.as_ref().ok().map(|(_, store)| store));
        let alone = others.is_empty();
        let (mut log, mut recovered) =
            match Log::open_or_salvage(self.log.clone(), options, covered)? {
                Opening::Whole(log, recovered) => (*log, recovered),
                Opening::Wounded(salvage)
                    if alone || (how != How::Usual && salvage.is_undecided()) =>
                {
                    let led = if let How::Led(last) = how { Some(last) } else { None };
                    salvage.open_in_doubt(led)?
                }
                Opening::Wounded(salvage) => {
                    self.admit(&config, others, *salvage, rng);
                    return Ok(None);
                }
            };
        let (backend, store) = match opened {
            Ok(opened) => opened,
            Err(refusal) if recovered.hard_state.term == Term(0) && recovered.doubt.is_none() => {
                return Err(refusal);
            }
            Err(_) => {
                self.state.set_aside(rng.next());
                self.open_state(&config)?
            }
        };
        let dismissed = how == How::Dismissing && recovered.doubt.take().is_some();
        if dismissed {
            log.dismiss_doubt().map_err(|error| Refusal::passing(&error))?;
        }
        let applied = store.applied().index;
        let adopted = log.adopt(applied, store.installed());
        let adopted = adopted.map_err(|error| Refusal::passing(&error))?;
        let restored = log.restored(applied)?;
        self.life += 1;
        let node = Node::new(config, restored.clone(), store, rng.next());
        let node = node.map_err(|error| Refusal::passing(&error))?;
        self.status = Status::Up(Box::new(Running {
            node,
            ways: None,
            log,
            backend,
            queued: Vec::new(),
            syncing: None,
            syncs: 0,
            threads: Default::default(),
            views: BTreeMap::new(),
            inbox: VecDeque::new(),
            restless: true,
            in_force: (Index(0), Membership::default()),
            digested: Index(0),
            timer: None,
        }));
        let (damage, set_aside) = (recovered.damage, damaged);
        Ok(Some(Found { restored, damage, dismissed, adopted, set_aside }))
    }

    fn open_state(&self, config: &Config) -> Result<(State, Store), Refusal> {
        let mut backend = self.state.open(self.identity())?;
        let store = restore(config, &mut backend)?;
        Ok((backend, store))
    }

    /// From now on its disks do what they should.
    pub(crate) fn heal(&mut self) {
        self.log.get().clear_plan();
        if let Medium::Disk(files) = &self.state {
            files.disk().clear_plan();
        }
    }

    /// The node, while it runs.
    pub(crate) fn running(&mut self) -> Option<&mut Running> {
        match &mut self.status {
            Status::Up(running) => Some(running),
            Status::Down | Status::Paused(_) | Status::Mending(_) => None,
        }
    }

    /// The node, paused or not.
    pub(crate) fn alive(&self) -> Option<&Running> {
        match &self.status {
            Status::Up(running) | Status::Paused(running) => Some(running),
            Status::Down | Status::Mending(_) => None,
        }
    }

    /// Whether there is a process, whatever it is doing.
    pub(crate) const fn has_process(&self) -> bool {
        !matches!(self.status, Status::Down)
    }

    /// Whether there is a node, paused or not.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive().is_some()
    }
}

impl Running {
    /// When it has something to do even if nothing comes in, by its own clock.
    pub(crate) fn due(&self) -> Option<Time> {
        let ways = self.ways.as_ref().and_then(|ways| ways.mesh.poll_timeout());
        self.node.poll_timeout().into_iter().chain(ways).min()
    }

    /// Appends what has queued up, and gives the number of the sync that is to follow.
    pub(crate) fn begin_sync(&mut self) -> Result<u64, LogError> {
        for (id, queued) in self.queued.drain(..) {
            match queued {
                Queued::Write(write) => self.log.append(&write)?,
                Queued::Cut(through) => self.log.cut(through)?,
            }
            self.syncing = Some(id);
        }
        self.syncs += 1;
        Ok(self.syncs)
    }

    /// Gives a chore to the thread that does it.
    pub(crate) fn queue(&mut self, chore: Chore) {
        let thread = if chore.reads() { READER } else { WRITER };
        self.threads[thread].chores.push_back(chore);
    }

    /// Does a chore, as the server's threads of the state do.
    pub(crate) fn chore(&mut self, chore: Chore) -> Done {
        match chore {
            Chore::Flush(flush) => {
                let result = self.backend.flush(&flush).map(|()| flush.applied);
                self.restless = result.is_ok();
                let durable = result.as_ref().ok().copied().map(Durable::Flushed);
                Done { input: Some(Input::Flushed(result)), durable }
            }
            Chore::Discard(dead) => {
                self.restless = self.backend.discard(&dead).is_ok();
                Done::default()
            }
            Chore::Load(revisions) => {
                let load = |revision| Ok((revision, self.backend.get(revision)?));
                Input::Loaded(revisions.into_iter().map(load).collect()).into()
            }
            Chore::Scan { token, from, to, limit } => {
                Input::Scanned { token, records: self.backend.scan(from, to, limit) }.into()
            }
            Chore::ViewOpen(view) => {
                let pinned = self.backend.view();
                let opened = pinned.meta().map(|meta| ViewHead { applied: pinned.applied(), meta });
                // In this order: nobody reads a view that is not there yet.
                self.queue(Chore::Pin(view, pinned));
                Input::ViewOpened { view, opened }.into()
            }
            Chore::ViewClose(view) => {
                self.queue(Chore::Unpin(view));
                Done::default()
            }
            Chore::Pin(view, pinned) => {
                self.views.insert(view, pinned);
                Done::default()
            }
            Chore::Part { view, from, limit } => {
                // It was closed meanwhile: nobody waits for the answer.
                let Some(pinned) = self.views.get(&view) else { return Done::default() };
                let records = pinned.scan(from, Revision::new(i64::MAX, 0), limit);
                Input::ViewRead { view, from, records }.into()
            }
            Chore::Unpin(view) => {
                self.views.remove(&view);
                self.restless = true;
                Done::default()
            }
            Chore::StageBegin | Chore::Stage(_) | Chore::StageAbort | Chore::Install { .. } => {
                self.restless = true;
                self.replace(chore)
            }
        }
    }

    /// One step of putting another state in the place of this one.
    fn replace(&mut self, chore: Chore) -> Done {
        match chore {
            // A failure is the next piece's, which has somebody to tell.
            Chore::StageBegin => drop(self.backend.stage_begin()),
            Chore::Stage(records) => return Input::Staged(self.backend.stage(&records)).into(),
            Chore::Install { meta, applied } => {
                let result = self.backend.install(&meta, applied);
                let durable = result.is_ok().then_some(Durable::Installed(applied));
                return Done { input: Some(Input::Installed(result)), durable };
            }
            _ => self.backend.stage_abort(),
        }
        Done::default()
    }

    /// One bounded step of giving space back.
    pub(crate) fn rest(&mut self) {
        self.restless = self.backend.maintain().unwrap_or(false);
    }

    /// Drops the log as far as the node wants.
    pub(crate) fn trim(&mut self, through: Index) -> Result<Position, LogError> {
        self.log.trim(through)
    }
}

/// Rebuilds the index by reading every record once.
fn restore(config: &Config, state: &mut State) -> Result<Store, Refusal> {
    let meta = state.meta()?;
    let restoring = Store::restore(config.limits, meta);
    let mut restoring = restoring.map_err(|error| Refusal::lasting(&error))?;
    let end = Revision::new(i64::MAX, 0);
    let mut from = Revision::default();
    loop {
        let found = state.scan(from, end, SCAN)?;
        let Some((last, _)) = found.last() else { break };
        from = Revision::new(last.main, last.sub + 1);
        found.iter().for_each(|(revision, record)| restoring.record(*revision, record));
    }
    let (store, dead) = restoring.finish().map_err(|error| Refusal::lasting(&error))?;
    state.discard(&dead)?;
    Ok(store)
}
