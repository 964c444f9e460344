//! What stands in the state backend: a record of one key at one revision.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use store::Record;

fuzz_target!(|data: &[u8]| {
    if let Ok(record) = Record::decode(Bytes::copy_from_slice(data)) {
        let mut again = Vec::new();
        record.encode(&mut again);
        assert_eq!(Record::decode(again.into()), Ok(record), "a record survives the backend");
    }
});
