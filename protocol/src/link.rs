//! Links that end for both sides when anything on them was lost.
//!
//! A protocol such as Zab rests on ordered channels whose end is an event: nothing of a channel is
//! missing until both sides know that the channel is over. What carries messages here promises
//! less: a pair of connections, each one way, that break apart; ways over other members. This is
//! what lies between: it retransmits nothing, it only makes sure that whatever gets lost, or is
//! overtaken, ends the link on both sides, that nothing comes twice, and that a new link has
//! nothing of the old.
//!
//! # How it flows
//!
//! Either side names its end of a link by a [`Session`]; a link is a pair of them, and is never
//! made of the same pair again, since whoever ends a link takes a new session.
//!
//! ```text
//! a                                    b
//!   Open { mine: a1, yours: – } ─────▶   b hears of a1
//!   ◀───── Open { mine: b1, yours: a1 }
//!   up as (a1, b1)
//!   Open { mine: a1, yours: b1 } ────▶   up as (b1, a1)
//!   Word { (a1, b1), number 1 … } ───▶
//!   ◀────────── Word { (b1, a1), number 1 … }
//!   Beat { (a1, b1), said: 7 } ──────▶   has heard 6: something is missing, so it is over:
//!   ◀───── Open { mine: b2, yours: – }   a hears that b1 has ended, takes a2, and so on
//! ```
//!
//! Laws:
//!
//! - within a link words are delivered in the order of their numbers, each once, without gaps;
//! - a gap, or an end that names another pair, ends the link, and both sides are told: the one that
//!   notices at once, the other with the next word in either direction;
//! - a lost last word is noticed one beat later, since beats count.
//!
//! What is left out: saying again what was lost. On a connection that keeps its promises nothing
//! ever is, and whoever lost its connection has to ask anew anyway.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use crate::{NodeId, Rng, Time};

/// One side's name for its end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    /// Drawn at each start of a process.
    pub life: u64,
    /// Grows with each end that the process gives up.
    pub number: u64,
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Frame<M> {
    /// This is my end; yours, as far as I know it, is that one.
    Open {
        /// The sender's.
        mine: Session,
        /// The receiver's.
        yours: Option<Session>,
    },
    /// Something is said on a link.
    Word {
        /// The sender's end.
        mine: Session,
        /// The receiver's end.
        yours: Session,
        /// Counts the words of this direction, from 1.
        number: u64,
        /// What.
        message: M,
    },
    /// The link is there, and so many words were said on it.
    Beat {
        /// The sender's end.
        mine: Session,
        /// The receiver's end.
        yours: Session,
        /// How many.
        said: u64,
    },
}

/// What follows for whoever speaks over the links, and for whoever carries frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<M> {
    /// Carry this. It may be lost.
    Transmit {
        /// Whom to.
        to: NodeId,
        /// What.
        frame: Frame<M>,
    },
    /// There is a link.
    Up {
        /// Whom to.
        peer: NodeId,
        /// Its name here: it grows with each link of this process.
        generation: u64,
    },
    /// It is over: what was on its way may be lost.
    Down {
        /// Whom to.
        peer: NodeId,
        /// Its name.
        generation: u64,
    },
    /// Something was said on it.
    Word {
        /// Who.
        from: NodeId,
        /// The link's name.
        generation: u64,
        /// What.
        message: M,
    },
}

/// One side's ends of its links.
///
/// - An end that is up knows the other side's session, and was named by it.
/// - `said` and `heard` count words of the very pair of sessions.
#[derive(Clone, Debug)]
pub struct Links<M> {
    ends: BTreeMap<NodeId, End>,
    life: u64,
    interval: Duration,
    sessions: u64,
    generations: u64,
    outbox: VecDeque<Output<M>>,
}

#[derive(Clone, Debug)]
struct End {
    mine: Session,
    theirs: Option<Session>,
    /// The link's name, while it is up.
    up: Option<u64>,
    said: u64,
    heard: u64,
    /// When to open again, or to beat.
    due: Time,
}

impl<M> Links<M> {
    /// Ends towards these peers, none of them up. `interval`: how often an end says that it is
    /// there. `seed` should differ at every start.
    #[must_use]
    pub fn new(peers: &BTreeSet<NodeId>, interval: Duration, seed: u64) -> Self {
        let life = Rng::new(seed).next();
        let mut links = Self {
            ends: BTreeMap::new(),
            life,
            interval,
            sessions: 0,
            generations: 0,
            outbox: VecDeque::new(),
        };
        for &peer in peers {
            let mine = links.session();
            let due = Time(0);
            let end = End { mine, theirs: None, up: None, said: 0, heard: 0, due };
            links.ends.insert(peer, end);
        }
        links
    }

    /// The next thing that follows, until `None`.
    pub fn poll_output(&mut self) -> Option<Output<M>> {
        self.outbox.pop_front()
    }

    /// When to call [`Links::timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.ends.values().map(|end| end.due).min()
    }

    /// Opens and beats, where it is time.
    pub fn timeout(&mut self, now: Time) {
        let due = self.ends.iter().filter(|(_, end)| end.due <= now).map(|(peer, _)| *peer);
        let due: alloc::vec::Vec<NodeId> = due.collect();
        for peer in due {
            self.remind(now, peer);
        }
    }

    /// Says something on the link of this name; a link that is over drops it.
    pub fn say(&mut self, to: NodeId, generation: u64, message: M) {
        let Some(end) = self.ends.get_mut(&to).filter(|end| end.up == Some(generation)) else {
            return;
        };
        let Some(yours) = end.theirs else { return };
        end.said += 1;
        let frame = Frame::Word { mine: end.mine, yours, number: end.said, message };
        self.outbox.push_back(Output::Transmit { to, frame });
    }

    /// Ends a link on purpose. Its own side is not told.
    pub fn reset(&mut self, now: Time, peer: NodeId, generation: u64) {
        if self.ends.get(&peer).is_some_and(|end| end.up == Some(generation)) {
            self.renew(now, peer);
        }
    }

    /// What carried frames to this peer, or from it, has broken: some may be lost.
    pub fn broke(&mut self, now: Time, peer: NodeId) {
        if self.ends.get(&peer).is_some_and(|end| end.up.is_some()) {
            self.end(now, peer);
        }
    }

    /// A frame came in.
    pub fn arrived(&mut self, now: Time, from: NodeId, frame: Frame<M>) {
        let Some(end) = self.ends.get(&from) else { return };
        let own = end.mine;
        match frame {
            Frame::Open { mine, yours } => self.opened(now, from, mine, yours),
            Frame::Word { mine, yours, number, message } => {
                if yours != own || !self.holds(now, from, mine) {
                    return;
                }
                let Some(end) = self.ends.get_mut(&from) else { return };
                if number <= end.heard {
                    return;
                }
                if number > end.heard + 1 {
                    return self.end(now, from);
                }
                end.heard = number;
                if let Some(generation) = end.up {
                    self.outbox.push_back(Output::Word { from, generation, message });
                }
            }
            Frame::Beat { mine, yours, said } => {
                if yours == own && self.holds(now, from, mine) {
                    let heard = self.ends.get(&from).map_or(0, |end| end.heard);
                    if said > heard {
                        self.end(now, from);
                    }
                }
            }
        }
    }

    /// Whether a frame that names this side's end rightly is of a link that is up, now at the
    /// latest: whoever speaks on a link has heard from both ends.
    fn holds(&mut self, now: Time, from: NodeId, theirs: Session) -> bool {
        let Some(end) = self.ends.get(&from) else { return false };
        if end.theirs == Some(theirs) {
            if end.up.is_none() {
                self.up(now, from);
            }
            return true;
        }
        // The other side holds for up what this side does not know of, or knows to be over.
        if end.theirs.is_none_or(|known| is_later(known, theirs)) {
            self.opened(now, from, theirs, None);
        }
        false
    }

    fn opened(&mut self, now: Time, from: NodeId, mine: Session, yours: Option<Session>) {
        let Some(end) = self.ends.get_mut(&from) else { return };
        if end.theirs.is_some_and(|known| known != mine && !is_later(known, mine)) {
            // It was overtaken by what is known.
            return;
        }
        let new = end.theirs != Some(mine);
        let up = end.up.is_some();
        if up && (new || yours.is_some_and(|yours| yours != end.mine)) {
            end.theirs = Some(mine);
            return self.end(now, from);
        }
        end.theirs = Some(mine);
        let named = yours == Some(end.mine);
        if named && !up {
            self.up(now, from);
        }
        // Whoever does not name this end yet has to hear of it; whoever does, that it was heard.
        if !named || !up {
            self.open(now, from);
        }
    }

    fn up(&mut self, now: Time, peer: NodeId) {
        self.generations += 1;
        let generation = self.generations;
        let Some(end) = self.ends.get_mut(&peer) else { return };
        (end.up, end.said, end.heard) = (Some(generation), 0, 0);
        end.due = now + self.interval;
        self.outbox.push_back(Output::Up { peer, generation });
    }

    /// Ends a link that was not ended by its own side.
    fn end(&mut self, now: Time, peer: NodeId) {
        let generation = self.ends.get(&peer).and_then(|end| end.up);
        self.renew(now, peer);
        if let Some(generation) = generation {
            self.outbox.push_back(Output::Down { peer, generation });
        }
    }

    /// Takes a new session towards a peer, and says so.
    fn renew(&mut self, now: Time, peer: NodeId) {
        let mine = self.session();
        let Some(end) = self.ends.get_mut(&peer) else { return };
        (end.mine, end.up, end.said, end.heard) = (mine, None, 0, 0);
        self.open(now, peer);
    }

    fn remind(&mut self, now: Time, peer: NodeId) {
        let Some(end) = self.ends.get_mut(&peer) else { return };
        match (end.up, end.theirs) {
            (Some(_), Some(yours)) => {
                end.due = now + self.interval;
                let frame = Frame::Beat { mine: end.mine, yours, said: end.said };
                self.outbox.push_back(Output::Transmit { to: peer, frame });
            }
            (None, _) | (_, None) => self.open(now, peer),
        }
    }

    fn open(&mut self, now: Time, to: NodeId) {
        let Some(end) = self.ends.get_mut(&to) else { return };
        end.due = now + self.interval;
        let frame = Frame::Open { mine: end.mine, yours: end.theirs };
        self.outbox.push_back(Output::Transmit { to, frame });
    }

    fn session(&mut self) -> Session {
        self.sessions += 1;
        Session { life: self.life, number: self.sessions }
    }
}

/// Whether a session may have come after the one that is known: of another life any may have.
fn is_later(known: Session, shown: Session) -> bool {
    known.life != shown.life || known.number < shown.number
}
