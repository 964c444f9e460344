//! Reads and writes of keys.

use bytes::Bytes;
use etcdpb::etcdserverpb::kv_client::KvClient;
use etcdpb::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest,
    PutResponse, RangeRequest, RangeResponse, TxnRequest, TxnResponse,
};
use etcdpb::mvccpb::KeyValue;
use http::Uri;

use crate::Result;
use crate::call::{Client, Kind};
use crate::link::Link;

/// Answers have no size limit of ours: the server bounds what it sends by what was asked.
fn stub(link: Link, origin: Uri) -> KvClient<Link> {
    KvClient::with_origin(link, origin).max_decoding_message_size(usize::MAX)
}

impl Client {
    /// The current record of one key, or `None` when there is no such key. Linearizable.
    ///
    /// # Errors
    /// As [`Client::range`].
    pub async fn get(&self, key: impl Into<Bytes>) -> Result<Option<KeyValue>> {
        let request = RangeRequest { key: key.into(), ..RangeRequest::default() };
        Ok(self.range(request).await?.kvs.pop())
    }

    /// Reads an interval of keys, as the request says.
    ///
    /// # Errors
    /// `OutOfRange` for a revision that has been compacted or does not exist yet,
    /// `InvalidArgument` for an empty key, `Unavailable` when no endpoint could answer in time.
    pub async fn range(&self, request: RangeRequest) -> Result<RangeResponse> {
        let send = |link, origin, request| async move { stub(link, origin).range(request).await };
        self.call(Kind::Read, request, send).await
    }

    /// Sets one key to a value, without a lease.
    ///
    /// # Errors
    /// As [`Client::put_with`].
    pub async fn put(&self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Result<PutResponse> {
        let (key, value) = (key.into(), value.into());
        self.put_with(PutRequest { key, value, ..PutRequest::default() }).await
    }

    /// Sets one key, as the request says.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty key or a request that is too large, `NotFound` for an
    /// unknown lease, `ResourceExhausted` when the store is full. With [`Error::outcome`]
    /// `Unknown` the put may have taken effect.
    ///
    /// [`Error::outcome`]: crate::Error::outcome
    pub async fn put_with(&self, request: PutRequest) -> Result<PutResponse> {
        let send = |link, origin, request| async move { stub(link, origin).put(request).await };
        self.call(Kind::Once, request, send).await
    }

    /// Deletes an interval of keys; deleting nothing is no error.
    ///
    /// # Errors
    /// As [`Client::put_with`].
    pub async fn delete(&self, request: DeleteRangeRequest) -> Result<DeleteRangeResponse> {
        let send =
            |link, origin, request| async move { stub(link, origin).delete_range(request).await };
        self.call(Kind::Once, request, send).await
    }

    /// Runs one of two lists of operations, at one revision. A transaction that only reads at its
    /// top level is repeated as a read is.
    ///
    /// # Errors
    /// `InvalidArgument` for a key that is put twice or for too many operations; otherwise as
    /// the operations' own.
    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse> {
        let kind = if is_read_only(&request) { Kind::Read } else { Kind::Once };
        let send = |link, origin, request| async move { stub(link, origin).txn(request).await };
        self.call(kind, request, send).await
    }

    /// Forgets history older than `revision`; `physical` waits until its space is given back.
    ///
    /// # Errors
    /// `OutOfRange` when the revision has been compacted already or does not exist yet.
    pub async fn compact(&self, revision: i64, physical: bool) -> Result<CompactionResponse> {
        let request = CompactionRequest { revision, physical };
        let send = |link, origin, request| async move { stub(link, origin).compact(request).await };
        self.call(Kind::Once, request, send).await
    }
}

fn is_read_only(request: &TxnRequest) -> bool {
    use etcdpb::etcdserverpb::request_op::Request;
    let is_range = |op: &etcdpb::etcdserverpb::RequestOp| match &op.request {
        Some(Request::RequestRange(_)) => true,
        Some(Request::RequestPut(_) | Request::RequestDeleteRange(_) | Request::RequestTxn(_))
        | None => false,
    };
    request.success.iter().chain(&request.failure).all(is_range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use etcdpb::etcdserverpb::RequestOp;
    use etcdpb::etcdserverpb::request_op::Request;

    #[test]
    fn a_transaction_with_a_write_on_either_side_is_a_write() {
        let range = RequestOp { request: Some(Request::RequestRange(RangeRequest::default())) };
        let put = RequestOp { request: Some(Request::RequestPut(PutRequest::default())) };
        let mut txn = TxnRequest { success: vec![range.clone()], ..TxnRequest::default() };
        assert!(is_read_only(&txn));
        txn.failure = vec![range, put];
        assert!(!is_read_only(&txn));
    }
}
