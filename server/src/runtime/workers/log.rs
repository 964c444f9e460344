//! The log's worker: appends and syncs, and nothing else.
//!
//! Inline it runs on the driver's own thread, after the driver has handed its messages to the
//! sockets; on few cores that is cheaper than waking a thread (28 % more puts). On many cores it
//! has a thread of its own, and syncs everything that queued up meanwhile at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self as std_mpsc, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use node::{Input, gather};
use prometheus_client::metrics::histogram::Histogram;
use protocol::raft::Write;
use protocol::{Index, NodeId, Position, WriteId};
use storage::disk::{Disk, FaultyDisk, FileInfo, RealDisk};
use storage::log::{Log, LogError};
use tokio::sync::mpsc;

use super::{Done, Sentinel};

/// The pause after a failure to make the next segment's file.
const SPARE_PAUSE: Duration = Duration::from_secs(1);

/// Where a log may live.
#[derive(Debug)]
pub(crate) enum AnyDisk {
    /// On a file system.
    Real(RealDisk),
    /// In memory, for a server that keeps nothing.
    Memory(FaultyDisk),
}

impl AnyDisk {
    fn disk(&self) -> &dyn Disk {
        match self {
            Self::Real(disk) => disk,
            Self::Memory(disk) => disk,
        }
    }

    fn disk_mut(&mut self) -> &mut dyn Disk {
        match self {
            Self::Real(disk) => disk,
            Self::Memory(disk) => disk,
        }
    }
}

impl Disk for AnyDisk {
    fn list(&self) -> io::Result<Vec<FileInfo>> {
        self.disk().list()
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        self.disk_mut().create(name, bytes)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.disk_mut().rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.disk_mut().remove(name)
    }

    fn read(&self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.disk().read(name, offset, into)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk_mut().write(name, offset, bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.disk_mut().sync(name)
    }
}

/// What the log is asked to do.
#[derive(Debug)]
pub(crate) enum Job {
    Persist(WriteId, Write),
    Cut(WriteId, Index),
    Fetch {
        peer: NodeId,
        from: Index,
        max_bytes: usize,
    },
    Trim(Index),
    Look {
        peer: NodeId,
        life: u64,
        wanted: Vec<Position>,
    },
    /// Whether space is short.
    Economise(bool),
}

/// The log, on this thread or on its own.
#[derive(Debug)]
pub(crate) enum LogWorker {
    /// On the driver's thread.
    Inline(Box<Inline>),
    /// On its own thread.
    Thread {
        /// Where jobs go; closed, the thread ends.
        jobs: Option<std_mpsc::Sender<Job>>,
        /// The thread.
        thread: Option<JoinHandle<Inline>>,
    },
    /// Closed.
    Closed,
}

/// A log on the driver's thread.
#[derive(Debug)]
pub(crate) struct Inline {
    log: Log<AnyDisk>,
    unsynced: Option<WriteId>,
    done: mpsc::UnboundedSender<Done>,
    /// How long syncs take, in seconds.
    syncs: Histogram,
    /// After a failure to make the next segment's file, when to try again.
    no_spare_until: Option<Instant>,
    /// What is unsynced waits for room.
    stalled: bool,
    /// How many trimmed segments are kept while space is not short.
    spares: usize,
    /// Bytes that can be given back at once, for whoever measures the disk.
    surplus: Arc<AtomicU64>,
}

impl LogWorker {
    /// Runs the log on the caller's thread.
    pub(crate) fn inline(
        log: Log<AnyDisk>,
        done: mpsc::UnboundedSender<Done>,
        syncs: Histogram,
        surplus: Arc<AtomicU64>,
    ) -> Self {
        Self::Inline(Box::new(Inline::new(log, done, syncs, surplus)))
    }

    /// Runs the log on a thread of its own.
    pub(crate) fn thread(
        log: Log<AnyDisk>,
        done: mpsc::UnboundedSender<Done>,
        syncs: Histogram,
        surplus: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let (jobs, queue) = std_mpsc::channel();
        let sentinel = Sentinel { thread: "log", done: done.clone() };
        let inline = Inline::new(log, done, syncs, surplus);
        let builder = std::thread::Builder::new().name("log".into());
        let thread = builder.spawn(move || {
            let _sentinel = sentinel;
            work(inline, &queue)
        })?;
        Ok(Self::Thread { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Appends; durable after the next `sync`.
    pub(crate) fn persist(&mut self, id: WriteId, write: Write) {
        self.submit(Job::Persist(id, write));
    }

    /// Cuts off what comes after this entry; durable after the next `sync`.
    pub(crate) fn cut(&mut self, id: WriteId, through: Index) {
        self.submit(Job::Cut(id, through));
    }

    /// Reads entries for a lagging follower.
    pub(crate) fn fetch(&mut self, peer: NodeId, from: Index, max_bytes: usize) {
        self.submit(Job::Fetch { peer, from, max_bytes });
    }

    /// Looks for entries, for a member that mends its log.
    pub(crate) fn look(&mut self, peer: NodeId, life: u64, wanted: Vec<Position>) {
        self.submit(Job::Look { peer, life, wanted });
    }

    /// Drops old entries.
    pub(crate) fn trim(&mut self, through: Index) {
        self.submit(Job::Trim(through));
    }

    /// Space is short from now on, or no longer is.
    pub(crate) fn economise(&mut self, short: bool) {
        self.submit(Job::Economise(short));
    }

    /// Syncs what was appended here; a thread does so by itself.
    pub(crate) fn sync(&mut self) {
        if let Self::Inline(inline) = self {
            inline.sync();
        }
    }

    fn submit(&mut self, job: Job) {
        match self {
            Self::Inline(inline) => inline.run(job),
            Self::Thread { jobs, .. } => {
                // The thread ends early only by a panic, which its sentinel reports.
                let _ = jobs.as_ref().map(|jobs| jobs.send(job));
            }
            Self::Closed => {}
        }
    }

    /// Ends the log in order, so that later damage to its last write is known for what it is.
    pub(crate) fn close(&mut self) -> Result<(), LogError> {
        let inline = match std::mem::replace(self, Self::Closed) {
            Self::Inline(inline) => Some(*inline),
            Self::Thread { jobs, thread } => {
                drop(jobs);
                thread.and_then(|thread| thread.join().ok())
            }
            Self::Closed => None,
        };
        inline.map_or(Ok(()), |inline| inline.log.close().map(drop))
    }
}

/// The thread's loop: everything that queued up is appended, then synced once.
fn work(mut inline: Inline, queue: &std_mpsc::Receiver<Job>) -> Inline {
    loop {
        // What found no room is tried again, whether or not more comes in.
        let job = match inline.unsynced {
            Some(_) => queue.recv_timeout(SPARE_PAUSE),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match job {
            Ok(job) => inline.run(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return inline,
        }
        while let Ok(job) = queue.try_recv() {
            inline.run(job);
        }
        inline.sync();
    }
}

impl Inline {
    fn new(
        log: Log<AnyDisk>,
        done: mpsc::UnboundedSender<Done>,
        syncs: Histogram,
        surplus: Arc<AtomicU64>,
    ) -> Self {
        surplus.store(log.surplus_bytes(), Ordering::Relaxed);
        let spares = log.spares();
        let (unsynced, no_spare_until) = (None, None);
        Self { log, unsynced, done, syncs, no_spare_until, stalled: false, spares, surplus }
    }

    fn run(&mut self, job: Job) {
        match job {
            Job::Persist(id, write) => match self.log.append(&write) {
                Ok(()) => self.unsynced = Some(id),
                Err(error) => self.tell(Done::LogFailed(error)),
            },
            Job::Cut(id, through) => match self.log.cut(through) {
                Ok(()) => self.unsynced = Some(id),
                Err(error) => self.tell(Done::LogFailed(error)),
            },
            Job::Fetch { peer, from, max_bytes } => {
                let entries = self.log.read(from, max_bytes);
                if let Err(error) = &entries {
                    tracing::error!(%error, %from, %peer, "cannot read entries for a follower");
                }
                self.tell(Done::Input(Input::Fetched { peer, from, entries: entries.ok() }));
            }
            Job::Look { peer, life, wanted } => {
                let (entries, absent) = gather(wanted, |position| self.log.find(position));
                self.tell(Done::Input(Input::Found { peer, life, entries, absent }));
            }
            Job::Trim(through) => match self.log.trim(through) {
                Ok(base) => {
                    self.note_room();
                    self.tell(Done::Input(Input::Trimmed(base)));
                }
                Err(error) => self.tell(Done::LogFailed(error)),
            },
            Job::Economise(short) => {
                let most = if short { 1 } else { self.spares };
                match self.log.keep_spares(most) {
                    Ok(()) => self.note_room(),
                    Err(error) => self.tell(Done::LogFailed(error)),
                }
            }
        }
    }

    /// Segments were trimmed or given back.
    fn note_room(&mut self) {
        self.no_spare_until = None;
        self.surplus.store(self.log.surplus_bytes(), Ordering::Relaxed);
    }

    fn sync(&mut self) {
        if self.no_spare_until.is_some_and(|until| self.stalled && Instant::now() < until) {
            return;
        }
        let Some(id) = self.unsynced.take() else { return };
        let begun = Instant::now();
        let result = self.log.sync();
        self.syncs.observe(begun.elapsed().as_secs_f64());
        match result {
            Ok(()) => {
                self.stalled = false;
                self.tell(Done::Persisted(id));
                self.prepare();
            }
            // Nothing of it was acknowledged, and it is queued still: this member lags until
            // there is room, and the others go on without it.
            Err(LogError::NoSpare { cause }) => {
                if !std::mem::replace(&mut self.stalled, true) {
                    tracing::error!(%cause, "the log is full: nothing is written until there is \
                                             room; free some space on the disk");
                }
                self.unsynced = Some(id);
                self.no_spare_until = Some(Instant::now() + SPARE_PAUSE);
            }
            Err(error) => self.tell(Done::LogFailed(error)),
        }
    }

    /// Makes the next segment's file as soon as it is missing, not when it is needed: a disk
    /// without room for it is then no failure yet.
    fn prepare(&mut self) {
        if self.no_spare_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.no_spare_until = self.log.prepare().err().map(|error| {
            tracing::warn!(%error, "the log has no room for its next segment: free some space");
            Instant::now() + SPARE_PAUSE
        });
        self.surplus.store(self.log.surplus_bytes(), Ordering::Relaxed);
    }

    fn tell(&self, done: Done) {
        // The driver is gone only when all is over.
        let _ = self.done.send(done);
    }
}
