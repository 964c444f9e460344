//! One address, and the connection that is kept to it.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::Scheme;
use tonic::Code;

use crate::error::{Error, Outcome};
use crate::link::{Link, LinkError};

/// How long an endpoint is left out after its first failure to connect; doubled with each
/// further one.
const REST_MIN: Duration = Duration::from_millis(50);
/// The longest time that an endpoint is left out.
const REST_MAX: Duration = Duration::from_secs(1);

/// One server that a client talks to.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// As the caller wrote it, for messages.
    name: String,
    /// `host:port`.
    authority: String,
    origin: Uri,
    connect_timeout: Duration,
    state: Mutex<State>,
    /// Held by the one request that is connecting; the others wait for its connection.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    link: Option<Link>,
    /// Failures to connect since the last success.
    failures: u32,
    resting_until: Option<Instant>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("connected", &self.link.is_some())
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Reads `host:port` or `http://host:port`; nothing is connected yet.
    pub(crate) fn new(name: &str, connect_timeout: Duration) -> Result<Endpoint, Error> {
        let (authority, origin) = parse(name)?;
        Ok(Endpoint {
            name: name.to_owned(),
            authority,
            origin,
            connect_timeout,
            state: Mutex::default(),
            connecting: tokio::sync::Mutex::new(()),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn origin(&self) -> Uri {
        self.origin.clone()
    }

    /// Whether a recent failure keeps this endpoint out of the round.
    pub(crate) fn is_resting(&self, now: Instant) -> bool {
        self.lock().resting_until.is_some_and(|until| now < until)
    }

    /// The open connection, or a new one.
    pub(crate) async fn link(&self) -> Result<Link, Error> {
        if let Some(link) = self.open_link() {
            return Ok(link);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(link) = self.open_link() {
            return Ok(link);
        }
        let opened =
            match tokio::time::timeout(self.connect_timeout, Link::open(&self.authority)).await {
                Ok(opened) => opened,
                Err(_) => Err(LinkError::unsent("no answer in time")),
            };
        let mut state = self.lock();
        match opened {
            Ok(link) => {
                *state = State { link: Some(link.clone()), ..State::default() };
                Ok(link)
            }
            Err(error) => {
                state.rest(Instant::now());
                Err(error.to_error(&self.name))
            }
        }
    }

    fn open_link(&self) -> Option<Link> {
        self.lock().link.clone().filter(|link| !link.is_closed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while the lock is held.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn rest(&mut self, now: Instant) {
        let rest = REST_MIN.saturating_mul(1 << self.failures.min(5)).min(REST_MAX);
        self.link = None;
        self.failures = self.failures.saturating_add(1);
        self.resting_until = Some(now + rest);
    }
}

/// The `host:port` of an endpoint, and the address that requests to it name.
fn parse(name: &str) -> Result<(String, Uri), Error> {
    let refuse = |why: &str| {
        let text = format!("endpoint {name:?} {why}; write host:port, such as 127.0.0.1:2379");
        Error::new(Code::InvalidArgument, text, Outcome::Unsent)
    };
    if name.starts_with("https://") {
        return Err(refuse("asks for TLS, which this client does not speak"));
    }
    let bare = name.strip_prefix("http://").unwrap_or(name).trim_end_matches('/');
    let authority: http::uri::Authority = bare.parse().map_err(|_| refuse("is not an address"))?;
    if authority.port_u16().is_none_or(|port| port == 0) {
        return Err(refuse("has no port"));
    }
    if authority.host().is_empty() {
        return Err(refuse("has no host"));
    }
    let origin = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(authority.clone())
        .path_and_query("/")
        .build()
        .map_err(|_| refuse("is not an address"))?;
    Ok((authority.to_string(), origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_with_or_without_a_scheme() {
        for name in ["127.0.0.1:2379", "http://127.0.0.1:2379", "http://127.0.0.1:2379/"] {
            assert_eq!(parse(name).unwrap().0, "127.0.0.1:2379");
        }
        assert_eq!(parse("[::1]:2379").unwrap().0, "[::1]:2379");
        assert_eq!(parse("node-1.local:1").unwrap().1, "http://node-1.local:1/");
    }

    #[test]
    fn a_wrong_address_is_refused_with_a_reason() {
        let text = |name: &str| parse(name).unwrap_err().to_string();
        assert!(text("localhost").contains("has no port"));
        assert!(text("https://localhost:1").contains("TLS"));
        assert!(text("a b:1").contains("is not an address"));
        assert!(text("").contains("is not an address"));
        assert!(text(":2379").contains("has no host"));
    }

    #[test]
    fn rests_grow_and_are_bounded() {
        let now = Instant::now();
        let mut state = State::default();
        let mut last = Duration::ZERO;
        for _ in 0..40 {
            state.rest(now);
            let rest = state.resting_until.unwrap() - now;
            assert!(rest >= last && rest <= REST_MAX);
            last = rest;
        }
        assert_eq!(last, REST_MAX);
    }
}
