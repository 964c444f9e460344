//! Leases: keys that live as long as somebody renews them.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use core::fmt;

mod apply;
mod table;

pub(crate) use table::Leases;

/// Names a lease. Clients print it as 16 hexadecimal digits; never 0 (0 on the wire means none).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub i64);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A lease, as its owner may ask about it.
#[derive(Clone, Copy, Debug)]
pub struct LeaseView<'a> {
    /// Milliseconds left by the replicated clock.
    pub remaining_ms: u64,
    /// Seconds granted.
    pub granted: i64,
    keys: &'a BTreeSet<Box<[u8]>>,
}

impl<'a> LeaseView<'a> {
    /// The keys that hang on it, ascending.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        self.keys.iter().map(|key| &key[..])
    }
}
