//! The state's workers: one thread writes the backend and gives space back, one reads it.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{self as std_mpsc, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use node::{Input, Space, ViewHead, ViewId};
use prometheus_client::metrics::histogram::Histogram;
use protocol::Position;
use storage::state::{Reader, State, View};
use store::{Backend, BackendError, BackendRead, Flush, Record, Revision};
use tokio::sync::{mpsc, oneshot};

use super::{Done, Sentinel};
use crate::reserve::Gauge;

/// A pause between two steps of giving space back, so that they never take all of a disk.
const BREATH: Duration = Duration::from_millis(2);
/// Bytes of a view that are read at once: few records, where these are large.
const PART_BYTES: usize = 1 << 20;
/// The pause between two looks at what is free of the disk.
const MEASURE_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Write {
    Flush(Flush),
    Discard(Vec<Revision>),
    StageBegin,
    Stage(Vec<(Revision, Record)>),
    StageAbort,
    Install { meta: Vec<(Bytes, Bytes)>, applied: Position },
    Economise(bool),
    View(ViewId),
    ViewClose(ViewId),
    Lend(oneshot::Sender<View>),
}

#[derive(Debug)]
enum Read {
    Load(Vec<Revision>),
    Scan { token: u64, from: Revision, to: Revision, limit: usize },
    Pin { view: ViewId, pinned: View },
    Part { view: ViewId, from: Revision, limit: usize },
    Unpin(ViewId),
}

/// The backend's two threads.
#[derive(Debug)]
pub(crate) struct StateWorkers {
    writes: Option<std_mpsc::Sender<Write>>,
    reads: Option<std_mpsc::Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

impl StateWorkers {
    /// Starts the threads.
    pub(crate) fn start(
        state: State,
        reader: Reader,
        done: mpsc::UnboundedSender<Done>,
        commits: Histogram,
        gauge: Option<Gauge>,
    ) -> io::Result<Self> {
        let (writes, write_queue) = std_mpsc::channel();
        let (reads, read_queue) = std_mpsc::channel();
        let writer_done = done.clone();
        let views = reads.clone();
        let writer = std::thread::Builder::new().name("state".into());
        let writer = writer.spawn(move || {
            let _sentinel = Sentinel { thread: "state", done: writer_done.clone() };
            let measuring = gauge.map(Measuring::new);
            let cramped = false;
            let writer = Writer { state, done: writer_done, views, commits, measuring, cramped };
            writer.run(&write_queue);
        })?;
        let loader = std::thread::Builder::new().name("state-read".into());
        let loader = loader.spawn(move || {
            let _sentinel = Sentinel { thread: "state-read", done: done.clone() };
            read(&reader, &read_queue, &done);
        })?;
        Ok(Self { writes: Some(writes), reads: Some(reads), threads: vec![writer, loader] })
    }

    /// Makes a flush durable.
    pub(crate) fn flush(&self, flush: Flush) {
        send(self.writes.as_ref(), Write::Flush(flush));
    }

    /// These revisions are dead.
    pub(crate) fn discard(&self, dead: Vec<Revision>) {
        send(self.writes.as_ref(), Write::Discard(dead));
    }

    /// Reads records.
    pub(crate) fn load(&self, revisions: Vec<Revision>) {
        send(self.reads.as_ref(), Read::Load(revisions));
    }

    /// Begins to stage another state.
    pub(crate) fn stage_begin(&self) {
        send(self.writes.as_ref(), Write::StageBegin);
    }

    /// Stages records of another state.
    pub(crate) fn stage(&self, records: Vec<(Revision, Record)>) {
        send(self.writes.as_ref(), Write::Stage(records));
    }

    /// Forgets what was staged.
    pub(crate) fn stage_abort(&self) {
        send(self.writes.as_ref(), Write::StageAbort);
    }

    /// Puts what was staged in the place of the state.
    pub(crate) fn install(&self, meta: Vec<(Bytes, Bytes)>, applied: Position) {
        send(self.writes.as_ref(), Write::Install { meta, applied });
    }

    /// Space is short from now on, or no longer is.
    pub(crate) fn economise(&self, short: bool) {
        send(self.writes.as_ref(), Write::Economise(short));
    }

    /// Pins the last flush.
    pub(crate) fn view_open(&self, view: ViewId) {
        send(self.writes.as_ref(), Write::View(view));
    }

    /// Reads what was pinned.
    pub(crate) fn view_read(&self, view: ViewId, from: Revision, limit: usize) {
        send(self.reads.as_ref(), Read::Part { view, from, limit });
    }

    /// Lets go of what was pinned.
    pub(crate) fn view_close(&self, view: ViewId) {
        // Through the thread that pins, or the view could be closed before it is open.
        send(self.writes.as_ref(), Write::ViewClose(view));
    }

    /// Pins the last flush for somebody outside, who keeps it for as long as it is held.
    pub(crate) fn lend(&self, borrower: oneshot::Sender<View>) {
        send(self.writes.as_ref(), Write::Lend(borrower));
    }

    /// Scans records.
    pub(crate) fn scan(&self, token: u64, from: Revision, to: Revision, limit: usize) {
        send(self.reads.as_ref(), Read::Scan { token, from, to, limit });
    }
}

/// Workers outlive the driver's interest in them: a queue without its thread means that the thread
/// has panicked, and the driver ends by its sentinel's report.
fn send<T>(queue: Option<&std_mpsc::Sender<T>>, job: T) {
    if queue.is_none_or(|queue| queue.send(job).is_err()) {
        tracing::error!("a state thread is gone");
    }
}

impl Drop for StateWorkers {
    fn drop(&mut self) {
        drop(self.writes.take());
        drop(self.reads.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The thread that owns the state.
struct Writer {
    state: State,
    done: mpsc::UnboundedSender<Done>,
    /// Where views are read.
    views: std_mpsc::Sender<Read>,
    commits: Histogram,
    measuring: Option<Measuring>,
    /// The last flush found no room, which has been told.
    cramped: bool,
}

/// Looks at the disk now and then.
struct Measuring {
    gauge: Gauge,
    next: Instant,
    /// The last look failed, which has been told.
    blind: bool,
}

impl Measuring {
    fn new(gauge: Gauge) -> Self {
        Self { gauge, next: Instant::now(), blind: false }
    }

    /// What is free, if it is time to look and the file system says it.
    fn look(&mut self) -> Option<Space> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        self.next = now + MEASURE_PAUSE;
        let seen = self.gauge.measure();
        let blind = std::mem::replace(&mut self.blind, seen.is_err());
        if let Err(error) = &seen
            && !blind
        {
            tracing::error!(%error, "cannot tell how much of the disk is free");
        }
        seen.ok()
    }
}

impl Writer {
    fn run(mut self, queue: &std_mpsc::Receiver<Write>) {
        // A backend that has just been opened may have been stopped in the middle of its chores.
        let mut chores = true;
        loop {
            let short = self.measure();
            let job = match (chores, &self.measuring) {
                (true, _) => queue.recv_timeout(BREATH),
                (false, Some(look)) => {
                    queue.recv_timeout(look.next.saturating_duration_since(Instant::now()))
                }
                (false, None) => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            chores = match job {
                Ok(job) => self.carry_out(job),
                Err(RecvTimeoutError::Timeout) if chores => report(self.state.maintain()),
                // What found no space a while ago may find some now.
                Err(RecvTimeoutError::Timeout) => short,
                Err(RecvTimeoutError::Disconnected) => return,
            };
        }
    }

    /// Tells the node what is free, when it is time. True when that is less than the reserve.
    fn measure(&mut self) -> bool {
        let Some(space) = self.measuring.as_mut().and_then(Measuring::look) else { return false };
        self.tell(Input::Space(space));
        space.free < space.reserved
    }

    /// Does a job. True when there may be space to give back.
    fn carry_out(&mut self, job: Write) -> bool {
        match job {
            Write::Flush(flush) => return self.flush(&flush),
            Write::Discard(dead) => return report(self.state.discard(&dead).map(|()| true)),
            // A failure is the next piece's, which has somebody to tell.
            Write::StageBegin => drop(self.state.stage_begin()),
            Write::Stage(records) => {
                let result = self.state.stage(&records);
                self.tell(Input::Staged(result));
            }
            Write::StageAbort => self.state.stage_abort(),
            Write::Install { meta, applied } => {
                let result = self.state.install(&meta, applied);
                self.tell(Input::Installed(result));
            }
            Write::Economise(short) => self.state.economise(short),
            Write::View(view) => {
                let pinned = self.state.view();
                let opened = pinned.meta().map(|meta| ViewHead { applied: pinned.applied(), meta });
                // In this order: nobody reads a view that is not there yet.
                let _ = self.views.send(Read::Pin { view, pinned });
                self.tell(Input::ViewOpened { view, opened });
            }
            Write::ViewClose(view) => drop(self.views.send(Read::Unpin(view))),
            // Whoever asked may have gone.
            Write::Lend(borrower) => drop(borrower.send(self.state.view())),
        }
        true
    }

    /// Makes a flush durable. True when there may be space to give back.
    fn flush(&mut self, flush: &Flush) -> bool {
        let begun = Instant::now();
        let result = self.state.flush(flush).map(|()| flush.applied);
        self.commits.observe(begun.elapsed().as_secs_f64());
        self.report_flush(flush, result.as_ref().err());
        if let Some(measuring) = &mut self.measuring {
            // However fast flushes come, what they take is seen before the next.
            measuring.next = Instant::now();
        }
        let chores = result.is_ok();
        if !chores {
            // What is made of the failure is made of what is free now.
            self.measure();
        }
        self.tell(Input::Flushed(result));
        chores
    }

    /// Tells of a flush that failed; of one that found no room once, until another one does.
    fn report_flush(&mut self, flush: &Flush, error: Option<&BackendError>) {
        let is_full = matches!(error, Some(BackendError::Full(_)));
        let was_full = std::mem::replace(&mut self.cramped, is_full);
        match error {
            Some(error) if is_full && !was_full => {
                let bytes = length(flush);
                tracing::warn!(
                    "a flush of {bytes} bytes found no room and is tried again: {error}; nothing \
                     is lost, the log has it"
                );
            }
            Some(_) if is_full => {}
            Some(error) => tracing::error!(%error, "cannot flush the state"),
            None if was_full => tracing::info!("the flush that found no room is done"),
            None => {}
        }
    }

    fn tell(&self, input: Input) {
        let _ = self.done.send(Done::Input(input));
    }
}

/// What a flush adds to the state, about, in bytes.
fn length(flush: &Flush) -> usize {
    let record = |record: &Record| match record {
        Record::Put(kv) => kv.key.len() + kv.value.len(),
        Record::Tombstone { key } => key.len(),
    };
    let records = flush.records.iter().map(|(_, it)| record(it));
    let meta =
        flush.meta.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len));
    records.chain(meta).sum()
}

/// Giving space back may fail without harm: what matters is reported by the next flush.
fn report(result: Result<bool, BackendError>) -> bool {
    result.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot give back space");
        false
    })
}

fn read(reader: &Reader, queue: &std_mpsc::Receiver<Read>, done: &mpsc::UnboundedSender<Done>) {
    let mut views: HashMap<ViewId, View> = HashMap::new();
    while let Ok(job) = queue.recv() {
        let input = match job {
            Read::Load(revisions) => Input::Loaded(load(reader, revisions)),
            Read::Scan { token, from, to, limit } => {
                Input::Scanned { token, records: reader.scan(from, to, limit) }
            }
            Read::Pin { view, pinned } => {
                views.insert(view, pinned);
                continue;
            }
            Read::Part { view, from, limit } => {
                // It was closed meanwhile: nobody waits for the answer.
                let Some(pinned) = views.get(&view) else { continue };
                let records = pinned.part(from, limit, PART_BYTES);
                Input::ViewRead { view, from, records }
            }
            Read::Unpin(view) => {
                views.remove(&view);
                continue;
            }
        };
        let _ = done.send(Done::Input(input));
    }
}

fn load(
    reader: &Reader,
    revisions: Vec<Revision>,
) -> Result<Vec<(Revision, Option<Record>)>, BackendError> {
    revisions.into_iter().map(|revision| Ok((revision, reader.get(revision)?))).collect()
}
