//! What a member looks like from outside.

use super::Serf;
use super::leave::Leaving;
use super::message::{LTime, Status};
use super::roster::Known;
use crate::swim::Swim;
use crate::swim::message::{Facts, Name};
use alloc::sync::Arc;

/// What Serf's layer has done since it began. Every number only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Messages that are none.
    pub malformed: u64,
    /// Messages of kinds that only later versions know.
    pub unknown: u64,
    /// Messages that have no business where they came: an answer for the keyring among gossip.
    pub misplaced: u64,
    /// Times that nobody can have told honestly.
    pub leaps: u64,
    /// Intents that told nothing new.
    pub intents_old: u64,
    /// Intents of somebody unknown that were dropped since there were too many.
    pub intents_dropped: u64,
    /// Intents to leave of this very member that it objected to.
    pub intents_refuted: u64,
    /// Events told of.
    pub events: u64,
    /// Events that came again.
    pub events_again: u64,
    /// Events that were too old to know whether they came before, or from before this member.
    pub events_old: u64,
    /// Events that were dropped since there were too many of one time, or of later ones.
    pub events_dropped: u64,
    /// Queries that arrived, the filtered included.
    pub queries: u64,
    /// Queries that came again.
    pub queries_again: u64,
    /// Queries that were too old to know whether they came before.
    pub queries_old: u64,
    /// Queries meant for others.
    pub queries_filtered: u64,
    /// Queries that were not answered since too many waited.
    pub queries_dropped: u64,
    /// Queries of Serf itself that this version does not know.
    pub queries_unknown: u64,
    /// Answers taken, arrivals included.
    pub responses: u64,
    /// Answers that came again, by a relay or doubled.
    pub responses_again: u64,
    /// Answers to no open question.
    pub responses_late: u64,
    /// Answers passed on for others.
    pub relayed: u64,
    /// Relays that were not passed on: they carried no answer.
    pub relays_refused: u64,
    /// Members that came back soon after they had failed.
    pub flaps: u64,
    /// Members forgotten.
    pub reaped: u64,
    /// Times that somebody who has failed was looked for.
    pub reconnects: u64,
}

/// A look at Serf's layer; that of SWIM is [`Swim::status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stats {
    /// Members known, in whatever status.
    pub members: usize,
    /// Of these the failed.
    pub failed: usize,
    /// And those that have left.
    pub left: usize,
    /// The clock of states.
    pub time: LTime,
    /// The clock of events.
    pub event_time: LTime,
    /// The clock of queries.
    pub query_time: LTime,
    /// Intents of members not known yet.
    pub intents: usize,
    /// Own queries that are open.
    pub questions: usize,
    /// Queries of others that wait for an answer.
    pub queries: usize,
    /// What was done.
    pub counters: Counters,
}

impl Serf {
    /// A look inside.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            members: self.roster.len(),
            failed: self.roster.failed(),
            left: self.roster.left(),
            time: self.clock.time(),
            event_time: self.event_clock.time(),
            query_time: self.query_clock.time(),
            intents: self.intents.len(),
            questions: self.questions.len(),
            queries: self.queries.len(),
            counters: self.counters,
        }
    }

    /// The member as SWIM has it.
    #[must_use]
    pub const fn swim(&self) -> &Swim {
        &self.swim
    }

    /// Everybody that is known, this member included, by name. Whoever is a suspect is alive here;
    /// [`Swim::member`] knows better.
    pub fn members(&self) -> impl Iterator<Item = Known> {
        self.roster.known()
    }

    /// What is known of one.
    #[must_use]
    pub fn member(&self, name: &Name) -> Option<Known> {
        let (facts, row) = (self.roster.facts(name)?.clone(), self.roster.row(name)?);
        Some(Known { facts, status: row.status, ltime: row.ltime })
    }

    /// This member's own facts.
    #[must_use]
    pub fn own(&self) -> &Arc<Facts> {
        self.roster.facts(&self.name).expect("invariant: the own row is always there")
    }

    /// Asserts what must be true between any two calls. It is for tests.
    pub fn assert_invariants(&self) {
        self.swim.assert_invariants();
        self.roster.assert_invariants();
        self.events.assert_invariants();
        assert!(self.intents.len() <= self.config.intents, "intents are bounded");
        assert!(self.questions.len() <= self.config.questions, "questions are bounded");
        assert!(self.queries.len() <= self.config.queries, "queries are bounded");
        assert!(self.errands.is_empty(), "nothing is left undone");
        let own = self.roster.row(&self.name).map(|row| row.status);
        let said = self.leaving.is_going() && self.leaving != Leaving::Silent;
        let fits = match own {
            Some(Status::Alive) => !said,
            Some(Status::Leaving | Status::Left) => said,
            Some(Status::None | Status::Failed) | None => false,
        };
        assert!(fits, "the own row is alive until this member says that it goes");
    }
}
