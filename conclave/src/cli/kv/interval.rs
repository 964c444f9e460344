//! The keys that a command is about.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use bytes::Bytes;
use clap::Args;
use client::{FROM_KEY, prefix_end};

/// One key, or an interval of keys. Keys are any bytes that the shell can pass.
#[derive(Clone, Debug, Args)]
pub(crate) struct Interval {
    /// The key, or the first key of an interval.
    key: OsString,
    /// The end of the interval: the first key that is not in it.
    range_end: Option<OsString>,
    /// All keys that start with KEY; an empty KEY means all keys.
    #[arg(long, conflicts_with_all = ["range_end", "from_key"])]
    prefix: bool,
    /// All keys from KEY on.
    #[arg(long, conflicts_with = "range_end")]
    from_key: bool,
}

impl Interval {
    /// The request's `key` and `range_end`.
    pub(crate) fn ends(&self) -> (Bytes, Bytes) {
        let key = to_bytes(&self.key);
        let everything = key.is_empty() && (self.prefix || self.from_key);
        let end = if self.prefix {
            prefix_end(&key)
        } else if self.from_key {
            FROM_KEY
        } else {
            self.range_end.as_deref().map(to_bytes).unwrap_or_default()
        };
        // No key is empty, and the first possible one is a single zero byte.
        if everything { (Bytes::from_static(b"\0"), FROM_KEY) } else { (key, end) }
    }
}

/// An argument's bytes, as they were passed.
pub(crate) fn to_bytes(argument: &OsStr) -> Bytes {
    Bytes::copy_from_slice(argument.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Parsed {
        #[command(flatten)]
        interval: Interval,
    }

    fn ends(arguments: &[&str]) -> (Vec<u8>, Vec<u8>) {
        let (key, end) = Parsed::try_parse_from(arguments).unwrap().interval.ends();
        (key.to_vec(), end.to_vec())
    }

    #[test]
    fn flags_choose_the_end() {
        assert_eq!(ends(&["a"]), (b"a".to_vec(), b"".to_vec()));
        assert_eq!(ends(&["a", "c"]), (b"a".to_vec(), b"c".to_vec()));
        assert_eq!(ends(&["a", "--prefix"]), (b"a".to_vec(), b"b".to_vec()));
        assert_eq!(ends(&["a", "--from-key"]), (b"a".to_vec(), b"\0".to_vec()));
        assert_eq!(ends(&["", "--prefix"]), (b"\0".to_vec(), b"\0".to_vec()));
    }

    #[test]
    fn contradicting_flags_are_refused() {
        for arguments in [&["a", "c", "--prefix"][..], &["a", "--prefix", "--from-key"][..]] {
            assert!(Parsed::try_parse_from(arguments).is_err());
        }
    }
}
