//! What clients are told when something is wrong: every code and text, in one table.
//!
//! The texts are part of the API. Go's client maps errors by text, Patroni searches for it,
//! Kubernetes derives identities from it; so they are etcd's to the letter. Two codes differ from
//! what etcd sends: `too many requests` and `re-configuration failed …` leave etcd as `Unknown`
//! although they are declared `ResourceExhausted` and `FailedPrecondition`; here they are sent as
//! declared. Four errors, about request ids, are not etcd's at all: only a client that sends such
//! ids can get them.

use node::Failure;
use tonic::{Code, Status};

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident => $code:ident, $text:literal;)*) => {
        /// An error of etcd's API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the text beside each name says what it means")]
        pub enum EtcdError {
            $($(#[$doc])* $name,)*
        }

        impl EtcdError {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The gRPC code.
            #[must_use]
            pub const fn code(self) -> Code {
                match self { $(Self::$name => Code::$code,)* }
            }

            /// The text, prefix included.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => concat!("etcdserver: ", $text),)* }
            }
        }
    };
}

errors! {
    EmptyKey => InvalidArgument, "key is not provided";
    KeyNotFound => InvalidArgument, "key not found";
    ValueProvided => InvalidArgument, "value is provided";
    LeaseProvided => InvalidArgument, "lease is provided";
    TooManyOps => InvalidArgument, "too many operations in txn request";
    DuplicateKey => InvalidArgument, "duplicate key given in txn request";
    InvalidClientApiVersion => InvalidArgument, "invalid client api version";
    InvalidSortOption => InvalidArgument, "invalid sort option";
    MemberBadUrls => InvalidArgument, "given member URLs are invalid";
    RequestTooLarge => InvalidArgument, "request is too large";
    UserEmpty => InvalidArgument, "user name is empty";
    RoleEmpty => InvalidArgument, "role name is empty";
    AuthFailed => InvalidArgument, "authentication failed, invalid user ID or password";
    PermissionNotGiven => InvalidArgument, "permission not given";
    InvalidAuthManagement => InvalidArgument, "invalid auth management";
    AuthOldRevision => InvalidArgument, "revision of auth store is old";
    WrongDowngradeFormat => InvalidArgument, "wrong downgrade target version format";
    InvalidDowngradeTarget => InvalidArgument, "invalid downgrade target version";
    LeaseNotFound => NotFound, "requested lease not found";
    MemberNotFound => NotFound, "member not found";
    PermissionDenied => PermissionDenied, "permission denied";
    NoSpace => ResourceExhausted, "mvcc: database space exceeded";
    TooManyRequests => ResourceExhausted, "too many requests";
    TooManySessions => ResourceExhausted,
        "too many clients use request ids, the request was not done";
    StampForgotten => FailedPrecondition,
        "request id is too old, it is not done again, and whether it was done is not known";
    SessionUnknown => FailedPrecondition,
        "client of the request id is not known any more, the request was not done now";
    AnswerForgotten => FailedPrecondition,
        "request was done before, and its answer was too large to be kept";
    LeaseExists => FailedPrecondition, "lease already exists";
    MemberExists => FailedPrecondition, "member ID already exist";
    PeerUrlExists => FailedPrecondition, "Peer URLs already exists";
    MemberNotEnoughStarted => FailedPrecondition,
        "re-configuration failed due to not enough started members";
    MemberNotLearner => FailedPrecondition, "can only promote a learner member";
    LearnerNotReady => FailedPrecondition,
        "can only promote a learner member which is in sync with leader";
    TooManyLearners => FailedPrecondition, "too many learner members in cluster";
    ClusterIdMismatch => FailedPrecondition, "cluster ID mismatch";
    RootUserNotExist => FailedPrecondition, "root user does not exist";
    RootRoleNotExist => FailedPrecondition, "root user does not have root role";
    UserExists => FailedPrecondition, "user name already exists";
    UserNotFound => FailedPrecondition, "user name not found";
    RoleExists => FailedPrecondition, "role name already exists";
    RoleNotFound => FailedPrecondition, "role name not found";
    RoleNotGranted => FailedPrecondition, "role is not granted to the user";
    PermissionNotGranted => FailedPrecondition, "permission is not granted to the role";
    AuthNotEnabled => FailedPrecondition, "authentication is not enabled";
    NotLeader => FailedPrecondition, "not leader";
    NotCapable => FailedPrecondition, "not capable";
    NotSupportedForLearner => FailedPrecondition, "rpc not supported for learner";
    BadLeaderTransferee => FailedPrecondition, "bad leader transferee";
    StaticMembers => FailedPrecondition, "the group runs Zab, and its members do not change: they \
                                          are those that every one was started with";
    FixedLeader => FailedPrecondition, "the group runs Zab, whose leader does not hand over: stop \
                                        it, and the others elect another one";
    ClusterVersionUnavailable => FailedPrecondition,
        "cluster version not found during downgrade";
    DowngradeInProgress => FailedPrecondition, "cluster has a downgrade job in progress";
    NoInflightDowngrade => FailedPrecondition, "no inflight downgrade job";
    Compacted => OutOfRange, "mvcc: required revision has been compacted";
    FutureRevision => OutOfRange, "mvcc: required revision is a future revision";
    LeaseTtlTooLarge => OutOfRange, "too large lease TTL";
    NoLeader => Unavailable, "no leader";
    LeaderChanged => Unavailable, "leader changed";
    Stopped => Unavailable, "server stopped";
    Timeout => Unavailable, "request timed out";
    TimeoutLeaderLost => Unavailable,
        "request timed out, possibly due to previous leader failure";
    TimeoutConnectionLost => Unavailable,
        "request timed out, possibly due to connection lost";
    TimeoutApplied => Unavailable,
        "request timed out, waiting for the applied index took too long";
    Unhealthy => Unavailable, "unhealthy cluster";
    TimeoutLeaderTransfer => Unknown, "request timed out, leader transfer took too long";
    Corrupt => DataLoss, "corrupt cluster";
    InvalidAuthToken => Unauthenticated, "invalid auth token";
    WatchCanceled => Cancelled, "watch canceled";
    RequestCanceled => Cancelled, "request canceled";
}

impl From<EtcdError> for Status {
    fn from(error: EtcdError) -> Self {
        Self::new(error.code(), error.text())
    }
}

impl From<store::Error> for EtcdError {
    fn from(error: store::Error) -> Self {
        use store::Error;
        match error {
            Error::EmptyKey => Self::EmptyKey,
            Error::KeyNotFound => Self::KeyNotFound,
            Error::ValueProvided => Self::ValueProvided,
            Error::LeaseProvided => Self::LeaseProvided,
            Error::TooManyOps => Self::TooManyOps,
            Error::DuplicateKey => Self::DuplicateKey,
            Error::InvalidSortOption => Self::InvalidSortOption,
            Error::RequestTooLarge => Self::RequestTooLarge,
            Error::LeaseNotFound => Self::LeaseNotFound,
            Error::LeaseExists => Self::LeaseExists,
            Error::LeaseTtlTooLarge => Self::LeaseTtlTooLarge,
            Error::Compacted => Self::Compacted,
            Error::FutureRevision => Self::FutureRevision,
            Error::NoSpace => Self::NoSpace,
            Error::Corrupt => Self::Corrupt,
            Error::StampForgotten => Self::StampForgotten,
            Error::SessionUnknown => Self::SessionUnknown,
            Error::TooManySessions => Self::TooManySessions,
            Error::AnswerForgotten => Self::AnswerForgotten,
            Error::MemberIdExists => Self::MemberExists,
            Error::PeerUrlExists => Self::PeerUrlExists,
            Error::MemberNotFound => Self::MemberNotFound,
            Error::BadPeerUrls => Self::MemberBadUrls,
            Error::NotEnoughStarted => Self::MemberNotEnoughStarted,
            Error::MemberNotLearner => Self::MemberNotLearner,
            Error::LearnerNotReady => Self::LearnerNotReady,
            Error::TooManyLearners => Self::TooManyLearners,
            Error::Unhealthy => Self::Unhealthy,
            Error::TooManyWishes => Self::TooManyRequests,
        }
    }
}

impl From<Failure> for EtcdError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error.into(),
            Failure::NoLeader => Self::NoLeader,
            Failure::LeaderChanged => Self::LeaderChanged,
            Failure::TooManyRequests => Self::TooManyRequests,
            Failure::NoSpace => Self::NoSpace,
            Failure::Timeout => Self::Timeout,
            Failure::TimeoutLeaderLost => Self::TimeoutLeaderLost,
            Failure::Stopped => Self::Stopped,
            Failure::NotLeader => Self::NotLeader,
            Failure::BadTransferee => Self::BadLeaderTransferee,
            Failure::StaticMembers => Self::StaticMembers,
            Failure::FixedLeader => Self::FixedLeader,
            Failure::NotServing => Self::NotSupportedForLearner,
            Failure::Unreadable => Self::Corrupt,
            Failure::DiskFull => Self::NoSpace,
        }
    }
}

/// The status of a failure.
pub(super) fn status(failure: Failure) -> Status {
    EtcdError::from(failure).into()
}

/// A body that is not the answer to what was asked: a defect of this program.
pub(super) fn unexpected(method: &'static str) -> Status {
    Status::internal(format!("{method}: the node gave an answer of another kind"))
}

#[cfg(test)]
mod tests;
