//! Keys as the index holds them.
//!
//! A search compares some forty keys on its way down. With every key behind a pointer, most of
//! these comparisons would wait for memory; so a key of ordinary length stands in the tree's node.

use alloc::boxed::Box;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::ops::Deref;

/// The longest key that needs no pointer: `Key` takes 48 bytes either way.
const SHORT: usize = 46;

/// A key. Orders like its bytes.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Box<[u8]>),
}

const _: () = assert!(size_of::<Key>() == 48);

impl From<&[u8]> for Key {
    fn from(key: &[u8]) -> Self {
        match u8::try_from(key.len()) {
            Ok(len) if key.len() <= SHORT => {
                let mut bytes = [0; SHORT];
                bytes[..key.len()].copy_from_slice(key);
                Self::Short { len, bytes }
            }
            Ok(_) | Err(_) => Self::Long(key.into()),
        }
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(key) => key,
        }
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}
