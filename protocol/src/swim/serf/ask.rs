//! Queries of this member's own: what is asked, and who has answered.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::conflict::Vote;
use super::filter::Filter;
use super::input::{KeyOperation, QueryId, Question, Topic};
use super::message::{KeyRequest, Message, Query, Response};
use super::output::{Output, RequestError};
use super::query::INTERNAL;
use super::{Serf, encoded, encoded_len};
use crate::Time;
use crate::mutant::{Mutant, planted};
use crate::swim::message::Name;
use crate::swim::{Lane, Tag, retransmit_limit};

/// A query takes as long as so many periods of gossip, times the logarithm of the pool.
const TIMEOUT_MULTIPLIER: u32 = 16;

/// For whom something is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asker {
    /// The driver.
    Driver(Tag),
    /// This member, about its name.
    Conflict(Vote),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Open {
    asker: Asker,
    acked: BTreeSet<Name>,
    answered: BTreeSet<Name>,
    deadline: Time,
}

/// Own queries that are open.
///
/// - `deadlines` has each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Questions {
    open: BTreeMap<QueryId, Open>,
    deadlines: BTreeSet<(Time, QueryId)>,
}

impl Questions {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        self.deadlines.first().map(|&(at, _)| at)
    }
}

impl Serf {
    pub(super) fn on_ask(&mut self, tag: Tag, question: Question) {
        let asked = self.check_question(&question).and_then(|()| {
            let Question { topic, filters, ack, relay_factor, timeout } = question;
            let (name, payload) = topic.wire();
            let filters = filters.iter().map(Filter::encode).collect();
            let flags = if ack { Query::ACK } else { 0 };
            let query = self.query(name, payload, filters, flags, relay_factor, timeout);
            self.ask(Asker::Driver(tag), query)
        });
        match asked {
            Ok(query) => {
                self.done(tag, Ok(()));
                self.hears_query(query);
            }
            Err(error) => self.done(tag, Err(error)),
        }
    }

    fn check_question(&self, question: &Question) -> Result<(), RequestError> {
        if let Topic::Named { name, .. } = &question.topic
            && name.starts_with(INTERNAL)
        {
            return Err(RequestError::Reserved);
        }
        if !question.filters.iter().all(Filter::is_valid) {
            return Err(RequestError::Expression);
        }
        Ok(())
    }

    pub(super) fn query(
        &mut self,
        name: Bytes,
        payload: Bytes,
        filters: Vec<Bytes>,
        flags: u32,
        relay_factor: u8,
        timeout: Option<Duration>,
    ) -> Query {
        let timeout = timeout.unwrap_or_else(|| self.query_timeout());
        let own = self.own();
        let (addr, port) = (own.addr, own.port);
        let id = u32::try_from(self.rng.next() >> 32).expect("invariant: shifted");
        Query {
            ltime: self.query_clock.time(),
            id,
            addr,
            port,
            source: self.name.clone(),
            filters,
            flags,
            relay_factor,
            timeout_ns: i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX),
            name,
            payload,
        }
    }

    /// As long as a question takes to reach everybody, with room for the answers.
    fn query_timeout(&self) -> Duration {
        let periods = retransmit_limit(self.roster.len(), TIMEOUT_MULTIPLIER);
        self.config.swim.gossip_interval.saturating_mul(periods)
    }

    /// Asks everybody; this member itself is to be asked by who calls.
    pub(super) fn ask(&mut self, asker: Asker, query: Query) -> Result<Query, RequestError> {
        let message = Message::Query(query.clone());
        let (bytes, most) =
            (encoded_len(&message), self.config.query_bytes.min(self.packet_room()));
        if bytes > most {
            return Err(RequestError::QueryTooLong { bytes, most });
        }
        let open = self.questions.open.len();
        if open >= self.config.questions {
            return Err(RequestError::Busy { open });
        }
        let nanos = u64::try_from(query.timeout_ns).unwrap_or(0);
        let deadline = self.now + Duration::from_nanos(nanos);
        let id = QueryId { ltime: query.ltime, id: query.id };
        let (acked, answered) = (BTreeSet::new(), BTreeSet::new());
        self.questions.open.insert(id, Open { asker, acked, answered, deadline });
        self.questions.deadlines.insert((deadline, id));
        self.broadcast(Lane::Query, None, None, encoded(&message));
        Ok(query)
    }

    /// Somebody answers something.
    pub(super) fn on_response(&mut self, response: Response) {
        let id = QueryId { ltime: response.ltime, id: response.id };
        // Nobody answers for more than there are; a pool may be larger than is known here.
        let most = 2 * self.roster.len() + 64;
        let now = self.now;
        let open = self.questions.open.get_mut(&id).filter(|open| now < open.deadline);
        let Some(open) = open else {
            self.counters.responses_late += 1;
            return;
        };
        let ack = response.flags & Response::ACK != 0;
        let heard = if ack { &mut open.acked } else { &mut open.answered };
        let again = heard.contains(&response.from) && !planted(Mutant::S18);
        if again || heard.len() >= most {
            self.counters.responses_again += 1;
            return;
        }
        heard.insert(response.from.detach());
        self.counters.responses += 1;
        let (from, payload) = (response.from.detach(), Bytes::copy_from_slice(&response.payload));
        match &mut open.asker {
            Asker::Driver(tag) => {
                let tag = *tag;
                self.outbox.push_back(if ack {
                    Output::QueryAcked { tag, from }
                } else {
                    Output::QueryAnswered { tag, from, payload }
                });
            }
            Asker::Conflict(vote) => vote.count(&payload),
        }
    }

    /// Their time is over.
    pub(super) fn end_questions(&mut self) {
        while self.questions.timeout().is_some_and(|at| at <= self.now) {
            let Some((_, id)) = self.questions.deadlines.pop_first() else { break };
            match self.questions.open.remove(&id).map(|open| open.asker) {
                Some(Asker::Driver(tag)) => self.outbox.push_back(Output::QueryEnded { tag }),
                Some(Asker::Conflict(vote)) => self.on_vote(&vote),
                None => {}
            }
        }
    }

    /// The vote over the own name is over before its time.
    pub(super) fn end_vote(&mut self) -> Option<Vote> {
        let mut open = self.questions.open.iter();
        let voting = open.find(|(_, open)| matches!(open.asker, Asker::Conflict(_)));
        let (id, deadline) = voting.map(|(id, open)| (*id, open.deadline))?;
        self.questions.deadlines.remove(&(deadline, id));
        match self.questions.open.remove(&id)?.asker {
            Asker::Conflict(vote) => Some(vote),
            Asker::Driver(_) => None,
        }
    }

    pub(super) fn is_voting(&self) -> bool {
        self.questions.open.values().any(|open| matches!(open.asker, Asker::Conflict(_)))
    }
}

impl Topic {
    /// Name and payload, as they travel.
    fn wire(self) -> (Bytes, Bytes) {
        let (name, key) = match self {
            Self::Named { name, payload } => return (name, payload),
            Self::Ping => return (Bytes::from_static(b"_serf_ping"), Bytes::new()),
            Self::Keys(KeyOperation::Install(key)) => ("_serf_install-key", key),
            Self::Keys(KeyOperation::Use(key)) => ("_serf_use-key", key),
            Self::Keys(KeyOperation::Remove(key)) => ("_serf_remove-key", key),
            Self::Keys(KeyOperation::List) => ("_serf_list-keys", Bytes::new()),
        };
        let payload = encoded(&Message::KeyRequest(KeyRequest { key }));
        (Bytes::from_static(name.as_bytes()), payload)
    }
}
