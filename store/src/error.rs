//! What can be wrong with a request. State is unchanged whenever one of these is returned.

/// Why a request was refused. Deterministic: at a given place in the log every replica refuses
/// alike. The texts that clients match on are the API's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// No key was given.
    EmptyKey,
    /// `ignore_value`, `ignore_lease` of a key that is not there, or an operation without content.
    KeyNotFound,
    /// A value was given along with `ignore_value`.
    ValueProvided,
    /// A lease was given along with `ignore_lease`.
    LeaseProvided,
    /// More operations in a transaction than allowed.
    TooManyOps,
    /// A key is put twice in one transaction.
    DuplicateKey,
    /// An unknown sort order or target.
    InvalidSortOption,
    /// The request is larger than allowed.
    RequestTooLarge,
    /// The lease does not exist.
    LeaseNotFound,
    /// The lease exists already.
    LeaseExists,
    /// The time asked for is absurd.
    LeaseTtlTooLarge,
    /// The revision has been compacted.
    Compacted,
    /// The revision lies in the future.
    FutureRevision,
    /// The member is out of space: nothing that grows is taken.
    NoSpace,
    /// The member's state is corrupt: it takes nothing.
    Corrupt,
    /// A stamp whose answer is no longer kept: it may have been carried out, and is not again.
    StampForgotten,
    /// The client says that it has had answers, and is not known (any more).
    SessionUnknown,
    /// There is no room for a further client with stamps.
    TooManySessions,
    /// The write was carried out before, and there was no room to keep its answer. The state
    /// changed then, not now.
    AnswerForgotten,
    /// A member with this id exists, or existed.
    MemberIdExists,
    /// A member has this peer address.
    PeerUrlExists,
    /// There is no such member.
    MemberNotFound,
    /// No address was given, or one that leads nowhere.
    BadPeerUrls,
    /// Too few of the voters that would remain have ever started.
    NotEnoughStarted,
    /// Only a learner can become a voter.
    MemberNotLearner,
    /// The learner's log is too far behind the leader's.
    LearnerNotReady,
    /// There may be no more learners.
    TooManyLearners,
    /// Too few of the voters that would remain have answered the leader lately.
    Unhealthy,
    /// Too many changes of the members wait; try again later.
    TooManyWishes,
}
