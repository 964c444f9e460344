//! Who is here: what SWIM believes, as Serf's layer calls it.

use alloc::sync::Arc;

use super::message::Status;
use super::output::{Event, Output, RequestError};
use super::{Purpose, Serf, Tags};
use crate::swim;
use crate::swim::message::{Facts, Name};
use crate::swim::{JoinError, Tag};

impl Serf {
    /// SWIM tells of somebody.
    pub(super) fn on_member_event(&mut self, event: swim::Event) {
        let event = match event {
            swim::Event::Joined(facts) => return self.on_there(&facts),
            swim::Event::Left(facts) => return self.on_gone(&facts, true),
            swim::Event::Failed(facts) => return self.on_gone(&facts, false),
            swim::Event::Updated(facts) => return self.on_updated(facts),
            swim::Event::Conflict { held, other } => return self.on_conflict(held, other),
            swim::Event::Suspected { member, by } => Event::Suspected { member, by },
            swim::Event::Refuted { incarnation } => Event::Refuted { incarnation },
            swim::Event::Refused { member, reason } => Event::Refused { member, reason },
            swim::Event::Link { member, link } => Event::Link { member, link },
            swim::Event::Stalled(time) => Event::Stalled(time),
        };
        self.tell(event);
    }

    /// Somebody is there, for the first time or again.
    fn on_there(&mut self, facts: &Arc<Facts>) {
        let name = &facts.name;
        let before = self.roster.row(name);
        self.roster.put_facts(facts.clone());
        self.roster.put_prune(name, false);
        let mut status = Status::Alive;
        match before {
            Some(row) => {
                let soon = row.gone_for(self.now) < self.config.flap_timeout;
                self.counters.flaps += u64::from(row.status == Status::Failed && soon);
            }
            // It may have said what it intends before anybody said that it is there.
            None => {
                if let Some(intent) = self.intents.take(name) {
                    self.roster.put_ltime(name, intent.ltime);
                    if intent.leaves {
                        status = Status::Leaving;
                    }
                }
            }
        }
        self.roster.put_status(name, status, self.now);
        self.tell(Event::Joined(facts.clone()));
    }

    /// Somebody is gone; `said` if it has said so itself.
    fn on_gone(&mut self, facts: &Arc<Facts>, said: bool) {
        let Some(row) = self.roster.row(&facts.name) else { return };
        match row.status {
            Status::Alive if !said => {
                self.roster.put_status(&facts.name, Status::Failed, self.now);
                self.tell(Event::Failed(facts.clone()));
            }
            Status::Alive | Status::Leaving => self.has_left(&facts.name),
            Status::Left | Status::Failed | Status::None => {}
        }
    }

    /// It has left, whoever said so.
    pub(super) fn has_left(&mut self, name: &Name) {
        let Some(facts) = self.roster.facts(name).cloned() else { return };
        let prune = self.roster.row(name).is_some_and(|row| row.prune);
        self.roster.put_prune(name, false);
        self.roster.put_status(name, Status::Left, self.now);
        self.tell(Event::Left(facts));
        if prune {
            self.forget(name);
        }
    }

    /// It is known no more.
    pub(super) fn forget(&mut self, name: &Name) {
        assert!(*name != self.name, "a member does not forget itself");
        if let Some(facts) = self.roster.remove(name) {
            self.counters.reaped += 1;
            self.tell(Event::Reaped(facts));
        }
    }

    fn on_updated(&mut self, facts: Arc<Facts>) {
        if self.roster.row(&facts.name).is_some() {
            self.roster.put_facts(facts.clone());
            self.tell(Event::Updated(facts));
        }
    }

    pub(super) fn on_set_tags(&mut self, tag: Tag, tags: &Tags) {
        let meta = tags.encode();
        let (bytes, most) = (meta.len(), self.config.swim.meta_bytes);
        if bytes > most {
            return self.done(tag, Err(RequestError::TagsTooLong { bytes, most }));
        }
        if self.leaving.is_going() {
            return self.done(tag, Err(RequestError::Leaving));
        }
        let facts = Arc::new(Facts { meta: meta.clone(), ..Facts::clone(self.own()) });
        self.errand(swim::Input::Update { meta });
        self.on_updated(facts);
        self.done(tag, Ok(()));
    }

    /// How an exchange went that was to join.
    pub(super) fn on_joined(&mut self, tag: Tag, result: Result<usize, JoinError>) {
        match self.purposes.remove(&tag) {
            Some(Purpose::Join(tag)) => {
                if result.is_ok() && !self.leaving.is_going() {
                    self.say_joined();
                }
                self.outbox.push_back(Output::Joined { tag, result });
            }
            Some(Purpose::Reconnect | Purpose::Farewell) | None => {}
        }
    }
}
