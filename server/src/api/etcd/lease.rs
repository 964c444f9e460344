//! The service `Lease`.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use etcdpb::etcdserverpb as pb;
use node::{Body, Failure, Request};
use store::{Command, Error, LeaseId, Outcome, Stamp};
use tonic::Status;

use super::Api;
use super::errors::{EtcdError, status, unexpected};
use super::route::stamped;

/// The longest time to live, in seconds (etcd's bound).
const MAX_TTL: i64 = 9_000_000_000;
/// How often another id is drawn when the one drawn is taken: once would do, ids have 63 bits.
const DRAWS: usize = 8;

/// Draws lease ids: positive, and not predictable from one process to another.
#[derive(Debug, Default)]
pub(super) struct LeaseIds {
    keys: RandomState,
    drawn: AtomicU64,
}

impl LeaseIds {
    fn draw(&self) -> LeaseId {
        loop {
            let hash = self.keys.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed));
            let id = i64::try_from(hash >> 1).expect("63 bits fit");
            if id != 0 {
                return LeaseId(id);
            }
        }
    }
}

/// `LeaseGrant`: id 0 asks for one of our choosing. When it is repeated under its request id,
/// another one is chosen, and the answer names the first.
pub(super) async fn grant(
    api: &Api,
    request: pb::LeaseGrantRequest,
    stamp: Option<Stamp>,
) -> Result<pb::LeaseGrantResponse, Status> {
    if request.ttl > MAX_TTL {
        return Err(EtcdError::LeaseTtlTooLarge.into());
    }
    let ttl = request.ttl.max(api.options.min_lease_ttl);
    let chosen = request.id != 0;
    // Under a request id every further grant would be answered as the first one was.
    let draws = if stamp.is_some() { 1 } else { DRAWS };
    for _ in 0..draws {
        let id = if chosen { LeaseId(request.id) } else { api.lease_ids.draw() };
        let grant = Request::Write(Command::LeaseGrant { id, ttl });
        let reply = api.call(stamped(grant, stamp)).await;
        match reply.body {
            Ok(Body::Outcome(Outcome::LeaseGrant { id, ttl })) => {
                let header = api.headers.of(reply.header);
                return Ok(pb::LeaseGrantResponse { header, id: id.0, ttl, error: String::new() });
            }
            Ok(_) => return Err(unexpected("LeaseGrant")),
            Err(Failure::Store(Error::LeaseExists)) if !chosen => {}
            Err(failure) => return Err(status(failure)),
        }
    }
    Err(EtcdError::LeaseExists.into())
}

/// `LeaseRevoke`.
pub(super) async fn revoke(
    api: &Api,
    request: pb::LeaseRevokeRequest,
    stamp: Option<Stamp>,
) -> Result<pb::LeaseRevokeResponse, Status> {
    match api.write(Command::LeaseRevoke { id: LeaseId(request.id) }, stamp).await? {
        (header, Outcome::Done) => Ok(pb::LeaseRevokeResponse { header: api.headers.of(header) }),
        _ => Err(unexpected("LeaseRevoke")),
    }
}

/// One message of `LeaseKeepAlive`: a lease that is not there has a time to live of 0.
pub(super) async fn renew(
    api: &Api,
    request: pb::LeaseKeepAliveRequest,
) -> Result<pb::LeaseKeepAliveResponse, Status> {
    match api.ask(Request::LeaseRenew(LeaseId(request.id))).await? {
        (header, Body::Renewed(ttl)) => {
            let header = api.headers.of(header);
            Ok(pb::LeaseKeepAliveResponse { header, id: request.id, ttl })
        }
        _ => Err(unexpected("LeaseKeepAlive")),
    }
}

/// `LeaseTimeToLive`: a lease that is not there has a time to live of −1.
pub(super) async fn time_to_live(
    api: &Api,
    request: pb::LeaseTimeToLiveRequest,
) -> Result<pb::LeaseTimeToLiveResponse, Status> {
    let ask = Request::LeaseTimeToLive { id: LeaseId(request.id), keys: request.keys };
    let (header, Body::TimeToLive(lease)) = api.ask(ask).await? else {
        return Err(unexpected("LeaseTimeToLive"));
    };
    let header = api.headers.of(header);
    Ok(match lease {
        Some(lease) => pb::LeaseTimeToLiveResponse {
            header,
            id: request.id,
            ttl: lease.remaining,
            granted_ttl: lease.granted,
            keys: lease.keys,
        },
        None => pb::LeaseTimeToLiveResponse {
            header,
            id: request.id,
            ttl: -1,
            ..pb::LeaseTimeToLiveResponse::default()
        },
    })
}

/// `LeaseLeases`.
pub(super) async fn leases(
    api: &Api,
    _request: pb::LeaseLeasesRequest,
) -> Result<pb::LeaseLeasesResponse, Status> {
    let (header, Body::Leases(leases)) = api.ask(Request::Leases).await? else {
        return Err(unexpected("LeaseLeases"));
    };
    let leases = leases.into_iter().map(|id| pb::LeaseStatus { id: id.0 }).collect();
    Ok(pb::LeaseLeasesResponse { header: api.headers.of(header), leases })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::LeaseIds;

    #[test]
    fn drawn_ids_are_positive_and_differ() {
        let ids = LeaseIds::default();
        let drawn: BTreeSet<i64> = (0..10_000).map(|_| ids.draw().0).collect();
        assert_eq!(drawn.len(), 10_000);
        assert!(drawn.iter().all(|id| *id > 0));
    }
}
