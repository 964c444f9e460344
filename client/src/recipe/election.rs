//! Elections.

use bytes::Bytes;
use etcdpb::etcdserverpb::RangeRequest;
use etcdpb::etcdserverpb::range_request::{SortOrder, SortTarget};
use etcdpb::mvccpb::KeyValue;

use super::{Observer, Place, prefix};
use crate::Result;
use crate::call::Client;
use crate::range::prefix_end;

/// An election with a name, the same one as that of `etcdctl elect`: a lock whose holder says
/// something, and whom others may follow.
#[derive(Clone, Debug)]
pub struct Election {
    client: Client,
    prefix: Bytes,
}

/// Who leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The leader's own key.
    pub key: Bytes,
    /// What it says.
    pub value: Bytes,
    /// The create revision of the key: larger than that of every leader before.
    pub fence: i64,
    /// The lease that the key ends with.
    pub lease: i64,
}

impl From<&KeyValue> for Leader {
    fn from(kv: &KeyValue) -> Leader {
        Leader {
            key: kv.key.clone(),
            value: kv.value.clone(),
            fence: kv.create_revision,
            lease: kv.lease,
        }
    }
}

impl Election {
    /// The election of this name.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty name.
    pub fn new(client: &Client, name: impl AsRef<[u8]>) -> Result<Election> {
        Ok(Election { client: client.clone(), prefix: prefix(name.as_ref())? })
    }

    /// Stands in the election and says `value`, with a lease of `ttl` seconds that is kept alive.
    /// [`Place::wait`] then waits until it is won, [`Place::leave`] resigns.
    ///
    /// # Errors
    /// As [`Mutex::enter`](super::Mutex::enter).
    pub async fn campaign(&self, value: impl Into<Bytes>, ttl: i64) -> Result<Place> {
        Place::take(&self.client, &self.prefix, value.into(), ttl).await
    }

    /// Who leads now, if anybody does.
    ///
    /// # Errors
    /// `Unavailable` or `DeadlineExceeded` when no quorum could be reached.
    pub async fn leader(&self) -> Result<Option<Leader>> {
        let first = RangeRequest {
            key: self.prefix.clone(),
            range_end: prefix_end(&self.prefix),
            limit: 1,
            sort_order: SortOrder::Ascend.into(),
            sort_target: SortTarget::Create.into(),
            ..RangeRequest::default()
        };
        Ok(self.client.range(first).await?.kvs.first().map(Leader::from))
    }

    /// Follows the election, from whoever leads now.
    ///
    /// # Errors
    /// As [`Election::leader`].
    pub async fn observe(&self) -> Result<Observer> {
        Observer::begin(&self.client, &self.prefix).await
    }
}
