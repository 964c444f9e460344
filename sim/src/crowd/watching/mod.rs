//! Clients that watch: each over one stream at a time, which carries a few watches.
//!
//! When a stream ends, or its watcher moves to another node, each of its watches is asked for
//! again from the first revision that it has not been told of: a watch of its own in the history.
//! Messages on a stream keep their order, and none is lost but at its end.

mod stream;
mod wish;

use protocol::Time;
use store::watch::{CancelReason, StreamId, WatchCreate, WatchId, WatchResponse};

use super::Act;
use super::agenda::Event;
use super::completion::Fetch;
use super::shared::Shared;
use crate::history::Watch;
use crate::seen::Place;
use stream::{Stream, complete, successor};
use wish::{Idea, PAUSE, REOPEN, SLOWLY, WATCHES};

/// One watcher.
#[derive(Debug)]
struct Watcher {
    /// Its number in the history.
    number: u32,
    /// The node it turns to.
    at: Place,
    stream: Option<Stream>,
    /// Watches to ask for with the next idea.
    plans: Vec<WatchCreate>,
    /// When the next idea comes; events of other times are void.
    idea_at: Option<Time>,
    /// It has no ideas of its own.
    scripted: bool,
}

/// All of them, and the record of what they heard.
#[derive(Debug)]
pub(super) struct Watching {
    watchers: Vec<Watcher>,
    pub(super) watches: Vec<Watch>,
    /// For each stream the place of its watcher.
    owners: Vec<usize>,
}

impl Watching {
    pub(super) fn new(shared: &mut Shared) -> Self {
        let mut this = Self { watchers: Vec::new(), watches: Vec::new(), owners: Vec::new() };
        for place in 0..usize::try_from(shared.options.watchers).unwrap_or(0) {
            this.add(shared, false);
            let first = Time::default() + shared.pause(&REOPEN);
            this.think(shared, place, first);
        }
        this
    }

    fn add(&mut self, shared: &mut Shared, scripted: bool) -> usize {
        let number = shared.number();
        let at = shared.place().unwrap_or(0);
        let (stream, plans, idea_at) = (None, Vec::new(), None);
        self.watchers.push(Watcher { number, at, stream, plans, idea_at, scripted });
        self.watchers.len() - 1
    }

    /// The next idea comes then, and not when it was to come before.
    fn think(&mut self, shared: &mut Shared, place: usize, at: Time) {
        self.watchers[place].idea_at = Some(at);
        shared.agenda.add(at, Event::Idea(place));
    }

    /// A scenario watches.
    pub(super) fn watch(&mut self, shared: &mut Shared, at: Place, create: WatchCreate) -> usize {
        let place = self.add(shared, true);
        self.watchers[place].at = at;
        self.watchers[place].plans.push(create);
        let next = self.watches.len();
        self.open(shared, place, at);
        next
    }

    /// A watcher has an idea.
    pub(super) fn idea(&mut self, shared: &mut Shared, place: usize, acts: &mut Vec<Act>) {
        let now = shared.now;
        let watcher = &mut self.watchers[place];
        if watcher.idea_at.is_none_or(|at| at > now) {
            return;
        }
        watcher.idea_at = None;
        let away = |stream: &Stream| !shared.allows(stream.at) || self.is_stuck(shared, stream);
        match self.watchers[place].stream.as_ref().map(away) {
            Some(true) => self.leave(shared, place, acts),
            Some(false) if shared.stopped || self.watchers[place].scripted => {
                self.carry_out_plans(shared, place);
            }
            Some(false) => {
                self.carry_out_plans(shared, place);
                self.follow(shared, place, acts);
            }
            None => self.begin(shared, place),
        }
        self.think_again(shared, place);
    }

    /// Whether a stream has been silent about a new watch for so long that nobody waits on.
    fn is_stuck(&self, shared: &Shared, stream: &Stream) -> bool {
        let oldest = stream.pending.front().map(|watch| self.watches[*watch].called);
        oldest.is_some_and(|called| called + shared.options.patience <= shared.now)
    }

    /// The next idea, unless one is due already. Once all have stopped, only an unanswered
    /// question keeps a watcher thinking.
    fn think_again(&mut self, shared: &mut Shared, place: usize) {
        let watcher = &self.watchers[place];
        let waits = !watcher.plans.is_empty()
            || watcher.stream.as_ref().is_some_and(|stream| !stream.pending.is_empty());
        let idle = shared.stopped || watcher.scripted;
        if watcher.idea_at.is_none() && (waits || !idle) {
            let at = shared.now + shared.pause(&PAUSE);
            self.think(shared, place, at);
        }
    }

    /// Opens a stream for what is planned, or for something new.
    fn begin(&mut self, shared: &mut Shared, place: usize) {
        let idle = shared.stopped || self.watchers[place].scripted;
        if self.watchers[place].plans.is_empty() {
            if idle {
                return;
            }
            self.watchers[place].number = shared.number();
            for _ in 0..=shared.below(WATCHES as u64) {
                let wish = shared.watch_wish();
                self.watchers[place].plans.push(wish);
            }
        }
        let at = self.watchers[place].at;
        let at = if shared.allows(at) { Some(at) } else { shared.place() };
        if let Some(at) = at {
            self.open(shared, place, at);
        }
    }

    fn open(&mut self, shared: &mut Shared, place: usize, at: Place) {
        shared.counts.streams += 1;
        let id = StreamId(self.owners.len() as u64);
        self.owners.push(place);
        let slow = shared.chance(shared.options.slow_per_mille);
        let watcher = &mut self.watchers[place];
        watcher.at = at;
        watcher.stream = Some(Stream::new(id, at, slow));
        self.send(shared, place, |at, stream| Act::OpenWatch { at, stream });
        self.carry_out_plans(shared, place);
        self.think_again(shared, place);
    }

    fn carry_out_plans(&mut self, shared: &mut Shared, place: usize) {
        for create in std::mem::take(&mut self.watchers[place].plans) {
            self.create(shared, place, create);
        }
    }

    fn create(&mut self, shared: &mut Shared, place: usize, create: WatchCreate) {
        let number = self.watchers[place].number;
        let Some(stream) = &mut self.watchers[place].stream else { return };
        shared.counts.watches += 1;
        stream.pending.push_back(self.watches.len());
        self.watches.push(Watch {
            client: number,
            called: shared.now,
            create: create.clone(),
            heard: Vec::new(),
            open_at_end: false,
        });
        self.send(shared, place, |at, stream| Act::CreateWatch { at, stream, create });
    }

    /// Sends something on a watcher's stream, behind whatever is on its way.
    fn send(
        &mut self,
        shared: &mut Shared,
        place: usize,
        act: impl FnOnce(Place, StreamId) -> Act,
    ) {
        let Some(stream) = &mut self.watchers[place].stream else { return };
        stream.sent_until = stream.sent_until.max(shared.arrival(shared.now));
        stream.outbox.push_back(act(stream.at, stream.id));
        shared.agenda.add(stream.sent_until, Event::Send(place, stream.id.0));
    }

    /// Something sent on a stream reaches its node.
    pub(super) fn sent(&mut self, place: usize, stream: u64, acts: &mut Vec<Act>) {
        let live = self.watchers[place].stream.as_mut();
        let Some(live) = live.filter(|live| live.id.0 == stream) else { return };
        live.opened = true;
        acts.extend(live.outbox.pop_front());
    }

    /// Does what came to a watcher's mind.
    fn follow(&mut self, shared: &mut Shared, place: usize, acts: &mut Vec<Act>) {
        let Some(stream) = &mut self.watchers[place].stream else { return };
        match shared.idea() {
            Idea::Create if stream.watches().count() < WATCHES => {
                let create = shared.watch_wish();
                self.create(shared, place, create);
            }
            Idea::CreateUgly => {
                let create = shared.ugly_watch_wish();
                self.create(shared, place, create);
            }
            Idea::Cancel if !stream.active.is_empty() => {
                let which = shared.below(stream.active.len() as u64);
                let id = stream.active[usize::try_from(which).unwrap_or(0)].0;
                self.send(shared, place, |at, stream| Act::CancelWatch { at, stream, id });
            }
            Idea::CancelUgly => {
                let id = WatchId(77);
                self.send(shared, place, |at, stream| Act::CancelWatch { at, stream, id });
            }
            Idea::Progress => {
                self.send(shared, place, |at, stream| Act::ProgressWatch { at, stream });
            }
            Idea::Move => self.leave(shared, place, acts),
            Idea::Abandon => {
                self.leave(shared, place, acts);
                self.watchers[place].plans.clear();
            }
            Idea::Pace => stream.slow = !stream.slow,
            Idea::Create | Idea::Cancel | Idea::Listen => {}
        }
    }

    /// Closes a stream in order to go on elsewhere.
    fn leave(&mut self, shared: &mut Shared, place: usize, acts: &mut Vec<Act>) {
        if let Some(stream) = &self.watchers[place].stream
            && stream.opened
        {
            acts.push(Act::CloseWatch { at: stream.at, stream: stream.id });
        }
        self.end(shared, place);
    }

    /// A stream is over, and what is on its way is lost. Its watches will be taken up again.
    fn end(&mut self, shared: &mut Shared, place: usize) {
        let now = shared.now;
        let watcher = &mut self.watchers[place];
        let Some(stream) = watcher.stream.take() else { return };
        for watch in stream.watches() {
            let watch = &mut self.watches[watch];
            while watch.heard.last().is_some_and(|(at, _)| *at > now) {
                watch.heard.pop();
            }
            shared.counts.resumed += 1;
            watcher.plans.push(successor(watch));
        }
        watcher.at = shared.other_place(stream.at).unwrap_or(stream.at);
        let at = now + shared.pause(&REOPEN);
        self.think(shared, place, at);
    }

    /// The watcher of a stream that has not ended.
    fn owner(&self, stream: StreamId) -> Option<usize> {
        let place = *self.owners.get(usize::try_from(stream.0).ok()?)?;
        let live = self.watchers[place].stream.as_ref()?;
        (live.id == stream).then_some(place)
    }

    /// A node tells a stream something. False: what it names cannot be read, and the stream ends.
    pub(super) fn heard(
        &mut self,
        shared: &mut Shared,
        id: StreamId,
        response: WatchResponse,
        fetch: &mut Fetch<'_>,
    ) -> bool {
        let Some(place) = self.owner(id) else { return true };
        let Some(stream) = &mut self.watchers[place].stream else { return true };
        shared.counts.heard += 1;
        let arrival = shared.arrival(shared.now).max(stream.heard_until);
        stream.heard_until = arrival;
        stream.unread += response.cost();
        if !stream.draining {
            stream.draining = true;
            let slow = stream.slow && !shared.stopped;
            let reads = if slow { arrival + shared.pause(&SLOWLY) } else { arrival };
            shared.agenda.add(reads, Event::Drain(place, id.0));
        }
        let Ok(response) = complete(response, fetch) else {
            self.overrun(shared, id);
            return false;
        };
        self.note(shared, place, arrival, response);
        true
    }

    /// Writes a response down where it belongs.
    fn note(&mut self, shared: &mut Shared, place: usize, at: Time, response: WatchResponse) {
        let watcher = &mut self.watchers[place];
        let Some(stream) = &mut watcher.stream else { return };
        let watch = match &response {
            WatchResponse::Created { id, .. } => {
                let watch = stream.pending.pop_front();
                stream.active.extend(watch.map(|watch| (*id, watch)));
                watch
            }
            WatchResponse::Refused { .. } => {
                shared.counts.watches_refused += 1;
                stream.pending.pop_front()
            }
            WatchResponse::Events { id, events, .. } => {
                shared.counts.events += events.len() as u64;
                stream.watch(*id)
            }
            WatchResponse::Progress { id: Some(id), .. } => stream.watch(*id),
            WatchResponse::Progress { id: None, .. } => {
                for (_, watch) in &stream.active {
                    self.watches[*watch].heard.push((at, response.clone()));
                }
                return;
            }
            WatchResponse::Canceled { id, reason, compact_revision, .. } => {
                let watch = stream.watch(*id);
                stream.active.retain(|(known, _)| known != id);
                if let (Some(watch), Some(reason)) = (watch, reason) {
                    shared.counts.watches_canceled += 1;
                    let mut next = successor(&self.watches[watch]);
                    if *reason == CancelReason::Compacted {
                        next.start_revision = compact_revision.unwrap_or(0);
                    }
                    watcher.plans.push(next);
                }
                watch
            }
        };
        match watch {
            Some(watch) => self.watches[watch].heard.push((at, response)),
            None => shared.counts.strays += 1,
        }
    }

    /// A watcher reads what has come.
    pub(super) fn drain(&mut self, place: usize, id: u64, acts: &mut Vec<Act>) {
        let stream = self.watchers[place].stream.as_mut();
        let Some(stream) = stream.filter(|stream| stream.id.0 == id) else { return };
        stream.draining = false;
        let bytes = std::mem::take(&mut stream.unread);
        acts.push(Act::SentWatch { at: stream.at, stream: stream.id, bytes });
    }

    /// A node has dropped a stream.
    pub(super) fn overrun(&mut self, shared: &mut Shared, id: StreamId) {
        if let Some(place) = self.owner(id) {
            shared.counts.overruns += 1;
            self.end(shared, place);
        }
    }

    /// A node has ended, and with it all its streams.
    pub(super) fn disconnected(&mut self, shared: &mut Shared, at: Place) {
        for place in 0..self.watchers.len() {
            let stream = self.watchers[place].stream.as_ref();
            if stream.is_some_and(|stream| stream.at == at && stream.opened) {
                self.end(shared, place);
            }
        }
    }

    /// Watchers at nodes that are not asked any more go elsewhere, now.
    pub(super) fn restrict(&mut self, shared: &mut Shared) {
        for place in 0..self.watchers.len() {
            let stream = self.watchers[place].stream.as_ref();
            if stream.is_some_and(|stream| !shared.allows(stream.at)) {
                self.think(shared, place, shared.now);
            }
        }
    }

    /// The world ends: what each watch has heard. What is still on its way arrives now.
    pub(super) fn finish(mut self, now: Time) -> Vec<Watch> {
        for stream in self.watchers.iter().filter_map(|watcher| watcher.stream.as_ref()) {
            for (_, watch) in &stream.active {
                self.watches[*watch].open_at_end = stream.unread == 0;
            }
        }
        for watch in &mut self.watches {
            let late = watch.heard.iter_mut().rev().take_while(|(at, _)| *at > now);
            late.for_each(|(at, _)| *at = now);
        }
        self.watches
    }
}
