//! The hub: streams, their watchers, and what is queued for them.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::{Rng, Time};

use super::interest::{Handle, Interest, Keys};
use super::reader::Reader;
use super::watcher::{Place, Stream, Watcher};
use super::{
    CancelReason, History, RefuseReason, StreamId, WatchCreate, WatchId, WatchLimits, WatchOutput,
    WatchResponse,
};

/// All watches of one member.
///
/// Its owner calls [`Hub::publish`] after every command that it applies while [`Hub::watched`],
/// [`Hub::step`] as long as that says so, and drains [`Hub::poll`] after every call.
///
/// - a watcher is in `live`, or in `lagging` and `ready`, or in its stream's `blocked`;
/// - `ready` orders by the watcher's next revision, which is not beyond `revision`;
/// - `timers` has each watcher's `due`, `promises` each stream's `promised_at`.
#[derive(Clone, Debug)]
pub struct Hub {
    pub(super) limits: WatchLimits,
    pub(super) rng: Rng,
    /// The newest revision (main) published.
    pub(super) revision: i64,
    pub(super) streams: BTreeMap<StreamId, Stream>,
    pub(super) watchers: BTreeMap<Handle, Watcher>,
    pub(super) live: Interest,
    pub(super) lagging: Interest,
    pub(super) ready: BTreeSet<(i64, Handle)>,
    pub(super) blocked: usize,
    pub(super) timers: BTreeSet<(Time, Handle)>,
    pub(super) promises: BTreeSet<(i64, StreamId)>,
    pub(super) reader: Reader,
    pub(super) outputs: VecDeque<WatchOutput>,
}

/// How many of what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchCounts {
    /// Streams.
    pub streams: usize,
    /// Watchers, wherever they are.
    pub watchers: usize,
    /// Those being brought forward from the past.
    pub ready: usize,
    /// Those whose stream has no credit.
    pub blocked: usize,
    /// Scans of the backend that are under way.
    pub scans: usize,
}

impl Hub {
    /// A hub without streams. The seed decides the jitter of progress notifications.
    #[must_use]
    pub fn new(limits: WatchLimits, seed: u64) -> Self {
        Self {
            limits,
            rng: Rng::new(seed),
            revision: 0,
            streams: BTreeMap::new(),
            watchers: BTreeMap::new(),
            live: Interest::new(),
            lagging: Interest::new(),
            ready: BTreeSet::new(),
            blocked: 0,
            timers: BTreeSet::new(),
            promises: BTreeSet::new(),
            reader: Reader::new(),
            outputs: VecDeque::new(),
        }
    }

    /// A client has opened a stream. False: there are as many as there may be, or it is open
    /// already; nothing has changed.
    #[must_use]
    pub fn open(&mut self, stream: StreamId) -> bool {
        if self.streams.len() >= self.limits.streams || self.streams.contains_key(&stream) {
            return false;
        }
        self.streams.insert(stream, Stream::default());
        true
    }

    /// A stream has ended: its watchers, and what was queued for it, are gone.
    pub fn close(&mut self, stream: StreamId) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        for id in core::mem::take(&mut state.watchers) {
            self.remove(Handle { stream, id });
        }
        if let Some(at) = self.streams.remove(&stream).and_then(|state| state.promised_at) {
            self.promises.remove(&(at, stream));
        }
        self.outputs.retain(|output| match output {
            WatchOutput::Respond { stream: to, .. } => *to != stream,
            WatchOutput::Scan { .. } | WatchOutput::Overrun { .. } => true,
        });
    }

    /// A client asks for a watch. Queues `Created` or `Refused`; for a revision already compacted
    /// `Created` and then `Canceled`. Nothing for a stream that is not open.
    pub fn create(
        &mut self,
        now: Time,
        stream: StreamId,
        request: WatchCreate,
        history: &impl History,
    ) {
        if self.watchers.is_empty() {
            // Nobody was told of what happened meanwhile, and nobody needs to be.
            self.revision = history.revision();
        }
        let Some(state) = self.streams.get_mut(&stream) else { return };
        let revision = history.revision();
        let start = request.start_revision;
        let (id, keys) = match admit(state, &request, self.limits.watchers_per_stream) {
            Ok(admitted) => admitted,
            Err(reason) => {
                self.answer(stream, WatchResponse::Refused { reason, revision });
                return;
            }
        };
        self.answer(stream, WatchResponse::Created { id, revision });
        let compacted = history.compact_revision();
        if start != 0 && start < compacted {
            self.answer(stream, canceled(id, Some(CancelReason::Compacted), compacted, revision));
            return;
        }
        let Some(state) = self.streams.get_mut(&stream) else { return };
        let (next, promise_from) = match start {
            0 => (revision.saturating_add(1), revision),
            start => (start, start),
        };
        state.watchers.insert(id);
        if promise_from > self.revision {
            state.starts.insert((promise_from, id));
        }
        let handle = Handle { stream, id };
        let place = Place::Live;
        self.live.insert(&keys, handle);
        let watcher = Watcher { keys, request, next, promise_from, place, told: now, due: None };
        self.watchers.insert(handle, watcher);
        self.resume(handle, next);
        self.arm(now, handle);
    }

    /// A client wants a watch to end. Silence when there is no such watch, as in etcd.
    pub fn cancel(&mut self, stream: StreamId, id: WatchId) {
        let handle = Handle { stream, id };
        if !self.watchers.contains_key(&handle) {
            return;
        }
        self.remove(handle);
        self.answer(stream, canceled(id, None, 0, self.revision));
        self.settle(stream);
    }

    /// The connection has written responses of this accounted cost.
    pub fn sent(&mut self, stream: StreamId, bytes: usize) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        state.outstanding = state.outstanding.saturating_sub(bytes);
        if !state.congested || state.outstanding > self.limits.outstanding_bytes / 2 {
            return;
        }
        state.congested = false;
        state.unread = 0;
        for id in state.blocked.clone() {
            let handle = Handle { stream, id };
            let next = self.watchers[&handle].next;
            self.resume(handle, next);
        }
        self.settle(stream);
    }

    /// What to do next; `None` when all has been said.
    pub fn poll(&mut self) -> Option<WatchOutput> {
        self.outputs.pop_front()
    }

    /// Whether anybody watches anything. If not, events need not be made or published.
    #[must_use]
    pub fn watched(&self) -> bool {
        !self.watchers.is_empty()
    }

    /// How many of what there is.
    #[must_use]
    pub fn counts(&self) -> WatchCounts {
        WatchCounts {
            streams: self.streams.len(),
            watchers: self.watchers.len(),
            ready: self.ready.len(),
            blocked: self.blocked,
            scans: self.reader.scans(),
        }
    }

    /// Ends a watch that cannot be told what it has still to be told.
    pub(super) fn fail(&mut self, handle: Handle, reason: CancelReason, history: &impl History) {
        self.remove(handle);
        let (compacted, revision) = (history.compact_revision(), history.revision());
        self.queue(handle.stream, canceled(handle.id, Some(reason), compacted, revision));
        self.settle(handle.stream);
    }

    /// Queues the answer to a client's own request. A client that has no credit left has not read
    /// the earlier ones either.
    fn answer(&mut self, stream: StreamId, response: WatchResponse) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        if state.congested {
            state.unread += 1;
            if state.unread > self.limits.unread_answers {
                self.close(stream);
                self.outputs.push_back(WatchOutput::Overrun { stream });
                return;
            }
        }
        self.queue(stream, response);
    }

    /// Queues a response and takes its cost from the stream's credit.
    pub(super) fn queue(&mut self, stream: StreamId, response: WatchResponse) {
        let Some(state) = self.streams.get_mut(&stream) else { return };
        state.outstanding += response.cost();
        if state.outstanding >= self.limits.outstanding_bytes {
            state.congested = true;
        }
        self.outputs.push_back(WatchOutput::Respond { stream, response });
    }

    /// Where a watcher goes that has been told everything before `next` and has credit.
    pub(super) fn resume(&mut self, handle: Handle, next: i64) {
        let live = next > self.revision;
        self.move_to(handle, if live { Place::Live } else { Place::Ready }, next);
    }

    /// Moves a watcher.
    pub(super) fn move_to(&mut self, handle: Handle, place: Place, next: i64) {
        let watcher = self.watchers.get_mut(&handle).expect("a handle names a watcher");
        let (from, old) = (watcher.place, watcher.next);
        watcher.place = place;
        watcher.next = next;
        if from == Place::Ready {
            self.ready.remove(&(old, handle));
        }
        if place == Place::Ready {
            self.ready.insert((next, handle));
        }
        if from == place {
            return;
        }
        let keys = &watcher.keys;
        let stream = self.streams.get_mut(&handle.stream).expect("a watcher has a stream");
        match from {
            Place::Live => {
                self.live.remove(keys, handle);
                stream.behind += 1;
            }
            Place::Ready => self.lagging.remove(keys, handle),
            Place::Blocked => {
                stream.blocked.remove(&handle.id);
                self.blocked -= 1;
            }
        }
        match place {
            Place::Live => {
                self.live.insert(keys, handle);
                stream.behind -= 1;
            }
            Place::Ready => self.lagging.insert(keys, handle),
            Place::Blocked => {
                stream.blocked.insert(handle.id);
                self.blocked += 1;
            }
        }
    }

    /// Forgets a watcher.
    fn remove(&mut self, handle: Handle) {
        let next = self.watchers[&handle].next;
        self.move_to(handle, Place::Live, next);
        let watcher = self.watchers.remove(&handle).expect("a handle names a watcher");
        self.live.remove(&watcher.keys, handle);
        if let Some(due) = watcher.due {
            self.timers.remove(&(due, handle));
        }
        let stream = self.streams.get_mut(&handle.stream).expect("a watcher has a stream");
        stream.watchers.remove(&handle.id);
        stream.starts.remove(&(watcher.promise_from, handle.id));
    }
}

/// The id and the keys of a watch, if there can be one.
fn admit(
    stream: &mut Stream,
    request: &WatchCreate,
    watchers: usize,
) -> Result<(WatchId, Keys), RefuseReason> {
    let keys = Keys::of(&request.keys).ok_or(RefuseReason::EmptyRange)?;
    if request.start_revision < 0 {
        return Err(RefuseReason::NegativeStart);
    }
    if stream.watchers.contains(&WatchId(request.id)) && request.id != 0 {
        return Err(RefuseReason::Duplicate);
    }
    if stream.watchers.len() >= watchers {
        return Err(RefuseReason::TooManyWatchers);
    }
    let id = match request.id {
        0 => stream.free_id(),
        id => WatchId(id),
    };
    Ok((id, keys))
}

fn canceled(
    id: WatchId,
    reason: Option<CancelReason>,
    compacted: i64,
    revision: i64,
) -> WatchResponse {
    let compact_revision = (reason == Some(CancelReason::Compacted)).then_some(compacted);
    WatchResponse::Canceled { id, reason, compact_revision, revision }
}
