//! What Serf's layer says within user messages, meta, push/pull and queries.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol::swim::serf::{Filter, Message, Tags, decode, encode, encoded_len};

fuzz_target!(|data: &[u8]| {
    let data = Bytes::copy_from_slice(data);
    if let Ok(message) = decode(&data) {
        let mut again = Vec::new();
        encode(&message, &mut again);
        assert_eq!(again.len(), encoded_len(&message), "a length is a length");
        if let Message::Query(query) = &message {
            query.filters.iter().for_each(|filter| drop(Filter::decode(filter)));
        }
        assert_eq!(decode(&again.into()), Ok(message), "a message survives the wire");
    }
    if let Ok(tags) = Tags::decode(&data) {
        assert_eq!(Tags::decode(&tags.encode()), Ok(tags), "tags survive the wire");
    }
    if let Ok(filter) = Filter::decode(&data) {
        assert_eq!(Filter::decode(&filter.encode()), Ok(filter), "a filter survives the wire");
    }
});
