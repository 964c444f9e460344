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
async fn a_write_of_unknown_outcome_is_not_sent_again_to_who_may_do_it_twice() {
    let server = Server::start(failing([Status::unavailable("etcdserver: leader changed")]));
    let error = client(&[server.endpoint()]).put("k", "v").await.unwrap_err();
    assert_eq!((error.code(), error.outcome()), (Code::Unavailable, Outcome::Unknown));
    assert_eq!(error.message(), "etcdserver: leader changed");
    assert_eq!(server.calls(), 1);
}

/// Servers that understand request ids and fail a few times first.
fn understanding(failures: impl IntoIterator<Item = Status>) -> Script {
    Script { understands: true, ..failing(failures) }
}

fn ids(server: &Server) -> Vec<Option<(String, String, String)>> {
    server.script.lock().unwrap().ids.clone()
}

#[tokio::test]
async fn a_numbered_write_is_sent_again_under_its_number() {
    let lost = || Status::unavailable("etcdserver: request timed out");
    let (one, two) =
        (Server::start(understanding([lost(), lost()])), Server::start(understanding([lost()])));
    let client = client(&[one.endpoint(), two.endpoint()]);
    client.put("k", "v").await.unwrap();
    client.put("k", "w").await.unwrap();
    let sent: Vec<_> = [ids(&one), ids(&two)].concat().into_iter().flatten().collect();
    assert!((4..=5).contains(&sent.len()), "{sent:?}");
    assert!(sent.iter().all(|(client, _, _)| *client == sent[0].0), "one client: {sent:?}");
    let numbered = |number: &str| sent.iter().filter(|(_, sent, _)| sent == number).count();
    assert!(numbered("1") >= 2 && numbered("2") >= 1, "{sent:?}");
    assert_eq!(numbered("1") + numbered("2"), sent.len());
    // The second says that the first is done with.
    assert!(sent.iter().all(|(_, number, oldest)| number == oldest), "{sent:?}");
}

#[tokio::test]
async fn a_write_that_servers_refuse_after_a_doubt_was_refused_the_first_time() {
    let failures = [
        Status::unavailable("etcdserver: leader changed"),
        Status::resource_exhausted("etcdserver: too many requests"),
        Status::not_found("etcdserver: requested lease not found"),
    ];
    let server = Server::start(understanding(failures));
    let error = client(&[server.endpoint()]).put("k", "v").await.unwrap_err();
    assert_eq!((error.code(), error.outcome()), (Code::NotFound, Outcome::Refused));
    assert_eq!(server.calls(), 3);
}

#[tokio::test]
async fn a_client_that_was_forgotten_begins_anew() {
    let unknown =
        "etcdserver: client of the request id is not known any more, the request was not done now";
    let forgotten = || Status::failed_precondition(unknown);
    let server = Server::start(understanding([forgotten()]));
    let one = client(&[server.endpoint()]);
    one.put("k", "v").await.unwrap();
    let sent: Vec<_> = ids(&server).into_iter().flatten().collect();
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0].0, sent[1].0, "under another name");
    // After a doubt nobody can tell whether it was done.
    let lost = Status::unavailable("etcdserver: leader changed");
    let server = Server::start(understanding([lost, forgotten()]));
    let error = client(&[server.endpoint()]).put("k", "v").await.unwrap_err();
    assert_eq!((error.message(), error.outcome()), (unknown, Outcome::Unknown));
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn without_room_for_its_numbers_a_client_writes_without() {
    let full = "etcdserver: too many clients use request ids, the request was not done";
    let server = Server::start(understanding([Status::resource_exhausted(full)]));
    client(&[server.endpoint()]).put("k", "v").await.unwrap();
    let sent = ids(&server);
    assert!(sent.len() == 2 && sent[0].is_some() && sent[1].is_none(), "{sent:?}");
}

#[tokio::test]
async fn without_exactly_once_nothing_is_numbered_or_sent_twice() {
    let server = Server::start(understanding([Status::unavailable("etcdserver: no leader")]));
    let options = Options { exactly_once: false, ..Options::to([server.endpoint()]) };
    let error = Client::new(options).unwrap().put("k", "v").await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert_eq!(ids(&server), [None]);
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
