//! What Serf's layer says within user messages, meta, push/pull and queries.
#![no_main]

#[allow(dead_code, reason = "each target runs one body")]
#[path = "../../protocol/tests/fuzz/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::serf(data));
