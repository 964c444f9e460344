//! Mending: a member whose log lacks what it may have acknowledged gets it from the others, before
//! it takes part in anything.
//!
//! ```text
//! mending   Ask { wanted } ─▶ everybody else, again and again
//! others    Look ─▶ (their logs) ─▶ Found ─▶ Reply { entries, absent, leads }
//! mending   Fill ─▶ (its log) ─▶ Filled …
//!           Healed      all is back: open the log, begin as ever
//!           Surrender   somebody leads, and it has not what is wanted: begin anew, in doubt
//! ```
//!
//! # Why it is safe
//!
//! - What fills a hole is the very entry that was lost: the position is the same, hence the entry
//!   (Raft §5.3), and its checksum is compared with the one that was kept apart from it. A healed
//!   log is what it was before the damage, so it needs nobody's consent, and no majority: members
//!   that are damaged in different places heal each other, as long as one copy of each entry is
//!   intact anywhere (Alagappan et al., FAST'18: they call it the protocol's *exchange*).
//! - Until then the member does nothing else: it neither votes nor acknowledges, so nobody can
//!   count on what it has lost.
//! - It gives a log up only for a leader whose term is at least its own, and which has answered in
//!   this life. Whatever was committed with this member's help is in that log: what it had
//!   acknowledged in earlier terms by leader completeness (Raft §5.4.3; it had the entries when it
//!   voted, and has not voted since), and what in this very term because that leader made it and
//!   never shortens its log. So to be filled up to the end of that log, by whatever leader, ends
//!   the doubt.
//! - None of that depends on who is a member: what is put back is compared, and a leader of such a
//!   term is the right one whoever it is. So whoever speaks may be asked.
//! - An entry that is asked for and that nobody has is never cut off on the word of the others. A
//!   majority that could say so can elect a leader, which says it with authority.
//!
//! # Whom it asks
//!
//! Those whom its state names; when that is damaged too, those whom its operator named once. They
//! may have left meanwhile, and others come that it has never heard of. But whoever is a leader, or
//! wants to be one, speaks to all members, and so to this one: from then on it is asked as well.
//!
//! # What is left out, and what follows
//!
//! The state is not mended in parts: a member whose state is damaged replays its log, or asks for
//! a leader that sends the state whole. When the states of all members are damaged and their logs
//! are trimmed, nothing is done: everything stays where it is, for a person.

mod answer;

pub use answer::gather;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use protocol::raft::{self, Body, Mend};
use protocol::{Entry, NodeId, Position, Term, Time};

use crate::consensus::Message;

/// Positions asked for at once.
const AT_ONCE: usize = 256;

/// What a mending member has to know of itself and of others.
#[derive(Clone, Debug)]
pub struct MendConfig {
    /// All other members, as far as they are known. Whoever speaks joins them.
    pub peers: BTreeSet<NodeId>,
    /// Its term, as its log has it.
    pub term: Term,
    /// Differs between runs of the process.
    pub life: u64,
    /// Whoever has not answered is asked again after this.
    pub interval: Duration,
}

/// What happens to a mending member.
#[derive(Clone, Debug)]
pub enum MendInput {
    /// The time given by `poll_timeout` has come.
    Timeout,
    /// A message from another member.
    Receive {
        /// Who, as the link's handshake has shown.
        from: NodeId,
        /// What. Of all but mending only that it was said.
        message: Message,
    },
    /// The answer to [`MendOutput::Fill`]: what is still wanted.
    Filled(Vec<Position>),
    /// The answer to [`MendOutput::Look`].
    Found {
        /// Who had asked.
        peer: NodeId,
        /// In which life of its.
        life: u64,
        /// What is intact here.
        entries: Vec<Entry>,
        /// What is not.
        absent: Vec<Position>,
    },
}

/// What a mending member wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MendOutput {
    /// Hand a message to the link to a peer. It may be lost.
    Send {
        /// Whom to.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Put these entries back, durably; answer [`MendInput::Filled`].
    Fill(Vec<Entry>),
    /// Look whether the log has these entries, intact; answer [`MendInput::Found`].
    Look {
        /// Who asks.
        peer: NodeId,
        /// In which life of its.
        life: u64,
        /// For which.
        wanted: Vec<Position>,
    },
    /// Nothing is missing any more: the log can be opened. The last output.
    Healed,
    /// A leader has not got what is wanted: begin anew, in doubt up to the end of its log. The
    /// last output.
    Surrender {
        /// Who leads.
        leader: NodeId,
        /// In which term.
        term: Term,
        /// The end of its log.
        last: Position,
    },
}

/// A leader that has answered.
#[derive(Clone, Copy, Debug)]
struct Leader {
    id: NodeId,
    term: Term,
    last: Position,
}

/// A member that mends its log.
///
/// - `absent` holds what a peer has said since it was last asked for all.
/// - Once it is `over`, nothing more is wanted done.
#[derive(Debug)]
pub struct Mending {
    config: MendConfig,
    now: Time,
    wanted: BTreeSet<Position>,
    /// More is missing than can be asked for.
    helpless: bool,
    absent: BTreeMap<NodeId, BTreeSet<Position>>,
    /// What is being filled, from whom.
    filling: Option<(NodeId, Vec<Position>, Option<Leader>)>,
    ask_at: Time,
    outputs: VecDeque<MendOutput>,
    over: bool,
}

impl Mending {
    /// A member that lacks these entries, and, when it is helpless, what it cannot tell.
    #[must_use]
    pub fn new(config: MendConfig, wanted: Vec<Position>, helpless: bool) -> Self {
        Self {
            config,
            now: Time(0),
            wanted: wanted.into_iter().collect(),
            helpless,
            absent: BTreeMap::new(),
            filling: None,
            ask_at: Time(0),
            outputs: VecDeque::new(),
            over: false,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Time, input: MendInput) {
        self.now = self.now.max(now);
        if self.over {
            return;
        }
        match input {
            MendInput::Timeout if self.now >= self.ask_at => self.ask_all(),
            MendInput::Timeout => {}
            MendInput::Receive { from, message } => self.receive(from, message),
            MendInput::Filled(wanted) => self.filled(wanted),
            MendInput::Found { peer, life, entries, absent } => {
                self.send(peer, Mend::Reply { life, entries, absent, leads: None });
            }
        }
    }

    /// When to call `handle` with [`MendInput::Timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        (!self.over).then_some(self.ask_at)
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<MendOutput> {
        self.outputs.pop_front()
    }

    /// The entries that are still missing.
    pub fn wanted(&self) -> impl ExactSizeIterator<Item = Position> {
        self.wanted.iter().copied()
    }

    fn receive(&mut self, from: NodeId, message: Message) {
        // An answer is one to a question.
        let known = !self.config.peers.insert(from);
        let Message::Raft(raft::Message { term, body: Body::Mend(word) }) = message else { return };
        match word {
            Mend::Ask { life, wanted } => {
                self.outputs.push_back(MendOutput::Look { peer: from, life, wanted });
            }
            Mend::Reply { life, entries, absent, leads } if known && life == self.config.life => {
                let leads = leads.filter(|_| term >= self.config.term);
                let leader = leads.map(|last| Leader { id: from, term, last });
                self.replied(from, entries, absent, leader);
            }
            Mend::Reply { .. } => {}
        }
    }

    fn replied(
        &mut self,
        from: NodeId,
        mut entries: Vec<Entry>,
        absent: Vec<Position>,
        leader: Option<Leader>,
    ) {
        let absent = absent.into_iter().filter(|position| self.wanted.contains(position));
        self.absent.entry(from).or_default().extend(absent);
        entries.retain(|entry| self.wanted.contains(&entry.position));
        if entries.is_empty() || self.filling.is_some() {
            return self.decide(leader);
        }
        let positions = entries.iter().map(|entry| entry.position).collect();
        self.filling = Some((from, positions, leader));
        self.outputs.push_back(MendOutput::Fill(entries));
    }

    fn filled(&mut self, wanted: Vec<Position>) {
        self.wanted = wanted.into_iter().collect();
        let Some((from, given, leader)) = self.filling.take() else { return };
        // What was given and did not fit is not the entry that was lost.
        let unfit = given.into_iter().filter(|position| self.wanted.contains(position));
        self.absent.entry(from).or_default().extend(unfit);
        self.decide(leader);
        if !self.over && self.asks(from).next().is_some() {
            self.ask(from);
        }
    }

    /// Whether it is over, after a word of `leader`, if it leads.
    fn decide(&mut self, leader: Option<Leader>) {
        if self.filling.is_some() {
            return;
        }
        if self.wanted.is_empty() && !self.helpless {
            self.end(MendOutput::Healed);
            return;
        }
        let Some(Leader { id, term, last }) = leader else { return };
        let lacks = self.absent.get(&id).is_some_and(|absent| !absent.is_disjoint(&self.wanted));
        if self.helpless || lacks {
            self.end(MendOutput::Surrender { leader: id, term, last });
        }
    }

    fn end(&mut self, output: MendOutput) {
        self.over = true;
        self.outputs.push_back(output);
    }

    fn ask_all(&mut self) {
        self.ask_at = self.now + self.config.interval;
        self.decide(None);
        for peer in self.config.peers.clone() {
            if self.over {
                return;
            }
            if self.asks(peer).next().is_none() {
                // It may have mended its own meanwhile.
                self.absent.remove(&peer);
            }
            self.ask(peer);
        }
    }

    /// What this peer has not said to lack.
    fn asks(&self, peer: NodeId) -> impl Iterator<Item = Position> {
        let absent = self.absent.get(&peer);
        let asks =
            move |position: &&Position| absent.is_none_or(|absent| !absent.contains(position));
        self.wanted.iter().filter(asks).copied()
    }

    fn ask(&mut self, peer: NodeId) {
        let wanted = self.asks(peer).take(AT_ONCE).collect();
        let life = self.config.life;
        self.send(peer, Mend::Ask { life, wanted });
    }

    fn send(&mut self, to: NodeId, word: Mend) {
        let message = raft::Message { term: self.config.term, body: Body::Mend(word) };
        self.outputs.push_back(MendOutput::Send { to, message: message.into() });
    }
}

#[cfg(test)]
mod tests;
