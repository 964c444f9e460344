//! Which numbered writes have been done, as one would note it without any thought of speed.
//!
//! The laws are those of `store::Stamp`: a number is done once; what is below a session's floor is
//! refused; a session ends when it was not used for long enough, and the clock is in the log.

use std::collections::BTreeSet;

use store::{ClientId, Error, SessionLimits, Stamp};

/// What a numbered write comes to at its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is done.
    First,
    /// It was done before, and is answered as it was then.
    Again,
    /// It is refused.
    Refused(Error),
}

#[derive(Clone, Debug)]
struct Session {
    client: ClientId,
    floor: u64,
    used_ms: u64,
    done: BTreeSet<u64>,
}

/// All sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    all: Vec<Session>,
    clock_ms: u64,
}

impl Sessions {
    /// The clock goes on; at most so many sessions end.
    pub(super) fn tick(&mut self, elapsed_ms: u32, limits: &SessionLimits, most: usize) {
        self.clock_ms += u64::from(elapsed_ms);
        self.all.sort_by_key(|session| (session.used_ms, session.client));
        let over = |session: &Session| session.used_ms + limits.keep_ms <= self.clock_ms;
        let over = self.all.iter().take(most).take_while(|session| over(session)).count();
        self.all.drain(..over);
    }

    /// A numbered write is carried out, or not.
    pub(super) fn write(&mut self, stamp: &Stamp, limits: &SessionLimits) -> Fate {
        let known = self.all.iter().position(|session| session.client == stamp.client());
        let place = match known {
            Some(place) => place,
            None if stamp.oldest() > 1 => return Fate::Refused(Error::SessionUnknown),
            None => {
                if self.all.len() >= limits.clients {
                    self.all.sort_by_key(|session| (session.used_ms, session.client));
                    if self.all[0].used_ms + limits.keep_min_ms > self.clock_ms {
                        return Fate::Refused(Error::TooManySessions);
                    }
                    self.all.remove(0);
                }
                let (client, used_ms) = (stamp.client(), self.clock_ms);
                self.all.push(Session { client, floor: 0, used_ms, done: BTreeSet::new() });
                self.all.len() - 1
            }
        };
        let session = &mut self.all[place];
        if stamp.sequence() <= session.floor {
            return Fate::Refused(Error::StampForgotten);
        }
        session.used_ms = self.clock_ms;
        session.floor = session.floor.max(stamp.oldest() - 1);
        if session.done.contains(&stamp.sequence()) {
            return Fate::Again;
        }
        // Of all that has been done, the answers of the highest numbers are kept.
        session.done.insert(stamp.sequence());
        let above = session.done.iter().filter(|done| **done > session.floor);
        let above: Vec<u64> = above.copied().collect();
        if above.len() > limits.window {
            session.floor = above[above.len() - limits.window - 1];
        }
        Fate::First
    }
}
