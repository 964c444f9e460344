//! What stands in a segment of the log.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| storage::log::fuzz::fuzz_records(data));
