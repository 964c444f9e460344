//! What came in and was not taken, counted by reason.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::swim::wire::Error;

/// Why a packet, a stream, or a part of one was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The bytes are no message.
    Wire(Error),
    /// It is of another pool, or has no label where one is due.
    Label,
    /// It is not encrypted, and must be.
    Plaintext,
    /// It is encrypted, and no key here opens it.
    Key,
    /// It is encrypted, and there are no keys here.
    NoKeys,
    /// What is compressed is damaged.
    Compression,
    /// What is compressed becomes more than it may.
    Bomb,
    /// It took too long to arrive, or to be sent.
    Slow,
    /// There were too many streams at once.
    Busy,
    /// It is no answer to what was asked.
    Answer,
    /// The other side has refused, and said so.
    Remote,
    /// The connection broke.
    Broken,
}

const OTHERS: [(Refusal, &str, &str); 11] = [
    (Refusal::Label, "pool", "it is of another pool: the labels differ"),
    (Refusal::Plaintext, "plaintext", "it is not encrypted, and this pool is"),
    (Refusal::Key, "key", "it is encrypted with a key that is not in the keyring"),
    (Refusal::NoKeys, "no_keys", "it is encrypted, and this agent has no keys: --encrypt"),
    (Refusal::Compression, "compression", "what is compressed is damaged"),
    (Refusal::Bomb, "bomb", "what is compressed becomes too large"),
    (Refusal::Slow, "slow", "it took too long"),
    (Refusal::Busy, "busy", "too many streams at once"),
    (Refusal::Answer, "answer", "it is no answer to what was asked"),
    (Refusal::Remote, "remote", "the other side has refused"),
    (Refusal::Broken, "broken", "the connection broke, or nobody listens there"),
];

impl Refusal {
    /// Every reason, in the order of its index.
    pub fn all() -> impl Iterator<Item = Self> {
        let wire = Error::ALL.iter().map(|error| Self::Wire(*error));
        wire.chain(OTHERS.iter().map(|(refusal, _, _)| *refusal))
    }

    /// Its name among figures.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Wire(error) => error.label(),
            other => OTHERS[other.place()].1,
        }
    }

    fn place(self) -> usize {
        let place = OTHERS.iter().position(|(refusal, _, _)| *refusal == self);
        place.expect("invariant: the table has every reason")
    }

    fn index(self) -> usize {
        match self {
            Self::Wire(error) => error.index(),
            other => Error::ALL.len() + other.place(),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Wire(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            other => f.write_str(OTHERS[other.place()].2),
        }
    }
}

impl std::error::Error for Refusal {}

/// How much was refused for which reason. Numbers only grow.
#[derive(Debug)]
pub struct Refusals(Vec<AtomicU64>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Refusal::all().map(|_| AtomicU64::new(0)).collect())
    }
}

impl Refusals {
    /// One more.
    pub fn count(&self, refusal: Refusal) {
        self.add(refusal, 1);
    }

    /// So many more.
    pub fn add(&self, refusal: Refusal, count: u64) {
        self.0[refusal.index()].fetch_add(count, Ordering::Relaxed);
    }

    /// Every reason that there was, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Refusal, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        Refusal::all().zip(counts).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_a_place_and_a_name_of_its_own() {
        for (place, refusal) in Refusal::all().enumerate() {
            assert_eq!(refusal.index(), place);
        }
        let names: BTreeSet<_> = Refusal::all().map(Refusal::label).collect();
        assert_eq!(names.len(), Refusal::all().count());
        let refusals = Refusals::default();
        refusals.count(Refusal::Bomb);
        refusals.add(Refusal::Wire(Error::Short), 2);
        let counted: Vec<_> = refusals.iter().collect();
        assert_eq!(counted, [(Refusal::Wire(Error::Short), 2), (Refusal::Bomb, 1)]);
    }
}
