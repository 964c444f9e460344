//! What arrives in a datagram: messages, compounds, checksums; and what wraps them.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::swim::wire::envelope::unlabel;
use protocol::swim::wire::{Part, Sealed, checksum, encode, encoded_len, parts};

fuzz_target!(|data: &[u8]| {
    let packet = Bytes::copy_from_slice(data);
    let _ = Sealed::read(&packet);
    let Ok((_, packet)) = unlabel(packet) else { return };
    // Nobody finds a checksum by trying: what is below one is tried, too.
    let sealed = Bytes::from(checksum::seal(&packet));
    for part in parts(packet).chain(parts(sealed)).flatten() {
        let Part::Message(message) = part else { continue };
        let mut again = Vec::new();
        encode(&message, &mut again);
        assert_eq!(again.len(), encoded_len(&message), "a length is a length");
        let back: Vec<_> = parts(again.into()).collect();
        assert_eq!(back, [Ok(Part::Message(message))], "a message survives being passed on");
    }
});
