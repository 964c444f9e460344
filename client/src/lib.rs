//! A client of Conclave, and of anything else that speaks the etcd v3 API.
//!
//! A [`Client`] knows one or more endpoints and keeps one HTTP/2 connection to each. Requests go
//! round the endpoints in turn; one that cannot be reached is left out for a moment and its
//! share goes to the others.
//!
//! ```no_run
//! # async fn example() -> Result<(), client::Error> {
//! use client::{Client, Options};
//!
//! let client = Client::new(Options::to(["127.0.0.1:2379"]))?;
//! client.put("fruit", "apple").await?;
//! let kv = client.get("fruit").await?.expect("it was just put");
//! assert_eq!(&kv.value[..], b"apple");
//! # Ok(())
//! # }
//! ```
//!
//! # Laws
//!
//! - **A write is done at most once**, and when it is answered it was done once. Writes carry a
//!   request id ([`Options::exactly_once`]); where no answer comes, or none that settles it, the
//!   same write is sent again under the same id, also to other endpoints, until the request's
//!   time is up or 25 s have passed. A server does it once and answers as it did the first time.
//! - **Where servers do not know request ids** (etcd, earlier versions), **and for upkeep** such
//!   as alarms, a write is repeated only when not a byte of it can have left: no connection, or
//!   the connection ended before the request was written.
//! - Any other failure is handed to the caller, and [`Error::outcome`] says whether the write may
//!   have taken effect.
//! - **A read may be repeated.** It goes to the next endpoint on `UNAVAILABLE`, until the
//!   request's time is up.
//! - **A watch has no gap and no repeat.** After a disconnect it resumes, on any endpoint, at
//!   the revision after the last one that it has handed out.
//! - **A lease lives as long as its [`KeepAlive`]**, whatever endpoints come and go, if one of
//!   them can be reached within the lease's time to live.
//! - **A [`Place`] is lost here before it can be another's**: its time counts from the sending of
//!   the last renewal that was answered. What is done under it is fenced by [`Place::fence`] all
//!   the same, because a process may be stopped between a look at the clock and the act.
//!
//! # What is left out
//!
//! One watcher is one gRPC stream (etcd's own client puts many on one stream). There is no TLS
//! and no authentication, and the list of endpoints is the caller's: it does not follow the
//! cluster's membership.

mod balance;
mod call;
mod cluster;
mod endpoint;
mod error;
mod kv;
mod lease;
mod link;
mod maintenance;
mod options;
mod range;
mod recipe;
mod session;
mod snapshot;
mod watch;

pub use call::Client;
pub use error::{Error, Outcome};
pub use etcdpb::{etcdserverpb, mvccpb};
pub use lease::KeepAlive;
pub use options::Options;
pub use range::{FROM_KEY, prefix_end};
pub use recipe::{Change, Election, Leader, Lost, Mutex, Observer, Place};
pub use snapshot::Snapshot;
pub use tonic::Code;
pub use watch::Watcher;

/// What every request of this crate comes to.
pub type Result<T, E = Error> = std::result::Result<T, E>;
