//! The codec of the stream: requests as usual, responses from encoded pieces.

use std::marker::PhantomData;

use etcdpb::etcdserverpb::WatchRequest;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, EncodeBuf, Encoder};
use tonic_prost::ProstDecoder;

use super::message::WatchMessage;

/// Bytes that a stream's buffer starts with: many streams are idle most of the time.
const BUFFER: usize = 1024;
/// Bytes of encoded messages after which they are handed to HTTP/2.
const YIELD: usize = 32 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::api::etcd) struct WatchCodec(PhantomData<()>);

impl Codec for WatchCodec {
    type Encode = WatchMessage;
    type Decode = WatchRequest;
    type Encoder = WatchEncoder;
    type Decoder = ProstDecoder<WatchRequest>;

    fn encoder(&mut self) -> Self::Encoder {
        WatchEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::new(BUFFER, YIELD))
    }
}

/// Writes messages.
#[derive(Debug)]
pub(in crate::api::etcd) struct WatchEncoder;

impl Encoder for WatchEncoder {
    type Item = WatchMessage;
    type Error = Status;

    fn encode(&mut self, item: WatchMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(buffer);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, YIELD)
    }
}
