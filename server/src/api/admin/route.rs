//! From a request to an answer.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{elections, events, figures, requests, views};
use crate::elections::ElectionError;
use crate::gossip::{CallError, PoolHandle};

/// Bytes of the body of a request.
const BODY_MAX: usize = 64 << 10;
/// Before the name of everything that is ours alone.
const PREFIX: &str = "/v1/conclave/";
const JSON: &str = "application/json";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What an answer carries.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Why a request came to nothing.
#[derive(Debug)]
pub(super) enum Failed {
    /// The request is none.
    Request(String),
    /// The pool has refused.
    Call(CallError),
    /// The election has.
    Election(ElectionError),
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<ElectionError> for Failed {
    fn from(error: ElectionError) -> Self {
        Self::Election(error)
    }
}

pub(super) async fn route(pool: PoolHandle, request: Request<Incoming>) -> Response<Body> {
    if request.headers().contains_key(ORIGIN) {
        let text = "this API does not answer pages of other places";
        return answer(StatusCode::FORBIDDEN, &json!({ "error": text }));
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match (&method, path.as_str()) {
        (&Method::GET, "/health") => {
            return answer(StatusCode::OK, &json!({ "health": "true" }));
        }
        (&Method::GET, "/metrics") => {
            return match figures::page(&pool).await {
                Ok(text) => respond(StatusCode::OK, METRICS, text.into()),
                Err(error) => failed(&error.into()),
            };
        }
        _ => {}
    }
    let Some(name) = path.strip_prefix(PREFIX) else { return unknown(&path) };
    if method == Method::GET {
        return match name {
            "elections" => finish(elections::list(&pool).await),
            "members" => finish(views::members(&pool).await),
            "pool" => finish(views::pool(&pool).await),
            "events" => events::stream(&pool).await.unwrap_or_else(|error| failed(&error.into())),
            _ => unknown(&path),
        };
    }
    let election = name.strip_prefix("elections/").filter(|it| elections::NAMES.contains(it));
    if election.is_none() && !requests::NAMES.contains(&name) {
        return unknown(&path);
    }
    if method != Method::POST {
        let text = format!("{path} takes POST");
        return answer(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": text }));
    }
    let body = match Limited::new(request.into_body(), BODY_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return failed(&Failed::Request(format!("more than {BODY_MAX} bytes"))),
    };
    if let Some(name) = election {
        return elections::carry_out(&pool, name, &body)
            .await
            .unwrap_or_else(|error| failed(&error));
    }
    finish(requests::carry_out(&pool, name, &body).await)
}

pub(super) fn finish(result: Result<Value, Failed>) -> Response<Body> {
    match result {
        Ok(value) => answer(StatusCode::OK, &value),
        Err(error) => failed(&error),
    }
}

fn failed(error: &Failed) -> Response<Body> {
    let (status, text) = match error {
        Failed::Request(text) => (StatusCode::BAD_REQUEST, text.clone()),
        Failed::Election(error) => {
            let status = match error {
                ElectionError::Ended => StatusCode::SERVICE_UNAVAILABLE,
                ElectionError::Refused(_) => StatusCode::BAD_REQUEST,
                ElectionError::Conflict(_) => StatusCode::CONFLICT,
            };
            (status, error.to_string())
        }
        Failed::Call(error) => {
            let status = match error {
                CallError::Ended => StatusCode::SERVICE_UNAVAILABLE,
                CallError::Refused(_) | CallError::NoKeys => StatusCode::CONFLICT,
                CallError::Resolve(..) | CallError::Join(_) => StatusCode::BAD_GATEWAY,
            };
            (status, error.to_string())
        }
    };
    answer(status, &json!({ "error": text }))
}

fn unknown(path: &str) -> Response<Body> {
    let names = requests::NAMES.join(", ");
    let text = format!(
        "there is nothing at {path}: {PREFIX} has elections, members, events, pool (GET), \
         {names} and elections/{} (POST)",
        elections::NAMES.join(", elections/")
    );
    answer(StatusCode::NOT_FOUND, &json!({ "error": text }))
}

fn answer(status: StatusCode, value: &Value) -> Response<Body> {
    respond(status, JSON, format!("{value}\n").into())
}

fn respond(status: StatusCode, content: &'static str, body: Bytes) -> Response<Body> {
    with_body(status, content, Full::new(body).boxed_unsync())
}

pub(super) fn with_body(status: StatusCode, content: &'static str, body: Body) -> Response<Body> {
    let response = Response::builder().status(status).header(CONTENT_TYPE, content).body(body);
    response.expect("invariant: status and headers are constants")
}
