//! A lone replica on the log and the state that production runs, driven on one thread: what
//! `server::runtime` does with an inline log, in virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use node::{Config, Input, Node, Output, Protocol, Reply, Request, RequestId};
use protocol::raft::{self, Entry, WriteId};
use protocol::{ClusterId, Index, NodeId, Position, Time};
use storage::Identity;
use storage::disk::Disk;
use storage::log::{Log, LogError, LogOptions, ReadError, Recovered};
use storage::state::{DiskBackend, Files, StateOptions};
use store::watch::WatchLimits;
use store::{
    Backend, BackendError, BackendRead, Flush, Limits, Member, RestoreError, Revision, Store,
};

const ID: NodeId = NodeId(0xA);
const CLUSTER: ClusterId = ClusterId(0xC1);
/// Records read at once while the index is rebuilt.
const SCAN: usize = 50;
/// Turns without an end are a fault.
const TURNS: usize = 10_000;

/// Segments of a few batches each.
pub(crate) fn log_options() -> LogOptions {
    let identity = Identity { cluster: CLUSTER, node: ID };
    LogOptions {
        segment_bytes: 8 << 10,
        page_bytes: 1 << 10,
        batch_bytes: 4 << 10,
        spares: 1,
        ..LogOptions::new(identity)
    }
}

/// Blocks, tables and steps so small that a few records make several of each.
const STATE: StateOptions =
    StateOptions { block_bytes: 200, table_bytes: 3000, step_bytes: 400, manifest_bytes: 1 };

/// Little stays in memory, so that reads and transactions go to the backend.
pub(crate) fn limits() -> Limits {
    Limits { hot_bytes: 600, ..Limits::default() }
}

/// How far a life has come, for those who watch its disks.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    acknowledged: AtomicU64,
    handed: AtomicU64,
}

impl Progress {
    /// Replies given to clients.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// The last entry that was given to the log.
    pub(crate) fn handed(&self) -> u64 {
        self.handed.load(Ordering::SeqCst)
    }
}

/// Why a replica did not start.
#[derive(Debug)]
pub(crate) enum Refusal {
    State(storage::state::OpenError),
    Records(BackendError),
    Store(RestoreError),
    Log(storage::log::OpenError),
    /// The log does not continue the state.
    Gap(ReadError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(error) => write!(f, "state: {error}"),
            Self::Records(error) => write!(f, "records: {error}"),
            Self::Store(error) => write!(f, "store: {error}"),
            Self::Log(error) => write!(f, "log: {error}"),
            Self::Gap(error) => write!(f, "the log does not continue the state: {error}"),
        }
    }
}

/// Why a replica must not go on.
#[derive(Debug)]
pub(crate) enum Ended {
    Log(LogError),
    State(BackendError),
}

#[derive(Debug)]
enum Chore {
    Flush(Flush),
    Discard(Vec<Revision>),
}

/// A replica, its disks and the work under way.
pub(crate) struct Replica<D: Disk, F: Files> {
    pub(crate) node: Node,
    pub(crate) log: Log<D>,
    pub(crate) state: DiskBackend<F>,
    pub(crate) recovered: Recovered,
    /// Every entry that this run gave to the log.
    pub(crate) handed: Vec<Entry>,
    pub(crate) replies: BTreeMap<u64, Reply>,
    /// The failures of flushes that were tried again.
    pub(crate) full: u64,
    /// Flushes that are durable.
    pub(crate) flushes: u64,
    /// Trims come when the node asks for them, and not behind every flush.
    pub(crate) patient: bool,
    now: Time,
    unsynced: Option<WriteId>,
    inputs: VecDeque<Input>,
    chores: VecDeque<Chore>,
    /// The backend may have space to give back.
    restless: bool,
    stopped: bool,
    next_request: u64,
    progress: Arc<Progress>,
}

impl<D: Disk, F: Files> Replica<D, F> {
    /// Opens state and log and puts a replica together, as a server does. `run` differs between
    /// the runs of one replica.
    pub(crate) fn open(
        log: D,
        files: F,
        run: u64,
        progress: Arc<Progress>,
    ) -> Result<Self, Refusal> {
        let owner = Identity { cluster: CLUSTER, node: ID };
        let mut state = DiskBackend::open(files, owner, STATE).map_err(Refusal::State)?;
        let store = restore(&mut state)?;
        let (log, recovered) = Log::open(log, log_options()).map_err(Refusal::Log)?;
        let restored = log.restored(store.applied().index).map_err(Refusal::Gap)?;
        let node = Node::new(config(run), restored, store, run).expect("Raft takes what it held");
        Ok(Self {
            node,
            log,
            state,
            recovered,
            handed: Vec::new(),
            replies: BTreeMap::new(),
            full: 0,
            flushes: 0,
            patient: false,
            now: Time(1),
            unsynced: None,
            inputs: VecDeque::new(),
            chores: VecDeque::new(),
            restless: true,
            stopped: false,
            next_request: 0,
            progress,
        })
    }

    /// Takes several requests in at once; they share a batch. Gives the number of the first.
    pub(crate) fn ask(&mut self, requests: Vec<Request>) -> Result<u64, Ended> {
        let first = self.next_request;
        for request in requests {
            let id = RequestId(self.next_request);
            self.next_request += 1;
            self.node.handle(self.now, Input::Request { id, request });
        }
        self.pump()?;
        Ok(first)
    }

    /// Asks and lets time pass until there is an answer.
    pub(crate) fn call(&mut self, request: Request) -> Result<Reply, Ended> {
        let id = self.ask(vec![request])?;
        self.until(|replica| replica.replies.contains_key(&id))?;
        Ok(self.replies.remove(&id).unwrap())
    }

    /// Lets time pass until there is a leader and everything in the log is applied.
    pub(crate) fn lead(&mut self) -> Result<(), Ended> {
        let last = self.log.last().index;
        self.until(|replica| {
            replica.node.core().leader().is_some() && replica.node.store().applied().index > last
        })
    }

    /// Lets time pass from one timer to the next until something holds.
    fn until(&mut self, holds: impl Fn(&Self) -> bool) -> Result<(), Ended> {
        for _ in 0..TURNS {
            if holds(self) {
                return Ok(());
            }
            let due = self.node.poll_timeout().expect("invariant: there is always a timer");
            self.now = self.now.max(due);
            self.feed(Input::Timeout)?;
        }
        panic!("waited in vain");
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) -> Result<(), Ended> {
        let end = self.now + time;
        for _ in 0..TURNS {
            let Some(due) = self.node.poll_timeout().filter(|due| *due <= end) else {
                self.now = end;
                return Ok(());
            };
            self.now = self.now.max(due);
            self.feed(Input::Timeout)?;
        }
        panic!("time stands still");
    }

    /// One step of the state's thread; false when it has nothing to do.
    pub(crate) fn chore(&mut self) -> Result<bool, Ended> {
        match self.chores.pop_front() {
            Some(Chore::Flush(flush)) => {
                let result = self.state.flush(&flush).map(|()| flush.applied);
                self.restless = result.is_ok();
                match &result {
                    Ok(applied) => {
                        self.flushes += 1;
                        if !self.patient {
                            self.trim_behind(*applied)?;
                        }
                    }
                    Err(BackendError::Full(_)) => self.full += 1,
                    Err(BackendError::Corrupt(_) | BackendError::Io(_)) => {}
                }
                self.feed(Input::Flushed(result))?;
            }
            Some(Chore::Discard(dead)) => self.restless = self.state.discard(&dead).is_ok(),
            None if self.restless => self.restless = self.state.maintain().unwrap_or(false),
            None => return Ok(false),
        }
        Ok(true)
    }

    /// All that the state's thread has to do.
    pub(crate) fn settle(&mut self) -> Result<(), Ended> {
        for _ in 0..TURNS {
            if !self.chore()? {
                return Ok(());
            }
        }
        panic!("the state's thread is never done");
    }

    /// Shuts down in order. Gives what this run gave to the log.
    pub(crate) fn stop(mut self) -> Result<Vec<Entry>, Ended> {
        self.feed(Input::Stop)?;
        for _ in 0..TURNS {
            self.settle()?;
            if self.stopped {
                self.log.close().map_err(Ended::Log)?;
                return Ok(self.handed);
            }
            self.pass(Duration::from_millis(10))?;
        }
        panic!("a replica that does not stop");
    }

    /// A node asks for a trim once it frees a thousand entries. Here one follows each flush, so
    /// that short lives have them, too.
    fn trim_behind(&mut self, flushed: Position) -> Result<(), Ended> {
        let bound = self.node.core().trim_bound().min(flushed.index);
        self.trim(bound)
    }

    fn trim(&mut self, through: Index) -> Result<(), Ended> {
        let base = self.log.trim(through).map_err(Ended::Log)?;
        self.inputs.push_back(Input::Trimmed(base));
        Ok(())
    }

    fn feed(&mut self, input: Input) -> Result<(), Ended> {
        self.node.handle(self.now, input);
        self.pump()
    }

    /// Carries out everything that the node wants now.
    fn pump(&mut self) -> Result<(), Ended> {
        loop {
            while let Some(output) = self.node.poll_output() {
                self.carry_out(output)?;
            }
            if let Some(id) = self.unsynced.take() {
                self.log.sync().map_err(Ended::Log)?;
                self.inputs.push_back(Input::Persisted(id));
            }
            if self.inputs.is_empty() {
                return Ok(());
            }
            while let Some(input) = self.inputs.pop_front() {
                self.node.handle(self.now, input);
            }
        }
    }

    fn carry_out(&mut self, output: Output) -> Result<(), Ended> {
        match output {
            Output::Cut { .. } => unreachable!("only Zab cuts, and this runs Raft"),
            Output::Persist { id, write } => {
                if let Some(last) = write.entries.last() {
                    self.progress.handed.store(last.position.index.0, Ordering::SeqCst);
                }
                self.log.append(&write).map_err(Ended::Log)?;
                self.handed.extend(write.entries);
                self.unsynced = Some(id);
            }
            Output::Trim(through) => self.trim(through)?,
            Output::Reply { id, reply } => {
                self.progress.acknowledged.fetch_add(1, Ordering::SeqCst);
                self.replies.insert(id.0, reply);
            }
            Output::Load(revisions) => {
                let load = |revision| Ok((revision, self.state.get(revision)?));
                let loaded = revisions.into_iter().map(load).collect();
                self.inputs.push_back(Input::Loaded(loaded));
            }
            Output::Flush(flush) => self.chores.push_back(Chore::Flush(flush)),
            Output::Discard(dead) => self.chores.push_back(Chore::Discard(dead)),
            Output::Halt(error) => return Err(Ended::State(error)),
            Output::Stopped => self.stopped = true,
            Output::Event(_) | Output::Membership { .. } | Output::Removed => {}
            Output::Send { .. }
            | Output::Fetch { .. }
            | Output::Look { .. }
            | Output::Scan { .. }
            | Output::ViewOpen { .. }
            | Output::ViewRead { .. }
            | Output::ViewClose { .. }
            | Output::StageBegin
            | Output::Stage(_)
            | Output::StageAbort
            | Output::Economise(_)
            | Output::Install { .. }
            | Output::SnapshotRefused { .. }
            | Output::Watch { .. }
            | Output::WatchOverrun(_) => panic!("a lone replica without watchers: {output:?}"),
        }
        Ok(())
    }
}

/// Rebuilds the index by reading every record once.
fn restore<F: Files>(state: &mut DiskBackend<F>) -> Result<Store, Refusal> {
    let meta = state.meta().map_err(Refusal::Records)?;
    let mut restoring = Store::restore(limits(), meta).map_err(Refusal::Store)?;
    let mut from = Revision::default();
    loop {
        let end = Revision::new(i64::MAX, 0);
        let records = state.scan(from, end, SCAN).map_err(Refusal::Records)?;
        let Some((last, _)) = records.last() else { break };
        from = Revision::new(last.main, last.sub + 1);
        records.iter().for_each(|(revision, record)| restoring.record(*revision, record));
    }
    let (store, dead) = restoring.finish().map_err(Refusal::Store)?;
    state.discard(&dead).map_err(Refusal::Records)?;
    Ok(store)
}

fn config(run: u64) -> Config {
    let member = Member {
        id: ID,
        name: String::new(),
        peer_urls: vec!["http://lone:2380".into()],
        client_urls: Vec::new(),
    };
    Config {
        protocol: Protocol::Raft,
        raft: raft::Config {
            id: ID,
            voters: [ID].into(),
            learners: BTreeSet::new(),
            election_timeout: Duration::from_millis(1000)..=Duration::from_millis(2000),
            heartbeat: Duration::from_millis(100),
            pre_vote: true,
            check_quorum: true,
            stickiness: true,
            read_mode: raft::ReadMode::Quorum,
            max_inflight_messages: 8,
            max_inflight_bytes: 1 << 16,
            max_append_bytes: 1 << 12,
            max_uncommitted_bytes: 1 << 20,
            cache_bytes: 1 << 12,
        },
        members: vec![member.clone()],
        publish: Member { name: "lone".into(), ..member },
        limits: limits(),
        watch: WatchLimits::default(),
        incarnation: run,
        request_timeout: Duration::from_secs(7),
        tick: Duration::from_millis(500),
        compare_interval: None,
        rebuilt_after: None,
        flush_bytes: 2 << 10,
        flush_interval: Duration::from_secs(1),
        max_unflushed_bytes: 1 << 20,
        log_keep_bytes: u64::MAX,
        trim_stride: 1_000,
        snapshot_piece_bytes: 1 << 16,
        max_pending: 10_000,
        max_unapplied: 5_000,
    }
}
