//! What is sent again, where, and what is not: against servers that fail as they are told.
#![allow(clippy::unwrap_used, reason = "a test may fail here as well")]

mod support;

use std::time::Duration;

use client::{Client, Code, Options, Outcome};
use support::{Script, Server};
use tonic::Status;

/// A client that does not wait long.
fn client(endpoints: &[String]) -> Client {
    let mut options = Options::to(endpoints.to_vec());
    options.request_timeout = Duration::from_secs(20);
    Client::new(options).unwrap()
}

fn failing(failures: impl IntoIterator<Item = Status>) -> Script {
    Script { failures: failures.into_iter().collect(), ..Script::default() }
}

/// An address where nobody listens: it was free, and its listener is gone.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn reads_go_on_while_servers_are_unavailable() {
    let lost = || Status::unavailable("etcdserver: leader changed");
    let server = Server::start(failing([lost(), lost(), lost()]));
    client(&[server.endpoint()]).get("k").await.unwrap();
    assert_eq!(server.calls(), 4);
}

#[tokio::test]
async fn a_write_of_unknown_outcome_is_not_sent_again() {
    let server = Server::start(failing([Status::unavailable("etcdserver: leader changed")]));
    let error = client(&[server.endpoint()]).put("k", "v").await.unwrap_err();
    assert_eq!((error.code(), error.outcome()), (Code::Unavailable, Outcome::Unknown));
    assert_eq!(error.message(), "etcdserver: leader changed");
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn a_write_that_a_learner_turns_away_goes_to_a_voter() {
    let refusal = Status::failed_precondition("etcdserver: rpc not supported for learner");
    let learner = Server::start(failing([refusal.clone(), refusal]));
    let voter = Server::start(Script::default());
    let client = client(&[learner.endpoint(), voter.endpoint()]);
    client.put("a", "1").await.unwrap();
    client.put("b", "2").await.unwrap();
    assert_eq!(voter.calls(), 2);
    assert!(learner.calls() >= 1);
}

#[tokio::test]
async fn writes_pass_over_an_endpoint_where_nobody_listens() {
    let server = Server::start(Script::default());
    let client = client(&[nobody().await, server.endpoint(), nobody().await]);
    for _ in 0..10 {
        client.put("k", "v").await.unwrap();
    }
    assert_eq!(server.calls(), 10);
}

#[tokio::test]
async fn a_client_leaves_a_server_that_ends_for_one_that_lives() {
    let (one, two) = (Server::start(Script::default()), Server::start(Script::default()));
    let client = client(&[one.endpoint(), two.endpoint()]);
    for _ in 0..4 {
        client.get("k").await.unwrap();
    }
    assert_eq!((one.calls(), two.calls()), (2, 2));
    drop(one);
    for _ in 0..10 {
        client.get("k").await.unwrap();
    }
    assert!(two.calls() >= 10, "{}", two.calls());
}

#[tokio::test]
async fn nobody_anywhere_is_one_clear_sentence() {
    let endpoint = nobody().await;
    let error = client(std::slice::from_ref(&endpoint)).put("k", "v").await.unwrap_err();
    assert_eq!((error.code(), error.outcome()), (Code::Unavailable, Outcome::Unsent));
    assert!(error.message().starts_with(&format!("cannot reach {endpoint}: ")), "{error}");
}

#[tokio::test]
async fn each_endpoint_can_be_asked_alone() {
    let (one, two) = (Server::start(Script::default()), Server::start(Script::default()));
    let clients = client(&[one.endpoint(), two.endpoint()]).each();
    for _ in 0..3 {
        clients[1].get("k").await.unwrap();
    }
    assert_eq!((one.calls(), two.calls()), (0, 3));
}
