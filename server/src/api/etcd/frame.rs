//! gRPC's framing of unary calls, straight on HTTP/2 frames.
//!
//! A message is one byte (0: not compressed), its length as four big-endian bytes, and the
//! message. Most requests arrive whole in one DATA frame: they are decoded in place, and their
//! keys and values share its buffer. What arrives in pieces is gathered, within bounds of time and,
//! over all calls, of memory: a client that sends only half of each message, or all of it and never
//! the end of the request, gains nothing by it.
//! Compressed messages are refused: a client learns it from the status and never compresses on its
//! own. A message that says it is compressed while its call names no compression is malformed,
//! which is another status (gRPC, doc/compression.md).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request};
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
pub(super) async fn read<B>(
    request: Request<B>,
    limit: usize,
    partial: &Partial,
) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let (head, mut body) = request.into_parts();
    let expected = Expected { limit, headers: &head.headers };
    let mut whole = match data(&mut body).await? {
        Some(first) => first,
        None => return Err(Status::internal("the request has no message")),
    };
    if !expected.is_whole(&whole)? || !body.is_end_stream() {
        let gathered = gather(&mut body, whole, &expected, partial);
        let gathered = timeout(GATHER_TIMEOUT, gathered).await;
        whole = gathered.map_err(|_| Status::deadline_exceeded("the request did not arrive"))??;
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

/// What the message of a call may be.
struct Expected<'a> {
    limit: usize,
    headers: &'a HeaderMap,
}

impl Expected<'_> {
    /// Whether `bytes` is a message with its prefix; an error when it can no longer become one.
    fn is_whole(&self, bytes: &[u8]) -> Result<bool, Status> {
        let Some((prefix, message)) = bytes.split_first_chunk::<PREFIX>() else {
            return Ok(false);
        };
        let [compressed, length @ ..] = *prefix;
        if compressed != 0 {
            return Err(self.compressed());
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(too_large(length, self.limit));
        }
        match message.len().cmp(&length) {
            std::cmp::Ordering::Less => Ok(false),
            std::cmp::Ordering::Equal => Ok(true),
            std::cmp::Ordering::Greater => {
                Err(Status::internal("a unary request has more than one message"))
            }
        }
    }

    fn compressed(&self) -> Status {
        match self.headers.get("grpc-encoding") {
            Some(name) if name.as_bytes() != b"identity" => {
                Status::unimplemented("compressed messages are not supported")
            }
            Some(_) | None => {
                Status::internal("a message is marked as compressed and its call names no encoding")
            }
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

/// Puts a message together from several frames, and waits for the end of the request, without which
/// it is not carried out. Memory grows with what was received, not with what the prefix announces.
async fn gather<B>(
    body: &mut B,
    mut whole: Bytes,
    expected: &Expected<'_>,
    partial: &Partial,
) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut share = Share { partial, bytes: 0 };
    share.grow(whole.len())?;
    if !expected.is_whole(&whole)? {
        let mut pieces = BytesMut::from(whole);
        while !expected.is_whole(&pieces)? {
            let Some(data) = data(body).await? else {
                return Err(Status::internal("the request ended within its message"));
            };
            share.grow(data.len())?;
            pieces.extend_from_slice(&data);
        }
        whole = pieces.freeze();
    }
    if !body.is_end_stream() && data(body).await?.is_some() {
        return Err(Status::internal("a unary request has more than one message"));
    }
    Ok(whole)
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
