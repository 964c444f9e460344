//! Serf's layer: what the agents of Serf, Consul and Nomad say to each other on top of membership.
//!
//! It stands within SWIM, not beside it: it has no packets and no members of its own. All that it
//! says travels in places that SWIM leaves to the layer above.
//!
//! ```text
//! meta of a member        Tags
//! user message            Message: intents, events, queries, answers, relays
//! user part of push/pull  Message::PushPull: clocks and what is remembered of the others
//! payload of an answer    Message::Conflict, KeyRequest, KeyResponse (of Serf's own queries)
//! ```
//!
//! [`Serf`] owns a [`Swim`] and has its four verbs: a driver that carries out what `Serf` wants
//! done has a good member of a pool of such agents.
//!
//! # What it gives
//!
//! - *Intents*: whoever goes says so before it goes, and whoever has come says so after; a member
//!   that ends without that has failed. What somebody intends is ordered by a Lamport clock, so an
//!   older intent never undoes a later one, in whatever order they arrive.
//! - *Memory*: the failed are remembered for a day, and looked for now and then, so that a network
//!   that was cut in two becomes one again by itself.
//! - *Events*: what happens at one member is told at each member once, mostly: gossip may miss one
//!   in thousands, and exchanges bring what it missed while it is among the last 512 times.
//! - *Queries*: a question to all, with answers straight back, until its time is over.
//!
//! ```text
//!            alive ── leave intent ──▶ leaving ── SWIM: gone ──▶ left ── a day ──▶ reaped
//!            ▲ │ ▲                        │                      ▲
//!            │ │ └────── join intent ─────┘              leave intent (forced)
//!            │ └────── SWIM: gone ──▶ failed ────────────────────┘
//!            └──────── SWIM: there ─────┘ └── a day ──▶ reaped
//! ```
//!
//! # Where it differs from upstream
//!
//! The bytes are the same. What this member does with them is not, where that mends something:
//!
//! - *A member that says itself that it is dead has left*, also when its intent is lost or late.
//!   Upstream calls it failed until it hears of the intent, and looks for it meanwhile.
//! - *Forgetting at once* ([`Input::ForceLeave`] with `prune`) of one that is leaving waits until
//!   it has left, and is void when it objects. Upstream waits for six seconds, and forgets it even
//!   if it is there.
//! - *Clocks do not leap*: a time that nobody can have told honestly is refused. Upstream's clock
//!   goes to the end of its range and starts over at 0.
//! - *Exchanges do not raise times*: that somebody has left, told again, is no news. Upstream adds
//!   one to the time at every exchange.
//! - *A vote without voters keeps the name* ([`Event::ConflictVote`]). Upstream's member ends when
//!   all answers are lost.
//! - *Nobody says farewell under a name that may be another's*: whoever is to go while the others
//!   vote goes without a word, unless they have given it the name by then. Upstream's member says
//!   that it leaves, and the pool takes that for the word of the other one.
//! - *Who is contested says that it is here*: a member that finds in an exchange that somebody has
//!   heard of a later intent than its own answers that, too. Upstream's answers only what it hears
//!   directly; when gossip misses it, it is shown as leaving for good.
//! - *Whoever is to leave and is there half a minute later stays*, and an intent of the very time
//!   at which a member has come is answered by it, too. Upstream lets chance decide, for good.
//! - *Relays carry answers only*; upstream passes anything on to anywhere.
//! - *A later intent replaces an earlier one* of the same member that still waits to be passed on
//!   (the queue of consul #9927), and everything that is kept is bounded: [`Config`].
//! - *Events travel in exchanges without the empty slots* of upstream's ring, 512 bytes less.
//!
//! # What is left out, and what follows from it
//!
//! - *Network coordinates*. Serf takes an answer without one as an answer.
//! - *Snapshots*: clocks and the places of members are not kept over a restart. A member that
//!   restarts learns the clocks where it joins; the driver knows where.
//! - *Coalescing*, and tags of old agents that are not tags: those are for who listens.
//! - *Regular expressions* of filters are those of the crate `regex`: linear time as RE2's, without
//!   classes of Unicode. A filter that is none here, or is too large, lets nobody through.
//!
//! Bytes that are decoded share the memory of what they came in; see
//! [`Name::detach`](super::message::Name::detach) for what is kept.

mod answer;
mod ask;
mod body;
mod clock;
mod config;
mod conflict;
mod event;
mod exchange;
mod filter;
mod input;
mod intent;
mod key;
mod leave;
mod membership;
mod message;
mod output;
mod query;
mod ring;
mod roster;
mod status;
mod tags;
mod upkeep;
mod wire;

pub use config::Config;
pub use filter::Filter;
pub use input::{Input, KeyOperation, QueryId, Question, Topic};
pub use message::{
    Happening, Join, KeyRequest, KeyResponse, LTime, Leave, Member, Message, Moment, PushPull,
    Query, Relay, Response, Ring, Status, UserEvent,
};
pub use output::{Event, Output, RequestError};
pub use roster::Known;
pub use status::{Counters, Stats};
pub use tags::Tags;
pub use wire::{decode, encode, encoded_len};

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use self::ask::Questions;
use self::clock::Clock;
use self::intent::Intents;
use self::leave::Leaving;
use self::query::Queries;
use self::ring::{Seen, Told};
use self::roster::Roster;
use super::message::{Facts, Name};
use super::{ExchangeId, Identity, Lane, Swim, Tag};
use crate::{Rng, Time};

/// How much of anything a message may hold, so that a few bytes do not become gigabytes.
mod limit {
    /// Members of which a push/pull tells: as many as the table beside it may have rows.
    pub(super) const MEMBERS: u64 = 1 << 20;
    /// Slots of a ring of events; Serf's has 512.
    pub(super) const SLOTS: u64 = 1 << 16;
    /// Events in all of a ring.
    pub(super) const EVENTS: u64 = 1 << 16;
    /// Filters of a query, and names in a filter.
    pub(super) const FILTERS: u64 = 1 << 12;
    /// Keys in an answer.
    pub(super) const KEYS: u64 = 1 << 12;
    /// Tags of a member; Serf's have 512 bytes together.
    pub(super) const TAGS: u64 = 1 << 10;
}

/// Why SWIM was asked for something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Purpose {
    /// To join, for who gave this tag.
    Join(Tag),
    /// To see whether somebody who has failed is back.
    Reconnect,
    /// To say that this member goes.
    Farewell,
}

/// One agent's part in the pool.
///
/// - The own row is always there: alive until this member goes, then leaving, then left.
/// - Whoever SWIM believes to be there has a row, alive or leaving.
/// - Each clock is ahead of every time that was told of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Serf {
    config: Config,
    name: Name,
    swim: Swim,
    rng: Rng,
    now: Time,
    started: bool,
    leaving: Leaving,
    clock: Clock,
    event_clock: Clock,
    query_clock: Clock,
    roster: Roster,
    intents: Intents,
    events: Told,
    /// Events before this time are nothing to this member.
    event_floor: LTime,
    seen_queries: Seen,
    queries: Queries,
    questions: Questions,
    reap_at: Time,
    reconnect_at: Time,
    /// What SWIM is still to be told within this call.
    errands: VecDeque<super::Input>,
    /// What SWIM was asked for under which tag.
    purposes: BTreeMap<Tag, Purpose>,
    tags: u64,
    /// For each joining exchange that SWIM was asked for and has not begun: whether old events
    /// are to be ignored.
    joining: VecDeque<bool>,
    /// Exchanges after which old events are to be ignored.
    ignoring: BTreeSet<ExchangeId>,
    /// Whether the exchange that is taken in now is one of those.
    ignore_old: bool,
    counters: Counters,
    outbox: VecDeque<Output>,
}

impl Serf {
    /// A member that begins. The meta of the identity is its tags, encoded. `seed` should differ at
    /// every start.
    ///
    /// # Panics
    ///
    /// When the identity is one that no other member would believe; see [`Swim::new`].
    #[must_use]
    pub fn new(config: Config, identity: Identity, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut roster = Roster::default();
        let name = identity.facts.name.clone();
        roster.put_facts(Arc::new(identity.facts.clone()));
        roster.put_status(&name, Status::Alive, Time(0));
        Self {
            swim: Swim::new(config.swim.clone(), identity, rng.next()),
            intents: Intents::new(config.intents),
            events: Told::new(config.events_at_once, config.events_bytes),
            queries: Queries::new(config.queries),
            config,
            name,
            rng,
            now: Time(0),
            started: false,
            leaving: Leaving::No,
            clock: Clock::new(),
            event_clock: Clock::new(),
            query_clock: Clock::new(),
            roster,
            event_floor: LTime(0),
            seen_queries: Seen::default(),
            questions: Questions::default(),
            reap_at: Time(0),
            reconnect_at: Time(0),
            errands: VecDeque::new(),
            purposes: BTreeMap::new(),
            tags: 0,
            joining: VecDeque::new(),
            ignoring: BTreeSet::new(),
            ignore_old: false,
            counters: Counters::default(),
            outbox: VecDeque::new(),
        }
    }

    /// Lets it know members before it begins; see [`Swim::acquaint`].
    ///
    /// # Panics
    ///
    /// When the member has begun.
    pub fn acquaint(&mut self, members: impl IntoIterator<Item = Arc<Facts>>) {
        self.swim.acquaint(members);
        for member in self.swim.members() {
            if member.facts.name != self.name {
                let name = member.facts.name.clone();
                self.roster.put_facts(member.facts);
                self.roster.put_status(&name, Status::Alive, Time(0));
            }
        }
    }

    /// Takes in what happened. The first call starts the clock.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        if self.leaving == Leaving::Silent {
            return;
        }
        self.start();
        match input {
            Input::Timeout => self.on_timeout(),
            Input::Receive { from, messages } => {
                self.errand(super::Input::Receive { from, messages });
            }
            Input::Told(message) => self.on_message(&message),
            Input::Unsent { seq } => self.errand(super::Input::Unsent { seq }),
            Input::StreamAcked { seq } => self.errand(super::Input::StreamAcked { seq }),
            Input::Asked { id, state } => self.errand(super::Input::Asked { id, state }),
            Input::Exchanged { id, state } => {
                self.ignore_old = self.ignoring.remove(&id);
                self.errand(super::Input::Exchanged { id, state });
            }
            Input::Payload(payload) => self.errand(super::Input::Payload(payload)),
            Input::Join { tag, to, ignore_old } => {
                let tag = self.tag(Purpose::Join(tag));
                self.joining.push_back(ignore_old);
                self.errand(super::Input::Join { tag, to });
            }
            Input::SetTags { tag, tags } => self.on_set_tags(tag, &tags),
            Input::Event { tag, name, payload, coalesce } => {
                self.on_fire(tag, name, payload, coalesce);
            }
            Input::Query { tag, question } => self.on_ask(tag, question),
            Input::Respond { tag, id, payload } => self.on_respond(tag, id, payload),
            Input::KeyAnswer { id, response } => self.on_key_answer(id, response),
            Input::ForceLeave { tag, node, prune } => self.on_force_leave(tag, node, prune),
            Input::Leave => self.on_leave(),
        }
        self.settle();
        self.ignore_old = false;
    }

    /// When to call `handle` with [`Input::Timeout`]; before the first call, at once.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        if !self.started {
            return Some(Time(0));
        }
        if self.leaving == Leaving::Silent {
            return None;
        }
        let timers = [
            self.swim.poll_timeout(),
            Some(self.reap_at),
            Some(self.reconnect_at),
            self.queries.timeout(),
            self.questions.timeout(),
            self.leaving.timeout(),
        ];
        timers.into_iter().flatten().min()
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    fn start(&mut self) {
        if core::mem::replace(&mut self.started, true) {
            return;
        }
        self.reap_at = self.now + self.config.reap_interval;
        self.reconnect_at = self.now + self.config.reconnect_interval;
        self.tell(Event::Joined(self.own().clone()));
    }

    fn on_timeout(&mut self) {
        self.errand(super::Input::Timeout);
        self.end_queries();
        self.end_questions();
        self.on_leave_timeout();
        self.reap();
        self.reconnect();
    }

    /// Lets SWIM do what it is to do, and follows what comes of it.
    fn settle(&mut self) {
        if self.leaving == Leaving::Silent {
            self.errands.clear();
        }
        while let Some(input) = self.errands.pop_front() {
            self.swim.handle(self.now, input);
            while let Some(output) = self.swim.poll_output() {
                self.on_swim(output);
            }
        }
    }

    fn on_swim(&mut self, output: super::Output) {
        use super::Output as Below;
        let output = match output {
            Below::Send { to, messages, checksum } => Output::Send { to, messages, checksum },
            Below::StreamPing { to, ping, deadline } => Output::StreamPing { to, ping, deadline },
            Below::Exchange { id, to, state, deadline } => {
                let state = self.on_exchange(id, state);
                Output::Exchange { id, to, state, deadline }
            }
            Below::Answer { id, mut state } => {
                state.user = self.everything();
                Output::Answer { id, state }
            }
            Below::Incarnation(incarnation) => Output::Incarnation(incarnation),
            Below::Acked { member, round_trip, payload } => {
                Output::Acked { member, round_trip, payload }
            }
            Below::Joined { tag, result } => return self.on_joined(tag, result),
            Below::User(message) => return self.on_message(&message),
            Below::UserState { join, state } => return self.on_state(join, &state),
            Below::Sent(tag) => return self.on_sent(tag),
            Below::Gone { told } => return self.on_farewell(told),
            Below::Event(event) => return self.on_member_event(event),
        };
        self.outbox.push_back(output);
    }

    /// A message of this layer.
    fn on_message(&mut self, bytes: &Bytes) {
        let message = match decode(bytes) {
            Ok(message) => message,
            Err(super::wire::Error::Kind) => {
                self.counters.unknown += 1;
                return;
            }
            Err(_) => {
                self.counters.malformed += 1;
                return;
            }
        };
        if named(&message).is_some_and(|name| name.len() > self.config.swim.packet_bytes) {
            // No packet holds what could be said of such a member.
            self.counters.malformed += 1;
            return;
        }
        match message {
            Message::Leave(leave) => self.on_leave_intent(&leave, bytes),
            Message::Join(join) => self.on_join_intent(&join, bytes),
            Message::Event(event) => self.on_event(event, bytes),
            Message::Query(query) => self.on_query(query, bytes),
            Message::Response(response) => self.on_response(response),
            Message::Relay(relay) => self.on_relay(relay),
            Message::PushPull(_)
            | Message::Conflict(_)
            | Message::KeyRequest(_)
            | Message::KeyResponse(_) => self.counters.misplaced += 1,
        }
    }

    fn errand(&mut self, input: super::Input) {
        self.errands.push_back(input);
    }

    /// A tag for SWIM, which gives it back when it has done what it was asked for.
    fn tag(&mut self, purpose: Purpose) -> Tag {
        let tag = Tag(self.tags);
        self.tags += 1;
        self.purposes.insert(tag, purpose);
        tag
    }

    /// Everybody is to hear this. A later message of the same name replaces it.
    fn broadcast(&mut self, lane: Lane, name: Option<Name>, tag: Option<Tag>, message: Bytes) {
        self.errand(super::Input::Broadcast { lane, name, tag, message });
    }

    fn done(&mut self, tag: Tag, result: Result<(), RequestError>) {
        self.outbox.push_back(Output::Done { tag, result });
    }

    fn tell(&mut self, event: Event) {
        self.outbox.push_back(Output::Event(event));
    }

    /// Bytes that a message to be passed on may have: a packet less its frame.
    fn packet_room(&self) -> usize {
        const FRAME: usize = 8;
        self.config.swim.packet_bytes.saturating_sub(FRAME)
    }
}

/// The name in a message that is kept for longer than the message.
const fn named(message: &Message) -> Option<&Name> {
    match message {
        Message::Leave(leave) => Some(&leave.node),
        Message::Join(join) => Some(&join.node),
        Message::Query(query) => Some(&query.source),
        Message::Response(response) => Some(&response.from),
        Message::PushPull(_)
        | Message::Event(_)
        | Message::Conflict(_)
        | Message::KeyRequest(_)
        | Message::KeyResponse(_)
        | Message::Relay(_) => None,
    }
}

fn encoded(message: &Message) -> Bytes {
    let mut out = Vec::with_capacity(64);
    encode(message, &mut out);
    out.into()
}
