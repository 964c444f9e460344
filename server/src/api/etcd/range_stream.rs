//! `KV.RangeStream`: a large read in pieces.
//!
//! The revision is pinned by the first piece, which alone needs confirmation: the later ones read
//! the pinned revision here. Pieces are sized by keys, and the number of keys follows the bytes
//! that the last piece took. Joined together (protobuf's merge), the pieces are the answer that
//! `Range` would have given: `header`, `more` and `count` stand on the last one only.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use etcdpb::etcdserverpb as pb;
use futures_util::{Stream, stream};
use prost::Message;
use store::{Filter, Range, SortOrder, SortTarget};
use tonic::Status;

use super::convert::{range_from_pb, range_to_pb};
use super::{Api, read};

/// The keys of the first piece.
const FIRST_KEYS: i64 = 10;
/// The most keys of one piece, however small they are.
const MOST_KEYS: i64 = 1 << 15;

/// How many keys the next piece should have, after one of `bytes` had `keys`: twice as many while
/// less than half of the target is reached, half as many beyond twice the target.
fn next_keys(keys: i64, bytes: usize, target: usize) -> i64 {
    if bytes < target / 2 {
        keys.saturating_mul(2).min(MOST_KEYS)
    } else if bytes > target.saturating_mul(2) {
        (keys / 2).max(1)
    } else {
        keys
    }
}

/// Where a stream stands.
struct Cursor {
    api: Arc<Api>,
    /// What is left to read; `revision` is pinned after the first piece.
    range: Range,
    serializable: bool,
    /// The keys of the next piece.
    keys: i64,
    /// Keys that may still be sent; `None`: all.
    left: Option<i64>,
    /// All keys of the range, as the first piece told.
    count: Option<i64>,
    done: bool,
}

/// A piece, made where its values were read.
struct Piece {
    response: pb::RangeResponse,
    last_key: Option<Bytes>,
    sent: i64,
    bytes: usize,
}

/// Starts a stream.
pub(super) fn open(
    api: Arc<Api>,
    request: pb::RangeRequest,
) -> Result<impl Stream<Item = Result<pb::RangeStreamResponse, Status>> + Send + 'static, Status> {
    let serializable = request.serializable;
    let range = range_from_pb(request)?;
    let by_key = range.target == SortTarget::Key && range.order != SortOrder::Descend;
    if !by_key || range.filter != Filter::default() {
        return Err(Status::unimplemented(
            "etcdserver: a range stream neither sorts nor filters by revision",
        ));
    }
    let left = (range.limit > 0).then_some(range.limit);
    let cursor =
        Cursor { api, range, serializable, keys: FIRST_KEYS, left, count: None, done: false };
    Ok(stream::unfold(cursor, |mut cursor| async move {
        if cursor.done {
            return None;
        }
        let piece = cursor.next().await;
        cursor.done |= piece.is_err();
        let response = piece.map(|piece| pb::RangeStreamResponse { range_response: Some(piece) });
        Some((response, cursor))
    }))
}

impl Cursor {
    async fn next(&mut self) -> Result<pb::RangeResponse, Status> {
        let wanted = self.left.map_or(self.keys, |left| left.min(self.keys));
        self.range.limit = wanted;
        let headers = self.api.headers.clone();
        let build = move |header, result| {
            let response = range_to_pb(headers.of(header), result);
            Piece {
                last_key: response.kvs.last().map(|kv| kv.key.clone()),
                sent: i64::try_from(response.kvs.len()).unwrap_or(i64::MAX),
                bytes: response.encoded_len(),
                response,
            }
        };
        let read = read::range(&self.api, &self.range, self.serializable, build).await?;
        self.range.revision = read.revision;
        self.serializable = true;
        let Piece { mut response, last_key, sent, bytes } = read.value;
        let count = *self.count.get_or_insert(response.count);
        self.left = self.left.map(|left| left - sent);
        self.done = !response.more || self.left.is_some_and(|left| left <= 0);
        match last_key {
            Some(key) if !self.done => self.range.keys.key = after(&key),
            Some(_) | None => self.done = true,
        }
        if self.done {
            response.count = count;
        } else {
            response.header = None;
            response.more = false;
            response.count = 0;
        }
        self.keys = next_keys(self.keys, bytes, self.api.options.max_request_bytes);
        Ok(response)
    }
}

/// The smallest key after this one.
fn after(key: &Bytes) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.put_u8(0);
    next.freeze()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{FIRST_KEYS, MOST_KEYS, after, next_keys};

    #[test]
    fn pieces_settle_near_the_target() {
        let target = 1_572_864;
        for key_bytes in [1_usize, 64, 1000, 100_000, 3_000_000] {
            let mut keys = FIRST_KEYS;
            for _ in 0..64 {
                keys = next_keys(keys, usize::try_from(keys).unwrap() * key_bytes, target);
            }
            let bytes = usize::try_from(keys).unwrap() * key_bytes;
            let settled = (target / 2..=target * 2).contains(&bytes);
            assert!(settled || keys == 1 || keys == MOST_KEYS, "{key_bytes}: {keys}");
        }
    }

    #[test]
    fn nothing_lies_between_a_key_and_the_next() {
        let key = Bytes::from_static(b"a");
        assert_eq!(after(&key), Bytes::from_static(b"a\0"));
    }
}
