//! Going, and saying so.
//!
//! A member that leaves calls itself dead: only it can do that, so who hears it knows that nothing
//! has failed. The message is passed on like any other, and leaving ends when it was sent as often
//! as is enough. The member goes on answering until its driver drops it, and helps to spread the
//! news; it does not come back (a new one under its name does).

use core::time::Duration;

use super::message::{Dead, Message, Name, State};
use super::output::Output;
use super::queue::Tag;
use super::{SELF, Swim};
use crate::Time;
use crate::mutant::{Mutant, planted};

/// The tag of this member's own farewell; drivers' tags are others' affair.
const FAREWELL: Tag = Tag(u64::MAX);

/// How far a member has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Leaving {
    /// It stays.
    No,
    /// It says so until then.
    Until(Time),
    /// It has said so.
    Gone,
}

impl Swim {
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving != Leaving::No
    }

    pub(super) fn on_leave(&mut self, patience: Duration) {
        if self.is_leaving() {
            return;
        }
        let here = self.table.count(State::Alive) + self.table.count(State::Suspect);
        self.table.put(SELF, self.incarnation, State::Left, self.moment());
        if here <= 1 {
            // Nobody to tell.
            return self.gone(true);
        }
        self.leaving = Leaving::Until(self.now + patience);
        let node = self.name().clone();
        let from = if planted(Mutant::S9) { Name::default() } else { node.clone() };
        let dead = Dead { incarnation: self.incarnation, node: node.clone(), from };
        self.pass_on_tagged(Message::Dead(dead), node, FAREWELL);
    }

    /// Whether this tag is that of the farewell; if so, it was said often enough.
    pub(super) fn is_own_leave(&mut self, tag: Tag) -> bool {
        let own = tag == FAREWELL && self.is_leaving();
        if own && self.leaving != Leaving::Gone {
            self.gone(true);
        }
        own
    }

    pub(super) fn leave_timeout(&self) -> Option<Time> {
        match self.leaving {
            Leaving::Until(until) => Some(until),
            Leaving::No | Leaving::Gone => None,
        }
    }

    /// Its patience is at an end.
    pub(super) fn on_leave_timeout(&mut self) {
        if self.leave_timeout().is_some_and(|until| self.now >= until) {
            self.gone(false);
        }
    }

    fn gone(&mut self, told: bool) {
        self.leaving = Leaving::Gone;
        self.outbox.push_back(Output::Gone { told });
    }
}
