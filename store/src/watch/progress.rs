//! Progress: how far a watch has come, when there is nothing else to tell.

use alloc::vec::Vec;

use protocol::Time;
use protocol::mutant::{Mutant, planted};

use super::hub::Hub;
use super::interest::Handle;
use super::watcher::Place;
use super::{StreamId, WatchResponse};

impl Hub {
    /// A client asks how far its stream has come. Answered, with id −1, once all its watchers are
    /// live and may be promised the newest revision; requests made meanwhile share the answer. A
    /// stream without watchers is not answered, as in etcd.
    pub fn progress(&mut self, stream: StreamId) {
        if let Some(state) = self.streams.get_mut(&stream) {
            state.asked = true;
            self.settle(stream);
        }
    }

    /// When to call [`Hub::on_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Tells watches that asked for it how far they have come, if they have been silent for long.
    pub fn on_timeout(&mut self, now: Time) {
        let due: Vec<(Time, Handle)> =
            self.timers.iter().take_while(|(due, _)| *due <= now).copied().collect();
        for timer in due {
            self.timers.remove(&timer);
            self.on_silence(now, timer.1);
        }
    }

    fn on_silence(&mut self, now: Time, handle: Handle) {
        let watcher = self.watchers.get_mut(&handle).expect("a timer has a watcher");
        watcher.due = None;
        if now.since(watcher.told) < self.limits.progress_interval {
            let told = watcher.told;
            self.arm(told, handle);
            return;
        }
        let revision = self.revision;
        let live = watcher.place == Place::Live || planted(Mutant::M2);
        let current = live && watcher.promise_from <= revision;
        if current && !self.streams[&handle.stream].congested {
            watcher.told = now;
            self.queue(handle.stream, WatchResponse::Progress { id: Some(handle.id), revision });
        }
        self.arm(now, handle);
    }

    /// Sets the timer of a watcher that asked for progress and was last told something at `told`.
    pub(super) fn arm(&mut self, told: Time, handle: Handle) {
        let interval = self.limits.progress_interval;
        let watcher = self.watchers.get_mut(&handle).expect("a handle names a watcher");
        if !watcher.request.progress_notify || interval.is_zero() {
            return;
        }
        let tenth = u64::try_from(interval.as_nanos() / 10).unwrap_or(u64::MAX - 1);
        let jitter = core::time::Duration::from_nanos(self.rng.below(tenth + 1));
        let due = told + interval + jitter;
        watcher.due = Some(due);
        self.timers.insert((due, handle));
    }

    /// Answers a stream that asked for progress, if that is possible now.
    pub(super) fn settle(&mut self, stream: StreamId) {
        let revision = self.revision;
        let Some(state) = self.streams.get_mut(&stream) else { return };
        if !state.asked {
            return;
        }
        if let Some(at) = state.promised_at.take() {
            self.promises.remove(&(at, stream));
        }
        if state.watchers.is_empty() {
            state.asked = false;
            return;
        }
        if state.behind > 0 && !planted(Mutant::M2) || state.congested {
            return;
        }
        if let Some(at) = state.not_before(revision) {
            state.promised_at = Some(at);
            self.promises.insert((at, stream));
            return;
        }
        state.asked = false;
        self.queue(stream, WatchResponse::Progress { id: None, revision });
    }

    /// The store has come to `revision`: answers those that waited for it.
    pub(super) fn fulfil(&mut self, revision: i64) {
        while let Some((at, stream)) = self.promises.first().copied() {
            if at > revision {
                return;
            }
            self.promises.pop_first();
            self.settle(stream);
        }
    }
}
