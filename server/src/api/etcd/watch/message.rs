//! What the hub says, as messages.

use bytes::{BufMut, Bytes};
use etcdpb::etcdserverpb as pb;
use prost::Message;
use store::watch::{CancelReason, RefuseReason, WatchId};

use super::super::errors::EtcdError;
use super::super::header::Headers;
use super::fragment::stretches;

/// The id of a response that is about no watch: a refusal, or progress of the whole stream.
const NO_WATCH: i64 = -1;

/// One message on the wire.
#[derive(Clone, Debug)]
pub(in crate::api::etcd) struct WatchMessage {
    /// Everything but the events.
    head: pb::WatchResponse,
    /// The events, encoded as fields of the response. Their number is the highest of the message,
    /// so they stand at its end.
    events: Vec<Bytes>,
}

impl WatchMessage {
    pub(super) fn encode(&self, buffer: &mut impl BufMut) {
        self.head.encode_raw(buffer);
        for event in &self.events {
            buffer.put_slice(event);
        }
    }

    fn about(headers: &Headers, id: i64, revision: i64) -> pb::WatchResponse {
        let header = Some(headers.of_watch(revision));
        pb::WatchResponse { header, watch_id: id, ..pb::WatchResponse::default() }
    }

    fn of(head: pb::WatchResponse) -> Self {
        Self { head, events: Vec::new() }
    }

    /// The watch exists.
    pub(super) fn created(headers: &Headers, id: WatchId, revision: i64) -> Self {
        let head = Self::about(headers, id.0, revision);
        Self::of(pb::WatchResponse { created: true, ..head })
    }

    /// It does not, and this is why.
    pub(super) fn refused(headers: &Headers, reason: RefuseReason, revision: i64) -> Self {
        let head = Self::about(headers, NO_WATCH, revision);
        let cancel_reason = refusal(reason).into();
        Self::of(pb::WatchResponse { created: true, canceled: true, cancel_reason, ..head })
    }

    /// It is over. Go's client takes a response without a reason for a revision of the future, so
    /// there always is one. After a compaction the header has no revision.
    pub(super) fn canceled(
        headers: &Headers,
        id: WatchId,
        reason: Option<CancelReason>,
        compact_revision: Option<i64>,
        revision: i64,
    ) -> Self {
        let revision = if compact_revision.is_some() { 0 } else { revision };
        let head = Self::about(headers, id.0, revision);
        let cancel_reason = match reason {
            Some(CancelReason::Compacted) => EtcdError::Compacted.text(),
            Some(CancelReason::Unreadable) => EtcdError::Corrupt.text(),
            None => EtcdError::WatchCanceled.text(),
        };
        Self::of(pb::WatchResponse {
            canceled: true,
            compact_revision: compact_revision.unwrap_or(0),
            cancel_reason: cancel_reason.into(),
            ..head
        })
    }

    /// How far a watch, or the whole stream, has come.
    pub(super) fn progress(headers: &Headers, id: Option<WatchId>, revision: i64) -> Self {
        Self::of(Self::about(headers, id.map_or(NO_WATCH, |id| id.0), revision))
    }

    /// What happened: one message, or, with a `limit` in bytes, as many as it takes.
    pub(super) fn events(
        headers: &Headers,
        id: WatchId,
        revision: i64,
        events: Vec<Bytes>,
        limit: Option<usize>,
    ) -> Vec<Self> {
        let head = Self::about(headers, id.0, revision);
        let Some(limit) = limit else {
            return vec![Self { head, events }];
        };
        let largest = pb::WatchResponse { fragment: true, ..head.clone() }.encoded_len();
        let sizes: Vec<usize> = events.iter().map(Bytes::len).collect();
        let cut = stretches(largest, &sizes, limit);
        let last = cut.len() - 1;
        cut.into_iter()
            .enumerate()
            .map(|(place, stretch)| Self {
                head: pb::WatchResponse { fragment: place < last, ..head.clone() },
                events: events[stretch].to_vec(),
            })
            .collect()
    }
}

/// etcd's words, which come from its store and have no prefix.
fn refusal(reason: RefuseReason) -> &'static str {
    match reason {
        RefuseReason::Duplicate => "mvcc: duplicate watch ID provided on the WatchStream",
        RefuseReason::EmptyRange => "mvcc: watcher range is empty",
        RefuseReason::NegativeStart => "mvcc: required revision has been compacted",
        RefuseReason::TooManyWatchers => "mvcc: too many watchers on the WatchStream",
    }
}

#[cfg(test)]
mod tests;
