//! What a stamped command does: itself the first time, nothing but its first answer afterwards.

use super::Stamp;
use super::table::{Answer, Found};
use crate::codec::{read_answer, write_answer};
use crate::meta::Name;
use crate::store::Applied;
use crate::{Command, Error, Store};

impl Store {
    /// How many clients are remembered.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Bytes of the answers that are remembered.
    #[must_use]
    pub const fn session_bytes(&self) -> usize {
        self.sessions.bytes()
    }

    /// What is known of a stamp here and now.
    fn stamped(&self, stamp: &Stamp) -> Found {
        self.sessions.find(stamp, self.leases.clock_ms(), &self.limits.sessions)
    }

    /// Whether a command is to be carried out: it has no stamp, or one that is not known.
    pub(crate) fn is_first(&self, stamp: &Stamp) -> bool {
        self.stamped(stamp) == Found::Nothing
    }

    /// Carries a stamped command out, or finds what it was answered.
    pub(crate) fn apply_once(&mut self, stamp: &Stamp, command: &Command) -> Applied {
        let found = self.stamped(stamp);
        if let Found::Refused(error) = found {
            return Applied { revision: self.revision, outcome: Err(error) };
        }
        let limits = self.limits.sessions;
        let gone = self.sessions.touch(stamp, self.leases.clock_ms(), &limits);
        self.dirty.extend(gone.into_iter().chain([stamp.client]).map(Name::Session));
        if let Found::Answer(answer) = found {
            return recalled(answer);
        }
        let outcome = self.execute(command);
        let told = Some(write_answer(&outcome));
        let answer = Answer::new(self.revision, told);
        self.sessions.remember(stamp, answer, &limits);
        Applied { revision: self.revision, outcome }
    }

    /// Ends the sessions whose time is over.
    pub(crate) fn end_sessions(&mut self) {
        let (clock, most) = (self.leases.clock_ms(), self.limits.expiries_per_tick);
        let limits = self.limits.sessions;
        let ended = self.sessions.expire(clock, &limits, most);
        self.dirty.extend(ended.into_iter().map(Name::Session));
    }

    /// Whether a session is open: its time must go on.
    #[must_use]
    pub fn has_sessions(&self) -> bool {
        self.sessions.len() > 0
    }
}

fn recalled(answer: Answer) -> Applied {
    let outcome = match answer.told() {
        Some(bytes) => {
            read_answer(bytes.clone()).expect("invariant: it was encoded, or read, here")
        }
        None => Err(Error::AnswerForgotten),
    };
    Applied { revision: answer.revision, outcome }
}
