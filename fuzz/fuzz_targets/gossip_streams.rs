//! What arrives on a connection, in one piece and in many.
#![no_main]

#[allow(dead_code, reason = "each target runs one body")]
#[path = "../../protocol/tests/fuzz/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::stream(data));
