//! One at a time: locks and elections, made of keys and leases.
//!
//! Whoever wants something puts a key of its own under the prefix `NAME/`, named after its lease
//! and put with it. The key with the lowest create revision holds; everybody else waits for the
//! one right before it to be deleted, so that an end wakes one and not all. Nothing else is agreed
//! upon: the servers know keys, and neither locks nor elections. The keys are those of etcd's own
//! recipes, so whoever follows those (`etcdctl lock`, `etcdctl elect`) stands in the same queue.
//!
//! # Laws
//!
//! - Of all keys under a prefix at one revision, at most one has the lowest create revision, and
//!   with it the [`Place`] that holds.
//! - Create revisions of holders grow from each to the next: they are fencing tokens.
//! - A place ends here ([`Place::lost`]) no later than its key may end at the servers, for all that
//!   this side's clock can tell.
//!
//! # What is left out
//!
//! A process that stands still does not notice that its time is over until it goes on, and a
//! machine that sleeps does not count the time. Only who checks the fence is safe from what such
//! a process then still does. And a name must not go on where another one has a slash: `a/b` stands
//! in the queue of `a`, as it does with etcd.

mod candidates;
mod election;
mod lost;
mod mutex;
mod observer;
mod place;

pub use election::{Election, Leader};
pub use lost::Lost;
pub use mutex::Mutex;
pub use observer::{Change, Observer};
pub use place::Place;

use bytes::Bytes;
use tonic::Code;

use crate::Result;
use crate::error::{Error, Outcome};

/// What the keys of a name begin with.
fn prefix(name: &[u8]) -> Result<Bytes> {
    if name.is_empty() {
        let text = "the name is empty; everybody who wants the same gives the same name";
        return Err(Error::new(Code::InvalidArgument, text, Outcome::Unsent));
    }
    Ok([name, b"/"].concat().into())
}
