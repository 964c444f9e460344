//! The bytes of a file in memory: pages that were never written take no space.

use std::collections::BTreeMap;

/// Bytes of a page.
const PAGE: usize = 4096;

/// A file's content, up to `length`. A page that is not there is zeros.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pages: BTreeMap<usize, Box<[u8; PAGE]>>,
    length: usize,
}

impl Image {
    /// So many zeros.
    pub(super) const fn zeros(length: usize) -> Self {
        Self { pages: BTreeMap::new(), length }
    }

    /// These bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut image = Self::zeros(bytes.len());
        image.write(0, bytes);
        image
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// All of it.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        assert!(self.read(0, &mut bytes), "a file holds all of itself");
        bytes
    }

    /// Fills `into` from `offset`; false when the file ends before.
    pub(super) fn read(&self, offset: usize, into: &mut [u8]) -> bool {
        if offset.saturating_add(into.len()) > self.length {
            return false;
        }
        let (mut at, mut rest) = (offset, into);
        while !rest.is_empty() {
            let start = at % PAGE;
            let (part, later) = rest.split_at_mut(rest.len().min(PAGE - start));
            match self.pages.get(&(at / PAGE)) {
                Some(page) => part.copy_from_slice(&page[start..start + part.len()]),
                None => part.fill(0),
            }
            at += part.len();
            rest = later;
        }
        true
    }

    /// Puts bytes in place, within the length.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.length, "a file does not grow");
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let start = at % PAGE;
            let (part, later) = rest.split_at(rest.len().min(PAGE - start));
            let page = self.pages.entry(at / PAGE).or_insert_with(|| Box::new([0; PAGE]));
            page[start..start + part.len()].copy_from_slice(part);
            at += part.len();
            rest = later;
        }
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

    /// Drops what lies beyond `length`. A file never grows, so what is left of the last page there
    /// is never seen.
    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
        self.pages.retain(|page, _| page * PAGE < self.length);
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

    #[test]
    fn what_crosses_pages_is_read_as_it_was_written() {
        let mut image = Image::zeros(3 * PAGE + 5);
        let bytes: Vec<u8> = (0..PAGE + 9).map(|place| place.to_le_bytes()[0] | 1).collect();
        image.write(PAGE - 4, &bytes);
        let mut around = vec![9; bytes.len() + 2];
        assert!(image.read(PAGE - 5, &mut around));
        assert_eq!((around[0], around[around.len() - 1]), (0, 0));
        assert_eq!(around[1..=bytes.len()], bytes);
        let mut whole = vec![0; 3 * PAGE + 5];
        whole[PAGE - 4..][..bytes.len()].copy_from_slice(&bytes);
        assert_eq!(image.to_vec(), whole);
        assert_eq!(Image::of(&whole).to_vec(), whole);
        image.truncate(PAGE);
        assert_eq!(image.to_vec(), whole[..PAGE]);
    }
}
