//! What members intend: to come and to go.
//!
//! An intent has a Lamport time, and counts if that is later than the last one of the same member.
//! It may arrive before anybody has said that the member is there: then it waits, and for a while.

use alloc::collections::BTreeMap;
use core::time::Duration;

use bytes::Bytes;

use super::clock::Leapt;
use super::message::{Join, LTime, Leave, Message, Status};
use super::output::RequestError;
use super::{Serf, encoded};
use crate::Time;
use crate::mutant::{Mutant, planted};
use crate::swim::message::Name;
use crate::swim::{Lane, Tag};

/// What somebody intends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Intent {
    /// To go; otherwise it has come.
    pub(super) leaves: bool,
    pub(super) ltime: LTime,
    at: Time,
}

/// Intents of members that are not known yet: the latest of each.
///
/// - There are at most `most`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Intents {
    waiting: BTreeMap<Name, Intent>,
    most: usize,
}

/// What became of an intent.
enum Kept {
    /// It is the latest of this member.
    Newest,
    Old,
    /// There are too many.
    Full,
}

impl Intents {
    pub(super) const fn new(most: usize) -> Self {
        Self { waiting: BTreeMap::new(), most }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    fn keep(&mut self, name: &Name, leaves: bool, ltime: LTime, at: Time) -> Kept {
        let intent = Intent { leaves, ltime, at };
        let full = self.waiting.len() >= self.most;
        match self.waiting.get_mut(name) {
            Some(held) if held.ltime >= ltime => return Kept::Old,
            Some(held) => *held = intent,
            None if full => return Kept::Full,
            None => {
                self.waiting.insert(name.detach(), intent);
            }
        }
        Kept::Newest
    }

    pub(super) fn take(&mut self, name: &Name) -> Option<Intent> {
        self.waiting.remove(name)
    }

    pub(super) fn forget(&mut self, now: Time, after: Duration) {
        self.waiting.retain(|_, intent| now.since(intent.at) <= after);
    }
}

impl Serf {
    pub(super) fn on_leave_intent(&mut self, leave: &Leave, bytes: &Bytes) {
        if self.hears_leave(leave) {
            self.pass_intent_on(&leave.node, bytes);
        }
    }

    pub(super) fn on_join_intent(&mut self, join: &Join, bytes: &Bytes) {
        if self.hears_join(join) {
            self.pass_intent_on(&join.node, bytes);
        }
    }

    /// Passes an intent on as it came. What the same member intended before is not worth it.
    fn pass_intent_on(&mut self, node: &Name, bytes: &Bytes) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.broadcast(Lane::Intent, Some(node.detach()), None, bytes);
    }

    /// Somebody wants to go, or is sent away. Says whether that is news.
    pub(super) fn hears_leave(&mut self, leave: &Leave) -> bool {
        if self.clock.witness(leave.ltime) == Err(Leapt) {
            self.counters.leaps += 1;
            return false;
        }
        let Some(row) = self.roster.row(&leave.node) else {
            return self.keep_intent(&leave.node, true, leave.ltime);
        };
        let accused = leave.node == self.name && !self.leaving.is_going();
        // Who comes and who is sent away at one time: whoever heard the second first holds on to
        // it, so a member answers that, too.
        let old = leave.ltime < row.ltime || (leave.ltime == row.ltime && !accused);
        if old && !planted(Mutant::S10) {
            self.counters.intents_old += 1;
            return false;
        }
        if accused {
            self.counters.intents_refuted += 1;
            if !planted(Mutant::S11) {
                self.say_joined();
            }
            return false;
        }
        // Also where the status stays: whoever hears it again must know that it is old, or it goes
        // round for ever (consul #8179).
        self.roster.put_ltime(&leave.node, leave.ltime);
        match row.status {
            Status::Alive => self.roster.put_status(&leave.node, Status::Leaving, self.now),
            Status::Failed => self.has_left(&leave.node),
            Status::Leaving | Status::Left | Status::None => {}
        }
        if leave.prune && leave.node != self.name {
            self.prune(&leave.node);
        }
        true
    }

    /// Forgets one that has left, or that will have.
    fn prune(&mut self, node: &Name) {
        match self.roster.row(node).map(|row| row.status) {
            Some(Status::Left) => self.forget(node),
            Some(Status::Leaving) => self.roster.put_prune(node, true),
            Some(Status::Alive | Status::Failed | Status::None) | None => {}
        }
    }

    /// Somebody has come. Says whether that is news.
    pub(super) fn hears_join(&mut self, join: &Join) -> bool {
        if self.clock.witness(join.ltime) == Err(Leapt) {
            self.counters.leaps += 1;
            return false;
        }
        let Some(row) = self.roster.row(&join.node) else {
            return self.keep_intent(&join.node, false, join.ltime);
        };
        if join.ltime <= row.ltime {
            self.counters.intents_old += 1;
            return false;
        }
        self.roster.put_ltime(&join.node, join.ltime);
        // Whoever is there again after it wanted to go does not want to go.
        if row.status == Status::Leaving && !(join.node == self.name && self.leaving.is_going()) {
            self.roster.put_prune(&join.node, false);
            self.roster.put_status(&join.node, Status::Alive, self.now);
        }
        true
    }

    /// An intent of somebody unknown waits until it is known.
    fn keep_intent(&mut self, node: &Name, leaves: bool, ltime: LTime) -> bool {
        if node.len() > self.config.swim.packet_bytes {
            self.counters.intents_dropped += 1;
            return false;
        }
        match self.intents.keep(node, leaves, ltime, self.now) {
            Kept::Newest => true,
            Kept::Old => {
                self.counters.intents_old += 1;
                false
            }
            Kept::Full => {
                self.counters.intents_dropped += 1;
                false
            }
        }
    }

    /// This member is here: after joining, and when somebody sends it away.
    pub(super) fn say_joined(&mut self) {
        let join = Join { ltime: self.clock.time(), node: self.name.clone() };
        self.hears_join(&join);
        let message = encoded(&Message::Join(join));
        self.broadcast(Lane::Intent, Some(self.name.clone()), None, message);
    }

    /// Somebody else is declared to have left.
    pub(super) fn on_force_leave(&mut self, tag: Tag, node: Name, prune: bool) {
        if node == self.name {
            return self.done(tag, Err(RequestError::Oneself));
        }
        if self.roster.row(&node).is_none() {
            return self.done(tag, Err(RequestError::Unknown));
        }
        let leave = Leave { ltime: self.clock.time(), node, prune };
        self.hears_leave(&leave);
        let message = encoded(&Message::Leave(leave.clone()));
        self.broadcast(Lane::Intent, Some(leave.node), None, message);
        self.done(tag, Ok(()));
    }
}
