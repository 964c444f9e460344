//! The end of a server.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::watch_request::RequestUnion;
use tonic::Code;

use crate::support::{TestServer, bytes, get, soon};

#[tokio::test]
async fn streams_are_told_and_the_server_ends() {
    let server = TestServer::start().await;
    let create = pb::WatchCreateRequest { key: bytes("k"), ..pb::WatchCreateRequest::default() };
    let requests = [pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) }];
    let responses = server.watch().watch(futures_util::stream::iter(requests)).await.unwrap();
    let mut responses = responses.into_inner();
    assert!(soon(responses.message()).await.unwrap().unwrap().created);
    server.stop();
    let status = soon(responses.message()).await.unwrap_err();
    let told = (status.code(), status.message());
    assert_eq!(told, (Code::Unavailable, "etcdserver: server stopped"));
    let mut kv = server.kv();
    soon(server.wait()).await;
    assert_eq!(kv.range(get("k")).await.unwrap_err().code(), Code::Unavailable);
}
