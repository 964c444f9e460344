//! The plain HTTP pages: health, version, metrics. `GET` only; bodies and codes are etcd's.

mod checks;
mod health;
mod query;
mod version;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use node::Body;

use super::Api;
use super::body::ApiBody;
use checks::Probe;
use query::Query;

/// A page: its code, its type, its text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    code: StatusCode,
    content_type: &'static str,
    body: String,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Page {
    fn ok(content_type: &'static str, body: String) -> Self {
        Self { code: StatusCode::OK, content_type, body }
    }

    /// An error as Go's `http.Error` words it: the text and a line feed.
    fn error(code: StatusCode, text: &str) -> Self {
        Self { code, content_type: TEXT, body: format!("{text}\n") }
    }
}

/// The paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path<'a> {
    Health,
    Version,
    Metrics,
    /// `/livez` and `/readyz`, all checks or the one named.
    Probe(Probe, Option<&'a str>),
}

impl<'a> Path<'a> {
    fn of(path: &'a str) -> Option<Self> {
        match path {
            "/health" => Some(Self::Health),
            "/version" => Some(Self::Version),
            "/metrics" => Some(Self::Metrics),
            _ => {
                let path = path.strip_prefix('/')?;
                let (root, check) = match path.split_once('/') {
                    Some((root, check)) => (root, Some(check)),
                    None => (path, None),
                };
                let probe = Probe::of(root)?;
                match check {
                    Some(name) if !probe.has(name) => None,
                    Some(_) | None => Some(Self::Probe(probe, check)),
                }
            }
        }
    }
}

/// The page that is asked for, or what is said of a request for none.
fn asked<B>(request: &Request<B>) -> Result<Path<'_>, Box<Response<ApiBody>>> {
    let Some(path) = Path::of(request.uri().path()) else {
        return Err(Box::new(page(Page::error(StatusCode::NOT_FOUND, "404 page not found"))));
    };
    if request.method() != Method::GET {
        let refusal = Page::error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        let mut response = page(refusal);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
        return Err(Box::new(response));
    }
    Ok(path)
}

/// Answers of a server that serves nothing yet: it lives, and this is what it waits for.
pub(super) fn waiting<B>(reason: &str, request: &Request<B>) -> Response<ApiBody> {
    let path = match asked(request) {
        Ok(path) => path,
        Err(refusal) => return *refusal,
    };
    page(match path {
        Path::Health => health::waiting(reason),
        Path::Version => version::page(),
        Path::Metrics => Page::error(StatusCode::SERVICE_UNAVAILABLE, reason),
        Path::Probe(Probe::Live, _) => Page::ok(TEXT, "ok\n".to_owned()),
        Path::Probe(Probe::Ready, _) => checks::waiting(reason),
    })
}

/// Answers a request that is not gRPC.
pub(super) async fn respond<B>(api: &Arc<Api>, request: Request<B>) -> Response<ApiBody> {
    let path = match asked(&request) {
        Ok(path) => path,
        Err(refusal) => return *refusal,
    };
    let query = Query::of(request.uri().query().unwrap_or_default());
    page(match path {
        Path::Health => health::page(api, &query).await,
        Path::Version => version::page(),
        Path::Metrics => metrics(api).await,
        Path::Probe(probe, check) => checks::page(api, probe, check, &query).await,
    })
}

fn page(page: Page) -> Response<ApiBody> {
    let mut response = Response::new(ApiBody::Plain(Bytes::from(page.body)));
    *response.status_mut() = page.code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Everything that is counted. What the node knows is asked for now; without it the page still
/// shows the rest.
async fn metrics(api: &Api) -> Page {
    if let Ok((_, Body::Status(status))) = api.ask(node::Request::Status).await {
        api.metrics().observe(&status, store::BackendRead::size(api.node.reader()));
    }
    Page::ok(OPEN_METRICS, api.metrics().text())
}

#[cfg(test)]
mod tests {
    use super::checks::Probe;
    use super::{Page, Path, StatusCode};

    #[test]
    fn paths_are_exact() {
        assert_eq!(Path::of("/health"), Some(Path::Health));
        assert_eq!(Path::of("/livez"), Some(Path::Probe(Probe::Live, None)));
        let check = Path::Probe(Probe::Ready, Some("linearizable_read"));
        assert_eq!(Path::of("/readyz/linearizable_read"), Some(check));
        for path in ["/", "", "/health/", "/livez/linearizable_read", "/readyz/", "/v2/keys"] {
            assert_eq!(Path::of(path), None, "{path}");
        }
    }

    #[test]
    fn a_server_that_waits_lives_and_is_not_ready() {
        let reason = "this server waits for \"its\" group";
        let answer = |path: &str| {
            let request = http::Request::get(path).body(()).unwrap();
            let response = super::waiting(reason, &request);
            let super::ApiBody::Plain(body) = response.body() else { panic!("{path}") };
            (response.status().as_u16(), String::from_utf8(body.to_vec()).unwrap())
        };
        assert_eq!(answer("/livez"), (200, "ok\n".to_owned()));
        assert_eq!(answer("/version").0, 200);
        let ready = format!("[-]group failed: {reason}\n\n");
        assert_eq!(answer("/readyz"), (503, ready));
        assert_eq!(answer("/metrics"), (503, format!("{reason}\n")));
        let health = "{\"health\":\"false\",\"reason\":\"this server waits for 'its' group\"}\n";
        assert_eq!(answer("/health"), (503, health.to_owned()));
        assert_eq!(answer("/v3/kv/range").0, 404);
    }

    #[test]
    fn errors_are_worded_as_go_words_them() {
        let page = Page::error(StatusCode::NOT_FOUND, "404 page not found");
        assert_eq!(page.body, "404 page not found\n");
    }
}
