//! Going: first what this member intends, then its farewell, then a while for others to pass it on.
//!
//! A member that only said farewell would be taken for one that failed: peers look at the intent.
//! One whose name is another's, or may be, goes without a word (`conflict`).

use super::message::{Leave, Message, Status};
use super::output::{Event, Output};
use super::{Purpose, Serf, encoded};
use crate::Time;
use crate::mutant::{Mutant, planted};
use crate::swim;
use crate::swim::message::State;
use crate::swim::{Lane, Tag};

/// How far a member has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Leaving {
    /// It stays.
    No,
    /// It says that it wants to go, until then.
    Intending(Time),
    /// It says farewell, as SWIM has it.
    Parting,
    /// It has, and waits.
    Lingering { until: Time, told: bool },
    /// It may end.
    Gone,
    /// It may end, and says and hears nothing more: its name is not its own.
    Silent,
}

impl Leaving {
    pub(super) fn is_going(self) -> bool {
        self != Self::No
    }

    pub(super) const fn timeout(self) -> Option<Time> {
        match self {
            Self::Intending(until) | Self::Lingering { until, .. } => Some(until),
            Self::No | Self::Parting | Self::Gone | Self::Silent => None,
        }
    }
}

impl Serf {
    pub(super) fn on_leave(&mut self) {
        if self.leaving.is_going() {
            return;
        }
        if !self.may_say_farewell() {
            self.leaving = Leaving::Silent;
            self.outbox.push_back(Output::Gone { told: false });
            return;
        }
        let patience = self.config.broadcast_timeout;
        self.leaving = Leaving::Intending(self.now + patience);
        let leave = Leave { ltime: self.clock.time(), node: self.name.clone(), prune: false };
        self.hears_leave(&leave);
        if !self.has_company() || planted(Mutant::S12) {
            return self.part();
        }
        let tag = self.tag(Purpose::Farewell);
        let message = encoded(&Message::Leave(leave));
        self.broadcast(Lane::Intent, Some(self.name.clone()), Some(tag), message);
    }

    /// Whether anybody is there to be told.
    fn has_company(&self) -> bool {
        self.swim.members().any(|member| {
            let here = matches!(member.state, State::Alive | State::Suspect);
            here && member.facts.name != self.name
        })
    }

    /// A message was sent as often as is enough, or is void.
    pub(super) fn on_sent(&mut self, tag: Tag) {
        let purpose = self.purposes.remove(&tag);
        if purpose == Some(Purpose::Farewell) && matches!(self.leaving, Leaving::Intending(_)) {
            self.part();
        }
    }

    fn part(&mut self) {
        self.leaving = Leaving::Parting;
        self.errand(swim::Input::Leave { patience: self.config.broadcast_timeout });
    }

    /// SWIM has said farewell.
    pub(super) fn on_farewell(&mut self, told: bool) {
        let name = self.name.clone();
        self.roster.put_status(&name, Status::Left, self.now);
        self.tell(Event::Left(self.own().clone()));
        if self.has_company() {
            let until = self.now + self.config.leave_propagate;
            self.leaving = Leaving::Lingering { until, told };
        } else {
            self.gone(told);
        }
    }

    pub(super) fn on_leave_timeout(&mut self) {
        if self.leaving.timeout().is_none_or(|until| self.now < until) {
            return;
        }
        match self.leaving {
            Leaving::Intending(_) => self.part(),
            Leaving::Lingering { told, .. } => self.gone(told),
            Leaving::No | Leaving::Parting | Leaving::Gone | Leaving::Silent => {}
        }
    }

    fn gone(&mut self, told: bool) {
        self.leaving = Leaving::Gone;
        self.outbox.push_back(Output::Gone { told });
    }
}
