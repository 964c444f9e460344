//! The kinds of operation, and how often each is chosen.

use protocol::Rng;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $weight:literal $text:literal;)*) => {
        /// A kind of operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Its name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        const WEIGHTS: [u32; Kind::COUNT] = [$($weight),*];
    };
}

kinds! {
    /// Put a value never put before.
    Put = 150 "put";
    /// The same, and ask for what was there.
    PutPrev = 30 "put prev";
    /// Hang a key on a lease that was seen, alive or not.
    PutLease = 25 "put lease";
    /// Put and keep the value; of a key that may not be there.
    IgnoreValue = 10 "put ignore value";
    /// Put and keep the lease; of a key that may not be there.
    IgnoreLease = 10 "put ignore lease";
    /// Delete one key.
    Delete = 30 "delete";
    /// Delete one key and ask for what was there.
    DeletePrev = 10 "delete prev";
    /// Delete between two keys.
    DeleteRange = 8 "delete range";
    /// Delete under a prefix.
    DeletePrefix = 5 "delete prefix";
    /// Put one of the keys that are only ever touched one at a time.
    SinglePut = 70 "single put";
    /// Delete one of these.
    SingleDelete = 15 "single delete";
    /// Read one of these.
    SingleGet = 90 "single get";
    /// Put if a key is still as it was seen.
    Cas = 50 "cas";
    /// Compare anything with anything, then do a few things.
    TxnMixed = 30 "txn mixed";
    /// Compare all keys of a range.
    TxnRange = 12 "txn range compare";
    /// A transaction within a transaction.
    TxnNested = 12 "txn nested";
    /// Several puts in one revision.
    TxnPuts = 20 "txn puts";
    /// A transaction that only reads, through the log.
    TxnRead = 8 "txn read in log";
    /// A transaction that only reads, confirmed by a quorum.
    ReadTxn = 30 "read txn";
    /// The same, from whatever the node has.
    ReadTxnLocal = 6 "read txn serializable";
    /// Read one key.
    Get = 150 "get";
    /// Read one key from whatever the node has.
    GetLocal = 30 "get serializable";
    /// Read under a prefix.
    GetPrefix = 40 "get prefix";
    /// Read between two keys.
    GetRange = 25 "get range";
    /// Read all keys.
    GetAll = 15 "get all";
    /// Read the first few keys.
    GetLimit = 30 "get limit";
    /// Read in some order.
    GetSorted = 30 "get sorted";
    /// Count keys.
    Count = 20 "count";
    /// Read keys without values.
    KeysOnly = 20 "keys only";
    /// Read keys within bounds of revisions.
    GetFiltered = 20 "get filtered";
    /// Read at a revision of the past.
    GetOld = 30 "get old";
    /// Forget history.
    Compact = 5 "compact";
    /// Make a lease.
    Grant = 10 "lease grant";
    /// Renew a lease.
    Renew = 8 "lease renew";
    /// End a lease.
    Revoke = 4 "lease revoke";
    /// Ask how long a lease still lives.
    TimeToLive = 10 "lease time to live";
    /// Ask for all leases.
    Leases = 4 "leases";
    /// Ask for a confirmation and nothing else.
    Barrier = 10 "barrier";
    /// Ask for the members.
    Members = 4 "members";
    /// Ask for the alarms.
    Alarms = 3 "alarms";
    /// Ask for a hash of history.
    HashKv = 5 "hash";
    /// Ask a node how it is.
    Status = 5 "status";
    /// Ask for what no sane client asks for: most of it has to be refused.
    Ugly = 20 "ugly";
    /// What a scenario asks for.
    Scripted = 0 "scripted";
}

impl Kind {
    /// Whether operations of this kind only read.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(
            self,
            Self::SingleGet
                | Self::ReadTxn
                | Self::ReadTxnLocal
                | Self::Get
                | Self::GetLocal
                | Self::GetPrefix
                | Self::GetRange
                | Self::GetAll
                | Self::GetLimit
                | Self::GetSorted
                | Self::Count
                | Self::KeysOnly
                | Self::GetFiltered
                | Self::GetOld
                | Self::TimeToLive
                | Self::Leases
                | Self::Barrier
                | Self::Members
                | Self::Alarms
                | Self::HashKv
                | Self::Status
        )
    }
}

/// How often each kind is chosen, relative to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix([u32; Kind::COUNT]);

impl Mix {
    /// About half reads, half writes of all kinds.
    #[must_use]
    pub const fn all() -> Self {
        Self(WEIGHTS)
    }

    /// Nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self([0; Kind::COUNT])
    }

    /// The weight of a kind.
    #[must_use]
    pub const fn weight(&self, kind: Kind) -> u32 {
        self.0[kind as usize]
    }

    /// Gives a kind a weight; [`Kind::Scripted`] is never chosen, whatever it has.
    #[must_use]
    pub const fn with(mut self, kind: Kind, weight: u32) -> Self {
        self.0[kind as usize] = weight;
        self
    }

    /// Turns each kind off with a chance of 30 %, and makes some of the others rare or frequent.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let mut mix = Self::all();
        for weight in &mut mix.0 {
            *weight = match rng.below(20) {
                0..6 => 0,
                6..8 => weight.div_ceil(8),
                8..10 => *weight * 6,
                _ => *weight,
            };
        }
        // A world in which nothing happens, or nobody looks, shows nothing.
        let off = |mix: &Self, reads| {
            let some = |kind: &&Kind| kind.reads() == reads && mix.weight(**kind) > 0;
            !Kind::ALL.iter().any(|kind| some(&kind))
        };
        if off(&mix, false) {
            mix = mix.with(Kind::Put, 150);
        }
        if off(&mix, true) {
            mix = mix.with(Kind::Get, 150);
        }
        mix
    }
}

/// A mix as a table, from which a kind is drawn in one step.
#[derive(Clone, Debug)]
pub(super) struct Lot(Vec<Kind>);

impl Lot {
    const SIZE: u64 = 4_096;

    /// Every kind with a weight has at least one place.
    pub(super) fn new(mix: &Mix) -> Self {
        let kinds = || Kind::ALL.iter().filter(|kind| **kind != Kind::Scripted);
        let total: u64 = kinds().map(|kind| u64::from(mix.weight(*kind))).sum();
        let mut places = Vec::new();
        for kind in kinds() {
            let share = u64::from(mix.weight(*kind)) * Self::SIZE;
            places.extend((0..share.div_ceil(total.max(1))).map(|_| *kind));
        }
        Self(places)
    }

    /// A kind; `None` when none has a weight.
    pub(super) fn draw(&self, rng: &mut Rng) -> Option<Kind> {
        let place = usize::try_from(rng.below(self.0.len() as u64)).ok()?;
        self.0.get(place).copied()
    }
}
