//! The stream of events: a JSON object a line.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::route::{Body, with_body};
use super::views;
use crate::gossip::{CallError, Notice, PoolHandle, Subscription};

/// Who follows, and what is to be said first.
struct Follower {
    pool: PoolHandle,
    events: Subscription,
    first: Option<Value>,
}

/// Everything that happens from now on.
pub(super) async fn stream(pool: &PoolHandle) -> Result<Response<Body>, CallError> {
    // Subscribed first: what happens in between is told twice rather than never.
    let events = pool.subscribe();
    let first = Some(members(pool, 0).await?);
    let follower = Follower { pool: pool.clone(), events, first };
    let lines = stream::unfold(follower, |mut follower| async move {
        let line = follower.next().await?;
        let frame = Frame::data(Bytes::from(format!("{line}\n")));
        Some((Ok::<_, Infallible>(frame), follower))
    });
    let body = StreamBody::new(lines).boxed_unsync();
    Ok(with_body(StatusCode::OK, "application/x-ndjson", body))
}

impl Follower {
    async fn next(&mut self) -> Option<Value> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        match self.events.next().await? {
            Notice::Event(event) => Some(views::event(&event)),
            Notice::Gap(lost) => members(&self.pool, lost).await.ok(),
        }
    }
}

/// Everybody, after so many events were lost.
async fn members(pool: &PoolHandle, lost: u64) -> Result<Value, CallError> {
    let members = views::list(&pool.members().await?);
    Ok(json!({ "event": "members", "lost": lost, "members": members }))
}
