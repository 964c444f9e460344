//! The state's workers: one thread writes the backend and gives space back, one reads it.

use std::io;
use std::sync::mpsc::{self as std_mpsc, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use node::Input;
use prometheus_client::metrics::histogram::Histogram;
use storage::state::{Reader, State};
use store::{Backend, BackendError, BackendRead, Flush, Record, Revision};
use tokio::sync::mpsc;

use super::{Done, Sentinel};

/// A pause between two steps of giving space back, so that they never take all of a disk.
const BREATH: Duration = Duration::from_millis(2);

#[derive(Debug)]
enum Write {
    Flush(Flush),
    Discard(Vec<Revision>),
}

#[derive(Debug)]
enum Read {
    Load(Vec<Revision>),
    Scan { token: u64, from: Revision, to: Revision, limit: usize },
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
    ) -> io::Result<Self> {
        let (writes, write_queue) = std_mpsc::channel();
        let (reads, read_queue) = std_mpsc::channel();
        let writer_done = done.clone();
        let writer = std::thread::Builder::new().name("state".into());
        let writer = writer.spawn(move || {
            let _sentinel = Sentinel { thread: "state", done: writer_done.clone() };
            write(state, &write_queue, &writer_done, &commits);
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

fn write(
    mut state: State,
    queue: &std_mpsc::Receiver<Write>,
    done: &mpsc::UnboundedSender<Done>,
    commits: &Histogram,
) {
    // A backend that has just been opened may have been stopped in the middle of its chores.
    let mut chores = true;
    loop {
        let job = if chores {
            queue.recv_timeout(BREATH)
        } else {
            queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match job {
            Ok(Write::Flush(flush)) => {
                let applied = flush.applied;
                let begun = Instant::now();
                let result = state.flush(&flush).map(|()| applied);
                commits.observe(begun.elapsed().as_secs_f64());
                if let Err(error) = &result {
                    tracing::error!(%error, "cannot flush the state");
                }
                chores = result.is_ok();
                let _ = done.send(Done::Input(Input::Flushed(result)));
            }
            Ok(Write::Discard(dead)) => chores = report(state.discard(&dead).map(|()| true)),
            Err(RecvTimeoutError::Timeout) => chores = report(state.maintain()),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Giving space back may fail without harm: what matters is reported by the next flush.
fn report(result: Result<bool, BackendError>) -> bool {
    result.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot give back space");
        false
    })
}

fn read(reader: &Reader, queue: &std_mpsc::Receiver<Read>, done: &mpsc::UnboundedSender<Done>) {
    while let Ok(job) = queue.recv() {
        let input = match job {
            Read::Load(revisions) => Input::Loaded(load(reader, revisions)),
            Read::Scan { token, from, to, limit } => {
                Input::Scanned { token, records: reader.scan(from, to, limit) }
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
