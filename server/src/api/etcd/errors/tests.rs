use std::collections::BTreeSet;

use node::Failure;
use tonic::{Code, Status};

use super::EtcdError;

/// What clients know, written down apart from the table: code and texts without the prefix.
const KNOWN: &[(Code, &str)] = &[
    (
        Code::InvalidArgument,
        "key is not provided|key not found|value is provided|lease is provided|too many operations \
         in txn request|duplicate key given in txn request|invalid client api version|invalid \
         sort option|given member URLs are invalid|request is too large|user name is \
         empty|role name is empty|authentication failed, invalid user ID or password|permission \
         not given|invalid auth management|revision of auth store is old|wrong downgrade target \
         version format|invalid downgrade target version",
    ),
    (Code::NotFound, "requested lease not found|member not found"),
    (Code::PermissionDenied, "permission denied"),
    (Code::ResourceExhausted, "mvcc: database space exceeded|too many requests"),
    (
        Code::FailedPrecondition,
        "lease already exists|member ID already exist|Peer URLs already exists|re-configuration \
         failed due to not enough started members|can only promote a learner member|can only \
         promote a learner member which is in sync with leader|too many learner members in \
         cluster|cluster ID mismatch|root user does not exist|root user does not have root \
         role|user name already exists|user name not found|role name already exists|role name not \
         found|role is not granted to the user|permission is not granted to the \
         role|authentication is not enabled|not leader|not capable|rpc not supported for \
         learner|bad leader transferee|cluster version not found during downgrade|cluster has a \
         downgrade job in progress|no inflight downgrade job",
    ),
    (
        Code::OutOfRange,
        "mvcc: required revision has been compacted|mvcc: required revision is a future \
         revision|too large lease TTL",
    ),
    (
        Code::Unavailable,
        "no leader|leader changed|server stopped|request timed out|request timed out, possibly due \
         to previous leader failure|request timed out, possibly due to connection lost|request \
         timed out, waiting for the applied index took too long|unhealthy cluster",
    ),
    // Not mapped by etcd, which leaves it without a better code.
    (Code::Unknown, "request timed out, leader transfer took too long"),
    (Code::DataLoss, "corrupt cluster"),
    (Code::Unauthenticated, "invalid auth token"),
    (Code::Cancelled, "watch canceled|request canceled"),
    // Not etcd's: about request ids.
    (Code::ResourceExhausted, "too many clients use request ids, the request was not done"),
    (
        Code::FailedPrecondition,
        "request id is too old, it is not done again, and whether it was done is not known|client \
         of the request id is not known any more, the request was not done now|request was done \
         before, and its answer was too large to be kept",
    ),
    // Nor these: about groups that run Zab.
    (
        Code::FailedPrecondition,
        "the group runs Zab, and its members do not change: they are those that every one was \
         started with|the group runs Zab, whose leader does not hand over: stop it, and the others \
         elect another one",
    ),
];

#[test]
fn errors_table_is_exactly_what_clients_know() {
    let mut expected = BTreeSet::new();
    for (code, texts) in KNOWN {
        for text in texts.split('|') {
            expected.insert((*code as i32, format!("etcdserver: {text}")));
        }
    }
    let mut actual = BTreeSet::new();
    for error in EtcdError::ALL {
        let status = Status::from(*error);
        assert!(
            actual.insert((status.code() as i32, status.message().to_owned())),
            "{error:?} has the text of another error"
        );
    }
    assert_eq!(expected, actual);
}

#[test]
fn errors_of_the_store_keep_their_names() {
    use store::Error;
    let all = [
        Error::EmptyKey,
        Error::KeyNotFound,
        Error::ValueProvided,
        Error::LeaseProvided,
        Error::TooManyOps,
        Error::DuplicateKey,
        Error::InvalidSortOption,
        Error::RequestTooLarge,
        Error::LeaseNotFound,
        Error::LeaseExists,
        Error::LeaseTtlTooLarge,
        Error::Compacted,
        Error::FutureRevision,
        Error::NoSpace,
        Error::Corrupt,
        Error::StampForgotten,
        Error::SessionUnknown,
        Error::TooManySessions,
        Error::AnswerForgotten,
    ];
    for error in all {
        let mapped = EtcdError::from(Failure::Store(error));
        assert_eq!(format!("{error:?}"), format!("{mapped:?}"));
    }
}

#[test]
fn errors_of_the_node_tell_who_must_act() {
    let cases = [
        (Failure::NoLeader, Code::Unavailable, "etcdserver: no leader"),
        (Failure::LeaderChanged, Code::Unavailable, "etcdserver: leader changed"),
        (Failure::NoSpace, Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
        (Failure::TooManyRequests, Code::ResourceExhausted, "etcdserver: too many requests"),
        (Failure::Timeout, Code::Unavailable, "etcdserver: request timed out"),
        (
            Failure::TimeoutLeaderLost,
            Code::Unavailable,
            "etcdserver: request timed out, possibly due to previous leader failure",
        ),
        (Failure::Stopped, Code::Unavailable, "etcdserver: server stopped"),
        (Failure::NotLeader, Code::FailedPrecondition, "etcdserver: not leader"),
        (Failure::BadTransferee, Code::FailedPrecondition, "etcdserver: bad leader transferee"),
        (
            Failure::StaticMembers,
            Code::FailedPrecondition,
            "etcdserver: the group runs Zab, and its members do not change: they are those that \
             every one was started with",
        ),
        (
            Failure::FixedLeader,
            Code::FailedPrecondition,
            "etcdserver: the group runs Zab, whose leader does not hand over: stop it, and the \
             others elect another one",
        ),
        (Failure::Unreadable, Code::DataLoss, "etcdserver: corrupt cluster"),
    ];
    for (failure, code, text) in cases {
        let status = super::status(failure);
        assert_eq!((status.code(), status.message()), (code, text));
    }
}
