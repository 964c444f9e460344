//! A member that is alone of three: no leader, no agreement, and clear words about it.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::cluster_client::ClusterClient;
use etcdpb::etcdserverpb::maintenance_client::MaintenanceClient;
use tonic::{Code, Request};

use crate::support::{TestServer, get, refusal, refused, soon};

/// A request that insists on a leader.
fn insisting<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("hasleader", "true".parse().unwrap());
    request
}

#[tokio::test]
async fn what_is_local_goes_on_and_the_rest_is_refused() {
    let server = TestServer::start_alone_of_three().await;
    let local = pb::RangeRequest { serializable: true, ..get("k") };
    let answer = server.kv().range(local.clone()).await.unwrap().into_inner();
    assert_eq!((answer.count, answer.header.unwrap().revision), (0, 1));
    let no_leader = refused(Code::Unavailable, "no leader");
    assert_eq!(refusal(server.kv().range(insisting(local)).await), no_leader);

    let mut maintenance = MaintenanceClient::new(server.channel.clone());
    let status = maintenance.status(pb::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.leader, status.errors), (0, vec!["etcdserver: no leader".to_owned()]));
    let mut cluster = ClusterClient::new(server.channel.clone());
    let local = pb::MemberListRequest { linearizable: false };
    assert_eq!(cluster.member_list(local).await.unwrap().into_inner().members.len(), 3);
}

#[tokio::test]
async fn health_tells_that_there_is_no_leader() {
    let server = TestServer::start_alone_of_three().await;
    let (code, _, body) = server.http("GET", "/health").await;
    assert_eq!(
        (code, body.as_str()),
        (503, "{\"health\":\"false\",\"reason\":\"RAFT NO LEADER\"}\n")
    );
    assert_eq!(server.http("GET", "/health?serializable=true").await.0, 200);
    assert_eq!(server.http("GET", "/livez").await.2, "ok\n");
}

#[tokio::test]
async fn a_watch_that_insists_is_refused_and_one_that_does_not_is_silent() {
    let server = TestServer::start_alone_of_three().await;
    let requests = || {
        let create = pb::WatchCreateRequest { key: "k".into(), ..Default::default() };
        let create = pb::watch_request::RequestUnion::CreateRequest(create);
        futures_util::stream::iter([pb::WatchRequest { request_union: Some(create) }])
    };
    let refused_stream = soon(server.watch().watch(insisting(requests()))).await;
    let (code, text) = refusal(refused_stream);
    assert_eq!((code, text), refused(Code::Unavailable, "no leader"));
    let silent = soon(server.watch().watch(requests())).await.unwrap();
    assert!(soon(silent.into_inner().message()).await.unwrap().unwrap().created);
}
