//! gRPC's framing of unary calls, straight on HTTP/2 frames.
//!
//! A message is one byte (0: not compressed), its length as four big-endian bytes, and the
//! message. Most requests arrive whole in one DATA frame: they are decoded in place, and their
//! keys and values share its buffer. What arrives in pieces is gathered, within bounds of time and,
//! over all calls, of memory: a client that sends only half of each message gains nothing by it.
//! Compressed messages are refused: a client learns it from the
//! status and never compresses on its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use prost::Message;
use tokio::time::timeout;
use tonic::{Code, Status};

use super::errors::EtcdError;

/// The bytes before each message.
const PREFIX: usize = 5;
/// The largest message that gRPC implementations take, whatever their settings.
const MAX_SEND: usize = i32::MAX as usize;

/// How long the rest of a message may take.
const GATHER_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of messages that have arrived in part, on one runtime. More are refused.
const MAX_PARTIAL: usize = 256 << 20;

/// The text with which grpc-go refuses a message; clients search for it.
pub(super) fn too_large(length: usize, limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "grpc: received message larger than max ({length} vs. {limit})"
    ))
}

/// tonic's refusal of a large message on a stream, in grpc-go's words.
pub(super) fn translated(status: Status) -> Status {
    let numbers = |text: &str| -> Option<(usize, usize)> {
        let text = text.strip_prefix("Error, decoded message length too large: found ")?;
        let (length, rest) = text.split_once(" bytes, the limit is: ")?;
        Some((length.parse().ok()?, rest.strip_suffix(" bytes")?.parse().ok()?))
    };
    if status.code() != Code::OutOfRange {
        return status;
    }
    numbers(status.message()).map_or(status, |(length, limit)| too_large(length, limit))
}

/// Reads the one message of a unary call.
pub(super) async fn read<B>(mut body: B, limit: usize, partial: &Partial) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut whole = match data(&mut body).await? {
        Some(first) => first,
        None => return Err(Status::internal("the request has no message")),
    };
    if !is_whole(&whole, limit)? {
        let gathered = timeout(GATHER_TIMEOUT, gather(&mut body, whole, limit, partial)).await;
        whole = gathered.map_err(|_| Status::deadline_exceeded("the request did not arrive"))??;
    }
    // What may still come is the end of the stream; a second message is an error.
    if !body.is_end_stream() && data(&mut body).await?.is_some() {
        return Err(Status::internal("a unary request has more than one message"));
    }
    whole.advance(PREFIX);
    Ok(whole)
}

/// The next DATA frame that is not empty.
async fn data<B>(body: &mut B) -> Result<Option<Bytes>, Status>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Status::cancelled(error.to_string()))?;
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => return Ok(Some(data)),
            Err(_trailers) => return Ok(None),
        }
    }
    Ok(None)
}

/// Whether `bytes` is a message with its prefix; an error when it can no longer become one.
fn is_whole(bytes: &[u8], limit: usize) -> Result<bool, Status> {
    let Some((prefix, message)) = bytes.split_first_chunk::<PREFIX>() else {
        return Ok(false);
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err(Status::unimplemented("compressed messages are not supported"));
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > limit {
        return Err(too_large(length, limit));
    }
    match message.len().cmp(&length) {
        std::cmp::Ordering::Less => Ok(false),
        std::cmp::Ordering::Equal => Ok(true),
        std::cmp::Ordering::Greater => {
            Err(Status::internal("a unary request has more than one message"))
        }
    }
}

/// Bytes of messages that have arrived in part, over all calls.
#[derive(Debug, Default)]
pub(super) struct Partial(AtomicUsize);

/// One message's share of them.
struct Share<'a> {
    partial: &'a Partial,
    bytes: usize,
}

impl Share<'_> {
    /// Takes more; refused when all calls together have too much.
    fn grow(&mut self, bytes: usize) -> Result<(), Status> {
        self.bytes += bytes;
        let before = self.partial.0.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > MAX_PARTIAL {
            return Err(EtcdError::TooManyRequests.into());
        }
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.partial.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Puts a message together from several frames. Memory grows with what was received, not with
/// what the prefix announces.
async fn gather<B>(
    body: &mut B,
    first: Bytes,
    limit: usize,
    partial: &Partial,
) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut share = Share { partial, bytes: 0 };
    share.grow(first.len())?;
    let mut whole = BytesMut::from(first);
    while let Some(data) = data(body).await? {
        share.grow(data.len())?;
        whole.extend_from_slice(&data);
        if is_whole(&whole, limit)? {
            return Ok(whole.freeze());
        }
    }
    Err(Status::internal("the request ended within its message"))
}

/// A message as it goes out.
pub(super) fn framed(message: &impl Message) -> Result<Bytes, Status> {
    let length = message.encoded_len();
    let announced = u32::try_from(length).ok().filter(|_| length <= MAX_SEND).ok_or_else(|| {
        Status::resource_exhausted(format!(
            "trying to send message larger than max ({length} vs. {MAX_SEND})"
        ))
    })?;
    let mut out = BytesMut::with_capacity(PREFIX + length);
    out.put_u8(0);
    out.put_u32(announced);
    message.encode_raw(&mut out);
    Ok(out.freeze())
}

#[cfg(test)]
mod tests;
