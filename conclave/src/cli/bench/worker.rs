//! The clients of a run: each sends its next request when its last one is answered.
//!
//! All of them share one thread, so that what they share needs no lock and a client costs the
//! servers beside it as little as it can.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::load::Load;
use super::report::Report;
use super::samples::Samples;
use crate::failure::{Failure, Result};

/// How long a client waits after an error before it goes on.
const PAUSE: Duration = Duration::from_millis(5);

/// What one request came to: done, failed at the store, or failed here (which ends the run).
pub(crate) type Answer = Result<Result<(), client::Error>>;

/// What the clients share.
struct Run {
    next: Cell<u64>,
    total: u64,
    start: Instant,
    end: Option<Instant>,
    rate: Option<u64>,
    tolerate: bool,
    report: RefCell<Report>,
    samples: Option<RefCell<Samples>>,
    /// Why the run has ended early.
    stopped: RefCell<Option<Failure>>,
}

/// Sends requests until the load is done; `send` makes the one with a given number.
pub(crate) async fn run<F, Fut>(load: &Load, what: &'static str, send: F) -> Result<Report>
where
    F: Fn(u64) -> Fut + 'static,
    Fut: Future<Output = Answer> + 'static,
{
    let start = Instant::now();
    let run = Rc::new(Run {
        next: Cell::new(0),
        total: load.total(),
        start,
        end: load.duration().map(|duration| start + load.warmup + duration),
        rate: load.rate,
        tolerate: load.tolerate,
        report: RefCell::new(Report::new(what, start, load.warmup)),
        samples: load.samples.as_deref().map(Samples::create).transpose()?.map(RefCell::new),
        stopped: RefCell::new(None),
    });
    let send = Rc::new(send);
    let local = tokio::task::LocalSet::new();
    let clients: Vec<_> = (0..load.clients)
        .map(|_| local.spawn_local(work(Rc::clone(&run), Rc::clone(&send))))
        .collect();
    let finished = local.run_until(async {
        for client in clients {
            client.await.map_err(|error| Failure::new(format!("a client stopped: {error}")))?;
        }
        Ok::<(), Failure>(())
    });
    finished.await?;
    drop(local);
    let Ok(run) = Rc::try_unwrap(run) else { unreachable!("every client has ended") };
    match run.stopped.into_inner() {
        Some(failure) => Err(failure),
        None => Ok(run.report.into_inner()),
    }
}

/// One client.
async fn work<F, Fut>(run: Rc<Run>, send: Rc<F>)
where
    F: Fn(u64) -> Fut,
    Fut: Future<Output = Answer>,
{
    while let Some((number, due)) = run.take() {
        if let Some(due) = due {
            tokio::time::sleep_until(due.into()).await;
        }
        let due = due.unwrap_or_else(Instant::now);
        match send(number).await {
            Ok(Ok(())) => run.success(due),
            Ok(Err(error)) => {
                run.failure(error.message());
                if !run.tolerate {
                    run.stop(error.into());
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(failure) => {
                run.stop(failure);
                return;
            }
        }
    }
}

impl Run {
    /// The next request's number, and when it is due if the run has a rate.
    fn take(&self) -> Option<(u64, Option<Instant>)> {
        let number = self.next.get();
        if number >= self.total || self.stopped.borrow().is_some() {
            return None;
        }
        let due = self.rate.map(|rate| {
            let whole = Duration::from_secs(number / rate);
            let part = u128::from(number % rate) * 1_000_000_000 / u128::from(rate);
            let part = u64::try_from(part).expect("less than a second");
            self.start + whole + Duration::from_nanos(part)
        });
        if self.end.is_some_and(|end| due.unwrap_or_else(Instant::now) >= end) {
            return None;
        }
        self.next.set(number + 1);
        Some((number, due))
    }

    fn success(&self, due: Instant) {
        let now = Instant::now();
        self.report.borrow_mut().success(due, now);
        self.note(Some(now.saturating_duration_since(due)));
    }

    fn failure(&self, text: &str) {
        self.report.borrow_mut().failure(text);
        self.note(None);
    }

    fn note(&self, latency: Option<Duration>) {
        let Some(samples) = &self.samples else { return };
        if let Err(failure) = samples.borrow_mut().add(latency) {
            self.stop(failure);
        }
    }

    fn stop(&self, failure: Failure) {
        self.stopped.borrow_mut().get_or_insert(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::target::block_on;
    use clap::Parser;
    use std::collections::BTreeSet;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Parsed {
        #[command(flatten)]
        load: Load,
    }

    fn load(arguments: &[&str]) -> Load {
        Parsed::try_parse_from(arguments).unwrap().load
    }

    #[test]
    fn every_request_is_made_once() {
        let seen = Rc::new(RefCell::new(BTreeSet::new()));
        let made = Rc::clone(&seen);
        let send = move |number| {
            assert!(made.borrow_mut().insert(number), "{number} was made twice");
            async {
                tokio::task::yield_now().await;
                Ok(Ok(()))
            }
        };
        let load = load(&["--clients", "7", "--total", "100"]);
        let report = block_on(run(&load, "put", send)).unwrap();
        assert_eq!(report.json()["measured"], 100);
        assert_eq!(seen.borrow().len(), 100);
        assert_eq!(seen.borrow().last(), Some(&99));
    }

    #[test]
    fn at_most_as_many_requests_as_clients_are_under_way() {
        let under_way = Rc::new(Cell::new(0));
        let most = Rc::new(Cell::new(0));
        let (count, peak) = (Rc::clone(&under_way), Rc::clone(&most));
        let send = move |_| {
            let (count, peak) = (Rc::clone(&count), Rc::clone(&peak));
            async move {
                count.set(count.get() + 1);
                peak.set(peak.get().max(count.get()));
                tokio::task::yield_now().await;
                count.set(count.get() - 1);
                Ok(Ok(()))
            }
        };
        let load = load(&["--clients", "5", "--total", "200"]);
        block_on(run(&load, "put", send)).unwrap();
        assert_eq!(most.get(), 5);
    }

    #[test]
    fn a_failure_of_our_own_ends_the_run_even_if_errors_are_tolerated() {
        let send = |_| async { Err(Failure::new("disk full")) };
        let load = load(&["--tolerate"]);
        let failure = block_on(run(&load, "put", send)).unwrap_err();
        assert_eq!(failure.text(), "disk full");
    }
}
