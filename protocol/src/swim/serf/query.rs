//! Queries of others: who is to answer, and until when.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use bytes::Bytes;
use regex::bytes::{Regex, RegexBuilder};

use super::Serf;
use super::clock::Leapt;
use super::filter::Filter;
use super::input::QueryId;
use super::message::{Query, Response};
use super::output::Event;
use super::ring::Heard;
use super::tags::Tags;
use crate::Time;
use crate::mutant::{Mutant, planted};
use crate::swim::message::Name;
use crate::swim::{Address, Lane};

/// Names of queries that begin so are Serf's own.
pub(super) const INTERNAL: &[u8] = b"_serf_";
/// The longest that anybody's query may wait here, whatever it says.
const LONGEST: Duration = Duration::from_secs(3600);
/// What a regular expression of a filter may take when it is compiled, and how deep it may nest.
const EXPRESSION_BYTES: usize = 1 << 16;
const EXPRESSION_DEPTH: u32 = 32;

/// A query that waits for an answer of this member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Waiting {
    pub(super) to: Address,
    pub(super) source: Name,
    pub(super) relay_factor: u8,
    pub(super) deadline: Time,
}

/// Queries that wait for an answer of this member.
///
/// - There are at most `most`, and `deadlines` has each once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Queries {
    waiting: BTreeMap<QueryId, Waiting>,
    deadlines: BTreeSet<(Time, QueryId)>,
    most: usize,
}

impl Queries {
    pub(super) const fn new(most: usize) -> Self {
        Self { waiting: BTreeMap::new(), deadlines: BTreeSet::new(), most }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn timeout(&self) -> Option<Time> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Says whether there is room for it.
    fn put(&mut self, id: QueryId, waiting: Waiting) -> bool {
        if self.waiting.len() >= self.most {
            return false;
        }
        self.deadlines.insert((waiting.deadline, id));
        self.waiting.insert(id, waiting);
        true
    }

    /// Each is answered once.
    pub(super) fn take(&mut self, id: QueryId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        self.deadlines.remove(&(waiting.deadline, id));
        Some(waiting)
    }
}

impl Filter {
    /// Whether it lets a member of this name and these tags through. A tag that is not there is
    /// empty, and an expression that is none lets nobody through.
    #[must_use]
    pub fn admits(&self, name: &Name, tags: &Tags) -> bool {
        match self {
            Self::Nodes(names) => names.contains(name),
            Self::Tag { tag, expression } => {
                let value = tags.0.get(tag).map_or(&[][..], |value| value);
                compile(expression).is_some_and(|expression| expression.is_match(value))
            }
        }
    }

    /// Whether it can be applied.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Nodes(_) => true,
            Self::Tag { expression, .. } => compile(expression).is_some(),
        }
    }
}

/// Classes are those of ASCII, as in RE2.
fn compile(expression: &Bytes) -> Option<Regex> {
    let mut builder = RegexBuilder::new(core::str::from_utf8(expression).ok()?);
    builder.unicode(false).size_limit(EXPRESSION_BYTES).nest_limit(EXPRESSION_DEPTH).build().ok()
}

impl Serf {
    pub(super) fn on_query(&mut self, query: Query, bytes: &Bytes) {
        if self.hears_query(query) {
            self.broadcast(Lane::Query, None, None, Bytes::copy_from_slice(bytes));
        }
    }

    /// Answers a query or has it answered. Says whether it is to be passed on.
    pub(super) fn hears_query(&mut self, query: Query) -> bool {
        if self.query_clock.witness(query.ltime) == Err(Leapt) {
            self.counters.leaps += 1;
            return false;
        }
        match self.seen_queries.hear(query.ltime, query.id, self.query_clock.time()) {
            Heard::New => {}
            Heard::Again if planted(Mutant::S16) => {}
            Heard::Again => {
                self.counters.queries_again += 1;
                return false;
            }
            Heard::Old => {
                self.counters.queries_old += 1;
                return false;
            }
            Heard::Full => {
                self.counters.queries_dropped += 1;
                return false;
            }
        }
        self.counters.queries += 1;
        let pass_on = query.flags & Query::NO_BROADCAST == 0;
        if self.is_meant(&query) || planted(Mutant::S17) {
            self.take_query(query);
        } else {
            self.counters.queries_filtered += 1;
        }
        pass_on
    }

    fn is_meant(&self, query: &Query) -> bool {
        if query.filters.is_empty() {
            return true;
        }
        let tags = Tags::decode(&self.own().meta).unwrap_or_default();
        query.filters.iter().all(|filter| {
            Filter::decode(filter).is_ok_and(|filter| filter.admits(&self.name, &tags))
        })
    }

    fn take_query(&mut self, query: Query) {
        let id = QueryId { ltime: query.ltime, id: query.id };
        let nanos = u64::try_from(query.timeout_ns).unwrap_or(0);
        let waiting = Waiting {
            to: Address { addr: query.addr, port: query.port },
            source: query.source.detach(),
            relay_factor: query.relay_factor,
            deadline: self.now + Duration::from_nanos(nanos).min(LONGEST),
        };
        if query.flags & Query::ACK != 0 {
            self.answer(id, &waiting, Response::ACK, Bytes::new());
        }
        if let Some(topic) = query.name.strip_prefix(INTERNAL) {
            return self.on_internal(id, waiting, topic, &query.payload);
        }
        let deadline = waiting.deadline;
        let source = waiting.source.clone();
        if !self.queries.put(id, waiting) {
            self.counters.queries_dropped += 1;
            return;
        }
        let name = Bytes::copy_from_slice(&query.name);
        let payload = Bytes::copy_from_slice(&query.payload);
        self.tell(Event::Query { id, source, name, payload, deadline });
    }

    /// Lets a query wait for the keyring. Says whether there is room.
    pub(super) fn await_keys(&mut self, id: QueryId, waiting: Waiting) -> bool {
        let room = self.queries.put(id, waiting);
        self.counters.queries_dropped += u64::from(!room);
        room
    }

    /// Their time is over.
    pub(super) fn end_queries(&mut self) {
        while self.queries.timeout().is_some_and(|at| at <= self.now) {
            let Some((_, id)) = self.queries.deadlines.pop_first() else { break };
            self.queries.waiting.remove(&id);
        }
    }
}
