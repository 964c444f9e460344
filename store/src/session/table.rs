//! All sessions, their answers and their time.
//!
//! - every answer's number is above its session's floor, and there are at most a window of them;
//! - a session stands in `idle` under the clock of its last use, and nowhere else;
//! - `bytes` is what the contents of all answers take;
//! - `sum` has one point for each session and one for each answer ([`crate::equality`]).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;
use protocol::mutant::{Mutant, planted};

use super::{ClientId, SessionLimits, Stamp};
use crate::Error;
use crate::equality::mix;

/// What a write was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The revision (main) of its header.
    pub(crate) revision: i64,
    /// The outcome, encoded; `None` when there was no room for it.
    told: Option<Bytes>,
    /// The checksum of what is told.
    crc: u32,
}

impl Answer {
    pub(crate) fn new(revision: i64, told: Option<Bytes>) -> Self {
        let crc = told.as_ref().map_or(0, |told| crc32fast::hash(told));
        Self { revision, told, crc }
    }

    pub(crate) const fn told(&self) -> Option<&Bytes> {
        self.told.as_ref()
    }

    /// Its content has no room.
    fn forget(&mut self) {
        self.told = None;
        self.crc = 0;
    }

    /// What it adds to the sum.
    fn point(&self, client: u64, number: u64) -> u64 {
        let content = u64::from(self.told.is_some()) << 32 | u64::from(self.crc);
        mix(mix(mix(client, number), self.revision.cast_unsigned()), content)
    }

    fn bytes(&self) -> usize {
        self.told.as_ref().map_or(0, Bytes::len)
    }
}

/// A session as it is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) floor: u64,
    pub(crate) used_ms: u64,
    /// By number, ascending.
    pub(crate) answers: Vec<(u64, Answer)>,
}

/// One client.
#[derive(Clone, Debug, Default)]
struct Session {
    /// The client's name, mixed.
    client: u64,
    /// Numbers up to and including this one are refused.
    floor: u64,
    /// The clock when it was last used.
    used_ms: u64,
    answers: BTreeMap<u64, Answer>,
    /// What the answers take.
    bytes: usize,
    /// The points of the answers.
    sum: u64,
}

/// What is known of a stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing: it is to be carried out.
    Nothing,
    /// It was carried out, and answered so.
    Answer(Answer),
    /// It must not be carried out, or cannot be remembered.
    Refused(Error),
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    sessions: BTreeMap<ClientId, Session>,
    idle: BTreeSet<(u64, ClientId)>,
    bytes: usize,
    sum: u64,
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Bytes of all answers.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// One number for all sessions and answers.
    pub(crate) const fn sum(&self) -> u64 {
        self.sum
    }

    /// The same, reckoned anew.
    pub(crate) fn sum_anew(&self) -> u64 {
        let sums = self.sessions.iter().map(|(client, session)| {
            let client = mixed(*client);
            let answers = session.answers.iter().map(|(number, it)| it.point(client, *number));
            answers.fold(mix(mix(client, session.floor), session.used_ms), u64::wrapping_add)
        });
        sums.fold(0, u64::wrapping_add)
    }

    /// Changes a session, and what all of them share with it.
    fn change<T>(&mut self, client: ClientId, change: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let session = self.sessions.get_mut(&client)?;
        let (bytes, point) = (session.bytes, session.point());
        let outcome = change(session);
        self.bytes = self.bytes - bytes + session.bytes;
        self.sum = self.sum.wrapping_sub(point).wrapping_add(session.point());
        Some(outcome)
    }

    /// What is known of a stamp at this clock. Changes nothing.
    pub(crate) fn find(&self, stamp: &Stamp, clock_ms: u64, limits: &SessionLimits) -> Found {
        let Some(session) = self.sessions.get(&stamp.client) else {
            if stamp.oldest > 1 {
                return Found::Refused(Error::SessionUnknown);
            }
            let full = self.sessions.len() >= limits.clients;
            return match self.idle.first() {
                Some((used_ms, _))
                    if full && used_ms.saturating_add(limits.keep_min_ms) > clock_ms =>
                {
                    Found::Refused(Error::TooManySessions)
                }
                Some(_) | None => Found::Nothing,
            };
        };
        if stamp.sequence <= session.floor && !planted(Mutant::X2) {
            return Found::Refused(Error::StampForgotten);
        }
        session.answers.get(&stamp.sequence).cloned().map_or(Found::Nothing, Found::Answer)
    }

    /// The client of a stamp that was not refused is here now, and has done with what it says it
    /// has. A client that had to make room is given back.
    pub(crate) fn touch(
        &mut self,
        stamp: &Stamp,
        clock_ms: u64,
        limits: &SessionLimits,
    ) -> Option<ClientId> {
        let mut gone = None;
        if !self.sessions.contains_key(&stamp.client) && self.sessions.len() >= limits.clients {
            gone = self.idle.first().map(|(_, client)| *client);
            gone.iter().for_each(|client| self.end(*client));
        }
        if !self.sessions.contains_key(&stamp.client) {
            self.begin(stamp.client, Session::new(stamp.client));
        }
        let idle = &mut self.idle;
        let used = self.sessions.get(&stamp.client).map_or(clock_ms, |it| it.used_ms);
        idle.remove(&(used, stamp.client));
        idle.insert((clock_ms, stamp.client));
        self.change(stamp.client, |session| {
            session.used_ms = clock_ms;
            session.raise(stamp.oldest - 1);
        });
        gone
    }

    /// The answer of a stamp that was carried out.
    pub(crate) fn remember(&mut self, stamp: &Stamp, mut answer: Answer, limits: &SessionLimits) {
        let others = self.bytes - self.sessions.get(&stamp.client).map_or(0, |it| it.bytes);
        self.change(stamp.client, |session| {
            let full = session.answers.len() >= limits.window.max(1);
            let lowest = session.answers.first_key_value().map(|(number, _)| *number);
            if full && lowest.is_some_and(|lowest| stamp.sequence < lowest) {
                // The window keeps the highest numbers, and this one came too late for it.
                return session.raise(stamp.sequence);
            }
            session.make_room(answer.bytes(), limits);
            let bytes = session.bytes + answer.bytes();
            if bytes > limits.client_bytes || others + bytes > limits.total_bytes {
                answer.forget();
            }
            session.put(stamp.sequence, answer);
        });
    }

    /// Ends sessions that have been idle for too long, at most so many.
    pub(crate) fn expire(
        &mut self,
        clock_ms: u64,
        limits: &SessionLimits,
        most: usize,
    ) -> Vec<ClientId> {
        let over =
            |(used_ms, _): &&(u64, ClientId)| used_ms.saturating_add(limits.keep_ms) <= clock_ms;
        let over: Vec<ClientId> =
            self.idle.iter().take_while(over).take(most).map(|(_, client)| *client).collect();
        over.iter().for_each(|client| self.end(*client));
        over
    }

    fn end(&mut self, client: ClientId) {
        let Some(session) = self.sessions.remove(&client) else { return };
        self.idle.remove(&(session.used_ms, client));
        self.bytes -= session.bytes;
        self.sum = self.sum.wrapping_sub(session.point());
    }

    fn begin(&mut self, client: ClientId, session: Session) {
        self.idle.insert((session.used_ms, client));
        self.bytes += session.bytes;
        self.sum = self.sum.wrapping_add(session.point());
        self.sessions.insert(client, session);
    }

    /// What must be kept of a session; `None` when there is none.
    pub(crate) fn kept(&self, client: ClientId) -> Option<Kept> {
        let session = self.sessions.get(&client)?;
        let answers = session.answers.iter().map(|(number, it)| (*number, it.clone())).collect();
        Some(Kept { floor: session.floor, used_ms: session.used_ms, answers })
    }

    /// A session as it was kept.
    pub(crate) fn restore(&mut self, client: ClientId, kept: Kept) {
        let Kept { floor, used_ms, answers } = kept;
        let mut session = Session { floor, used_ms, ..Session::new(client) };
        answers.into_iter().for_each(|(number, answer)| session.put(number, answer));
        self.begin(client, session);
    }
}

/// A client's name as one word.
fn mixed(client: ClientId) -> u64 {
    client.0.into_iter().fold(0, |mixed, byte| mix(mixed, u64::from(byte)))
}

impl Session {
    fn new(client: ClientId) -> Self {
        Self { client: mixed(client), ..Self::default() }
    }

    /// What it adds to the sum, with its answers.
    const fn point(&self) -> u64 {
        mix(mix(self.client, self.floor), self.used_ms).wrapping_add(self.sum)
    }

    fn count(&mut self, number: u64, answer: &Answer) {
        self.bytes += answer.bytes();
        self.sum = self.sum.wrapping_add(answer.point(self.client, number));
    }

    fn discount(&mut self, number: u64, answer: &Answer) {
        self.bytes -= answer.bytes();
        self.sum = self.sum.wrapping_sub(answer.point(self.client, number));
    }

    fn put(&mut self, number: u64, answer: Answer) {
        self.count(number, &answer);
        if let Some(before) = self.answers.insert(number, answer) {
            self.discount(number, &before);
        }
    }

    /// The client has no more use for numbers up to this one.
    fn raise(&mut self, floor: u64) {
        if floor <= self.floor {
            return;
        }
        self.floor = floor;
        let kept = self.answers.split_off(&(floor + 1));
        for (number, answer) in core::mem::replace(&mut self.answers, kept) {
            self.discount(number, &answer);
        }
    }

    /// Makes room for one more answer of so many bytes.
    fn make_room(&mut self, bytes: usize, limits: &SessionLimits) {
        while self.answers.len() >= limits.window.max(1) {
            let Some((number, _)) = self.answers.first_key_value() else { break };
            self.raise(*number);
        }
        let mut next = 0;
        while self.bytes + bytes > limits.client_bytes && bytes <= limits.client_bytes {
            let full = |(_, answer): &(&u64, &Answer)| answer.bytes() > 0;
            let Some((&number, _)) = self.answers.range(next..).find(full) else { break };
            let Some(mut answer) = self.answers.remove(&number) else { break };
            self.discount(number, &answer);
            answer.forget();
            self.put(number, answer);
            next = number + 1;
        }
    }
}
