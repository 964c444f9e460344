//! What arrives in a datagram: messages, compounds, checksums; and what wraps them.
#![no_main]

#[allow(dead_code, reason = "each target runs one body")]
#[path = "../../protocol/tests/fuzz/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::packet(data));
