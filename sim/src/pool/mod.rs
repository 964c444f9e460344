//! A whole gossip pool in one process: thousands of production [`Swim`] cores on one virtual
//! network, on one thread, from one seed.
//!
//! The cores are those of the product, and what they say has the size that the codec gives it; it
//! is not written and read again, for that would be most of the work. Members that know each other
//! share what is known of each: ten thousand members are 10⁸ rows of 27 bytes.
//!
//! - `network` has delays, losses and closed ways; `agenda` the order of what happens; `meter` what
//!   each member sends and receives.
//! - [`load`] measures what a quiet pool costs; [`detection`] how soon the dead are found;
//!   [`spread`] how fast a message goes round; [`deaths`] whether anybody who lives is called dead;
//!   [`lifeguard`] what slow members do to the healthy.
//! - [`gallery`] has stories of small pools, told by `record`.
//!
//! # What a machine does here
//!
//! A member that stands *still* does nothing: what comes for it waits, packets as many as fit a
//! socket. A *mute* one runs, and what it sends waits, too; it opens no streams. Whoever goes on
//! reads what has waited, a packet each 100 µs, and looks at its clock before the first of them or
//! after it, as chance will have it. A member that *crashed* is nowhere. All others take no time
//! for what they do.
//!
//! # What is left out, and what follows from it
//!
//! - Processors and bandwidth: no member is slow because there is much to do. What a storm of
//!   messages costs is to be measured on real machines.
//! - The layer above passes on whatever it hears for the first time and does nothing else.

mod agenda;
pub mod deaths;
pub mod detection;
pub mod gallery;
pub mod lifeguard;
pub mod load;
mod member;
mod meter;
mod network;
pub mod record;
pub mod spread;
mod streams;

pub use meter::Meter;
pub use network::{Latency, MILLION, Network};

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::swim::message::{Facts, Message, State};
use protocol::swim::wire::{checksum, encoded_len};
use protocol::swim::{
    Address, Config, Counters, Event, Identity, Input, Label, Lane, Output, Swim, Tag,
};
use protocol::{Rng, Time};

use agenda::{Agenda, Due};
pub use member::Slow;
use member::{Arrival, Member, NEVER, SOCKET_PACKETS};
use record::{Seen, What};

/// For each packet that has waited: what a process that was not scheduled needs to read it.
const READING: Duration = Duration::from_micros(100);

/// What a pool is like.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many members there are.
    pub members: usize,
    /// Their settings.
    pub config: Config,
    /// How long packets take.
    pub latency: Latency,
    /// How many packets of a million are lost.
    pub loss: u64,
    /// Where all chance comes from.
    pub seed: u64,
}

/// What a member told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Time,
    /// Which member.
    pub by: usize,
    /// What.
    pub event: Event,
}

/// The first time that a member heard a message of the layer above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When.
    pub at: Time,
    /// Which member.
    pub by: usize,
    /// What.
    pub message: Bytes,
}

/// A pool.
#[derive(Debug)]
pub struct Pool {
    now: Time,
    options: Options,
    /// What lies between the members.
    pub network: Network,
    members: Vec<Member>,
    agenda: Agenda<Arrival>,
    /// Where members get their seeds from, and paused ones their luck.
    rng: Rng,
    streams: u64,
    inputs: u64,
    /// Whether what members tell is kept.
    pub listens: bool,
    told: Vec<Told>,
    heard: Vec<Heard>,
    /// Everything that happened, where somebody wants to know.
    record: Option<Vec<Seen>>,
}

impl Pool {
    /// Members that do not run yet and know nobody.
    #[must_use]
    pub fn empty(options: Options) -> Self {
        let mut rng = Rng::new(options.seed);
        Self {
            now: Time(0),
            network: Network::new(options.latency, options.loss, rng.next()),
            members: (0..options.members).map(|at| Member::new(member::facts(at).into())).collect(),
            options,
            agenda: Agenda::new(),
            rng,
            streams: 0,
            inputs: 0,
            listens: true,
            told: Vec::new(),
            heard: Vec::new(),
            record: None,
        }
    }

    /// Members that all know each other and have said their first words.
    #[must_use]
    pub fn formed(options: Options) -> Self {
        let loss = options.loss;
        let mut pool = Self::empty(options);
        pool.network.loss = 0;
        let all: Vec<Arc<Facts>> = pool.members.iter().map(|member| member.facts.clone()).collect();
        for member in 0..all.len() {
            pool.start_with(member, &all);
        }
        pool.run(Duration::from_secs(10));
        pool.network.loss = loss;
        pool.told.clear();
        pool
    }

    /// How many members there are, running or not.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Calls of cores so far.
    #[must_use]
    pub const fn inputs(&self) -> u64 {
        self.inputs
    }

    /// A member's core, while it runs.
    #[must_use]
    pub fn swim(&self, member: usize) -> Option<&Swim> {
        self.members[member].swim.as_ref()
    }

    /// What is told of a member by itself.
    #[must_use]
    pub fn facts(&self, member: usize) -> &Arc<Facts> {
        &self.members[member].facts
    }

    /// What a member has sent and received.
    #[must_use]
    pub fn meter(&self, member: usize) -> &Meter {
        &self.members[member].meter
    }

    /// Those that run.
    pub fn living(&self) -> impl Iterator<Item = usize> {
        (0..self.members.len()).filter(|&member| self.members[member].swim.is_some())
    }

    /// The number of the member with these facts.
    #[must_use]
    pub fn place(&self, facts: &Facts) -> Option<usize> {
        member::place(&Address::of(facts), self.members.len())
    }

    /// What one believes of another.
    #[must_use]
    pub fn state(&self, observer: usize, of: usize) -> Option<State> {
        Some(self.swim(observer)?.member(&self.members[of].facts.name)?.state)
    }

    /// What all members have done, lives that ended not counted.
    pub fn counters(&self) -> impl Iterator<Item = &Counters> {
        self.members.iter().filter_map(|member| member.swim.as_ref()).map(Swim::counters)
    }

    /// How many have heard this of the layer above.
    #[must_use]
    pub fn heard_by(&self, message: &str) -> usize {
        let heard = |member: &&Member| member.heard.iter().any(|heard| *heard == *message);
        self.members.iter().filter(heard).count()
    }

    /// What was told since this was asked last.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// What was heard since this was asked last.
    pub fn take_heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    /// A number below `bound`, from the pool's own chance.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap_or(0)
    }

    /// Starts a member that knows nobody. Its disk has kept its last incarnation.
    pub fn start(&mut self, member: usize) {
        self.start_with(member, &[]);
    }

    /// Forgets what a member's disk has kept.
    pub fn wipe(&mut self, member: usize) {
        self.members[member].incarnation = None;
    }

    fn start_with(&mut self, place: usize, all: &[Arc<Facts>]) {
        let (seed, config) = (self.rng.next(), self.options.config.clone());
        let member = &mut self.members[place];
        let facts = Facts::clone(&member.facts);
        let identity = Identity { facts, incarnation: member.incarnation };
        let mut swim = Swim::new(config, identity, seed);
        swim.acquaint(all.iter().cloned());
        member.swim = Some(swim);
        member.life += 1;
        self.input(place, Input::Timeout);
    }

    /// Ends a member without a word.
    pub fn crash(&mut self, member: usize) {
        let facts = self.members[member].facts.clone();
        let Member { life, incarnation, meter, .. } = self.members[member];
        let label = self.members[member].label.clone();
        self.members[member] = Member { life, incarnation, meter, label, ..Member::new(facts) };
    }

    /// Lets a member join by another.
    pub fn join(&mut self, member: usize, by: usize) {
        let to = Address::of(&self.members[by].facts);
        self.input(member, Input::Join { tag: Tag(0), to });
    }

    /// Keeps a member from its work for so long.
    pub fn slow(&mut self, member: usize, how: Slow, time: Duration) {
        let actor = &mut self.members[member];
        if actor.swim.is_some() && actor.slow.is_none() {
            actor.slow = Some(how);
            let life = actor.life;
            self.arrive(time, member, Arrival::Resume(life));
        }
    }

    /// Lets a member say something of the layer above to everybody.
    pub fn say(&mut self, member: usize, message: Bytes) {
        self.hear(member, message);
    }

    /// Keeps everything that happens from now on.
    pub fn keep_record(&mut self) {
        self.record = Some(Vec::new());
    }

    /// Everything that happened since it was kept.
    #[must_use]
    pub fn record(&self) -> &[Seen] {
        self.record.as_deref().unwrap_or(&[])
    }

    pub(crate) fn saw(&mut self, what: impl FnOnce() -> What) {
        let at = self.now;
        if let Some(record) = &mut self.record {
            record.push(Seen { at, what: what() });
        }
    }

    /// What the layer above of a member tells in exchanges.
    pub fn set_state(&mut self, member: usize, state: Bytes) {
        self.members[member].state = state;
    }

    /// Lets a member say under this label whatever it says, and drop what is said under another.
    /// At most [`Label::MAX`] bytes; none: no label, as all have it in the beginning.
    pub fn set_label(&mut self, member: usize, label: &'static [u8]) {
        let label = Label::new(Bytes::from_static(label));
        self.members[member].label = label.expect("invariant: a label of at most 255 bytes");
    }

    /// Whether what comes from one is of another's pool.
    fn admits(&self, at: usize, from: usize) -> bool {
        let label = self.members[from].label.bytes();
        self.members[at].label.admits((!label.is_empty()).then_some(label))
    }

    /// Lets so much time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, member, due)) = self.agenda.pop(end) {
            self.now = at;
            let place = member as usize;
            match due {
                Due::Wake => self.woken(place),
                Due::Arrival(arrival) => self.arrived(place, arrival),
            }
        }
        self.now = end;
    }

    /// Until this is so, looked at every `step`; the time it took.
    pub fn run_until(
        &mut self,
        most: Duration,
        step: Duration,
        mut is_so: impl FnMut(&mut Self) -> bool,
    ) -> Option<Duration> {
        let begun = self.now;
        while !is_so(self) {
            if self.now - begun >= most {
                return None;
            }
            self.run(step);
        }
        Some(self.now - begun)
    }

    fn arrive(&mut self, after: Duration, member: usize, arrival: Arrival) {
        let place = u32::try_from(member).expect("invariant: members are numbered by addresses");
        self.agenda.arrive(self.now + after, place, arrival);
    }

    fn woken(&mut self, place: usize) {
        let member = &mut self.members[place];
        // A wake-up that an earlier one has replaced.
        if member.wake != self.now {
            return;
        }
        member.wake = NEVER;
        let due = member
            .swim
            .as_ref()
            .filter(|_| member.slow != Some(Slow::Still))
            .and_then(Swim::poll_timeout);
        // What it was set for may be done with: then there is a later one.
        if due.is_some_and(|due| due <= self.now) {
            self.input(place, Input::Timeout);
        } else {
            self.schedule(place);
        }
    }

    /// Sees to it that the member is woken when it wants to be.
    fn schedule(&mut self, place: usize) {
        let (now, member) = (self.now, &mut self.members[place]);
        let due = member
            .swim
            .as_ref()
            .filter(|_| member.slow != Some(Slow::Still))
            .and_then(Swim::poll_timeout);
        let Some(due) = due.map(|due| due.max(now)) else { return };
        if due < member.wake {
            member.wake = due;
            let place = u32::try_from(place).expect("invariant: members are numbered by addresses");
            self.agenda.wake(due, place);
        }
    }

    fn arrived(&mut self, place: usize, arrival: Arrival) {
        let member = &mut self.members[place];
        if member.swim.is_none() {
            return;
        }
        let waits = member.slow.is_some() || member.reading;
        if waits && !matches!(arrival, Arrival::Resume(_) | Arrival::Read(_)) {
            if matches!(arrival, Arrival::Packet { .. }) {
                if member.waiting_packets >= SOCKET_PACKETS {
                    return;
                }
                member.waiting_packets += 1;
            }
            member.waiting.push_back(arrival);
            return;
        }
        self.take_in(place, arrival);
    }

    fn take_in(&mut self, place: usize, arrival: Arrival) {
        match arrival {
            // Of another pool. Whoever waits for an answer waits in vain.
            Arrival::Packet { from, .. }
            | Arrival::Knock { from, .. }
            | Arrival::Asked { from, .. }
                if !self.admits(place, from) => {}
            Arrival::Packet { from, messages, bytes } => {
                let meter = &mut self.members[place].meter;
                meter.packets_in += 1;
                meter.bytes_in += bytes;
                let from = Address::of(&self.members[from].facts);
                self.input(place, Input::Receive { from, messages });
            }
            Arrival::Resume(life) => self.resume(place, life),
            Arrival::Read(life) => self.read(place, life),
            stream => self.stream_arrived(place, stream),
        }
    }

    fn resume(&mut self, place: usize, life: u32) {
        let member = &mut self.members[place];
        // A member that crashed meanwhile is another one by now.
        if member.life != life {
            return;
        }
        member.slow = None;
        for (to, messages, checksum) in std::mem::take(&mut member.unsent) {
            self.send(place, to, messages, checksum);
        }
        // What is looked at first after standing still, the clock or the socket, is chance.
        if self.rng.below(2) == 0 {
            self.input(place, Input::Timeout);
        }
        if !self.members[place].reading {
            self.members[place].reading = true;
            self.read(place, life);
        }
        self.input(place, Input::Timeout);
    }

    /// Reads one thing that has waited.
    fn read(&mut self, place: usize, life: u32) {
        let member = &mut self.members[place];
        if member.life != life {
            return;
        }
        if member.slow.is_some() || member.waiting.is_empty() {
            member.reading = false;
            return;
        }
        let Some(arrival) = member.waiting.pop_front() else { return };
        member.waiting_packets -= usize::from(matches!(arrival, Arrival::Packet { .. }));
        self.take_in(place, arrival);
        self.arrive(READING, place, Arrival::Read(life));
    }

    /// Gives an input to a member, and does what it wants done.
    pub fn input(&mut self, place: usize, input: Input) {
        let now = self.now;
        self.inputs += 1;
        match &mut self.members[place].swim {
            Some(swim) => swim.handle(now, input),
            None => return,
        }
        while let Some(output) = self.members[place].swim.as_mut().and_then(Swim::poll_output) {
            self.output(place, output);
        }
        self.schedule(place);
    }

    fn output(&mut self, place: usize, output: Output) {
        match output {
            Output::Send { to, messages, checksum } => self.send(place, to, messages, checksum),
            Output::StreamPing { to, ping, deadline } => self.knock(place, to, ping, deadline),
            Output::Exchange { id, to, state, deadline } => {
                self.ask(place, to, id, state, deadline);
            }
            Output::Answer { id, state } => self.answer(place, id, state),
            Output::Incarnation(incarnation) => self.members[place].incarnation = Some(incarnation),
            Output::Event(event) => {
                self.saw(|| What::Told { by: place, event: event.clone() });
                if self.listens {
                    self.told.push(Told { at: self.now, by: place, event });
                }
            }
            Output::User(message) => self.hear(place, message),
            Output::UserState { state, .. } => {
                let message = format!("state {}", record::text(&state));
                self.saw(|| What::Heard { by: place, message });
            }
            Output::Acked { payload, .. } if !payload.is_empty() => {
                let message = format!("payload {}", record::text(&payload));
                self.saw(|| What::Heard { by: place, message });
            }
            Output::Joined { .. }
            | Output::Acked { .. }
            | Output::Sent(_)
            | Output::Gone { .. } => {}
        }
    }

    /// The layer above: what is heard for the first time is passed on.
    fn hear(&mut self, place: usize, message: Bytes) {
        let heard = &mut self.members[place].heard;
        if heard.contains(&message) {
            return;
        }
        heard.push(message.clone());
        self.saw(|| What::Heard { by: place, message: record::text(&message) });
        self.heard.push(Heard { at: self.now, by: place, message: message.clone() });
        self.input(place, Input::Broadcast { lane: Lane::Event, name: None, tag: None, message });
    }

    fn send(&mut self, from: usize, to: Address, messages: Vec<Message>, checksum: bool) {
        if self.members[from].slow.is_some() {
            self.members[from].unsent.push((to, messages, checksum));
            return;
        }
        let bytes = packet_bytes(&messages, checksum);
        let meter = &mut self.members[from].meter;
        meter.packets_out += 1;
        meter.bytes_out += bytes;
        let Some(to) = member::place(&to, self.members.len()) else { return };
        let target = &mut self.members[to];
        if target.swim.is_none() && matches!(messages.first(), Some(Message::Ping(_))) {
            target.unanswered.get_or_insert(self.now);
        }
        let time = self.network.packet(from, to);
        if self.record.is_some() {
            let (messages, arrives) = (messages.clone(), time.map(|time| self.now + time));
            self.saw(|| What::Packet { from, to, messages, arrives });
        }
        if let Some(time) = time {
            self.arrive(time, to, Arrival::Packet { from, messages, bytes });
        }
    }
}

/// Bytes of a datagram: memberlist's wire without compression, encryption and label.
fn packet_bytes(messages: &[Message], checksum: bool) -> u64 {
    let compound = if messages.len() > 1 { 2 + 2 * messages.len() } else { 0 };
    let parts: usize = messages.iter().map(encoded_len).sum();
    (compound + parts + if checksum { checksum::SIZE } else { 0 }) as u64
}
