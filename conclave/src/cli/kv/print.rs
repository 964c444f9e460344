//! Records as lines.

use client::mvccpb::KeyValue;

/// Which parts of a record are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Parts {
    /// A line with the key, and one with the value.
    #[default]
    Both,
    /// The key alone.
    Key,
    /// The value alone.
    Value,
}

/// Appends a record's lines to `out`. Bytes are printed as they are.
pub(crate) fn record(kv: &KeyValue, parts: Parts, out: &mut Vec<u8>) {
    if parts != Parts::Value {
        out.extend_from_slice(&kv.key);
        out.push(b'\n');
    }
    if parts != Parts::Key {
        out.extend_from_slice(&kv.value);
        out.push(b'\n');
    }
}

/// Appends the lines of several records.
pub(crate) fn records(kvs: &[KeyValue], parts: Parts, out: &mut Vec<u8>) {
    for kv in kvs {
        record(kv, parts, out);
    }
}
