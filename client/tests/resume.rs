//! A watch over disconnects: no gap and no repeat.
#![allow(clippy::unwrap_used, reason = "a test may fail here as well")]

mod support;

use std::time::Duration;

use client::etcdserverpb::{WatchCreateRequest, WatchResponse};
use client::{Client, Code, Options, Watcher};
use support::{Script, Server, at};

async fn watch(server: &Server, start_revision: i64) -> Watcher {
    let client = Client::new(Options::to([server.endpoint()])).unwrap();
    let request =
        WatchCreateRequest { key: "k".into(), start_revision, ..WatchCreateRequest::default() };
    client.watch(request).await.unwrap()
}

async fn revisions(watcher: &mut Watcher, count: usize) -> Vec<i64> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let response = watcher.next().await.unwrap();
        seen.extend(response.events.iter().filter_map(|e| Some(e.kv.as_ref()?.mod_revision)));
    }
    seen
}

fn starts(server: &Server) -> Vec<i64> {
    let script = server.script.lock().unwrap();
    script.watches.iter().map(|watch| watch.start_revision).collect()
}

#[tokio::test]
async fn a_watch_resumes_after_the_last_event() {
    let streams = vec![vec![at(12, &[11, 12])], vec![], vec![at(15, &[13]), at(15, &[15, 15])]];
    let server = Server::start(Script { streams: streams.into(), ..Script::default() });
    let mut watcher = watch(&server, 0).await;
    assert_eq!(revisions(&mut watcher, 5).await, [11, 12, 13, 15, 15]);
    assert_eq!(watcher.next_revision(), 16);
    // From now on first, which was revision 10; then behind what had come.
    assert_eq!(starts(&server), [0, 13, 13]);
}

#[tokio::test]
async fn a_break_before_the_first_event_resumes_at_the_confirmation() {
    let streams = vec![vec![], vec![at(11, &[11])]];
    let server = Server::start(Script { streams: streams.into(), ..Script::default() });
    let mut watcher = watch(&server, 0).await;
    assert_eq!(revisions(&mut watcher, 1).await, [11]);
    assert_eq!(starts(&server), [0, 11]);
}

#[tokio::test]
async fn half_of_a_revision_is_asked_for_again() {
    let half = |events: &[i64]| WatchResponse { fragment: true, ..at(12, events) };
    let streams = vec![vec![at(11, &[11]), half(&[12, 12])], vec![half(&[12, 12]), at(12, &[12])]];
    let server = Server::start(Script { streams: streams.into(), ..Script::default() });
    let mut watcher = watch(&server, 11).await;
    assert_eq!(revisions(&mut watcher, 4).await, [11, 12, 12, 12]);
    assert_eq!(starts(&server), [11, 12]);
}

#[tokio::test]
async fn progress_moves_the_place_to_resume_at() {
    let streams = vec![vec![at(40, &[])], vec![at(41, &[41])]];
    let server = Server::start(Script { streams: streams.into(), ..Script::default() });
    let mut watcher = watch(&server, 5).await;
    assert_eq!(revisions(&mut watcher, 1).await, [41]);
    assert_eq!(starts(&server), [5, 41]);
}

#[tokio::test]
async fn a_learner_among_the_endpoints_ends_no_watch() {
    let learner = Server::start(Script { learner: true, ..Script::default() });
    let streams = (11..15).map(|revision| vec![at(revision, &[revision])]).collect();
    let voter = Server::start(Script { streams, ..Script::default() });
    let client = Client::new(Options::to([learner.endpoint(), voter.endpoint()])).unwrap();
    let request = WatchCreateRequest { key: "k".into(), ..WatchCreateRequest::default() };
    let mut watcher = client.watch(request.clone()).await.unwrap();
    assert_eq!(revisions(&mut watcher, 4).await, [11, 12, 13, 14]);
    // Where there is nobody else, that is the answer.
    let alone = Client::new(Options::to([learner.endpoint()])).unwrap();
    let error = alone.watch(request).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_compacted_start_is_final() {
    let gone = WatchResponse { canceled: true, compact_revision: 9, ..at(0, &[]) };
    let streams = vec![vec![gone]];
    let server = Server::start(Script { streams: streams.into(), ..Script::default() });
    let mut watcher = watch(&server, 3).await;
    let error = watcher.next().await.unwrap_err();
    assert_eq!(error.code(), Code::OutOfRange);
    assert_eq!(starts(&server), [3], "it must not try again");
}

#[tokio::test]
async fn a_watch_passes_over_a_server_that_is_frozen() {
    // The system takes the connection; nobody ever reads from it.
    let frozen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(Script::default());
    let endpoints = [frozen.local_addr().unwrap().to_string(), server.endpoint()];
    let mut options = Options::to(endpoints);
    options.request_timeout = Duration::from_millis(200);
    let client = Client::new(options).unwrap();
    // They take turns: one of two watches comes to the frozen one first.
    for watches in 1..=2 {
        let request = WatchCreateRequest { key: "k".into(), ..WatchCreateRequest::default() };
        client.watch(request).await.unwrap();
        assert_eq!(starts(&server).len(), watches);
    }
}
