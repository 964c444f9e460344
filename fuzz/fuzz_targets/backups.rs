//! What an operator may hand over as a backup.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    storage::backup::fuzz::fuzz_backup(data);
});
