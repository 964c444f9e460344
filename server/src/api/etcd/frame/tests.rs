use std::collections::VecDeque;
use std::convert::Infallible;

use bytes::Bytes;
use etcdpb::etcdserverpb::PutRequest;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use tonic::{Code, Status};

use super::{MAX_PARTIAL, Partial, Share, framed, read, too_large, translated};

/// Reads a body that arrives in these pieces.
async fn read_pieces(pieces: Vec<Bytes>, limit: usize) -> Result<Bytes, Status> {
    let partial = Partial::default();
    let frames: VecDeque<Result<Frame<Bytes>, Infallible>> =
        pieces.into_iter().map(|piece| Ok(Frame::data(piece))).collect();
    let message = read(StreamBody::new(stream::iter(frames)), limit, &partial).await;
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
        (vec![Bytes::from_static(&[1, 0, 0, 0, 0])], Code::Unimplemented),
    ];
    for (pieces, code) in cases {
        assert_eq!(read_pieces(pieces, 4096).await.unwrap_err().code(), code);
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
