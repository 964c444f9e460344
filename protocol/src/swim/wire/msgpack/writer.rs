//! Writes values in the old specification, each as short as it can be.

use alloc::vec::Vec;

/// Where bytes go.
pub(in crate::swim) trait Sink {
    /// Appends them.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts bytes instead of keeping them, so that a length cannot differ from what is written.
#[derive(Debug, Default)]
pub(in crate::swim) struct Length(pub(in crate::swim) usize);

impl Sink for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Nothing.
pub(in crate::swim) fn nil(out: &mut impl Sink) {
    out.put(&[0xc0]);
}

/// A truth.
pub(in crate::swim) fn boolean(out: &mut impl Sink, truth: bool) {
    out.put(&[0xc2 + u8::from(truth)]);
}

/// The name of a field. It has at most 31 bytes.
pub(in crate::swim) fn field(out: &mut impl Sink, name: &'static str) {
    raw(out, name.as_bytes());
}

/// The front of a map of so many pairs.
pub(in crate::swim) fn map(out: &mut impl Sink, count: usize) {
    counted(out, count, 0x80, 0xde);
}

/// The front of an array of so many values.
pub(in crate::swim) fn array(out: &mut impl Sink, count: usize) {
    counted(out, count, 0x90, 0xdc);
}

/// A number that is not negative.
pub(in crate::swim) fn number(out: &mut impl Sink, number: impl Into<u64>) {
    let number = number.into();
    let bytes = number.to_be_bytes();
    match number {
        0..=0x7f => out.put(&bytes[7..]),
        0x80..=0xff => out.put(&[0xcc, bytes[7]]),
        0x100..=0xffff => prefixed(out, 0xcd, &bytes[6..]),
        0x1_0000..=0xffff_ffff => prefixed(out, 0xce, &bytes[4..]),
        _ => prefixed(out, 0xcf, &bytes),
    }
}

/// A number with a sign, which goes without one unless it is negative.
pub(in crate::swim) fn signed(out: &mut impl Sink, value: i64) {
    let bytes = value.to_be_bytes();
    match value {
        0.. => number(out, value.unsigned_abs()),
        -0x20.. => out.put(&bytes[7..]),
        -0x80.. => prefixed(out, 0xd0, &bytes[7..]),
        -0x8000.. => prefixed(out, 0xd1, &bytes[6..]),
        -0x8000_0000.. => prefixed(out, 0xd2, &bytes[4..]),
        _ => prefixed(out, 0xd3, &bytes),
    }
}

/// Bytes.
pub(in crate::swim) fn raw(out: &mut impl Sink, bytes: &[u8]) {
    let size = u32::try_from(bytes.len()).expect("invariant: no value has 4 GiB");
    let length = size.to_be_bytes();
    match size {
        0..=0x1f => out.put(&[0xa0 | length[3]]),
        0x20..=0xffff => prefixed(out, 0xda, &length[2..]),
        _ => prefixed(out, 0xdb, &length),
    }
    out.put(bytes);
}

/// Bytes, or nil for none: what a slice without memory is in Go.
pub(in crate::swim) fn raw_or_nil(out: &mut impl Sink, bytes: &[u8]) {
    if bytes.is_empty() { nil(out) } else { raw(out, bytes) }
}

fn counted(out: &mut impl Sink, count: usize, short: u8, long: u8) {
    let count = u32::try_from(count).expect("invariant: nothing is counted in billions");
    let bytes = count.to_be_bytes();
    match count {
        0..=0x0f => out.put(&[short | bytes[3]]),
        0x10..=0xffff => prefixed(out, long, &bytes[2..]),
        _ => prefixed(out, long + 1, &bytes),
    }
}

fn prefixed(out: &mut impl Sink, marker: u8, bytes: &[u8]) {
    out.put(&[marker]);
    out.put(bytes);
}
