//! Mesh: a way around a broken link, over one other member.
//!
//! Members of a group speak with each other directly. When the link between two of them fails and
//! both still reach a third, that one passes on what they say: a leader keeps a follower that it
//! cannot reach, and the follower's clients keep being served (Alfatafta et al., OSDI'20, tell of
//! 51 failures of systems that could not do this).
//!
//! # How it flows
//!
//! ```text
//! every interval   a ── Hello { a hears b, c; b hears a; … } ─▶ everybody, directly
//! to a peer that hears this node, or of which nothing is known   ── Direct ─▶
//! to a peer that does not, over one that hears this node and is heard by it
//!                                          ── Relayed { origin, target } ─▶  ── Relayed ─▶
//! ```
//!
//! A member knows by itself only whom it *hears*; whether it is heard, the others have to say. So
//! everybody tells everybody, with every hello, all that is known of who hears whom: each view with
//! its number, so that newer views replace older ones on whatever way they come.
//!
//! # What follows
//!
//! - A link that works one way only is used that way.
//! - What is passed on is passed on once: nothing ever circles. A member that is two relays away is
//!   not reached; with majorities that is never needed.
//! - Nothing is promised: messages may be lost, repeated or overtaken, all the more when the way
//!   changes. The protocols above are made for that.
//! - What is said once, and went into a broken link before that was noticed, is said again on the
//!   way around: up to `RECENT` messages for each member. Everything else is repeated by whoever
//!   waits for an answer.
//! - A broken link is noticed after [`Config::patience`] by its receiver and one way later by its
//!   sender: well below an election timeout, or an election comes first.
//! - Everything is passed on alike, appends and pieces of a state, too: their senders wait for
//!   answers, so that a relay carries no more for others than they would have under way themselves.
//!
//! # Whose word it is
//!
//! Members are trusted, as they are above: a relay is believed about who said what it passes on.
//! It is not believed about *which life* of a member said it, for it may know less. That stands in
//! the packet ([`Packet::Relayed`]), and whoever carries packets must hold what was passed on to
//! the same rules as a link of that member's own before it hands it over here: a member that was
//! removed, or that has forgotten what it promised, must not be counted in a roundabout way.
//!
//! # What is left out
//!
//! Ways over two others, and a way that spares a slow link instead of a broken one.

mod views;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

pub use self::views::View;
use self::views::Views;
use crate::mutant::{Mutant, planted};
use crate::{NodeId, Time};

/// Messages that are kept for each member, to be said again.
const RECENT: usize = 64;

/// The settings of a member's mesh.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This member.
    pub id: NodeId,
    /// Differs between starts.
    pub life: u64,
    /// The period of hellos.
    pub interval: Duration,
    /// Whoever is silent for this long is not heard: a few intervals.
    pub patience: Duration,
}

impl Config {
    /// Hellos as often as a leader's heartbeats. A member that has missed two of them and half the
    /// time of a third is not heard any more: by then an election is still far away, and most
    /// clients wait longer than that.
    #[must_use]
    pub fn usual(id: NodeId, life: u64, heartbeat: Duration) -> Self {
        Self { id, life, interval: heartbeat, patience: heartbeat * 5 / 2 }
    }
}

/// What travels on a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Packet<M> {
    /// A message of whoever sent the packet to whoever receives it.
    Direct(M),
    /// A message that takes another way.
    Relayed {
        /// Who said it.
        origin: NodeId,
        /// Whom to.
        target: NodeId,
        /// Which life of the origin said it.
        life: u64,
        /// What.
        message: M,
    },
    /// Who hears whom, as far as the sender knows; its own view first.
    Hello(Vec<View>),
}

/// What happens to a mesh.
#[derive(Clone, Debug)]
pub enum Input<M> {
    /// The time given by `poll_timeout` has come.
    Timeout,
    /// These are the members now; this one may be among them.
    Members(BTreeSet<NodeId>),
    /// Say this to a member.
    Send {
        /// Whom to.
        to: NodeId,
        /// What.
        message: M,
        /// Nobody says it again should it get lost: it is, once, when it went straight to a member
        /// that turns out not to hear this one.
        once: bool,
    },
    /// A packet came in on a link.
    Arrived {
        /// Who sent the packet, as the link knows.
        from: NodeId,
        /// The packet.
        packet: Packet<M>,
    },
    /// The link on which a member is heard broke.
    Down(NodeId),
}

/// What a mesh wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<M> {
    /// Hand a packet to the link to a member.
    Transmit {
        /// Whose link.
        to: NodeId,
        /// What.
        packet: Packet<M>,
    },
    /// A message is there.
    Deliver {
        /// Who said it.
        from: NodeId,
        /// What.
        message: M,
    },
}

/// One member's part in the mesh.
///
/// - `heard` and `views` name members only, and not this one.
/// - Who is newly heard, or no longer, is told at once, by a hello out of turn. Silence is looked
///   at when a timer runs out and not before: whoever was held up itself takes in first what has
///   come.
#[derive(Clone, Debug)]
pub struct Mesh<M> {
    config: Config,
    now: Time,
    members: BTreeSet<NodeId>,
    /// When each was last heard, directly.
    heard: BTreeMap<NodeId, Time>,
    views: Views,
    /// How many views of its own this member has told.
    told: u64,
    hello_at: Time,
    /// Whom this member heard when it last said hello.
    said: BTreeSet<NodeId>,
    outbox: VecDeque<Output<M>>,
    /// What went straight to each, lately, and is said once.
    recent: BTreeMap<NodeId, VecDeque<(Time, M)>>,
    passed_on: u64,
}

impl<M: Clone> Mesh<M> {
    /// A mesh of nobody.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let views = Views::new(config.patience * 2);
        Self {
            config,
            now: Time(0),
            members: BTreeSet::new(),
            heard: BTreeMap::new(),
            views,
            told: 0,
            hello_at: Time(0),
            said: BTreeSet::new(),
            outbox: VecDeque::new(),
            recent: BTreeMap::new(),
            passed_on: 0,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Time, input: Input<M>) {
        self.now = self.now.max(now);
        match input {
            Input::Timeout => {
                if self.poll_timeout().is_some_and(|due| due <= self.now) {
                    self.hello();
                }
            }
            Input::Members(members) => self.meet(members),
            Input::Send { to, message, once } => self.send(to, message, once),
            Input::Arrived { from, packet } => self.arrived(from, packet),
            Input::Down(peer) => {
                if self.heard.remove(&peer).is_some() && self.said.contains(&peer) {
                    self.hello();
                }
            }
        }
    }

    /// When to call `handle` with [`Input::Timeout`]; `None` while there is nobody else.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let silent = self.said.iter().filter_map(|peer| self.heard.get(peer));
        let silent = silent.map(|at| *at + self.config.patience);
        let due = silent.chain(core::iter::once(self.hello_at)).min();
        due.filter(|_| !self.members.is_empty())
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output<M>> {
        self.outbox.pop_front()
    }

    /// The way that a message to this member takes now: itself, or who passes it on.
    #[must_use]
    pub fn way(&self, to: NodeId) -> NodeId {
        let own = self.config.id;
        let Some(view) = self.views.of(to, self.now) else { return to };
        if view.hears(own) {
            return to;
        }
        let relays = |relay: &NodeId| {
            let known = self.views.of(*relay, self.now);
            *relay != to && view.hears(*relay) && known.is_some_and(|known| known.hears(own))
        };
        self.members.iter().copied().find(|relay| relays(relay)).unwrap_or(to)
    }

    /// Messages that this member has passed on for others.
    #[must_use]
    pub const fn passed_on(&self) -> u64 {
        self.passed_on
    }

    /// The other members that this one does not hear directly.
    pub fn silent(&self) -> impl Iterator<Item = NodeId> {
        self.members.iter().copied().filter(|peer| !self.hears_now(*peer))
    }

    /// The other members that are reached over somebody else now, each with who passes it on.
    pub fn detours(&self) -> impl Iterator<Item = (NodeId, NodeId)> {
        let ways = self.members.iter().map(|&to| (to, self.way(to)));
        ways.filter(|(to, way)| to != way)
    }

    fn meet(&mut self, mut members: BTreeSet<NodeId>) {
        members.remove(&self.config.id);
        self.heard.retain(|id, _| members.contains(id));
        self.said.retain(|id| members.contains(id));
        self.views.retain(&members);
        self.recent.retain(|id, _| members.contains(id));
        let more = members.iter().any(|id| !self.members.contains(id));
        self.members = members;
        if more {
            self.hello();
        }
    }

    fn send(&mut self, to: NodeId, message: M, once: bool) {
        let way = self.way(to);
        if way != to {
            return self.detour(to, way, message);
        }
        if once && self.members.contains(&to) {
            let recent = self.recent.entry(to).or_default();
            recent.push_back((self.now, message.clone()));
            if recent.len() > RECENT {
                recent.pop_front();
            }
        }
        self.outbox.push_back(Output::Transmit { to, packet: Packet::Direct(message) });
    }

    fn detour(&mut self, target: NodeId, over: NodeId, message: M) {
        let (origin, life) = (self.config.id, self.config.life);
        let packet = Packet::Relayed { origin, target, life, message };
        self.outbox.push_back(Output::Transmit { to: over, packet });
    }

    /// What went straight to members that do not hear this one, as it turns out, is said again. It
    /// may be heard twice, as anything may.
    fn say_again(&mut self) {
        self.forget_old();
        let silent: Vec<(NodeId, NodeId)> = self.detours().collect();
        for (to, over) in silent {
            for (_, message) in self.recent.remove(&to).into_iter().flatten() {
                self.detour(to, over, message);
            }
        }
    }

    /// By then a broken link would have been noticed.
    fn forget_old(&mut self) {
        let (now, lasting) = (self.now, self.config.patience * 2);
        self.recent.retain(|_, recent| {
            while recent.front().is_some_and(|(at, _)| now - *at >= lasting) {
                recent.pop_front();
            }
            !recent.is_empty()
        });
    }

    fn arrived(&mut self, from: NodeId, packet: Packet<M>) {
        self.note_heard(from);
        match packet {
            Packet::Direct(message) => self.outbox.push_back(Output::Deliver { from, message }),
            Packet::Relayed { origin, target, life, message } => {
                self.relayed(from, (origin, target, life), message);
            }
            Packet::Hello(views) => {
                for view in views {
                    if self.members.contains(&view.node) {
                        self.views.learn(from, view, self.now);
                    }
                }
                self.say_again();
            }
        }
    }

    fn note_heard(&mut self, from: NodeId) {
        if self.members.contains(&from) {
            self.heard.insert(from, self.now);
            if !self.said.contains(&from) {
                self.hello();
            }
        }
    }

    /// A message that takes another way came in: it is for this member, or to be passed on.
    fn relayed(&mut self, from: NodeId, (origin, target, life): (NodeId, NodeId, u64), message: M) {
        let own = self.config.id;
        let again = planted(Mutant::V1);
        if origin == own || origin == target {
            // Nobody needs anybody for that.
        } else if target == own || planted(Mutant::V2) {
            self.outbox.push_back(Output::Deliver { from: origin, message });
        } else if origin == from || again {
            self.passed_on += 1;
            let to = if again { self.way(target) } else { target };
            let packet = Packet::Relayed { origin, target, life, message };
            self.outbox.push_back(Output::Transmit { to, packet });
        }
        // Else it has been passed on once: whoever did that was wrong about the way.
    }

    /// Whom this member hears.
    fn hears(&self) -> BTreeSet<NodeId> {
        self.heard.keys().copied().filter(|peer| self.hears_now(*peer)).collect()
    }

    fn hears_now(&self, peer: NodeId) -> bool {
        self.heard.get(&peer).is_some_and(|at| self.now - *at < self.config.patience)
    }

    fn hello(&mut self) {
        self.hello_at = self.now + self.config.interval;
        self.forget_old();
        self.said = self.hears();
        self.told += 1;
        let own = View {
            node: self.config.id,
            life: self.config.life,
            number: self.told,
            hears: self.said.iter().copied().collect(),
        };
        let views: Vec<View> =
            core::iter::once(own).chain(self.views.fresh(self.now).cloned()).collect();
        for &to in &self.members {
            let packet = Packet::Hello(views.clone());
            self.outbox.push_back(Output::Transmit { to, packet });
        }
    }
}
