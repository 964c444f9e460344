//! The ends of key intervals.
//!
//! A request names the half-open interval `[key, range_end)`. An empty end means the one key,
//! and the end `"\0"` means every key from `key` on.

use bytes::Bytes;

/// The `range_end` that makes an interval reach to the last key.
pub const FROM_KEY: Bytes = Bytes::from_static(b"\0");

/// The `range_end` of the interval of all keys that start with `prefix`.
///
/// It is the smallest key above all of them: the prefix with its last byte raised by one, after
/// any bytes 0xff have been dropped from its end. No such key exists for the empty prefix and
/// for one of 0xff alone: their interval has no upper end, which is [`FROM_KEY`].
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    match prefix.iter().rposition(|&byte| byte != 0xff) {
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            Bytes::from(end)
        }
        None => FROM_KEY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_smallest_key_above_it() {
        assert_eq!(&prefix_end(b"a")[..], b"b");
        assert_eq!(&prefix_end(b"a/")[..], b"a0");
        assert_eq!(&prefix_end(b"a\xff\xff")[..], b"b");
        assert_eq!(&prefix_end(b"\x00")[..], b"\x01");
    }

    #[test]
    fn a_prefix_without_an_upper_end_reaches_to_the_last_key() {
        assert_eq!(prefix_end(b""), FROM_KEY);
        assert_eq!(prefix_end(b"\xff\xff"), FROM_KEY);
    }
}
