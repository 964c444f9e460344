//! What a client is told when it is made.

use std::time::Duration;

/// How a [`Client`](crate::Client) reaches its cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port` or `http://host:port`, at least one. An address that is listed twice gets two
    /// connections.
    pub endpoints: Vec<String>,
    /// The longest time to open one connection.
    pub connect_timeout: Duration,
    /// The longest time that one request may take, retries included. Streams have no limit.
    pub request_timeout: Duration,
    /// Writes carry a request id, so that a server which knows such ids does them at most once
    /// however often they are sent; and they are sent again when no answer comes.
    pub exactly_once: bool,
}

impl Options {
    /// Options for these endpoints: 2 s to connect, 5 s for a request, as etcd's clients have.
    pub fn to<I, S>(endpoints: I) -> Options
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Options {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(5),
            exactly_once: true,
        }
    }
}
