//! Sessions: a write that comes twice is done once, and answered alike both times.
//!
//! A client that gets no answer does not know whether its write was done. If it may say which of
//! its writes it is ([`Stamp`]), it can simply ask again, anywhere: what has been done is found
//! here, and the first answer with it (Raft thesis §6.3). Everything that decides is replicated
//! state: it goes through the log, into flushes and snapshots, and is the same on every replica.
//!
//! Laws:
//!
//! - a stamp is carried out at most once, at its first place in the log; every later one gets the
//!   answer of the first, refusals included, at the revision of the first;
//! - a sequence number at or below a session's floor is refused and never carried out. The floor
//!   rises to what the client has no more use for, and with the window of answers that are kept;
//! - an answer outlives the last use of its session by [`SessionLimits::keep_min_ms`] at least, and
//!   by [`SessionLimits::keep_ms`] at most, of the time that goes through the log
//!   ([`crate::Command::Tick`]), which never runs ahead of real time by more than one tick;
//! - memory is bounded by [`SessionLimits`]. Where there is no room for a further client, the one
//!   that was idle longest makes room if it was idle for long enough; otherwise the new one is
//!   refused, and nothing is done.
//!
//! What follows from forgetting: whoever repeats a write later than that may find it done twice.
//! So nobody may. A client that has had an answer says so in its stamps ([`Stamp::oldest`]): when
//! its session is gone, it is told, instead of being taken for a new one.
//!
//! What is left out: whether a repeated stamp asks for the same as the first one. It gets the first
//! one's answer whatever it asks. And that nobody repeats late does not bind the network: a copy of
//! a session's *first* write that lies in the socket of a member that sleeps for longer than
//! answers are kept (a suspended machine) is done when it wakes, although another copy was done
//! elsewhere and forgotten. Sessions that are opened by a write of their own would close that, for
//! one more round trip (Raft thesis §6.3).

use core::fmt;

mod apply;
mod table;

pub(crate) use table::{Answer, Kept, Sessions};

/// Names a client for as long as it lives: 16 random bytes, on the wire a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub [u8; 16]);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let dash = if matches!(place, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

/// Which write of which client: `1 <= oldest <= sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    pub(crate) client: ClientId,
    pub(crate) sequence: u64,
    pub(crate) oldest: u64,
}

impl Stamp {
    /// Write `sequence` of a client: 1 for the first, growing, never used for another one.
    /// `oldest` is the lowest number that the client may still repeat; it has done with everything
    /// before. 1 for a client that tells nothing. `None` when the numbers cannot be.
    #[must_use]
    pub fn new(client: ClientId, sequence: u64, oldest: u64) -> Option<Self> {
        (1..=sequence).contains(&oldest).then_some(Self { client, sequence, oldest })
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> ClientId {
        self.client
    }

    /// The client's number for the write.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The lowest number that the client may still repeat.
    #[must_use]
    pub const fn oldest(&self) -> u64 {
        self.oldest
    }
}

/// How much is remembered, and for how long. The same on every replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionLimits {
    /// Clients.
    pub clients: usize,
    /// Answers of one client: those with the highest numbers.
    pub window: usize,
    /// Bytes of answers of one client. Beyond, those with the lowest numbers lose their content.
    pub client_bytes: usize,
    /// Bytes of all answers. An answer for which there is no room is kept without its content.
    pub total_bytes: usize,
    /// Milliseconds without use after which a session ends.
    pub keep_ms: u64,
    /// Milliseconds without use after which a session may end to make room.
    pub keep_min_ms: u64,
}

impl SessionLimits {
    /// What production uses. A client takes at most 2 MiB of answers and about 10 KiB besides, all
    /// of them together at most 64 MiB of answers and 100 MiB besides; those that say what they
    /// have done with take next to nothing.
    pub const DEFAULT: Self = Self {
        clients: 10_000,
        window: 128,
        client_bytes: 2 << 20,
        total_bytes: 64 << 20,
        keep_ms: 300_000,
        // Half a minute is promised; a tick or two may pass sooner than the time they tell.
        keep_min_ms: 33_000,
    };
}
