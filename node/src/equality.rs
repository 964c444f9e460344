//! All members compare what their states have become, and one that differs stops serving.
//!
//! ```text
//! log       … 41  42 StateHash(n1)  43 … 60  61 StateHash(n1, 42: h)  62 …
//! n1, n2        note h at 42             note the next at 61, compare at 42: equal
//! n3            note g at 42             differs: reports StateHash(n3, 42: g)
//! n1, n2                                 two values for 42: each reports its own
//! all                                    a majority had h at 42: n3 is condemned
//! ```
//!
//! The leader proposes one such entry now and then while something changes. It says two things:
//! each member is to note the hash of its own state right after this entry; and what the leader's
//! was after the one before. As long as all agree, that is all.
//!
//! Laws:
//!
//! - nobody is condemned by one member's word, be it the leader's: where two differ, all that have
//!   a hash of that entry report it through the log, and a majority of the voters decides;
//! - every member draws the same conclusion, since all count the same entries; only the condemned
//!   one acts;
//! - a condemned member answers `corrupt cluster` from that very entry on, applies nothing more,
//!   notes in its state that it must not be served, and ends as soon as that is durable. So no
//!   restart serves it either: its state has to be had from the others;
//! - its log is not in question, only its state: what it has acknowledged and voted for stays;
//! - a leader that is condemned hands over before it ends, if somebody is there;
//! - its state is had anew by itself ([`crate::rebuild`]), and until it has been heard to be right
//!   again, all members list an alarm `CORRUPT` of it, which refuses nothing elsewhere.
//!
//! What is left out: two members that differ while a third one is away, or two halves that do,
//! have no majority. Neither ends then: status and metrics say that they differ until a
//! majority is heard. A member alone has nobody to compare with.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use protocol::raft;
use protocol::raft::Role;
use protocol::{Index, NodeId, Time};
use store::{BackendError, Command, Error};

use crate::node::Node;
use crate::rebuild::Rebuild;
use crate::request::Failure;
use crate::writes::Waiter;

/// Entries of which the hashes are remembered: reports come within a few seconds, or in vain.
const REMEMBERED: usize = 32;
/// How often a member tries to report where hashes differ.
const REPORT_PAUSE: Duration = Duration::from_millis(500);

/// That this member's state is not the others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condemned {
    /// The entry after which it was noticed.
    pub at: Index,
    /// The hash of this member's state there.
    pub own: u64,
    /// That of a majority.
    pub others: u64,
}

/// What is known of states.
#[derive(Debug, Default)]
pub(crate) struct Equality {
    /// Hashes of this member's own state, ascending.
    own: VecDeque<(Index, u64)>,
    /// What members have told, by entry.
    told: BTreeMap<Index, BTreeMap<NodeId, u64>>,
    /// Nothing was applied since the last hash but other hashes, and ticks that ended no lease.
    idle: bool,
    /// The store's revision after the last other entry.
    revision: i64,
    /// As leader: when to propose the next one.
    propose_at: Time,
    /// When to report again.
    report_at: Time,
    pub(crate) condemned: Option<Condemned>,
    /// Hashes of members that were compared with this one's.
    pub(crate) compared: u64,
    /// The condemned state's note of it is being made durable.
    ending: bool,
    /// Members whose states were not a majority's after these entries, and not found right since.
    wrong: BTreeMap<NodeId, Index>,
    pub(crate) rebuild: Rebuild,
}

impl Equality {
    pub(crate) fn new(rebuilt_after: Option<Index>) -> Self {
        Self { rebuild: Rebuild::new(rebuilt_after), ..Self::default() }
    }

    fn own_at(&self, at: Index) -> Option<u64> {
        self.own.iter().find(|(index, _)| *index == at).map(|(_, hash)| *hash)
    }

    /// Whether members have told different things of an entry.
    fn differs(told: &BTreeMap<NodeId, u64>) -> bool {
        let mut hashes = told.values();
        let first = hashes.next();
        hashes.any(|hash| Some(hash) != first)
    }

    /// The newest entry where members differ.
    pub(crate) fn disputed(&self) -> Option<Index> {
        let disputed = self.told.iter().rev().find(|(_, told)| Self::differs(told));
        disputed.map(|(at, _)| *at)
    }

    /// Another state took the place of the one that these hashes are of.
    pub(crate) fn replaced(&mut self) {
        let Self { propose_at, report_at, compared, rebuild, .. } = *self;
        let wrong = core::mem::take(&mut self.wrong);
        *self = Self { propose_at, report_at, compared, rebuild, wrong, ..Self::default() };
    }
}

impl Node {
    /// An entry was applied.
    pub(crate) fn note_state(&mut self, at: Index, command: &Command) {
        let Command::StateHash { member, told } = command else {
            let revision = self.store.revision();
            let before = core::mem::replace(&mut self.equality.revision, revision);
            let nothing = matches!(command, Command::Tick { .. }) && before == revision;
            self.equality.idle &= nothing;
            return;
        };
        // Whoever tells nothing wants to know where everybody stands, whether or not it is idle.
        if !core::mem::replace(&mut self.equality.idle, true) || told.is_none() {
            let own = (at, self.store.state_hash());
            self.equality.own.push_back(own);
            if self.equality.own.len() > REMEMBERED {
                self.equality.own.pop_front();
            }
        }
        if let Some((at, hash)) = told {
            self.compare(*member, *at, *hash);
        }
    }

    /// A member has told a hash: counts what is known of that entry.
    fn compare(&mut self, member: NodeId, at: Index, hash: u64) {
        let equality = &mut self.equality;
        equality.told.entry(at).or_default().insert(member, hash);
        if equality.told.len() > REMEMBERED {
            equality.told.pop_first();
        }
        let right = self.majority_at(at);
        let equality = &mut self.equality;
        if let Some(right) = right {
            let wrong = equality.told[&at].iter().filter(|(_, told)| **told != right);
            equality.wrong.extend(wrong.map(|(by, _)| (*by, at)));
        }
        let Some(own) = equality.own_at(at) else { return };
        if own == hash && equality.wrong.get(&member).is_some_and(|since| *since < at) {
            equality.wrong.remove(&member);
        }
        if member != self.config.raft.id {
            equality.compared += 1;
            equality.rebuild.compared(at, own == hash);
        } else if own == hash {
            equality.rebuild.told();
        }
        if let Some(others) = right.filter(|right| *right != own)
            && equality.condemned.is_none()
        {
            equality.condemned = Some(Condemned { at, own, others });
            self.store.condemn(at);
        }
    }

    /// The hash that a majority of the voters has told of an entry.
    fn majority_at(&self, at: Index) -> Option<u64> {
        let told = self.equality.told.get(&at)?;
        // Raft §6: while voters change, of the old ones and of the new ones.
        let raft::Membership { voters, outgoing, .. } = self.core.membership();
        let decided = |hash: u64| {
            let alike = |voters: &BTreeSet<NodeId>| {
                let alike = told.iter().filter(|(by, told)| **told == hash && voters.contains(by));
                alike.count() * 2 > voters.len()
            };
            alike(voters) && (outgoing.is_empty() || alike(outgoing))
        };
        told.values().copied().find(|hash| decided(*hash))
    }

    /// The members whose states were found wrong, and have not been found right since.
    pub(crate) fn deviants(&self) -> impl Iterator<Item = NodeId> {
        let members = self.core.membership().members();
        self.equality.wrong.keys().copied().filter(move |id| members.contains(id))
    }

    /// What this member must report: its own hash where others differ, from each other or from it,
    /// and as leader the newest.
    fn to_report(&self) -> Option<(Index, u64)> {
        let Self { equality, config, .. } = self;
        let me = config.raft.id;
        let disputes = equality.own.iter().rev().find(|(at, own)| {
            let Some(told) = equality.told.get(at) else { return false };
            !told.contains_key(&me) && told.values().any(|hash| hash != own)
        });
        let again = equality.own.iter().rev().find(|(at, _)| {
            let told = equality.told.get(at);
            told.is_some_and(|told| !told.contains_key(&me) && Equality::differs(told))
        });
        let proof = equality.own.iter().rev().find(|(at, own)| {
            let Some(told) = equality.told.get(at) else { return false };
            !told.contains_key(&me) && told.values().any(|hash| hash == own)
        });
        let proof = proof.filter(|_| equality.rebuild.is_to_be_told());
        disputes.or(again).or(proof).copied()
    }

    /// As leader, what to tell now and then: the newest hash that nobody has been told of.
    fn to_tell(&self) -> Option<Option<(Index, u64)>> {
        let newest = self.equality.own.back().copied();
        let untold = newest.filter(|(at, _)| !self.equality.told.contains_key(at));
        (untold.is_some() || !self.equality.idle).then_some(untold)
    }

    /// Proposes what there is to say about states.
    pub(crate) fn tell_state(&mut self) {
        let Some(interval) = self.config.compare_interval else { return };
        if self.core.leader().is_none() || self.equality.condemned.is_some() {
            return;
        }
        if self.core.membership().members().len() <= 1 {
            // Nobody is left to differ from.
            self.equality.rebuild = Rebuild::None;
        }
        let member = self.config.raft.id;
        if self.now >= self.equality.report_at
            && let Some(told) = self.to_report()
        {
            self.equality.report_at = self.now + REPORT_PAUSE;
            self.write(Waiter::Nobody, &Command::StateHash { member, told: Some(told) });
            return;
        }
        if self.asks_for_hashes() && self.now >= self.equality.report_at {
            self.equality.report_at = self.now + interval * 2;
            self.write(Waiter::Nobody, &Command::StateHash { member, told: None });
            return;
        }
        if self.core.role() == Role::Leader
            && self.now >= self.equality.propose_at
            && let Some(told) = self.to_tell()
        {
            self.equality.propose_at = self.now + interval;
            self.write(Waiter::Nobody, &Command::StateHash { member, told });
        }
    }

    /// When something has to be said about states.
    pub(crate) fn state_timeout(&self) -> Option<Time> {
        self.config.compare_interval?;
        if self.core.leader().is_none() || self.equality.condemned.is_some() {
            return None;
        }
        let reports = self.to_report().is_some() || self.asks_for_hashes();
        let report = reports.then_some(self.equality.report_at);
        let leads = self.core.role() == Role::Leader;
        let tell = self.to_tell().filter(|_| leads).map(|_| self.equality.propose_at);
        report.into_iter().chain(tell).min()
    }

    /// A condemned member makes its note durable, and ends.
    pub(crate) fn end_condemned(&mut self) {
        let Some(Condemned { at, own, others }) = self.equality.condemned else { return };
        if self.flushing.halted || self.flushing.is_under_way() {
            return;
        }
        if !core::mem::replace(&mut self.equality.ending, true) {
            // They may be in the log, and others may apply them.
            for waiter in self.writes.drain() {
                self.fail(waiter, Failure::Stopped);
            }
            for id in self.reads.drain() {
                self.reply(id, Err(Failure::Store(Error::Corrupt)));
            }
            if self.core.role() == Role::Leader
                && let Some(successor) = self.successor()
            {
                self.consensus(raft::Input::TransferLeadership(successor));
            }
            if self.flush_now() {
                return;
            }
        }
        self.halt(BackendError::Corrupt(alloc::format!(
            "after entry {at} this member's state was {own:016x}, and that of a majority \
             {others:016x}: it must not be served, and says so to every start. The other members \
             go on"
        )));
    }

    /// Whether the state must not be served.
    pub(crate) fn is_condemned(&self) -> bool {
        self.equality.condemned.is_some()
    }
}
