//! What candidates of a group say to each other, and what they keep.
#![no_main]

#[allow(dead_code, reason = "each target runs one body")]
#[path = "../../protocol/tests/fuzz/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::letter(data));
