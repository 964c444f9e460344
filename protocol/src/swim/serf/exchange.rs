//! What this layer adds when two members tell each other everything.
//!
//! Beside SWIM's table go the Lamport times of what everybody intends, who has left, the three
//! clocks and the events that are remembered. The order in which they are taken in matters: clocks
//! first, then those who left, then those who are there, then events.

use alloc::vec::Vec;

use bytes::Bytes;

use super::clock::{Clock, Leapt};
use super::message::{Join, LTime, Leave, Message, PushPull, Ring, Status, UserEvent};
use super::{Serf, decode, encoded};
use crate::mutant::{Mutant, planted};
use crate::swim;
use crate::swim::ExchangeId;
use crate::swim::message::Name;

impl Serf {
    /// An exchange begins.
    pub(super) fn on_exchange(
        &mut self,
        id: ExchangeId,
        mut state: swim::message::PushPull,
    ) -> swim::message::PushPull {
        if state.join && self.joining.pop_front() == Some(true) {
            self.ignoring.insert(id);
        }
        state.user = self.everything();
        state
    }

    /// What is told beside SWIM's table.
    pub(super) fn everything(&self) -> Bytes {
        let mut state = PushPull {
            ltime: self.clock.time(),
            status: Vec::with_capacity(self.roster.len()),
            left: Vec::with_capacity(self.roster.left()),
            event_ltime: self.event_clock.time(),
            events: Ring::from_slots(self.events.moments().cloned().map(Some)),
            query_ltime: self.query_clock.time(),
        };
        for (facts, row) in self.roster.iter() {
            state.status.push((facts.name.clone(), row.ltime));
            if row.status == Status::Left && !planted(Mutant::S13) {
                state.left.push(facts.name.clone());
            }
        }
        encoded(&Message::PushPull(state))
    }

    /// What somebody else told beside its table.
    pub(super) fn on_state(&mut self, join: bool, bytes: &Bytes) {
        let state = match decode(bytes) {
            Ok(Message::PushPull(state)) => state,
            Ok(_) => {
                self.counters.misplaced += 1;
                return;
            }
            Err(_) => {
                self.counters.malformed += 1;
                return;
            }
        };
        self.follow(state.ltime, |serf| &mut serf.clock);
        self.follow(state.event_ltime, |serf| &mut serf.event_clock);
        self.follow(state.query_ltime, |serf| &mut serf.query_clock);
        self.take_intents(state.status, state.left);
        if join && self.ignore_old {
            self.event_floor = self.event_floor.max(state.event_ltime);
        }
        for (_, moment) in state.events.iter() {
            for happening in &moment.events {
                let (name, payload) = (happening.name.clone(), happening.payload.clone());
                let ltime = moment.ltime;
                self.hears_event(&UserEvent { ltime, name, payload, coalesce: false });
            }
        }
    }

    fn follow(&mut self, ltime: LTime, clock: impl Fn(&mut Self) -> &mut Clock) {
        if clock(self).follow(ltime) == Err(Leapt) {
            self.counters.leaps += 1;
        }
    }

    /// Those who left first: what the others intend moves the clock.
    fn take_intents(&mut self, mut status: Vec<(Name, LTime)>, mut left: Vec<Name>) {
        status.sort_unstable();
        left.sort_unstable();
        for node in &left {
            let at = status.partition_point(|(name, _)| name < node);
            let told = status.get(at).filter(|(name, _)| name == node);
            let ltime = told.map_or(LTime(0), |(_, ltime)| *ltime);
            self.take_leave(node, ltime);
        }
        let own = self.roster.row(&self.name).map_or(LTime(0), |row| row.ltime);
        let mut contested = false;
        for (node, ltime) in status {
            if left.binary_search(&node).is_err() {
                contested |= node == self.name && ltime > own;
                self.hears_join(&Join { ltime, node });
            }
        }
        // Somebody else said that it was going, or a former life did: those who heard that and
        // nothing since take it for leaving, and no exchange tells them otherwise.
        if contested && !self.leaving.is_going() {
            self.say_joined();
        }
    }

    /// Somebody has left, says who knew it at this time.
    fn take_leave(&mut self, node: &Name, ltime: LTime) {
        let leaving = match self.roster.row(node) {
            // No news. Both sides end at one time, and do not drive each other on.
            Some(row) if row.status == Status::Left => LTime(ltime.0.max(row.ltime.0)),
            // It left after what it intended last, so one more than that time.
            Some(_) | None => LTime(ltime.0.saturating_add(1)),
        };
        self.hears_leave(&Leave { ltime: leaving, node: node.clone(), prune: false });
    }
}
