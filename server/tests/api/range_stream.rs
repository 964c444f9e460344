//! `KV.RangeStream`.

use etcdpb::etcdserverpb as pb;
use prost::Message;
use tonic::Code;

use crate::support::{TestServer, bytes, refusal, soon, span};

/// The pieces, and what they join to.
async fn streamed(
    server: &TestServer,
    request: pb::RangeRequest,
) -> (Vec<pb::RangeResponse>, pb::RangeResponse) {
    let mut stream = server.kv().range_stream(request).await.unwrap().into_inner();
    let mut pieces = Vec::new();
    let mut joined = pb::RangeResponse::default();
    while let Some(piece) = soon(stream.message()).await.unwrap() {
        let piece = piece.range_response.unwrap();
        // Protobuf's merge: what comes later adds to lists and replaces the rest.
        joined.merge(piece.encode_to_vec().as_slice()).unwrap();
        pieces.push(piece);
    }
    (pieces, joined)
}

#[tokio::test]
async fn the_pieces_join_to_what_range_answers() {
    let server = TestServer::start().await;
    for key in 0..200 {
        server.put(&format!("k{key:03}"), vec![7; 20_000]).await;
    }
    let requests = [
        span("k", "l"),
        pb::RangeRequest { limit: 37, ..span("k", "l") },
        pb::RangeRequest { limit: 10, ..span("k", "l") },
        pb::RangeRequest { limit: 200, ..span("k", "l") },
        pb::RangeRequest { limit: 1000, ..span("k", "l") },
        pb::RangeRequest { revision: 50, ..span("k", "l") },
        pb::RangeRequest { keys_only: true, ..span("k", "\0") },
        pb::RangeRequest { count_only: true, ..span("k", "l") },
        pb::RangeRequest { serializable: true, ..span("k005", "k050") },
        pb::RangeRequest { range_end: bytes(""), ..span("k007", "") },
        span("x", "y"),
        span("b", "a"),
    ];
    for request in requests {
        let whole = server.kv().range(request.clone()).await.unwrap().into_inner();
        let (pieces, joined) = streamed(&server, request.clone()).await;
        assert_eq!(joined, whole, "{request:?}");
        let (last, before) = pieces.split_last().expect("at least one piece");
        assert!(last.header.is_some());
        for piece in before {
            assert!(piece.header.is_none() && !piece.more && piece.count == 0);
            assert!(!piece.kvs.is_empty());
        }
        if whole.kvs.len() > 10 {
            assert_eq!(pieces[0].kvs.len(), 10);
        }
    }
}

#[tokio::test]
async fn sorting_and_filtering_are_not_for_streams() {
    let server = TestServer::start().await;
    for request in [
        pb::RangeRequest { sort_order: 2, ..span("k", "l") },
        pb::RangeRequest { sort_target: 3, ..span("k", "l") },
        pb::RangeRequest { min_mod_revision: 5, ..span("k", "l") },
    ] {
        let (code, _) = refusal(server.kv().range_stream(request).await);
        assert_eq!(code, Code::Unimplemented);
    }
}
