//! Bringing lagging watchers forward, in bounded steps.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use protocol::Time;
use protocol::mutant::{Mutant, planted};

use super::hub::Hub;
use super::interest::Handle;
use super::reader::{Chunk, Scan};
use super::watcher::Place;
use super::{CancelReason, History, HistoryChunk, StreamId, WatchOutput};
use crate::{BackendError, Event, Record, Revision};

/// Work done, in events looked at and watchers moved; `None`: nothing can be done before a scan
/// returns.
type Work = Option<usize>;

impl Hub {
    /// Brings lagging watchers forward. `budget` bounds the work, in events looked at, told and
    /// watchers moved, to within one revision and one batch. True: there is more to do, call
    /// again; false: nothing, until a scan returns, credit returns or a watch is created.
    pub fn step(&mut self, now: Time, history: &impl History, budget: usize) -> bool {
        let mut left = budget.max(1);
        let more = loop {
            left = left.saturating_sub(self.cancel_compacted(history, left));
            if self.ready.is_empty() {
                break false;
            }
            if left == 0 {
                break true;
            }
            match self.advance(now, history, left) {
                Some(work) => left = left.saturating_sub(work),
                None => break false,
            }
        };
        let ready = &self.ready;
        self.reader.retain(|chunk| waiting(ready, chunk.from, chunk.end).next().is_some());
        more
    }

    /// The backend has answered a scan. An answer shorter than the limit is all there was.
    /// `history` is the store as it is now: it knows of every compaction whose dead records the
    /// backend may have dropped before the scan saw them.
    ///
    /// What cannot be read is not skipped: the watchers that need it next are canceled. Answers
    /// to scans that have been forgotten are ignored.
    pub fn scanned(
        &mut self,
        token: u64,
        result: Result<Vec<(Revision, Record)>, BackendError>,
        history: &impl History,
    ) {
        let Some(scan) = self.reader.end(token) else { return };
        let Ok(records) = result else {
            self.fail_at(scan.first, CancelReason::Unreadable, history);
            return;
        };
        self.reader.learn(&records, self.limits.scan_bytes, self.limits.batch);
        self.digest(scan, &records, history);
    }

    /// Makes a chunk of a scan's whole revisions, or reads on when there is none.
    fn digest(&mut self, scan: Scan, records: &[(Revision, Record)], history: &impl History) {
        let Scan { first, from, to, limit, held: mut events } = scan;
        let compacted = history.compact_revision();
        for (at, record) in records {
            // What is compacted may be gone in part, and those who need it are canceled.
            if *at >= from && *at < to && at.main >= compacted {
                events.push(Arc::new(history.event_of(*at, record)));
            }
        }
        let last = records.last().map(|(at, _)| *at).filter(|_| records.len() >= limit);
        let end = match last {
            None => to.main,
            Some(last) if last.main > first => last.main,
            Some(last) => {
                let from = Revision::new(last.main, last.sub + 1);
                let limit = self.reader.limit(self.limits.batch);
                let token = self.reader.note(Scan { first, from, to, limit, held: events });
                self.outputs.push_back(WatchOutput::Scan { token, from, to, limit });
                return;
            }
        };
        events.truncate(events.partition_point(|event| event.kv.mod_revision < end));
        self.reader.keep(Chunk { from: first, end, events });
    }

    /// Serves the sweep, or the watcher nearest to the present: whose turn it is, if it can be.
    fn advance(&mut self, now: Time, history: &impl History, budget: usize) -> Work {
        self.reader.sweeping = !self.reader.sweeping;
        for sweeping in [self.reader.sweeping, !self.reader.sweeping] {
            let from = if sweeping { self.sweep() } else { self.nearest() };
            let Some(from) = from else { continue };
            let Some(work) = self.serve(now, from, history, budget) else { continue };
            // Whoever comes here later waits for the next sweep, or this one might never end.
            if sweeping && waiting(&self.ready, from, from + 1).next().is_none() {
                self.reader.sweep = from + 1;
            }
            return Some(work);
        }
        None
    }

    /// The greatest revision that a ready watcher needs, unless a scan is under way for it.
    fn nearest(&self) -> Option<i64> {
        let (next, _) = self.ready.last()?;
        (!self.reader.awaits(*next)).then_some(*next)
    }

    /// The first revision that a ready watcher needs, from where the sweep stands, unless a scan
    /// is under way for it: the sweep passes nobody.
    fn sweep(&mut self) -> Option<i64> {
        let here = (self.reader.sweep, Handle::LEAST);
        let ahead = self.ready.range(here..).next().map(|(next, _)| *next);
        let next = match ahead.filter(|next| *next <= self.reader.sweep_end) {
            Some(next) => next,
            None => {
                self.reader.sweep_end = self.revision;
                self.ready.first()?.0
            }
        };
        self.reader.sweep = next;
        (!self.reader.awaits(next)).then_some(next)
    }

    /// Brings the watchers forward that need `from` next, and those close by.
    fn serve(&mut self, now: Time, from: i64, history: &impl History, budget: usize) -> Work {
        let revision = history.revision();
        if let Some(chunk) = self.reader.take(from) {
            let begin = chunk.events.partition_point(|event| event.kv.mod_revision < from);
            let work = self.feed(now, from, &chunk.events[begin..], chunk.end, revision, budget);
            if waiting(&self.ready, chunk.from, chunk.end).next().is_some() {
                self.reader.keep(chunk);
            }
            return Some(work);
        }
        let limit = self.limits.batch.min(budget).max(1);
        match history.history(Revision::new(from, 0), limit) {
            Ok(HistoryChunk::Events { events, next }) => {
                assert!(next.main > from, "history goes forward");
                Some(self.feed(now, from, &events, next.main, revision, budget))
            }
            Ok(HistoryChunk::Scan { from: first, to }) => {
                assert!(to.main > from, "a scan goes forward");
                let (token, limit) = self.reader.begin(first, to, self.limits.batch)?;
                self.outputs.push_back(WatchOutput::Scan { token, from: first, to, limit });
                Some(1)
            }
            Err(_) => Some(self.fail_at(from, CancelReason::Compacted, history)),
        }
    }

    /// Tells a batch of the watchers whose next revision is in `from..end` what happened there,
    /// and moves them to its end. Less of it when that would exceed the budget.
    fn feed(
        &mut self,
        now: Time,
        from: i64,
        events: &[Arc<Event>],
        mut end: i64,
        revision: i64,
        budget: usize,
    ) -> usize {
        let batch = self.limits.batch.max(1);
        let group: Vec<_> = waiting(&self.ready, from, end).take(batch).copied().collect();
        let Some(bound) = group.last().copied() else { return 1 };
        let (mut work, mut matches) = (group.len(), Vec::new());
        for (place, event) in events.iter().enumerate() {
            let main = event.kv.mod_revision;
            let begins = place > 0 && events[place - 1].kv.mod_revision < main;
            if begins && work >= budget {
                end = main;
                break;
            }
            work += 1;
            self.lagging.visit(&event.kv.key, |handle| {
                work += 1;
                let watcher = &self.watchers[&handle];
                let grouped = watcher.next >= from && (watcher.next, handle) <= bound;
                if grouped && watcher.wants(event) {
                    matches.push((handle, place));
                }
            });
        }
        self.deliver(now, &mut matches, events, revision);
        let mut moved: BTreeSet<StreamId> = BTreeSet::new();
        for (next, handle) in group {
            if next < end && self.watchers[&handle].place == Place::Ready {
                let missed = planted(Mutant::M1) && end > self.revision;
                self.resume(handle, end + i64::from(missed));
                moved.insert(handle.stream);
            }
        }
        for stream in moved {
            self.settle(stream);
        }
        work
    }

    /// Cancels watchers that compaction has overtaken, `budget` of them at most.
    fn cancel_compacted(&mut self, history: &impl History, budget: usize) -> usize {
        let compacted = history.compact_revision();
        let overtaken: Vec<_> =
            waiting(&self.ready, i64::MIN, compacted).take(budget).copied().collect();
        for (_, handle) in &overtaken {
            self.fail(*handle, CancelReason::Compacted, history);
        }
        overtaken.len()
    }

    /// Cancels the watchers whose next revision is this one.
    fn fail_at(&mut self, next: i64, reason: CancelReason, history: &impl History) -> usize {
        let stuck: Vec<_> = waiting(&self.ready, next, next + 1).copied().collect();
        for (_, handle) in &stuck {
            self.fail(*handle, reason, history);
        }
        stuck.len()
    }
}

/// The ready watchers whose next revision is in `from..end`, by that revision.
fn waiting(
    ready: &BTreeSet<(i64, Handle)>,
    from: i64,
    end: i64,
) -> impl Iterator<Item = &(i64, Handle)> {
    ready.range((from, Handle::LEAST)..(end.max(from), Handle::LEAST))
}
