//! A hub with its surroundings: a world, a slow backend, and connections that write when told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::Time;
use store::watch::{
    CancelReason, Hub, StreamId, WatchCreate, WatchId, WatchLimits, WatchOutput, WatchResponse,
};
use store::{Event, KeyRange, Revision};

use crate::world::World;

/// A scan that the backend has not answered.
pub(crate) struct Scan {
    pub(crate) token: u64,
    pub(crate) from: Revision,
    pub(crate) to: Revision,
    pub(crate) limit: usize,
}

#[derive(Default)]
pub(crate) struct Wire {
    /// Queued and not yet written.
    pub(crate) queue: VecDeque<WatchResponse>,
    pub(crate) unsent: usize,
}

pub(crate) struct Desk {
    pub(crate) hub: Hub,
    pub(crate) world: World,
    pub(crate) now: Time,
    pub(crate) limits: WatchLimits,
    pub(crate) wires: BTreeMap<StreamId, Wire>,
    pub(crate) scans: Vec<Scan>,
    pub(crate) overrun: Vec<StreamId>,
    /// The most bytes that any stream ever had unsent.
    pub(crate) peak: usize,
}

pub(crate) const STREAM: StreamId = StreamId(1);

impl Desk {
    pub(crate) fn new(limits: WatchLimits) -> Self {
        Self {
            hub: Hub::new(limits.clone(), 7),
            world: World::new(),
            now: Time::default(),
            limits,
            wires: BTreeMap::new(),
            scans: Vec::new(),
            overrun: Vec::new(),
            peak: 0,
        }
    }

    /// With one open stream, [`STREAM`].
    pub(crate) fn with_stream(limits: WatchLimits) -> Self {
        let mut desk = Self::new(limits);
        desk.open(STREAM);
        desk
    }

    pub(crate) fn open(&mut self, stream: StreamId) {
        assert!(self.hub.open(stream));
        self.wires.insert(stream, Wire::default());
    }

    pub(crate) fn close(&mut self, stream: StreamId) {
        self.hub.close(stream);
        self.wires.remove(&stream);
        self.pump();
    }

    pub(crate) fn create(&mut self, stream: StreamId, request: WatchCreate) {
        self.hub.create(self.now, stream, request, &self.world);
        self.pump();
    }

    pub(crate) fn cancel(&mut self, stream: StreamId, id: WatchId) {
        self.hub.cancel(stream, id);
        self.pump();
    }

    pub(crate) fn progress(&mut self, stream: StreamId) {
        self.hub.progress(stream);
        self.pump();
    }

    /// Publishes what the world has just applied.
    pub(crate) fn publish(&mut self, events: &[Arc<Event>]) {
        use store::watch::History as _;
        self.hub.publish(self.now, self.world.revision(), events);
        self.pump();
    }

    pub(crate) fn put(&mut self, key: &'static str, value: &'static str) {
        let events = self.world.put(key, value);
        self.publish(&events);
    }

    pub(crate) fn delete(&mut self, key: &'static str) {
        let events = self.world.delete(key);
        self.publish(&events);
    }

    pub(crate) fn restored(&mut self) {
        self.hub.restored(&self.world);
        self.pump();
    }

    pub(crate) fn step(&mut self, budget: usize) -> bool {
        let more = self.hub.step(self.now, &self.world, budget);
        self.pump();
        more
    }

    /// The backend answers the scan at this place.
    pub(crate) fn answer(&mut self, place: usize) {
        let Scan { token, from, to, limit } = self.scans.remove(place);
        let records = self.world.scan(from, to, limit);
        self.hub.scanned(token, Ok(records), &self.world);
        self.pump();
    }

    pub(crate) fn advance(&mut self, duration: Duration) {
        self.now = self.now + duration;
        if self.hub.poll_timeout().is_some_and(|due| due <= self.now) {
            self.hub.on_timeout(self.now);
            self.pump();
        }
    }

    /// The connection writes one response.
    pub(crate) fn write(&mut self, stream: StreamId) -> Option<WatchResponse> {
        let wire = self.wires.get_mut(&stream)?;
        let response = wire.queue.pop_front()?;
        let cost = response.cost();
        wire.unsent -= cost;
        self.hub.sent(stream, cost);
        self.pump();
        Some(response)
    }

    /// Steps and answers scans until nothing more happens without the connections.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let more = self.step(1000);
            if !self.scans.is_empty() {
                self.answer(0);
            } else if !more {
                return;
            }
        }
        panic!("catching up does not end");
    }

    /// Settles and writes until there is nothing left for this stream.
    pub(crate) fn read(&mut self, stream: StreamId) -> Vec<WatchResponse> {
        let mut all = Vec::new();
        loop {
            self.settle();
            match self.write(stream) {
                Some(response) => all.push(response),
                None => return all,
            }
        }
    }

    /// Writes all that is queued for this stream, without any further step.
    pub(crate) fn read_wire(&mut self, stream: StreamId) -> Vec<WatchResponse> {
        core::iter::from_fn(|| self.write(stream)).collect()
    }

    /// Moves outputs to where they belong; checks that credit is kept.
    fn pump(&mut self) {
        while let Some(output) = self.hub.poll() {
            match output {
                WatchOutput::Respond { stream, response } => {
                    let wire = self.wires.get_mut(&stream).expect("the stream is open");
                    if matches!(response, WatchResponse::Events { .. }) {
                        assert!(wire.unsent < self.limits.outstanding_bytes, "without credit");
                    }
                    wire.unsent += response.cost();
                    self.peak = self.peak.max(wire.unsent);
                    wire.queue.push_back(response);
                }
                WatchOutput::Scan { token, from, to, limit } => {
                    assert!(from < to && limit > 0 && limit <= self.limits.batch);
                    assert!(self.scans.iter().all(|scan| scan.token != token));
                    self.scans.push(Scan { token, from, to, limit });
                }
                WatchOutput::Overrun { stream } => {
                    self.wires.remove(&stream);
                    self.overrun.push(stream);
                }
            }
        }
    }
}

/// A watch of one key.
pub(crate) fn on(key: &'static str) -> WatchCreate {
    between(key, "")
}

/// A watch of a range.
pub(crate) fn between(key: &'static str, end: &'static str) -> WatchCreate {
    WatchCreate {
        id: 0,
        keys: KeyRange { key: Bytes::from(key), end: Bytes::from(end) },
        start_revision: 0,
        no_put: false,
        no_delete: false,
        prev_kv: false,
        progress_notify: false,
        fragment: false,
    }
}

/// A watch of everything.
pub(crate) fn all() -> WatchCreate {
    between("", "\0")
}

pub(crate) fn from(start_revision: i64, request: WatchCreate) -> WatchCreate {
    WatchCreate { start_revision, ..request }
}

pub(crate) fn named(id: i64, request: WatchCreate) -> WatchCreate {
    WatchCreate { id, ..request }
}

/// Responses in short: `created 0 @5`, `0: put a@6 del b@6 @6`, `progress 0 @7`.
pub(crate) fn short(responses: &[WatchResponse]) -> Vec<String> {
    responses.iter().map(line).collect()
}

fn line(response: &WatchResponse) -> String {
    use store::EventKind;
    match response {
        WatchResponse::Created { id, revision } => format!("created {} @{revision}", id.0),
        WatchResponse::Refused { reason, revision } => format!("refused {reason:?} @{revision}"),
        WatchResponse::Events { id, revision, events, .. } => {
            let mut line = format!("{}:", id.0);
            for event in events {
                let kind = match event.kind {
                    EventKind::Put => "put",
                    EventKind::Delete => "del",
                };
                let key = String::from_utf8_lossy(&event.kv.key);
                line += &format!(" {kind} {key}@{}", event.kv.mod_revision);
            }
            format!("{line} @{revision}")
        }
        WatchResponse::Canceled { id, reason, compact_revision, revision } => {
            let why = match (reason, compact_revision) {
                (None, None) => String::new(),
                (Some(CancelReason::Compacted), Some(at)) => format!(" compacted {at}"),
                (Some(CancelReason::Unreadable), None) => " unreadable".into(),
                other => panic!("{other:?}"),
            };
            format!("canceled {}{why} @{revision}", id.0)
        }
        WatchResponse::Progress { id: None, revision } => format!("progress all @{revision}"),
        WatchResponse::Progress { id: Some(id), revision } => {
            format!("progress {} @{revision}", id.0)
        }
    }
}
