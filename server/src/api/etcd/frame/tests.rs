use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use etcdpb::etcdserverpb::PutRequest;
use futures_util::{FutureExt, StreamExt, stream};
use http::{HeaderValue, Request};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use tonic::{Code, Status};

use super::{MAX_PARTIAL, Partial, Share, framed, read, too_large, translated};

/// Reads a body that arrives in these pieces.
async fn read_pieces(pieces: Vec<Bytes>, limit: usize) -> Result<Bytes, Status> {
    read_encoded(pieces, limit, None).await
}

/// The same, for a call that names this encoding.
async fn read_encoded(
    pieces: Vec<Bytes>,
    limit: usize,
    encoding: Option<&'static str>,
) -> Result<Bytes, Status> {
    let partial = Partial::default();
    let frames: VecDeque<Result<Frame<Bytes>, Infallible>> =
        pieces.into_iter().map(|piece| Ok(Frame::data(piece))).collect();
    let mut request = Request::new(StreamBody::new(stream::iter(frames)));
    if let Some(encoding) = encoding {
        request.headers_mut().insert("grpc-encoding", HeaderValue::from_static(encoding));
    }
    let message = read(request, limit, &partial).await;
    assert_eq!(partial.0.into_inner(), 0, "every share is given back");
    message
}

fn put() -> PutRequest {
    PutRequest {
        key: Bytes::from_static(b"k"),
        value: Bytes::from(vec![7; 300]),
        ..PutRequest::default()
    }
}

#[tokio::test]
async fn a_message_survives_every_cut_into_two_pieces() {
    let whole = framed(&put()).unwrap();
    for cut in 0..=whole.len() {
        let pieces = vec![whole.slice(..cut), whole.slice(cut..)];
        let message = read_pieces(pieces, 4096).await.unwrap();
        assert_eq!(PutRequest::decode(message).unwrap(), put());
    }
}

#[tokio::test]
async fn a_whole_frame_is_decoded_in_place() {
    let whole = framed(&put()).unwrap();
    let message = read_pieces(vec![whole.clone()], 4096).await.unwrap();
    let value = PutRequest::decode(message).unwrap().value;
    assert!(whole.as_ptr_range().contains(&value.as_ptr()));
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_by_its_prefix() {
    let whole = framed(&put()).unwrap();
    let length = whole.len() - 5;
    assert!(read_pieces(vec![whole.clone()], length).await.is_ok());
    // The prefix alone is enough to know.
    let status = read_pieces(vec![whole.slice(..5)], length - 1).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let text = format!("grpc: received message larger than max ({length} vs. {})", length - 1);
    assert_eq!(status.message(), text);
}

#[tokio::test]
async fn what_is_not_one_message_is_an_error() {
    let whole = framed(&put()).unwrap();
    let cases = [
        (vec![], Code::Internal),
        (vec![whole.slice(..3)], Code::Internal),
        (vec![whole.slice(..20)], Code::Internal),
        (vec![whole.clone(), whole.clone()], Code::Internal),
        (vec![Bytes::from([&whole[..], &[0]].concat())], Code::Internal),
    ];
    for (pieces, code) in cases {
        assert_eq!(read_pieces(pieces, 4096).await.unwrap_err().code(), code);
    }
}

#[test]
fn a_request_without_an_end_is_counted_for_as_long_as_it_is_held() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    let whole = framed(&put()).unwrap();
    for cut in [0, 7, whole.len()] {
        let pieces = [whole.slice(..cut), whole.slice(cut..)];
        let frames = pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
        let endless = stream::iter(frames).chain(stream::pending());
        let partial = Partial::default();
        let request = Request::new(StreamBody::new(endless));
        let mut message = Box::pin(read(request, 4096, &partial));
        assert!((&mut message).now_or_never().is_none(), "the end has not come");
        assert_eq!(partial.0.load(Ordering::Relaxed), whole.len());
        drop(message);
        assert_eq!(partial.0.into_inner(), 0);
    }
}

#[tokio::test]
async fn compression_is_refused_and_compression_by_nothing_is_an_error() {
    let cases = [
        (Some("gzip"), Code::Unimplemented),
        (Some("identity"), Code::Internal),
        (None, Code::Internal),
    ];
    for (encoding, code) in cases {
        let pieces = vec![Bytes::from_static(&[1, 0, 0, 0, 0])];
        assert_eq!(read_encoded(pieces, 4096, encoding).await.unwrap_err().code(), code);
        // What is not compressed is welcome, whatever the call has named.
        let pieces = vec![Bytes::from_static(&[0; 5])];
        assert_eq!(read_encoded(pieces, 4096, encoding).await.unwrap(), Bytes::new());
    }
}

#[tokio::test]
async fn an_empty_message_is_a_message() {
    assert_eq!(read_pieces(vec![Bytes::from_static(&[0; 5])], 10).await.unwrap(), Bytes::new());
}

#[test]
fn refusals_of_large_stream_messages_are_put_in_known_words() {
    let tonic = "Error, decoded message length too large: found 300 bytes, the limit is: 200 bytes";
    let status = translated(Status::out_of_range(tonic));
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), too_large(300, 200).message());
    let other = translated(Status::out_of_range("another"));
    assert_eq!((other.code(), other.message()), (Code::OutOfRange, "another"));
}

#[test]
fn all_calls_together_have_a_bound() {
    let partial = Partial::default();
    let mut first = Share { partial: &partial, bytes: 0 };
    first.grow(MAX_PARTIAL).unwrap();
    let mut second = Share { partial: &partial, bytes: 0 };
    let status = second.grow(1).unwrap_err();
    assert_eq!(status.message(), "etcdserver: too many requests");
    drop(second);
    drop(first);
    Share { partial: &partial, bytes: 0 }.grow(MAX_PARTIAL).unwrap();
}
