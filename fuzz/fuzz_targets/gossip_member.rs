//! A member of a pool that hears the bytes: a length, so many of them, and again.
#![no_main]

#[allow(dead_code, reason = "each target runs one body")]
#[path = "../../protocol/tests/fuzz/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut victim = bodies::Victim::new(1);
    let mut rest = data;
    while let Some((&length, after)) = rest.split_first() {
        let (now, later) = after.split_at((usize::from(length) * 4).min(after.len()));
        victim.hears(now);
        rest = later;
    }
});
