//! The crowd: all clients of a world, simulated.
//!
//! Clients ask, watch, and write down what they saw; the checks judge the world by nothing else.
//! The crowd knows no node and no network. The world asks it what to do next, hands requests to
//! nodes, and hands back what nodes answer:
//!
//! ```text
//!   next_time ─► act(now) ──────► requests, streams      ─► nodes
//!                                                           │
//!   finish ◄── history ◄── replied, watched, overrun,  ◄────┘
//!                          unreachable, disconnected
//! ```
//!
//! # What a client is like
//!
//! - It does one thing at a time, and pauses between an answer and the next operation.
//! - It stays with a node as long as that answers, and goes to another when it does not.
//! - An answer that does not come in time, or says so, leaves the outcome unknown; the client goes
//!   on under a new number. The request may still arrive later, and be done.
//! - Some number their writes. These it sends again, under the same number and to another node, as
//!   long as nothing settles what came of it; a failure that leaves that open settles nothing.
//! - Between it and the node lies a way with delays and losses of its own; what is lost on it does
//!   not come back. A node that is down refuses the connection: the request was certainly not done,
//!   and the history does not hold it.
//! - What one client has seen, all know: they compare, read at, compact to and resume from values
//!   and revisions that exist, or did, or almost do.
//!
//! # The generator
//!
//! Few keys, so that operations conflict; a mix of kinds, some of them off in most worlds, so that
//! rare ones get room; and ugly inputs among the polite ones, which have to be refused. Values are
//! unique. Some keys are only ever touched one at a time and retired early: for them the search
//! that trusts no revision stays decidable.
//!
//! # What is left out
//!
//! Connections are not modelled: a lost answer is lost for good, and two requests of one client
//! never overtake each other because there is never more than one. Responses of watches are not
//! cut into fragments; that is the server's, and proven there.

mod act;
mod agenda;
mod clients;
mod completion;
mod counts;
mod generate;
mod kind;
mod options;
mod shared;
mod watching;

use node::{Reply, Request, RequestId};
use protocol::{Rng, Time};
use store::watch::{StreamId, WatchCreate, WatchResponse};

pub use act::Act;
pub use counts::{Counts, Tally};
pub use kind::{Kind, Mix};
pub use options::{Options, Repeats};

use crate::history::{Ending, History, Watch};
use crate::seen::Place;
use agenda::Event;
use clients::Clients;
pub use completion::Fetch;
use shared::Shared;
use watching::Watching;

/// All clients of a world. Laws:
///
/// - the same options, nodes, seed and calls give the same acts and the same history;
/// - a client number has at most one operation under way, and nothing after an unknown outcome;
/// - operations stand in the order of their calls; an operation's name is its place;
/// - no client asks a node that is not allowed ([`Crowd::restrict`]), but for what was on its way.
#[derive(Debug)]
pub struct Crowd {
    shared: Shared,
    clients: Clients,
    watching: Watching,
}

impl Crowd {
    /// A crowd that asks the nodes at the places `0..nodes`.
    #[must_use]
    pub fn new(options: Options, nodes: usize, rng: Rng) -> Self {
        let mut shared = Shared::new(options, nodes, rng);
        let clients = Clients::new(&mut shared);
        let watching = Watching::new(&mut shared);
        Self { shared, clients, watching }
    }

    /// When [`Crowd::act`] has something to do. It may lie in the past: then it is due now.
    #[inline]
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        self.shared.agenda.next_time()
    }

    /// Does everything that is due, and appends what the world has to do for it, in order.
    pub fn act(&mut self, now: Time, acts: &mut Vec<Act>) {
        self.shared.tick(now);
        let Self { shared, clients, watching } = self;
        while let Some(event) = shared.agenda.pop(now) {
            match event {
                Event::Wake(place) => clients.wake(shared, place),
                Event::Arrive(id, at) => clients.arrive(id, at, acts),
                Event::Answered(id) => clients.answered(shared, id),
                Event::Again(id) => clients.again(shared, id),
                Event::Patience(place) => clients.patience(shared, place),
                Event::Idea(place) => watching.idea(shared, place, acts),
                Event::Send(place, stream) => watching.sent(place, stream, acts),
                Event::Drain(place, stream) => watching.drain(place, stream, acts),
            }
        }
    }

    /// Notes that a scenario asks a node: a new client each time. The caller hands the request over
    /// itself, at once; the answer comes back like any other, and is not lost.
    pub fn ask(&mut self, now: Time, at: Place, request: Request) -> RequestId {
        self.shared.tick(now);
        self.clients.ask(&mut self.shared, at, request)
    }

    /// Watches on behalf of a scenario, on a stream of its own that is taken up again elsewhere
    /// when it ends. Gives the watch's place in the history ([`Crowd::watches`]).
    pub fn watch(&mut self, now: Time, at: Place, create: WatchCreate) -> usize {
        self.shared.tick(now);
        self.watching.watch(&mut self.shared, at, create)
    }

    /// A node answers. `fetch` gives the record of a revision from that node's backend, for values
    /// that the reply only names; when it is gone, the request comes once more, and when it cannot
    /// be read, the request is refused.
    pub fn replied(&mut self, now: Time, id: RequestId, reply: Reply, fetch: &mut Fetch<'_>) {
        self.shared.tick(now);
        self.clients.replied(&mut self.shared, id, reply, fetch);
    }

    /// How an operation ended for its client; `None` while it is under way.
    #[must_use]
    pub fn reply(&self, id: RequestId) -> Option<&Ending> {
        self.clients.ending(id)
    }

    /// The node was down when a request arrived there: it was certainly not done. Its ending is
    /// `Refused` with `Failure::NoLeader` and an empty header, and the history does not hold it.
    pub fn unreachable(&mut self, now: Time, id: RequestId) {
        self.shared.tick(now);
        self.clients.unreachable(&mut self.shared, id);
    }

    /// A node tells a stream something. `fetch` as in [`Crowd::replied`], for previous values.
    /// False when one cannot be read: the stream is over, and the node has to be told.
    pub fn watched(
        &mut self,
        now: Time,
        stream: StreamId,
        response: WatchResponse,
        fetch: &mut Fetch<'_>,
    ) -> bool {
        self.shared.tick(now);
        self.watching.heard(&mut self.shared, stream, response, fetch)
    }

    /// A node has dropped a stream, or was down when it was opened.
    pub fn overrun(&mut self, now: Time, stream: StreamId) {
        self.shared.tick(now);
        self.watching.overrun(&mut self.shared, stream);
    }

    /// A node has ended: what it had been asked and had not answered remains unknown, and its
    /// streams are over. Answers that it had sent still arrive.
    pub fn disconnected(&mut self, now: Time, at: Place) {
        self.shared.tick(now);
        self.clients.disconnected(&mut self.shared, at);
        self.watching.disconnected(&mut self.shared, at);
    }

    /// From now on this node is asked, too.
    pub fn allow(&mut self, at: Place) {
        self.shared.allow(at);
    }

    /// From now on only these nodes are asked; streams at others move at once.
    pub fn restrict(&mut self, places: &[Place]) {
        self.shared.restrict(places);
        self.watching.restrict(&mut self.shared);
    }

    /// No client begins anything any more. What is under way goes on, streams stay open and are
    /// taken up again when they end, and slow readers make haste.
    pub fn stop(&mut self) {
        self.shared.stopped = true;
    }

    /// Operations under way.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.clients.outstanding().count()
    }

    /// When the oldest operation under way was called.
    #[must_use]
    pub fn oldest(&self) -> Option<Time> {
        self.clients.outstanding().min()
    }

    /// What was heard on watches so far. Responses may have times in the future: they are on
    /// their way, and lost when the stream ends before.
    #[must_use]
    pub fn watches(&self) -> &[Watch] {
        &self.watching.watches
    }

    /// What has been done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.shared.counts.clone();
        counts.retired = self.shared.generator.keys.retired;
        counts
    }

    /// The world ends: all that the clients saw. What is still under way remains unknown. The
    /// truth beside it is the world's to fill in.
    #[must_use]
    pub fn finish(self, now: Time) -> History {
        let Self { clients, watching, .. } = self;
        History {
            operations: clients.finish(),
            watches: watching.finish(now),
            ended_at: now,
            ..History::default()
        }
    }
}
