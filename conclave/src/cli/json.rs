//! Answers as JSON, with the field names of the protocol. Keys and values are base64, numbers
//! are numbers, and what is zero is left out, as etcdctl does.

use client::etcdserverpb::ResponseHeader;
use client::mvccpb::{Event, KeyValue, event::EventType};
use serde_json::{Map, Value, json};

/// A header; null when a server sent none.
pub(crate) fn header(header: Option<&ResponseHeader>) -> Value {
    header.map_or(Value::Null, |header| {
        json!({
            "cluster_id": header.cluster_id,
            "member_id": header.member_id,
            "revision": header.revision,
            "raft_term": header.raft_term,
        })
    })
}

/// One record.
pub(crate) fn key_value(kv: &KeyValue) -> Value {
    let mut map = Map::new();
    map.insert("key".into(), base64(&kv.key).into());
    let numbers = [
        ("create_revision", kv.create_revision),
        ("mod_revision", kv.mod_revision),
        ("version", kv.version),
    ];
    for (name, number) in numbers {
        if number != 0 {
            map.insert(name.into(), number.into());
        }
    }
    if !kv.value.is_empty() {
        map.insert("value".into(), base64(&kv.value).into());
    }
    if kv.lease != 0 {
        map.insert("lease".into(), kv.lease.into());
    }
    Value::Object(map)
}

/// A list of records.
pub(crate) fn key_values(kvs: &[KeyValue]) -> Value {
    kvs.iter().map(key_value).collect()
}

/// One event.
pub(crate) fn event(event: &Event) -> Value {
    let name = match event.r#type() {
        EventType::Put => "PUT",
        EventType::Delete => "DELETE",
    };
    let mut map = Map::new();
    map.insert("type".into(), name.into());
    if let Some(kv) = &event.kv {
        map.insert("kv".into(), key_value(kv));
    }
    if let Some(kv) = &event.prev_kv {
        map.insert("prev_kv".into(), key_value(kv));
    }
    Value::Object(map)
}

/// RFC 4648 §4: the standard alphabet, padded.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| usize::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit <= chunk.len() {
                text.push(char::from(ALPHABET[group >> (18 - 6 * digit) & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_the_rfcs_vectors() {
        // RFC 4648 §10.
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    #[test]
    fn zero_fields_are_left_out() {
        let kv = KeyValue { key: "a".into(), version: 2, ..KeyValue::default() };
        assert_eq!(key_value(&kv), json!({"key": "YQ==", "version": 2}));
    }
}
