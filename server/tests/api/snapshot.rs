//! `Maintenance.Snapshot`: the stream as a client sees it.

use etcdpb::etcdserverpb as pb;
use etcdpb::etcdserverpb::maintenance_client::MaintenanceClient;
use storage::backup::survey;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::support::{TestServer, connect, refusal, refused, soon};

/// How many streams a server sends at once.
const STREAMS: usize = 4;

async fn open(channel: &Channel) -> Result<Streaming<pb::SnapshotResponse>, tonic::Status> {
    let mut maintenance = MaintenanceClient::new(channel.clone());
    Ok(maintenance.snapshot(pb::SnapshotRequest {}).await?.into_inner())
}

/// Reads a stream to its end, and checks how it is cut.
async fn read(mut stream: Streaming<pb::SnapshotResponse>) -> Vec<u8> {
    let (mut file, mut left) = (Vec::new(), None);
    while let Some(response) = soon(stream.message()).await.unwrap() {
        assert!(response.header.is_none() && response.version == "3.6.4");
        assert!(!response.blob.is_empty() && response.blob.len() <= 32 << 10);
        let before = left.unwrap_or(response.remaining_bytes + response.blob.len() as u64);
        assert_eq!(before, response.remaining_bytes + response.blob.len() as u64);
        left = Some(response.remaining_bytes);
        // The digest comes alone, and last.
        assert_eq!(response.remaining_bytes == 0, response.blob.len() == 32);
        file.extend_from_slice(&response.blob);
    }
    assert_eq!(left, Some(0));
    file
}

#[tokio::test]
async fn a_stream_is_one_moment_whatever_is_written_meanwhile() {
    let server = TestServer::start().await;
    let value = vec![7; 100_000];
    let mut revision = 0;
    for number in 0..60 {
        revision = server.put(&format!("{number}"), value.clone()).await;
    }
    let stream = open(&server.channel).await.unwrap();
    // More than all windows and queues together hold: the rest is made after these writes.
    for number in 0..60 {
        server.put(&format!("{number}"), "later").await;
    }
    let file = read(stream).await;
    assert_eq!(file.len() % 512, 32);
    let told = survey(&file[..]).unwrap();
    assert_eq!((told.revision, told.keys), (revision, 60));
    let mut maintenance = MaintenanceClient::new(server.channel.clone());
    let same = maintenance.hash_kv(pb::HashKvRequest { revision }).await.unwrap().into_inner();
    assert_eq!(told.hash.hash, same.hash);
}

#[tokio::test]
async fn streams_at_once_are_bounded_and_one_that_is_given_up_makes_room() {
    let server = TestServer::start().await;
    for number in 0..100 {
        server.put(&format!("{number}"), vec![7; 100_000]).await;
    }
    // Larger than what windows and queues take without being read.
    let mut held = Vec::new();
    for _ in 0..STREAMS {
        let channel = connect(server.address).await;
        held.push((open(&channel).await.unwrap(), channel));
    }
    let full = open(&server.channel).await;
    assert_eq!(refusal(full), refused(Code::ResourceExhausted, "too many requests"));
    drop(held.pop());
    let file = soon(async {
        loop {
            match open(&server.channel).await {
                Ok(stream) => break read(stream).await,
                // The server has not heard of it yet.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    assert_eq!(survey(&file[..]).unwrap().keys, 100);
    // Those that were held up all the while are whole as well.
    for (stream, _channel) in held {
        assert_eq!(read(stream).await.len(), file.len());
    }
    server.wait().await;
}

#[tokio::test]
async fn a_member_without_a_leader_gives_what_it_has() {
    let server = TestServer::start_alone_of_three().await;
    let file = read(open(&server.channel).await.unwrap()).await;
    assert_eq!(survey(&file[..]).unwrap().revision, 1);
}
