//! Numbers for writes, so that a server can tell a repeated one from a new one.
//!
//! A session is a client as the servers know it: a UUID drawn here, and a number for each write.
//! Servers remember the answers of the last [`WINDOW`] numbers, and forget a session that is not
//! used; so a session here never has more than that under way, and is given up long before it is
//! forgotten. A client with more writes under way has several sessions.
//!
//! Metadata that a server does not know it ignores, and it would do a repeated write twice. So
//! nothing is repeated before a server has said that it understands ([`UNDERSTOOD`]).

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// Numbers from the oldest one under way to the newest: as many answers as a server remembers.
const WINDOW: u64 = 128;
/// A session that was not used for so long is given up. Servers keep one for 30 s at least.
const IDLE: Duration = Duration::from_secs(15);
/// What a server's status says that understands numbers.
pub(crate) const UNDERSTOOD: &str = "conclave-request-ids";

/// The sessions of a client.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Mutex<Vec<Session>>,
    understood: AtomicBool,
}

#[derive(Debug)]
struct Session {
    client: MetadataValue<Ascii>,
    next: u64,
    under_way: BTreeSet<u64>,
    /// No further write begins in it.
    over: bool,
    /// A server has answered, and so knows it.
    known: bool,
    used: Instant,
}

/// The number of one write. Dropped, the write is over for this client and never sent again.
#[derive(Debug)]
pub(crate) struct Number {
    sessions: Arc<Sessions>,
    client: MetadataValue<Ascii>,
    sequence: u64,
}

impl Sessions {
    /// Whether a server has said that it understands.
    pub(crate) fn are_understood(&self) -> bool {
        self.understood.load(Ordering::Relaxed)
    }

    /// A server has said so.
    pub(crate) fn understood(&self) {
        self.understood.store(true, Ordering::Relaxed);
    }

    /// The number of a new write.
    pub(crate) fn begin(self: &Arc<Self>) -> Number {
        let now = Instant::now();
        let mut open = self.lock();
        open.retain(|session| {
            let fresh = !session.over && now.saturating_duration_since(session.used) < IDLE;
            fresh || !session.under_way.is_empty()
        });
        let place = open.iter().position(|session| session.has_room(now)).unwrap_or(open.len());
        if place == open.len() {
            open.push(Session::new(now));
        }
        let session = &mut open[place];
        let sequence = session.next;
        session.next += 1;
        session.used = now;
        session.under_way.insert(sequence);
        Number { sessions: Arc::clone(self), client: session.client.clone(), sequence }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Session>> {
        // Nothing can panic while the lock is held.
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Session {
    fn new(now: Instant) -> Session {
        let client = uuid().parse().expect("hexadecimal digits and hyphens are ASCII");
        let (next, under_way) = (1, BTreeSet::new());
        Session { client, next, under_way, over: false, known: false, used: now }
    }

    fn oldest(&self) -> u64 {
        self.under_way.first().copied().unwrap_or(self.next)
    }

    fn has_room(&self, now: Instant) -> bool {
        let idle = now.saturating_duration_since(self.used) >= IDLE;
        !self.over && !idle && self.next - self.oldest() < WINDOW
    }
}

impl Number {
    /// Writes the number into a request's metadata.
    pub(crate) fn write(&self, metadata: &mut MetadataMap) {
        let oldest = self.with(|session| {
            session.used = Instant::now();
            session.oldest()
        });
        metadata.insert("conclave-client", self.client.clone());
        metadata.insert("conclave-sequence", numeral(self.sequence));
        if let Some(oldest) = oldest.filter(|oldest| *oldest > 1) {
            metadata.insert("conclave-oldest", numeral(oldest));
        }
    }

    /// A server has answered the write: it knows the session.
    pub(crate) fn answered(&self) {
        self.with(|session| session.known = true);
    }

    /// The servers do not know the session any more: no further write begins in it.
    pub(crate) fn unknown(&self) {
        self.with(|session| session.over = true);
    }

    fn with<T>(&self, work: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut open = self.sessions.lock();
        open.iter_mut().find(|session| session.client == self.client).map(work)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        let sequence = self.sequence;
        self.with(|session| {
            session.under_way.remove(&sequence);
            // Numbers after this one say that it is done with, which a server that has never
            // heard of the session takes for a session that it has forgotten.
            session.over |= !session.known;
        });
    }
}

/// A number as metadata that differs each time and is not worth remembering in a header table.
fn numeral(number: u64) -> MetadataValue<Ascii> {
    let mut value = MetadataValue::from(number);
    value.set_sensitive(true);
    value
}

/// A random UUID (RFC 9562 §5.4: version 4), from what keys the standard library's maps.
fn uuid() -> String {
    let random = RandomState::new();
    let number = u128::from(random.hash_one(0)) << 64 | u128::from(random.hash_one(1));
    let digits = format!("{number:032x}");
    let variant = ["8", "9", "a", "b"][usize::try_from(number & 3).expect("below 4")];
    let (one, two, three) = (&digits[..8], &digits[8..12], &digits[13..16]);
    format!("{one}-{two}-4{three}-{variant}{}-{}", &digits[17..20], &digits[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: &Number) -> (String, u64, u64) {
        let mut metadata = MetadataMap::new();
        number.write(&mut metadata);
        let text = |name: &str| metadata.get(name).map(|it| it.to_str().unwrap().to_owned());
        let oldest = text("conclave-oldest").map_or(1, |it| it.parse().unwrap());
        let sequence = text("conclave-sequence").unwrap().parse().unwrap();
        (text("conclave-client").unwrap(), sequence, oldest)
    }

    #[test]
    fn numbers_grow_and_say_which_are_done_with() {
        let sessions = Arc::new(Sessions::default());
        let (one, two) = (sessions.begin(), sessions.begin());
        let (client, sequence, oldest) = written(&one);
        assert_eq!((sequence, oldest), (1, 1));
        assert_eq!(written(&two), (client.clone(), 2, 1));
        one.answered();
        drop(one);
        assert_eq!(written(&two), (client.clone(), 2, 2));
        assert_eq!(written(&sessions.begin()), (client, 3, 2));
    }

    #[test]
    fn a_session_never_spans_more_than_a_window() {
        let sessions = Arc::new(Sessions::default());
        let first = sessions.begin();
        first.answered();
        for _ in 1..WINDOW {
            let next = sessions.begin();
            assert_eq!(next.client, first.client);
        }
        let beyond = sessions.begin();
        assert_ne!(beyond.client, first.client);
        assert_eq!(beyond.sequence, 1);
        drop(first);
        assert_eq!(sessions.begin().sequence, WINDOW + 1);
    }

    #[test]
    fn a_session_that_nobody_has_heard_of_is_not_gone_on_with() {
        let sessions = Arc::new(Sessions::default());
        let lost = sessions.begin();
        let client = lost.client.clone();
        drop(lost);
        let next = sessions.begin();
        assert_ne!(next.client, client);
        assert_eq!(next.sequence, 1);
    }

    #[test]
    fn uuids_are_well_formed_and_differ() {
        let drawn: BTreeSet<String> = (0..1_000).map(|_| uuid()).collect();
        assert_eq!(drawn.len(), 1_000);
        for uuid in drawn {
            let parts: Vec<_> = uuid.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{uuid}");
            assert_eq!(&uuid[14..15], "4", "{uuid}");
            assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        }
    }
}
