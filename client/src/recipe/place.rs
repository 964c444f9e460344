//! One's own key in the queue for a name.

use std::time::Duration;

use bytes::Bytes;
use etcdpb::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use etcdpb::etcdserverpb::range_request::{SortOrder, SortTarget};
use etcdpb::etcdserverpb::request_op::Request;
use etcdpb::etcdserverpb::watch_create_request::FilterType;
use etcdpb::etcdserverpb::{
    Compare, PutRequest, RangeRequest, RequestOp, ResponseOp, TxnRequest, TxnResponse,
    WatchCreateRequest, response_op::Response,
};
use etcdpb::mvccpb::KeyValue;
use etcdpb::mvccpb::event::EventType;
use tokio::time::Instant;
use tonic::Code;

use super::Lost;
use crate::Result;
use crate::call::{Client, pause};
use crate::error::{Error, Outcome};
use crate::lease::KeepAlive;
use crate::range::prefix_end;

/// A key in the queue for a name, and the lease that it ends with. It holds when it is the first
/// one. Dropped, it is no longer renewed and ends with its lease; [`Place::leave`] ends it at once.
///
/// - The key has been there at `seen`, with the create revision `fence`.
#[derive(Debug)]
pub struct Place {
    client: Client,
    prefix: Bytes,
    key: Bytes,
    fence: i64,
    seen: i64,
    kept: KeepAlive,
}

impl Place {
    /// Puts a key under `prefix`, behind all that are there.
    pub(super) async fn take(
        client: &Client,
        prefix: &Bytes,
        value: Bytes,
        ttl: i64,
    ) -> Result<Place> {
        let lease = client.lease_grant(ttl, 0).await?.id;
        let kept = client.lease_keep_alive(lease).await?;
        let key = Bytes::from([prefix, format!("{lease:x}").as_bytes()].concat());
        let (client, prefix) = (client.clone(), prefix.clone());
        let mut place = Place { client, prefix, key, fence: 0, seen: 0, kept };
        match place.put(value).await {
            Ok(()) => Ok(place),
            Err(error) => {
                // Whether this works or not, the lease is no longer renewed.
                drop(place.leave().await);
                Err(error)
            }
        }
    }

    /// The key is this place's alone, so the transaction may be sent again where its fate is not
    /// known: it puts the key or finds it.
    async fn put(&mut self, value: Bytes) -> Result<()> {
        let put = PutRequest { value, ..self.put_request() };
        let request = TxnRequest {
            compare: vec![created_at(&self.key, 0)],
            success: vec![operation(Request::RequestPut(put))],
            failure: vec![read(self.own())],
        };
        let mut failures = 0;
        let response = loop {
            match self.client.txn(request.clone()).await {
                Ok(response) => break response,
                Err(error) if passes(&error) && !self.is_late() => {
                    failures += 1;
                    tokio::time::sleep(pause(failures)).await;
                }
                Err(error) => return Err(error),
            }
        };
        self.seen = revision(&response);
        let found = first(response.responses.first());
        self.fence = if response.succeeded {
            self.seen
        } else {
            found.map(|kv| kv.create_revision).ok_or_else(strange)?
        };
        Ok(())
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The fencing token: the create revision of the key, larger than that of every holder before.
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// The lease.
    pub fn lease(&self) -> i64 {
        self.kept.id()
    }

    /// Until when the place is surely this one's, for all that is known by now, unless its key or
    /// its lease is ended by somebody. Every renewal moves it. See [`KeepAlive::expires_at`].
    pub fn expires_at(&self) -> std::time::Instant {
        self.kept.expires_at()
    }

    /// Waits until it is the first one. May be given up and begun again.
    ///
    /// # Errors
    /// The place is lost.
    pub async fn wait(&mut self) -> Result<(), Lost> {
        let Place { client, prefix, key, fence, seen, kept } = self;
        tokio::select! {
            // In this order: what comes too late to be trusted does not count.
            biased;
            lost = end_of(kept, Duration::ZERO) => Err(lost),
            turn = turn(client, prefix, key, *fence) => {
                *seen = turn?;
                Ok(())
            }
        }
    }

    /// Waits until the place is lost, or until less than `notice` is left of what
    /// [`Place::expires_at`] says. May be given up and begun again.
    pub async fn lost(&mut self, notice: Duration) -> Lost {
        let Place { client, key, fence, seen, kept, .. } = self;
        tokio::select! {
            biased;
            lost = end_of(kept, notice) => lost,
            lost = end_of_key(client, key, *fence, seen) => lost,
        }
    }

    /// Says something else than when the place was taken.
    ///
    /// # Errors
    /// `FailedPrecondition` when the place is lost; otherwise as [`Client::txn`].
    pub async fn proclaim(&self, value: impl Into<Bytes>) -> Result<()> {
        let put = PutRequest { value: value.into(), ..self.put_request() };
        let request = TxnRequest {
            compare: vec![created_at(&self.key, self.fence)],
            success: vec![operation(Request::RequestPut(put))],
            failure: Vec::new(),
        };
        if self.client.txn(request).await?.succeeded {
            return Ok(());
        }
        let text = "not proclaimed: the key is gone, and the leadership with it";
        Err(Error::new(Code::FailedPrecondition, text, Outcome::Refused))
    }

    /// Gives the place up, and the next one holds.
    ///
    /// # Errors
    /// As [`Client::lease_revoke`]; the place then ends with its lease, which is no longer renewed.
    /// One that has ended already is no error.
    pub async fn leave(self) -> Result<()> {
        let Place { client, kept, .. } = self;
        let lease = kept.id();
        drop(kept);
        match client.lease_revoke(lease).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Code::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn is_late(&self) -> bool {
        std::time::Instant::now() >= self.expires_at()
    }

    fn put_request(&self) -> PutRequest {
        PutRequest { key: self.key.clone(), lease: self.lease(), ..PutRequest::default() }
    }

    fn own(&self) -> RangeRequest {
        RangeRequest { key: self.key.clone(), ..RangeRequest::default() }
    }
}

/// Whether a failure may pass: the same question may be answered later, or elsewhere.
pub(super) fn passes(error: &Error) -> bool {
    error.outcome() != Outcome::Refused || error.is_turned_away() || error.is_overload()
}

/// Waits until the lease ends, or until no more than `notice` is left of it.
async fn end_of(kept: &mut KeepAlive, notice: Duration) -> Lost {
    loop {
        let now = Instant::now();
        let end = Instant::from_std(kept.expires_at());
        let Some(left) = end.checked_duration_since(now + notice).filter(|left| !left.is_zero())
        else {
            return Lost::Late;
        };
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(now + left) => {}
            renewed = kept.renewed() => if let Err(error) = renewed {
                return Lost::Lease(error);
            },
        }
    }
}

/// Waits until no key before `fence` is left, and returns a revision at which that was so and the
/// own key was there.
async fn turn(client: &Client, prefix: &Bytes, key: &Bytes, fence: i64) -> Result<i64, Lost> {
    let mut failures = 0;
    loop {
        let error = match look(client, prefix, key, fence).await {
            Ok(Standing { is_there: false, .. }) => return Err(Lost::Deleted),
            Ok(Standing { before: None, revision, .. }) => return Ok(revision),
            Ok(Standing { before: Some(before), revision, .. }) => {
                match deletion(client, &before, revision + 1).await {
                    Ok(()) => {
                        failures = 0;
                        continue;
                    }
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        // What was compacted may be looked at anew.
        if !passes(&error) && error.code() != Code::OutOfRange {
            return Err(Lost::Refused(error));
        }
        failures += 1;
        tokio::time::sleep(pause(failures)).await;
    }
}

/// Waits until the own key is gone, or another one of its name. Where it cannot be watched, the
/// lease alone says when the place ends.
async fn end_of_key(client: &Client, key: &Bytes, fence: i64, seen: &mut i64) -> Lost {
    let mut failures = 0;
    loop {
        if deletion(client, key, *seen + 1).await.is_ok() {
            return Lost::Deleted;
        }
        failures += 1;
        tokio::time::sleep(pause(failures)).await;
        match look(client, key, key, fence).await {
            Ok(Standing { is_there: false, .. }) => return Lost::Deleted,
            Ok(Standing { revision, .. }) => {
                failures = 0;
                *seen = revision;
            }
            Err(_) => {}
        }
    }
}

/// How a key stands in the queue.
struct Standing {
    is_there: bool,
    /// The last key before it.
    before: Option<Bytes>,
    revision: i64,
}

/// Looks at both at one revision.
async fn look(client: &Client, prefix: &Bytes, key: &Bytes, fence: i64) -> Result<Standing> {
    let before = RangeRequest {
        key: prefix.clone(),
        range_end: prefix_end(prefix),
        limit: 1,
        sort_order: SortOrder::Descend.into(),
        sort_target: SortTarget::Create.into(),
        max_create_revision: fence - 1,
        keys_only: true,
        ..RangeRequest::default()
    };
    let own = RangeRequest { key: key.clone(), keys_only: true, ..RangeRequest::default() };
    let success = vec![read(own), read(before)];
    let response = client.txn(TxnRequest { success, ..TxnRequest::default() }).await?;
    let own = first(response.responses.first());
    Ok(Standing {
        is_there: own.is_some_and(|kv| kv.create_revision == fence),
        before: first(response.responses.get(1)).map(|kv| kv.key.clone()),
        revision: revision(&response),
    })
}

/// Waits until a key is deleted, at `start_revision` or later.
async fn deletion(client: &Client, key: &Bytes, start_revision: i64) -> Result<()> {
    let request = WatchCreateRequest {
        key: key.clone(),
        start_revision,
        filters: vec![FilterType::Noput.into()],
        ..WatchCreateRequest::default()
    };
    let mut watcher = client.watch(request).await?;
    loop {
        let response = watcher.next().await?;
        if response.events.iter().any(|event| event.r#type() == EventType::Delete) {
            return Ok(());
        }
    }
}

fn created_at(key: &Bytes, revision: i64) -> Compare {
    Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Create.into(),
        key: key.clone(),
        target_union: Some(TargetUnion::CreateRevision(revision)),
        ..Compare::default()
    }
}

fn operation(request: Request) -> RequestOp {
    RequestOp { request: Some(request) }
}

fn read(range: RangeRequest) -> RequestOp {
    operation(Request::RequestRange(range))
}

fn revision(response: &TxnResponse) -> i64 {
    response.header.as_ref().map_or(0, |header| header.revision)
}

/// The first record of a read within a transaction.
fn first(operation: Option<&ResponseOp>) -> Option<&KeyValue> {
    match &operation?.response {
        Some(Response::ResponseRange(range)) => range.kvs.first(),
        Some(
            Response::ResponsePut(_) | Response::ResponseDeleteRange(_) | Response::ResponseTxn(_),
        )
        | None => None,
    }
}

/// The own key was neither put nor found.
fn strange() -> Error {
    let text = "the server neither put the key nor found it";
    Error::new(Code::Internal, text, Outcome::Unknown)
}
