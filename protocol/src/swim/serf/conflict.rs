//! Two members of one name: the others vote whose it is.
//!
//! A member that hears of another one with its name asks everybody whom they know under it. Who
//! has the name knows itself and does not answer. When more than half of the answers name the own
//! address, or nobody answers, the name is its own; otherwise it is the other one's.
//!
//! Whoever has lost its name falls silent: whatever it said under that name, and its farewell above
//! all, the pool would take for the word of the one whose name it is. It takes nothing in any more,
//! and should end. For the same reason a member that is to go while the others vote says so only if
//! the answers so far give it the name.

use alloc::sync::Arc;

use bytes::Bytes;

use super::ask::Asker;
use super::input::QueryId;
use super::leave::Leaving;
use super::message::{Member, Message, Status};
use super::output::{Event, Output};
use super::query::Waiting;
use super::tags::Tags;
use super::{Serf, decode, encoded};
use crate::swim::message::{Facts, Name};
use crate::swim::{Address, message::Vsn};

/// Answers so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Vote {
    own: Address,
    other: Address,
    matching: usize,
    responses: usize,
}

impl Vote {
    /// Somebody says who bears the name.
    pub(super) fn count(&mut self, payload: &Bytes) {
        let Ok(Message::Conflict(Some(member))) = decode(payload) else { return };
        self.responses += 1;
        self.matching += usize::from(member.addr == self.own.addr && member.port == self.own.port);
    }

    fn has_majority(&self) -> bool {
        self.matching > self.responses / 2
    }
}

impl Serf {
    /// SWIM has heard of two members of one name.
    pub(super) fn on_conflict(&mut self, held: Arc<Facts>, other: Arc<Facts>) {
        let own = (held.name == self.name).then(|| Address::of(&held));
        let place = Address::of(&other);
        self.tell(Event::Conflict { held, other });
        let Some(own) = own else { return };
        if self.leaving.is_going() || !self.config.resolve_conflicts || self.is_voting() {
            return;
        }
        let name = Bytes::from_static(b"_serf_conflict");
        let query = self.query(name, self.name.bytes().clone(), Default::default(), 0, 0, None);
        // A name too long to be asked for, or too many questions: the operator knows of the
        // conflict all the same.
        let vote = Vote { own, other: place, matching: 0, responses: 0 };
        if let Ok(query) = self.ask(Asker::Conflict(vote), query) {
            self.hears_query(query);
        }
    }

    /// The time for answers is over.
    pub(super) fn on_vote(&mut self, vote: &Vote) {
        let (matching, responses) = (vote.matching, vote.responses);
        let kept = responses == 0 || vote.has_majority();
        self.tell(Event::ConflictVote { matching, responses, kept });
        if !kept {
            self.leaving = Leaving::Silent;
            self.outbox.push_back(Output::NameLost { to: vote.other });
        }
    }

    /// This member goes. Says whether it may say so: not while its name may be another's.
    pub(super) fn may_say_farewell(&mut self) -> bool {
        self.end_vote().is_none_or(|vote| vote.has_majority())
    }

    /// Somebody asks who bears a name.
    pub(super) fn on_conflict_query(&mut self, id: QueryId, waiting: &Waiting, payload: &Bytes) {
        let name = Name::from(payload.clone());
        // Both bearers of the name know it to be their own.
        if name == self.name {
            return;
        }
        let member = self.wire_member(&name);
        let answer = encoded(&Message::Conflict(member));
        if self.answer_len(id, answer.clone()) <= self.config.response_bytes {
            self.answer(id, waiting, 0, answer);
        }
    }

    fn wire_member(&self, name: &Name) -> Option<Member> {
        let facts = self.roster.facts(name)?;
        let Vsn([least, most, now, delegate_least, delegate_most, delegate]) = facts.vsn;
        Some(Member {
            name: facts.name.clone(),
            addr: facts.addr,
            port: facts.port,
            tags: Tags::decode(&facts.meta).unwrap_or_default(),
            status: self.roster.row(name).map_or(Status::None, |row| row.status),
            protocol: [least, most, now],
            delegate: [delegate_least, delegate_most, delegate],
        })
    }
}
