//! All sessions, their answers and their time.
//!
//! - every answer's number is above its session's floor, and there are at most a window of them;
//! - a session stands in `idle` under the clock of its last use, and nowhere else;
//! - `bytes` is what the contents of all answers take.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;
use protocol::mutant::{Mutant, planted};

use super::{ClientId, SessionLimits, Stamp};
use crate::Error;

/// What a write was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The revision (main) of its header.
    pub(crate) revision: i64,
    /// The outcome, encoded; `None` when there was no room for it.
    pub(crate) told: Option<Bytes>,
}

impl Answer {
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
    /// Numbers up to and including this one are refused.
    floor: u64,
    /// The clock when it was last used.
    used_ms: u64,
    answers: BTreeMap<u64, Answer>,
    bytes: usize,
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
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Bytes of all answers.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
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
        let session = self.sessions.entry(stamp.client).or_default();
        self.idle.remove(&(session.used_ms, stamp.client));
        session.used_ms = clock_ms;
        self.idle.insert((clock_ms, stamp.client));
        let done_with = stamp.oldest - 1;
        self.bytes -= session.raise(done_with);
        gone
    }

    /// The answer of a stamp that was carried out.
    pub(crate) fn remember(&mut self, stamp: &Stamp, mut answer: Answer, limits: &SessionLimits) {
        let Some(session) = self.sessions.get_mut(&stamp.client) else { return };
        let full = session.answers.len() >= limits.window.max(1);
        let lowest = session.answers.first_key_value().map(|(number, _)| *number);
        if full && lowest.is_some_and(|lowest| stamp.sequence < lowest) {
            // The window keeps the highest numbers, and this one came too late for it.
            self.bytes -= session.raise(stamp.sequence);
            return;
        }
        self.bytes -= session.make_room(answer.bytes(), limits);
        let room = session.bytes + answer.bytes() <= limits.client_bytes
            && self.bytes + answer.bytes() <= limits.total_bytes;
        if !room {
            answer.told = None;
        }
        session.bytes += answer.bytes();
        self.bytes += answer.bytes();
        session.answers.insert(stamp.sequence, answer);
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
        let answers: BTreeMap<u64, Answer> = answers.into_iter().collect();
        let bytes = answers.values().map(Answer::bytes).sum();
        self.bytes += bytes;
        self.idle.insert((used_ms, client));
        self.sessions.insert(client, Session { floor, used_ms, answers, bytes });
    }
}

impl Session {
    /// The client has no more use for numbers up to this one. Gives back how many bytes are freed.
    fn raise(&mut self, floor: u64) -> usize {
        if floor <= self.floor {
            return 0;
        }
        self.floor = floor;
        let kept = self.answers.split_off(&(floor + 1));
        let freed = core::mem::replace(&mut self.answers, kept).values().map(Answer::bytes).sum();
        self.bytes -= freed;
        freed
    }

    /// Makes room for one more answer of so many bytes. Gives back how many bytes are freed.
    fn make_room(&mut self, bytes: usize, limits: &SessionLimits) -> usize {
        let mut freed = 0;
        while self.answers.len() >= limits.window.max(1) {
            let Some((number, _)) = self.answers.first_key_value() else { break };
            freed += self.raise(*number);
        }
        for answer in self.answers.values_mut() {
            if self.bytes + bytes <= limits.client_bytes || bytes > limits.client_bytes {
                break;
            }
            let content = answer.bytes();
            answer.told = None;
            self.bytes -= content;
            freed += content;
        }
        freed
    }
}
