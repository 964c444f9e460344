//! What an entry of the log carries: a command of the store.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use store::Command;

fuzz_target!(|data: &[u8]| {
    if let Ok(command) = Command::decode(Bytes::copy_from_slice(data)) {
        let mut again = Vec::new();
        command.encode(&mut again);
        assert_eq!(Command::decode(again.into()), Ok(command), "a command survives the log");
    }
});
