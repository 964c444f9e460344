//! etcd's v3 API: gRPC, and the plain HTTP pages that operators' tools read, on one port.
//!
//! ```text
//! listener ── connection ── route ─┬─ kv  range_stream ──┐
//!  accept      HTTP/1 or 2         ├─ lease  keep_alive  ├── convert ── NodeHandle ── node
//!  drain       windows, timeouts   ├─ watch              │   read (values from the backend)
//!                                  ├─ cluster            │
//!                                  ├─ maintenance ───────┘
//!                                  ├─ snapshot (a pinned view of the state)
//!                                  ├─ aside: gRPC health, reflection
//!                                  └─ pages: /health /livez /readyz /version /metrics
//! ```
//!
//! Before there is a node, `lobby` stands in the place of all behind `connection`.
//!
//! A request is converted, handed to the node, and its answer converted back; nothing is decided
//! here. A client that goes away drops the future of its call, and with it the interest in the
//! answer: a write that was proposed may still happen.
//!
//! Laws:
//!
//! - Errors and their texts are etcd's ([`EtcdError`]); so are headers, down to the ones left out.
//! - A value is never copied between the wire and the store, except into the response itself.
//! - What a client can make this side hold is bounded: a request by its largest size, a watch by
//!   the hub's credit, renewals and large reads by their number.
//! - No call waits for another one's disk read.
//!
//! Beyond etcd's API, a write may carry a request id, and may then be repeated (`stamp`).
//!
//! Left out, and answered with `UNIMPLEMENTED`: changes of the membership, authentication,
//! downgrades, locks and elections; the JSON gateway is not there at all.

mod aside;
mod body;
mod cluster;
mod connection;
mod convert;
mod errors;
#[cfg(test)]
mod fixture;
mod frame;
mod header;
mod keep_alive;
mod kv;
mod leader;
mod lease;
mod listener;
mod lobby;
mod maintenance;
pub(crate) mod method;
mod options;
mod pages;
mod preface;
mod range_stream;
mod read;
mod route;
mod snapshot;
mod stamp;
mod watch;

pub use errors::EtcdError;
pub use listener::serve;
pub(crate) use lobby::attend;
pub use options::ApiOptions;

#[cfg(test)]
pub(crate) use fixture::status_of_one;
use route::Api;
