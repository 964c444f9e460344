//! What comes round: forgetting who is gone for long, and looking whether somebody is back.

use alloc::vec::Vec;
use core::time::Duration;

use super::message::Status;
use super::{Purpose, Serf};
use crate::swim;
use crate::swim::Address;
use crate::swim::message::{Name, State};

impl Serf {
    /// Forgets those who are gone for long, and what nobody wanted to know.
    pub(super) fn reap(&mut self) {
        if self.now < self.reap_at {
            return;
        }
        self.reap_at = self.now + self.config.reap_interval;
        self.intents.forget(self.now, self.config.intent_timeout);
        let now = self.now;
        let (failed, left) = (self.config.reconnect_timeout, self.config.tombstone_timeout);
        let gone = self.roster.iter().filter(|(facts, row)| {
            let over = match row.status {
                Status::Failed => row.gone_for(now) > failed,
                Status::Left => row.gone_for(now) > left,
                Status::Alive | Status::Leaving | Status::None => false,
            };
            over && facts.name != self.name
        });
        let gone: Vec<Name> = gone.map(|(facts, _)| facts.name.clone()).collect();
        for name in gone {
            self.forget(&name);
        }
        self.forget_surplus();
        self.keep_the_overdue();
    }

    /// Whoever was to leave and is still there stays: it was sent away, and the answer was missed.
    fn keep_the_overdue(&mut self) {
        let (now, patience) = (self.now, self.config.leave_patience);
        let overdue = self.roster.iter().filter(|(facts, row)| {
            let late = row.status == Status::Leaving && row.gone_for(now) > patience;
            let swim = || self.swim.member(&facts.name).map(|member| member.state);
            late && facts.name != self.name && swim() == Some(State::Alive)
        });
        let overdue: Vec<Name> = overdue.map(|(facts, _)| facts.name.clone()).collect();
        for name in overdue {
            self.roster.put_prune(&name, false);
            self.roster.put_status(&name, Status::Alive, now);
        }
    }

    /// Of too many who are gone, forgets those who have been for longest.
    fn forget_surplus(&mut self) {
        let gone = self.roster.failed() + self.roster.left();
        let surplus = gone.saturating_sub(self.config.remembered);
        if surplus == 0 {
            return;
        }
        let now = self.now;
        let gone = self.roster.iter().filter(|(_, row)| row.is_gone());
        let mut ages: Vec<(Duration, Name)> =
            gone.map(|(facts, row)| (row.gone_for(now), facts.name.clone())).collect();
        ages.sort_unstable_by(|one, other| other.cmp(one));
        ages.truncate(surplus);
        for (_, name) in ages {
            if name != self.name {
                self.forget(&name);
            }
        }
    }

    /// Looks whether one of the failed is back. All members do, so each does it seldom: together
    /// they look for each of the failed once a period.
    pub(super) fn reconnect(&mut self) {
        if self.now < self.reconnect_at {
            return;
        }
        self.reconnect_at = self.now + self.config.reconnect_interval;
        let failed = self.roster.failed();
        if failed == 0 || self.leaving.is_going() {
            return;
        }
        let here = (self.roster.len() - failed - self.roster.left()).max(1);
        if self.below(here) >= failed {
            return;
        }
        let chosen = self.below(failed);
        let mut rows = self.roster.iter().filter(|(_, row)| row.status == Status::Failed);
        let to = rows.nth(chosen).map(|(facts, _)| Address::of(facts));
        drop(rows);
        let Some(to) = to else { return };
        self.counters.reconnects += 1;
        let tag = self.tag(Purpose::Reconnect);
        self.joining.push_back(false);
        self.errand(swim::Input::Join { tag, to });
    }
}
