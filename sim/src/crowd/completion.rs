//! From a node's reply to what a client gets to see.
//!
//! A reply may name values that stand in the node's backend. Production's connection fetches them
//! before it answers, and asks again when history was compacted meanwhile; so it is here.

use node::{Body, Failure, Reply, Request};
use store::{BackendError, Error, Record, Revision};

use crate::history::{Answer, Ending, Told};

/// A reply, completed.
#[derive(Clone, Debug)]
pub(super) enum Completed {
    /// The client gets this.
    Ending(Ending),
    /// What was found is gone: the connection asks again.
    Again,
}

/// Gives the record of a revision from a node's backend: `None` when it is gone.
pub type Fetch<'a> = dyn FnMut(Revision) -> Result<Option<Record>, BackendError> + 'a;

/// Fetches what a reply only names. What the disk does not give is refused, as a server does.
pub(super) fn complete(request: &Request, reply: Reply, fetch: &mut Fetch<'_>) -> Completed {
    let Reply { header, body } = reply;
    let mut unreadable = false;
    let mut fetch = |at| fetch(at).inspect_err(|_| unreadable = true).ok().flatten();
    let told = match body {
        Err(failure) if is_unsure(failure) => return Completed::Ending(Ending::Unknown),
        Err(failure) => return Completed::Ending(Ending::Refused(failure, header)),
        Ok(Body::Outcome(outcome)) => Some(Told::Outcome(outcome)),
        Ok(Body::View(view)) => {
            let revision = view.revision();
            view.complete(&mut fetch).ok().map(|result| Told::Range { revision, result })
        }
        Ok(Body::TxnView(view)) => view.complete(&mut fetch).ok().map(Told::Outcome),
        Ok(Body::TimeToLive(time)) => Some(Told::TimeToLive(time)),
        Ok(Body::Renewed(ttl)) => Some(Told::Renewed(ttl)),
        Ok(Body::Leases(leases)) => Some(Told::Leases(leases)),
        Ok(
            Body::Hash { .. } | Body::Members(_) | Body::Alarms(_) | Body::Status(_) | Body::Done,
        ) => Some(Told::Done),
    };
    match told {
        _ if unreadable => Completed::Ending(Ending::Refused(Failure::Unreadable, header)),
        Some(told) => Completed::Ending(Ending::Answered(Answer { header, told })),
        None if is_of_past(request) => {
            Completed::Ending(Ending::Refused(Failure::Store(Error::Compacted), header))
        }
        None => Completed::Again,
    }
}

/// Whether a failure leaves open if the request was done.
const fn is_unsure(failure: Failure) -> bool {
    match failure {
        Failure::Timeout | Failure::TimeoutLeaderLost | Failure::Stopped => true,
        Failure::Store(_)
        | Failure::NoLeader
        | Failure::LeaderChanged
        | Failure::TooManyRequests
        | Failure::NoSpace
        | Failure::NotLeader
        | Failure::BadTransferee
        | Failure::StaticMembers
        | Failure::FixedLeader
        | Failure::DiskFull
        | Failure::NotServing
        | Failure::Unreadable => false,
    }
}

/// Whether a read names a revision, so that asking again would find no more. A transaction finds
/// out by itself whether a revision on its path has been compacted.
fn is_of_past(request: &Request) -> bool {
    matches!(request, Request::Range { range, .. } if range.revision > 0)
}
