//! The network: what becomes of a message on its way from one node to another.
//!
//! Every ordered pair of nodes has a link with rules of its own. There is no connection and no
//! order: two messages on one link overtake each other whenever their delays say so. A message that
//! arrives at a node which is down is lost; one that arrives at a paused node waits in its inbox.
//!
//! In worlds whose nodes speak over connections, none overtakes another: what the weather loses is
//! sent again by the connection and comes late, nothing comes twice, and what a cut takes away is
//! missed by whoever counts.

use std::time::Duration;

use node::Message;
use protocol::link::Frame;
use protocol::raft::{self, Body, Mend};
use protocol::{Entry, Rng, Time, zab};

use crate::seen::{Fate, Place};

/// How much later a connection brings what it had to send again.
const RESENT: Duration = Duration::from_millis(50);

/// How a link behaves. Chances are in parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// The least delay.
    pub delay: Duration,
    /// Up to this much more, evenly spread.
    pub jitter: Duration,
    /// One in a hundred messages takes up to this much longer still.
    pub tail: Duration,
    /// The chance that a message is lost.
    pub loss: u32,
    /// The chance that it arrives a second time, later.
    pub doubling: u32,
    /// The chance that one of its bits flips on the way.
    pub flips: u32,
    /// The chance that it arrives much later, when nobody expects it any more.
    pub replay: u32,
}

impl Weather {
    /// A good network: no losses, delays of `delay` and up to half as much again.
    #[must_use]
    pub fn fair(delay: Duration) -> Self {
        let none = Duration::ZERO;
        Self { delay, jitter: delay / 2, tail: none, loss: 0, doubling: 0, flips: 0, replay: 0 }
    }

    /// In everything the worse of two.
    fn worst(&self, other: &Self) -> Self {
        Self {
            delay: self.delay.max(other.delay),
            jitter: self.jitter.max(other.jitter),
            tail: self.tail.max(other.tail),
            loss: self.loss.max(other.loss),
            doubling: self.doubling.max(other.doubling),
            flips: self.flips.max(other.flips),
            replay: self.replay.max(other.replay),
        }
    }
}

/// One direction between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) cut: bool,
    /// Messages with entries beyond this many bytes vanish; small ones pass.
    pub(crate) largest: Option<usize>,
    /// The weather on this link.
    pub(crate) weather: Weather,
    /// Nothing arrives before this time.
    pub(crate) clogged: Time,
    /// Added to every delay.
    pub(crate) slow: Duration,
    /// Nanoseconds that each byte of an append takes.
    pub(crate) byte: u32,
}

impl Link {
    /// A link to which nothing is done.
    pub(crate) const fn usual(weather: Weather) -> Self {
        let slow = Duration::ZERO;
        Self { cut: false, largest: None, weather, clogged: Time(0), slow, byte: 0 }
    }

    /// In everything the worse of two.
    pub(crate) fn worst(self, other: Self) -> Self {
        Self {
            cut: self.cut || other.cut,
            largest: self.largest.into_iter().chain(other.largest).min(),
            weather: self.weather.worst(&other.weather),
            clogged: self.clogged.max(other.clogged),
            slow: self.slow.max(other.slow),
            byte: self.byte.max(other.byte),
        }
    }
}

/// All links.
#[derive(Debug)]
pub(crate) struct Network {
    nodes: usize,
    links: Vec<Link>,
    rng: Rng,
    /// Messages given to it.
    sent: u64,
    /// Where nothing overtakes: when the last message on each link arrives.
    orders: Option<Vec<Time>>,
}

impl Network {
    pub(crate) fn new(nodes: usize, weather: Weather, rng: Rng) -> Self {
        let links = vec![Link::usual(weather); nodes * nodes];
        Self { nodes, links, rng, sent: 0, orders: None }
    }

    /// From now on nothing overtakes on a link.
    pub(crate) fn connect(&mut self) {
        self.orders = Some(vec![Time(0); self.links.len()]);
    }

    pub(crate) fn link(&mut self, from: Place, to: Place) -> &mut Link {
        &mut self.links[from * self.nodes + to]
    }

    /// Does something to every link.
    pub(crate) fn all(&mut self, change: impl FnMut(&mut Link)) {
        self.links.iter_mut().for_each(change);
    }

    /// All links carry again, without delay beyond the weather's.
    pub(crate) fn heal(&mut self, weather: Option<Weather>) {
        for link in &mut self.links {
            *link = Link::usual(weather.unwrap_or(link.weather));
        }
    }

    /// Heals the links among these nodes.
    pub(crate) fn heal_among(&mut self, nodes: &[Place], weather: Weather) {
        for &from in nodes {
            for &to in nodes {
                *self.link(from, to) = Link::usual(weather);
            }
        }
    }

    fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.rng.below(1_000_000) < u64::from(ppm)
    }

    fn delay(&mut self, weather: &Weather) -> u64 {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut delay = nanos(weather.delay) + self.rng.below(nanos(weather.jitter) + 1);
        if weather.tail > Duration::ZERO && self.rng.below(100) == 0 {
            delay += self.rng.below(nanos(weather.tail) + 1);
        }
        delay
    }

    /// A name for a message.
    pub(crate) const fn name(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// Decides what becomes of a message sent now, with so many bytes of entries. The flag says
    /// that a bit of it flips.
    pub(crate) fn send(&mut self, now: Time, from: Place, to: Place, bytes: usize) -> (Fate, bool) {
        let link = self.links[from * self.nodes + to];
        if link.cut {
            return (Fate::Cut, false);
        }
        if self.orders.is_some() {
            return self.send_in_order(now, from, to, bytes);
        }
        if link.largest.is_some_and(|largest| bytes > largest) || self.chance(link.weather.loss) {
            return (Fate::Lost, false);
        }
        let extra = link.slow + Duration::from_nanos(u64::from(link.byte) * bytes as u64);
        let first = (Time(now.0 + self.delay(&link.weather)) + extra).max(link.clogged);
        if self.chance(link.weather.replay) {
            return (Fate::Doubled(first, first + self.late()), false);
        }
        let flipped = self.chance(link.weather.flips);
        if self.chance(link.weather.doubling) {
            let second = Time(first.0 + self.delay(&link.weather));
            return (Fate::Doubled(first, second), flipped);
        }
        (Fate::Arrives(first), flipped)
    }

    fn send_in_order(&mut self, now: Time, from: Place, to: Place, bytes: usize) -> (Fate, bool) {
        let link = self.links[from * self.nodes + to];
        if link.largest.is_some_and(|largest| bytes > largest) {
            return (Fate::Lost, false);
        }
        let again = if self.chance(link.weather.loss) { RESENT } else { Duration::ZERO };
        let extra = link.slow + Duration::from_nanos(u64::from(link.byte) * bytes as u64) + again;
        let first = (Time(now.0 + self.delay(&link.weather)) + extra).max(link.clogged);
        let flipped = self.chance(link.weather.flips);
        let mut arrives = first;
        if let Some(last) = self.orders.as_mut().and_then(|it| it.get_mut(from * self.nodes + to)) {
            arrives = first.max(*last);
            *last = arrives;
        }
        (Fate::Arrives(arrives), flipped)
    }

    /// How much later a replayed message comes.
    fn late(&mut self) -> Duration {
        Duration::from_millis(100 + self.rng.below(10_000))
    }

    /// A number for whoever needs one that goes with a message.
    pub(crate) fn draw(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }
}

/// Bytes of entries in a message: what a slow or picky link goes by.
pub(super) fn bytes(message: &Message) -> usize {
    match message {
        Message::Raft(message) => bytes_of_raft(message),
        Message::Zab(Frame::Word { message, .. }) => bytes_of_zab(message),
        Message::Zab(Frame::Open { .. } | Frame::Beat { .. }) => 0,
    }
}

fn entries_bytes(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| entry.payload.bytes().len()).sum()
}

fn bytes_of_raft(message: &raft::Message) -> usize {
    match &message.body {
        Body::Append { entries, .. } | Body::Mend(Mend::Reply { entries, .. }) => {
            entries_bytes(entries)
        }
        Body::Propose { commands, .. } => commands.iter().map(bytes::Bytes::len).sum(),
        Body::Mend(Mend::Ask { .. })
        | Body::PreVote { .. }
        | Body::PreVoteReply { .. }
        | Body::Vote { .. }
        | Body::VoteReply { .. }
        | Body::AppendAccepted { .. }
        | Body::AppendRejected(_)
        | Body::Heartbeat { .. }
        | Body::HeartbeatReply { .. }
        | Body::ReadIndex { .. }
        | Body::ReadIndexReply { .. }
        | Body::TransferLeadership { .. }
        | Body::TimeoutNow
        | Body::Snapshot { .. }
        | Body::SnapshotReply { .. } => 0,
    }
}

fn bytes_of_zab(message: &zab::Message) -> usize {
    use zab::Message as Word;
    match message {
        Word::Proposals { entries, .. } | Word::Inform { entries, .. } => entries_bytes(entries),
        Word::Requests { requests } => requests.iter().map(|(_, it)| it.len()).sum(),
        Word::Notification(_)
        | Word::LearnerInfo { .. }
        | Word::NotLeading
        | Word::LeaderInfo { .. }
        | Word::AckEpoch { .. }
        | Word::Sync(_)
        | Word::Resume { .. }
        | Word::Stored { .. }
        | Word::NewLeader { .. }
        | Word::AckLeader { .. }
        | Word::UpToDate { .. }
        | Word::Ack { .. }
        | Word::Commit { .. }
        | Word::Ping { .. }
        | Word::Pong { .. }
        | Word::RequestsRefused { .. }
        | Word::ReadIndex { .. }
        | Word::ReadIndexReply { .. }
        | Word::Snapshot { .. }
        | Word::SnapshotReply { .. } => 0,
    }
}

/// The piece of a state in a message, if that is what it carries.
pub(super) fn piece(message: &mut Message) -> Option<&mut bytes::Bytes> {
    match message {
        Message::Raft(raft::Message { body: Body::Snapshot { data, .. }, .. })
        | Message::Zab(Frame::Word { message: zab::Message::Snapshot { data, .. }, .. }) => {
            Some(data)
        }
        Message::Raft(_) | Message::Zab(_) => None,
    }
}
