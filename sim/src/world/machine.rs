//! One machine: its disks, its clock and, while it runs, the production node on them.
//!
//! It does what the server's driver does with a log of its own thread: writes queue up while a sync
//! is under way, the next sync takes them all; the state's jobs are done one after the other. How
//! long each takes is the world's affair.

use std::collections::VecDeque;
use std::sync::Arc;

use node::{Config, Input, Node};
use protocol::raft::{Restored, Write, WriteId};
use protocol::{ClusterId, Index, Position, Rng, Time};
use storage::Identity;
use storage::disk::{FaultPlan, FaultyDisk};
use storage::log::{Damage, Log, LogError, LogOptions};
use storage::state::FaultyFiles;
use store::{Backend, BackendError, BackendRead, Flush, Revision, Store};

use super::backend::{Medium, ROOM, State};
use super::clock::Clock;
use super::disk::SharedDisk;
use crate::seen::{Place, id};

const CLUSTER: ClusterId = ClusterId(0xC1);
/// Records read at once while the index is rebuilt.
const SCAN: usize = 200;

/// What a machine is doing.
pub(crate) enum Status {
    /// The node is not running.
    Down,
    /// It runs.
    Up(Box<Running>),
    /// It runs no further, and does not know it.
    Paused(Box<Running>),
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
    /// Its disk holds what must not be served: it cannot start any more.
    pub(crate) lost: bool,
}

/// A job of the state's thread.
pub(crate) enum Chore {
    Flush(Flush),
    Discard(Vec<Revision>),
    Load(Vec<Revision>),
    Scan { token: u64, from: Revision, to: Revision, limit: usize },
}

/// A node that runs.
pub(crate) struct Running {
    pub(crate) node: Node,
    pub(crate) log: Log<SharedDisk>,
    pub(crate) backend: State,
    /// Handed over while a sync is under way.
    pub(crate) queued: Vec<(WriteId, Write)>,
    /// The sync under way covers everything up to this.
    pub(crate) syncing: Option<WriteId>,
    /// The number of the latest sync in this life.
    pub(crate) syncs: u64,
    pub(crate) chores: VecDeque<Chore>,
    /// A chore is under way.
    pub(crate) busy: bool,
    /// What came in while it was paused.
    pub(crate) inbox: VecDeque<Input>,
    pub(crate) restless: bool,
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
}

impl Machine {
    /// A machine with empty disks.
    pub(crate) fn new(at: Place, on_disk: bool, rng: &mut Rng) -> Self {
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
            lost: false,
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity { cluster: CLUSTER, node: id(self.at) }
    }

    /// Opens the disks and puts a node together, as a server does.
    pub(crate) fn start(
        &mut self,
        now: Time,
        config: Config,
        options: LogOptions,
        dismiss: bool,
        rng: &mut Rng,
    ) -> Result<Found, Refusal> {
        let mut backend = self.state.open(self.identity())?;
        let store = restore(&config, &mut backend)?;
        let (mut log, mut recovered) = Log::open(self.log.clone(), options)?;
        let dismissed = dismiss && recovered.doubt.take().is_some();
        if dismissed {
            log.dismiss_doubt().map_err(|error| Refusal::passing(&error))?;
        }
        let restored = log.restored(&recovered, store.applied().index)?;
        self.life += 1;
        // A monotonic clock begins anew with every boot.
        self.clock = Clock::new(now, Time(1 + rng.below(1 << 40)), self.clock.rate());
        let node = Node::new(config, restored.clone(), store, rng.next());
        self.status = Status::Up(Box::new(Running {
            node,
            log,
            backend,
            queued: Vec::new(),
            syncing: None,
            syncs: 0,
            chores: VecDeque::new(),
            busy: false,
            inbox: VecDeque::new(),
            restless: true,
            digested: Index(0),
            timer: None,
        }));
        Ok(Found { restored, damage: recovered.damage, dismissed })
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
            Status::Down | Status::Paused(_) => None,
        }
    }

    /// The node, paused or not.
    pub(crate) fn alive(&self) -> Option<&Running> {
        match &self.status {
            Status::Up(running) | Status::Paused(running) => Some(running),
            Status::Down => None,
        }
    }
}

impl Running {
    /// Appends what has queued up, and gives the number of the sync that is to follow.
    pub(crate) fn begin_sync(&mut self) -> Result<u64, LogError> {
        for (id, write) in self.queued.drain(..) {
            self.log.append(&write)?;
            self.syncing = Some(id);
        }
        self.syncs += 1;
        Ok(self.syncs)
    }

    /// Does a chore; gives what the node is to be told, and the position of a finished flush.
    pub(crate) fn chore(&mut self, chore: Chore) -> Option<Input> {
        match chore {
            Chore::Flush(flush) => {
                let result = self.backend.flush(&flush).map(|()| flush.applied);
                self.restless = result.is_ok();
                Some(Input::Flushed(result))
            }
            Chore::Discard(dead) => {
                self.restless = self.backend.discard(&dead).is_ok();
                None
            }
            Chore::Load(revisions) => {
                let load = |revision| Ok((revision, self.backend.get(revision)?));
                Some(Input::Loaded(revisions.into_iter().map(load).collect()))
            }
            Chore::Scan { token, from, to, limit } => {
                Some(Input::Scanned { token, records: self.backend.scan(from, to, limit) })
            }
        }
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
