//! Where in the history of the store something happened.

use core::fmt;

/// A change: the transaction's number and the place of the change within it.
///
/// A new store is at `1.0`; the first write makes `2.0`. All changes of one transaction share
/// `main` and count `sub` from 0 (etcd's layout).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// The transaction's number: what clients call the revision. Signed on the wire, never
    /// negative here.
    pub main: i64,
    /// The place within the transaction.
    pub sub: u32,
}

impl Revision {
    /// The revision `main.sub`.
    #[must_use]
    pub const fn new(main: i64, sub: u32) -> Self {
        Self { main, sub }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.main, self.sub)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
