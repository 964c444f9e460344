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
//! - its log is not in question, only its state: what it has acknowledged and voted for stays.
//!
//! What is left out: two members that differ while a third one is away, or two halves that do,
//! have no majority. Neither ends then: status and metrics say that they differ until a
//! majority is heard. A member alone has nobody to compare with.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use protocol::raft::Role;
use protocol::{Index, NodeId, Time};
use store::{BackendError, Command, Error};

use crate::node::Node;
use crate::request::{Failure, Request, RequestId};
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
}

impl Equality {
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
        let Self { propose_at, report_at, compared, .. } = *self;
        *self = Self { propose_at, report_at, compared, ..Self::default() };
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
        if !core::mem::replace(&mut self.equality.idle, true) {
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
        let Some(own) = equality.own_at(at) else { return };
        equality.compared += u64::from(member != self.config.raft.id);
        let told = &equality.told[&at];
        let alike = |voters: &BTreeSet<NodeId>| {
            let alike = told.iter().filter(|(by, told)| **told == hash && voters.contains(by));
            alike.count() * 2 > voters.len()
        };
        // Raft §6: while voters change, of the old ones and of the new ones.
        let membership = self.raft.membership();
        let old = membership.outgoing.is_empty() || alike(&membership.outgoing);
        let decided = alike(&membership.voters) && old;
        if own != hash && decided && equality.condemned.is_none() {
            equality.condemned = Some(Condemned { at, own, others: hash });
            self.store.condemn(at);
        }
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
        disputes.or(again).copied()
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
        if self.raft.leader().is_none() || self.equality.condemned.is_some() {
            return;
        }
        let member = self.config.raft.id;
        if self.now >= self.equality.report_at
            && let Some(told) = self.to_report()
        {
            self.equality.report_at = self.now + REPORT_PAUSE;
            self.write(Waiter::Nobody, &Command::StateHash { member, told: Some(told) });
            return;
        }
        if self.raft.role() == Role::Leader
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
        if self.raft.leader().is_none() || self.equality.condemned.is_some() {
            return None;
        }
        let report = self.to_report().map(|_| self.equality.report_at);
        let leads = self.raft.role() == Role::Leader;
        let tell = self.to_tell().filter(|_| leads).map(|_| self.equality.propose_at);
        report.into_iter().chain(tell).min()
    }

    /// Answers whatever is asked of a condemned member. True when it was.
    pub(crate) fn refuse_condemned(&mut self, id: RequestId, request: &Request) -> bool {
        let refused = self.is_condemned() && !matches!(request, Request::Status);
        if refused {
            self.reply(id, Err(Failure::Store(Error::Corrupt)));
        }
        refused
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
            if self.flush_now() {
                return;
            }
        }
        self.halt(BackendError::Corrupt(alloc::format!(
            "after entry {at} this member's state was {own:016x}, and that of a majority \
             {others:016x}: it must not be served, and says so to every start. The other members \
             go on. Start this one again; where it is not rebuilt by itself, replace it as if its \
             disk were lost"
        )));
    }

    /// Whether the state must not be served.
    pub(crate) fn is_condemned(&self) -> bool {
        self.equality.condemned.is_some()
    }
}
