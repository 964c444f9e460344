//! Which pool somebody speaks in.
//!
//! A label stands outside of everything else that is sent, so whoever takes packets and streams in
//! asks here first, and drops what is not admitted: two pools on one network then never merge. A
//! label is no secret. The envelope that carries it is the shell's affair.

use bytes::Bytes;

use crate::mutant::{Mutant, planted};

/// The label of a pool: up to 255 bytes, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Label(Bytes);

impl Label {
    /// The most bytes: the wire has one byte for the length.
    pub const MAX: usize = 255;

    /// This label; `None` when it is too long. No bytes: the pool has no label.
    #[must_use]
    pub fn new(bytes: Bytes) -> Option<Self> {
        (bytes.len() <= Self::MAX).then_some(Self(bytes))
    }

    /// Its bytes; none when the pool has no label.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether what came under this label is of the same pool. A label that is there and empty is
    /// nobody's.
    #[must_use]
    pub fn admits(&self, received: Option<&[u8]>) -> bool {
        if planted(Mutant::S8) {
            return true;
        }
        match received {
            Some(label) => !label.is_empty() && *self.0 == *label,
            None => self.0.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_label_is_admitted() {
        let none = Label::default();
        let blue = Label::new(Bytes::from_static(b"blue")).unwrap();
        assert!(none.admits(None) && blue.admits(Some(b"blue")));
        assert!(!none.admits(Some(b"blue")) && !none.admits(Some(b"")));
        assert!(!blue.admits(None) && !blue.admits(Some(b"red")) && !blue.admits(Some(b"")));
        assert_eq!(Label::new(Bytes::from(alloc::vec![b'x'; 256])), None);
    }
}
