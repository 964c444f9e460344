//! What a peer sends: frames, the packets in them, and the envelopes of forwarded commands.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use node::codec::{self, Envelope, FRAME_HEADER, FrameHeader};

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    if let Some(header) = data.first_chunk::<FRAME_HEADER>() {
        if let Ok(header) = FrameHeader::decode(*header) {
            let _ = codec::unframe(header, bytes.slice(FRAME_HEADER..));
        }
    }
    if let Ok(packet) = codec::decode_packet(bytes.clone()) {
        let mut again = Vec::new();
        codec::encode_packet(&packet, &mut again);
        assert_eq!(codec::decode_packet(again.into()), Ok(packet), "a packet survives the wire");
    }
    if let Ok(envelope) = Envelope::open(bytes) {
        let _ = store::Command::decode(envelope.command);
    }
});
