//! SWIM with Lifeguard: who is here, and who has gone.
//!
//! A pool of members, up to many thousands, in which each one knows all others. Nobody is in
//! charge. Each member watches one other at a time, and what it finds spreads from member to member
//! like a rumour. Das, Gupta, Motivala: *SWIM* ("SWIM §…"); Dadgar, Phillips, Currey: *Lifeguard*
//! ("Lifeguard §…"). The messages are those of HashiCorp's memberlist, byte for byte, so that
//! Serf, Consul and Nomad agents are members like any other.
//!
//! # What it gives
//!
//! - *Completeness*: a member that is gone is found by every other one within two rounds of
//!   probing, by the first one after 1.58 periods on average, whatever the size of the pool; a
//!   time for its defence later it is called dead, and everybody knows.
//! - *Accuracy, mostly*: a member that is there and slow, or behind a link that loses packets, is
//!   accused now and then and answers; it dies only if nothing it says is heard for seconds.
//! - *Constant load*: packets a member sends and receives do not depend on the size of the pool.
//! - *Convergence*: once nothing happens, everybody believes the same of everybody.
//!
//! It gives no agreement: at any moment two members may believe different things. Whoever needs
//! one answer asks a consensus.
//!
//! # How it flows
//!
//! ```text
//!            probe fails, hearsay          time over
//!   alive ──────────────────────▶ suspect ──────────▶ dead ─▶ forgotten
//!     ▲  ▲                           │                  │
//!     │  └──── answers (i + 1) ──────┘                  │     alive ─ says so ─▶ left ─▶ forgotten
//!     └─────── hears of it, and answers (i + 1) ────────┘
//! ```
//!
//! Three loops, each on a period of its own: `probe` asks one member whether it is there,
//! `gossip` passes on what is new, `exchange` compares everything with one member now and then.
//! `belief` has the rules by which news replaces what was known.
//!
//! [`message`] has what members say to each other as values, [`wire`] as bytes; [`serf`] is the
//! layer above, as the agents of Serf have it: it owns a [`Swim`] and is what a driver drives.
//!
//! # Standing still
//!
//! A process that is not scheduled for a while finds all its deadlines past and all answers still
//! unread; upstream then accuses whoever it was asking and calls its suspects dead. Here a call
//! that comes long after the deadline which it should have met tells that this member stood still,
//! and its time stands still with it: every deadline moves by as much ([`Config::stall`]).
//!
//! # What is left out, and what follows from it
//!
//! - *Envelopes* (compression, encryption, labels, checksums) are the driver's affair, but for the
//!   question whom a label admits ([`Label`]).
//! - *Retrying to join*, and reaching those again who are forgotten: a pool that was cut in two for
//!   longer than the dead are remembered stays two until somebody joins across. The layer above
//!   remembers for longer.
//! - *Networks that are allowed*: every address is believed. Who may speak is for keys to say.
//! - *Durability*: an incarnation is told before it is on a disk. A member that loses it is accused
//!   once more; a slow disk must not delay an answer to an accusation.
//! - *Liars*: a member with the pool's key can call anybody dead. What it cannot do is to leave the
//!   accused without an answer ([`Refusal::Leap`]).

mod awareness;
mod belief;
mod config;
mod exchange;
mod gossip;
mod index;
mod input;
mod invariant;
mod label;
mod leave;
mod link;
pub mod message;
mod output;
mod probe;
mod queue;
mod rejoin;
mod relay;
mod row;
mod scale;
pub mod serf;
mod status;
mod suspicion;
mod table;
mod version;
pub mod wire;

pub use config::Config;
pub use input::{Address, ExchangeId, Identity, Input, Lane, StreamId};
pub use label::Label;
pub use link::Link;
pub use output::{Event, JoinError, Member, Output};
pub use queue::Tag;
pub use scale::{exchange_scale, retransmit_limit, suspicion_time};
pub use status::{Counters, Status};
pub use version::Refusal;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use self::awareness::Awareness;
use self::leave::Leaving;
use self::link::Links;
use self::message::{Facts, Message, Name, State, Vsn};
use self::probe::Probe;
use self::queue::Queue;
use self::relay::Relays;
use self::row::Moment;
use self::suspicion::Suspicions;
use self::table::{Slot, Table};
use crate::{Rng, Time};

/// The row of this member itself: the first one, for ever.
const SELF: Slot = Slot(0);

/// One member's part in the pool.
///
/// - Its own row is the first one, alive with the current incarnation until it goes.
/// - A row is a suspect's if and only if the suspicion has a deadline.
/// - The incarnation never falls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Swim {
    config: Config,
    vsn: Vsn,
    rng: Rng,
    /// The own time: what has passed outside, without what was lost by standing still.
    now: Time,
    lost: Duration,
    started: bool,
    incarnation: u32,
    leaving: Leaving,
    table: Table,
    awareness: Awareness,
    suspicions: Suspicions,
    links: Links,
    seq: u32,
    probe: Option<Probe>,
    probe_at: Time,
    /// A period of probing has come round while a probe was under way.
    probe_due: bool,
    relays: Relays,
    queue: Queue,
    lanes: [Queue; 3],
    gossip_at: Time,
    exchange_at: Option<Time>,
    exchanged: u64,
    /// Exchanges under way, with the tags of those that join.
    exchanges: BTreeMap<ExchangeId, Option<Tag>>,
    /// Until when, and how many, accusations may still be repeated.
    accusations: (Time, u32),
    payload: Bytes,
    counters: Counters,
    outbox: VecDeque<Output>,
}

impl Swim {
    /// A member that begins. `seed` should differ at every start.
    ///
    /// # Panics
    ///
    /// When the identity is one that no other member would believe: without a name, with an address
    /// of neither kind, with versions that contradict themselves, with too much metadata.
    #[must_use]
    pub fn new(config: Config, identity: Identity, seed: u64) -> Self {
        let Identity { facts, incarnation } = identity;
        let vsn = facts.vsn;
        let sane = version::check_facts(vsn, &facts, config.meta_bytes);
        assert!(sane.is_ok(), "the own facts can be believed");
        let mut rng = Rng::new(seed);
        let mut table = Table::new(config.members.max(1), rng.next());
        let incarnation = incarnation.map_or(1, |last| last.saturating_add(1)).max(1);
        let own = table.insert(Arc::new(facts), incarnation, State::Alive, Moment::of(Time(0)));
        assert!(own == Some(SELF), "the own row is the first one");
        // Numbers of an earlier life must not be taken for those of this one.
        let [seq, _] = halves(rng.next());
        Self {
            awareness: Awareness::new(config.awareness_multiplier),
            relays: Relays::new(config.relays),
            lanes: [(); 3].map(|()| Queue::new(config.lane_messages)),
            queue: Queue::new(usize::MAX),
            config,
            vsn,
            rng,
            now: Time(0),
            lost: Duration::ZERO,
            started: false,
            incarnation,
            leaving: Leaving::No,
            table,
            suspicions: Suspicions::default(),
            links: Links::default(),
            seq,
            probe: None,
            probe_at: Time(0),
            probe_due: false,
            gossip_at: Time(0),
            exchange_at: None,
            exchanged: 0,
            exchanges: BTreeMap::new(),
            accusations: (Time(0), 0),
            payload: Bytes::new(),
            counters: Counters::default(),
            outbox: VecDeque::new(),
        }
    }

    /// Lets it know members before it begins, as if it had long heard of their first incarnations:
    /// nothing is passed on or told of. For worlds that begin with a pool. Whoever cannot be
    /// believed, or is known, is left out.
    ///
    /// # Panics
    ///
    /// When the member has begun.
    pub fn acquaint(&mut self, members: impl IntoIterator<Item = Arc<Facts>>) {
        assert!(!self.started, "members are made known before the first call");
        let members = members.into_iter();
        self.table.reserve(members.size_hint().0);
        for facts in members {
            let fits = version::check_facts(self.vsn, &facts, self.config.meta_bytes).is_ok();
            if fits && self.table.find(&facts.name).is_none() {
                self.table.insert(facts, 1, State::Alive, Moment::of(Time(0)));
            }
        }
    }

    /// Takes in what happened. The first call starts the clock.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.advance(now);
        self.start();
        match input {
            Input::Timeout => self.on_timeout(),
            Input::Receive { from, messages } => self.on_receive(from, messages),
            Input::Unsent { seq } => self.on_unsent(seq),
            Input::StreamAcked { seq } => self.on_stream_acked(seq),
            Input::Asked { id, state } => self.on_asked(id, state),
            Input::Exchanged { id, state } => self.on_exchanged(id, state),
            Input::Join { tag, to } => self.on_join(tag, to),
            Input::Update { meta } => self.on_update(meta),
            Input::Broadcast { lane, name, tag, message } => {
                self.on_broadcast(lane, name, tag, message);
            }
            Input::Tell { to, message } => {
                self.send(to, Vec::from([Message::User(message)]), false);
            }
            Input::Payload(payload) => self.payload = payload,
            Input::Leave { patience } => self.on_leave(patience),
        }
    }

    /// When to call `handle` with [`Input::Timeout`]; before the first call, at once.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        if !self.started {
            return Some(Time(0));
        }
        let gossip = (!self.is_silent()).then_some(self.gossip_at);
        let timers = [
            Some(self.probe_at),
            self.probe.as_ref().map(Probe::timeout),
            gossip,
            self.exchange_at,
            self.suspicions.timeout(),
            self.relays.timeout(),
            self.leave_timeout(),
        ];
        timers.into_iter().flatten().min().map(|at| self.outside(at))
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// Moves the own time on. A call that comes long after its time means that this member stood
    /// still since then.
    fn advance(&mut self, now: Time) {
        let due = self.poll_timeout().filter(|_| self.started);
        if let (Some(due), Some(stall)) = (due, self.config.stall) {
            // A witness may set a suspect's deadline into the past: nobody can have met it before.
            let late = now.since(due.max(self.outside(self.now)));
            if late > stall {
                self.lost += late;
                self.counters.stalls += 1;
                // Lifeguard §IV-A: one more sign that this member is the slow one.
                self.awareness.apply(1, 0);
                self.tell(Event::Stalled(late));
            }
        }
        let lost = u64::try_from(self.lost.as_nanos()).unwrap_or(u64::MAX);
        self.now = self.now.max(Time(now.0.saturating_sub(lost)));
    }

    /// A time of its own as the driver counts it.
    fn outside(&self, own: Time) -> Time {
        own + self.lost
    }

    fn start(&mut self) {
        if core::mem::replace(&mut self.started, true) {
            return;
        }
        // Members that begin together must not act together for ever.
        self.probe_at = self.now + self.stagger(self.config.probe_interval);
        self.gossip_at = self.now + self.stagger(self.config.gossip_interval);
        self.exchange_at = self.exchange_period().map(|period| self.now + self.stagger(period));
        self.become_incarnation(self.incarnation);
    }

    /// Some part of an interval.
    fn stagger(&mut self, interval: Duration) -> Duration {
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.rng.below(nanos))
    }

    fn on_timeout(&mut self) {
        let now = self.now;
        if self.probe.as_ref().is_some_and(|probe| now >= probe.timeout()) {
            self.on_probe_timeout();
        }
        self.on_relay_timeout();
        self.on_suspicion_timeout();
        if now >= self.probe_at {
            self.on_probe_tick();
        }
        if now >= self.gossip_at && !self.is_silent() {
            self.on_gossip_tick();
        }
        if self.exchange_at.is_some_and(|at| now >= at) {
            self.on_exchange_tick();
        }
        self.on_leave_timeout();
    }

    fn on_receive(&mut self, from: Address, messages: Vec<Message>) {
        self.counters.received += 1;
        for message in messages {
            match message {
                Message::Ping(ping) => self.on_ping(from, ping),
                Message::IndirectPing(ask) => self.on_indirect_ping(from, ask),
                Message::Ack(ack) => self.on_ack(from, ack),
                Message::Nack(nack) => self.on_nack(nack),
                Message::Suspect(suspect) => self.on_suspect(suspect),
                // Who is not believed is counted and told of.
                Message::Alive(alive) => drop(self.on_alive(&alive)),
                Message::Dead(dead) => self.on_dead(dead),
                Message::User(message) => self.outbox.push_back(Output::User(message)),
            }
        }
    }

    fn on_update(&mut self, meta: Bytes) {
        if meta.len() > self.config.meta_bytes {
            self.counters.too_long += 1;
            return;
        }
        if self.is_leaving() {
            return;
        }
        let own = self.table.facts(SELF);
        let facts = Facts { meta, ..Facts::clone(own) };
        self.table.put_facts(SELF, Arc::new(facts));
        self.become_incarnation(self.incarnation.saturating_add(1));
    }

    fn name(&self) -> &Name {
        &self.table.facts(SELF).name
    }

    /// The incarnation of this member.
    #[must_use]
    pub const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    const fn next_seq(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }

    fn moment(&self) -> Moment {
        Moment::of(self.now)
    }

    fn tell(&mut self, event: Event) {
        self.outbox.push_back(Output::Event(event));
    }
}

/// The next time of a period after `now`, in the phase of `last`.
fn after(last: Time, period: Duration, now: Time) -> Time {
    let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
    if now < last {
        return last;
    }
    let periods = now.since(last).as_nanos() / u128::from(period) + 1;
    let periods = u64::try_from(periods).unwrap_or(u64::MAX);
    Time(last.0.saturating_add(periods.saturating_mul(period)))
}

fn halves(number: u64) -> [u32; 2] {
    let low = u32::try_from(number & u64::from(u32::MAX)).expect("invariant: masked");
    let high = u32::try_from(number >> 32).expect("invariant: shifted");
    [low, high]
}
