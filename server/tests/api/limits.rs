//! Bad input, and too much of it.

use etcdpb::etcdserverpb as pb;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use crate::support::{TestServer, put, refusal, refused, soon};

#[tokio::test]
async fn requests_are_refused_by_size_in_two_ways() {
    let server = TestServer::start().await;
    let mut kv = server.kv();
    let sized = |bytes: usize| pb::PutRequest { value: vec![0; bytes].into(), ..put("k") };
    kv.put(sized(1_500_000)).await.unwrap();
    let large = kv.put(sized(1_600_000)).await;
    assert_eq!(refusal(large), refused(Code::InvalidArgument, "request is too large"));
    let (code, text) = refusal(kv.put(sized(2_200_000)).await);
    assert_eq!(code, Code::ResourceExhausted);
    let start = "grpc: received message larger than max (22000";
    assert!(text.starts_with(start) && text.ends_with(" vs. 2097152)"), "{text}");
    // The connection has survived.
    kv.put(sized(10)).await.unwrap();
}

#[tokio::test]
async fn a_large_watch_request_ends_its_stream_only() {
    let server = TestServer::start().await;
    let key = vec![1; 2_200_000].into();
    let create = pb::WatchCreateRequest { key, ..pb::WatchCreateRequest::default() };
    let request = pb::WatchRequest {
        request_union: Some(pb::watch_request::RequestUnion::CreateRequest(create)),
    };
    let responses = server.watch().watch(futures_util::stream::iter([request])).await.unwrap();
    let (code, text) = refusal(soon(responses.into_inner().message()).await);
    assert_eq!(code, Code::ResourceExhausted);
    assert!(text.starts_with("grpc: received message larger than max ("), "{text}");
    server.put("k", "v").await;
}

#[tokio::test]
async fn garbage_on_the_port_hurts_nobody() {
    let server = TestServer::start().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let garbage: [Vec<u8>; 6] = [
        vec![0; 1000],
        vec![0xff; 1000],
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        [&preface[..], &[0xff; 1000]].concat(),
        [&preface[..], &[0, 0, 4, 1, 5, 0, 0, 0, 1, 1, 2, 3, 4]].concat(),
    ];
    for bytes in garbage {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Whatever the answer is, the connection ends.
        let _reset = soon(stream.read_to_end(&mut answer)).await;
    }
    server.put("k", "v").await;
}

#[tokio::test]
async fn idle_connections_are_no_burden() {
    let server = TestServer::start().await;
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    server.put("k", "v").await;
    // None of them was closed for being there.
    let mut byte = [0];
    let open = idle.iter().filter(|stream| {
        matches!(stream.try_read(&mut byte), Err(error)
            if error.kind() == std::io::ErrorKind::WouldBlock)
    });
    assert_eq!(open.count(), 300);
}
