//! `Lease`.

use etcdpb::etcdserverpb as pb;
use futures_util::stream;
use tonic::Code;

use crate::support::{TestServer, bytes, get, put, refusal, refused, soon};

fn grant(ttl: i64, id: i64) -> pb::LeaseGrantRequest {
    pb::LeaseGrantRequest { ttl, id }
}

#[tokio::test]
async fn leases_are_granted_listed_looked_at_and_revoked() {
    let server = TestServer::start().await;
    let mut lease = server.lease();
    let chosen = lease.lease_grant(grant(60, 7)).await.unwrap().into_inner();
    assert_eq!((chosen.id, chosen.ttl, chosen.error.as_str()), (7, 60, ""));
    let drawn = lease.lease_grant(grant(60, 0)).await.unwrap().into_inner();
    assert!(drawn.id > 0);
    // A time below the least is raised, and so is nonsense.
    for ttl in [0, -5, i64::MIN] {
        assert!(lease.lease_grant(grant(ttl, 0)).await.unwrap().into_inner().ttl >= 1);
    }
    let listed = lease.lease_leases(pb::LeaseLeasesRequest {}).await.unwrap().into_inner();
    assert_eq!(listed.leases.len(), 5);
    assert!(listed.leases.iter().any(|status| status.id == 7));

    server.kv().put(pb::PutRequest { lease: 7, ..put("k") }).await.unwrap();
    let look = pb::LeaseTimeToLiveRequest { id: 7, keys: true };
    let look = lease.lease_time_to_live(look).await.unwrap().into_inner();
    assert_eq!((look.id, look.granted_ttl, look.keys), (7, 60, vec![bytes("k")]));
    assert!((0..=60).contains(&look.ttl));
    lease.lease_revoke(pb::LeaseRevokeRequest { id: 7 }).await.unwrap();
    assert_eq!(server.kv().range(get("k")).await.unwrap().into_inner().count, 0);
    let gone = pb::LeaseTimeToLiveRequest { id: 7, keys: true };
    let gone = lease.lease_time_to_live(gone).await.unwrap().into_inner();
    assert_eq!((gone.id, gone.ttl, gone.granted_ttl), (7, -1, 0));
}

#[tokio::test]
async fn wrong_leases_are_refused_in_etcds_words() {
    let server = TestServer::start().await;
    let mut lease = server.lease();
    let missing = lease.lease_revoke(pb::LeaseRevokeRequest { id: 9 }).await;
    assert_eq!(refusal(missing), refused(Code::NotFound, "requested lease not found"));
    lease.lease_grant(grant(60, 9)).await.unwrap();
    let twice = lease.lease_grant(grant(60, 9)).await;
    assert_eq!(refusal(twice), refused(Code::FailedPrecondition, "lease already exists"));
    let long = lease.lease_grant(grant(9_000_000_001, 0)).await;
    assert_eq!(refusal(long), refused(Code::OutOfRange, "too large lease TTL"));
}

#[tokio::test]
async fn keep_alive_answers_in_order_and_survives_a_lease_that_is_gone() {
    let server = TestServer::start().await;
    let mut lease = server.lease();
    lease.lease_grant(grant(60, 1)).await.unwrap();
    lease.lease_grant(grant(70, 2)).await.unwrap();
    let ids: Vec<i64> = (0..600).map(|place| [1, 99, 2][place % 3]).collect();
    let requests = ids.clone().into_iter().map(|id| pb::LeaseKeepAliveRequest { id });
    let answers = lease.lease_keep_alive(stream::iter(requests)).await.unwrap();
    let mut answers = answers.into_inner();
    for id in ids {
        let answer = soon(answers.message()).await.unwrap().expect("an answer for each");
        let ttl = match id {
            1 => 60,
            2 => 70,
            _ => 0,
        };
        assert_eq!((answer.id, answer.ttl), (id, ttl));
        assert!(answer.header.is_some());
    }
    assert!(soon(answers.message()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lease_that_nobody_renews_takes_its_keys_along() {
    let server = TestServer::start().await;
    let granted = server.lease().lease_grant(grant(1, 0)).await.unwrap().into_inner();
    let put = pb::PutRequest { lease: granted.id, ..put("k") };
    server.kv().put(put).await.unwrap();
    let gone = async {
        while server.kv().range(get("k")).await.unwrap().into_inner().count > 0 {
            // The pause of a poll; `soon` has the deadline.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    soon(gone).await;
    let revoked = server.lease().lease_revoke(pb::LeaseRevokeRequest { id: granted.id }).await;
    assert_eq!(refusal(revoked).0, Code::NotFound);
}
