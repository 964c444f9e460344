//! The bytes of a file in memory: zeros at the end take no space.

/// A file's content. Beyond `written` everything is zero, up to `length`.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    written: Vec<u8>,
    length: usize,
}

impl Image {
    /// So many zeros.
    pub(super) const fn zeros(length: usize) -> Self {
        Self { written: Vec::new(), length }
    }

    /// These bytes.
    pub(super) const fn of(written: Vec<u8>) -> Self {
        Self { length: written.len(), written }
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// All of it.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = self.written.clone();
        bytes.resize(self.length, 0);
        bytes
    }

    /// Fills `into` from `offset`; false when the file ends before.
    pub(super) fn read(&self, offset: usize, into: &mut [u8]) -> bool {
        if offset.saturating_add(into.len()) > self.length {
            return false;
        }
        let known = self.written.get(offset..).unwrap_or_default();
        let known = &known[..known.len().min(into.len())];
        let (front, rest) = into.split_at_mut(known.len());
        front.copy_from_slice(known);
        rest.fill(0);
        true
    }

    /// Puts bytes in place, within the length.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        assert!(end <= self.length, "a file does not grow");
        if self.written.len() < end {
            self.written.resize(end, 0);
        }
        self.written[offset..end].copy_from_slice(bytes);
    }

    /// Flips the bits of `mask`; false when there is no such byte.
    pub(super) fn flip(&mut self, offset: usize, mask: u8) -> bool {
        let mut byte = [0];
        let there = self.read(offset, &mut byte);
        if there {
            self.write(offset, &[byte[0] ^ mask]);
        }
        there
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
        self.written.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_read_where_nothing_was_written() {
        let mut image = Image::zeros(10);
        image.write(2, &[7, 8]);
        let mut bytes = [9; 5];
        assert!(image.read(1, &mut bytes));
        assert_eq!(bytes, [0, 7, 8, 0, 0]);
        assert!(image.read(8, &mut bytes[..2]) && !image.read(8, &mut bytes[..3]));
        assert!(image.flip(9, 1) && !image.flip(10, 1));
        image.truncate(3);
        assert_eq!(image.to_vec(), [0, 0, 7]);
    }
}
