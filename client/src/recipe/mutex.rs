//! Locks.

use bytes::Bytes;

use super::{Place, prefix};
use crate::Result;
use crate::call::Client;

/// A lock with a name, the same one as that of `etcdctl lock`.
///
/// ```no_run
/// # async fn example(client: client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut place = client::Mutex::new(&client, "jobs")?.enter(10).await?;
/// place.wait().await?;
/// println!("held under fence {}", place.fence());
/// place.leave().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Mutex {
    client: Client,
    prefix: Bytes,
}

impl Mutex {
    /// The lock of this name.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty name.
    pub fn new(client: &Client, name: impl AsRef<[u8]>) -> Result<Mutex> {
        Ok(Mutex { client: client.clone(), prefix: prefix(name.as_ref())? })
    }

    /// Queues up for it, with a lease of `ttl` seconds that is kept alive. [`Place::wait`] then
    /// waits until the lock is held, [`Place::leave`] gives it up.
    ///
    /// # Errors
    /// `Unavailable` or `DeadlineExceeded` when no quorum could be reached, `ResourceExhausted`
    /// when the store is full. A key that may have been put all the same goes with its lease.
    pub async fn enter(&self, ttl: i64) -> Result<Place> {
        Place::take(&self.client, &self.prefix, Bytes::new(), ttl).await
    }
}
