//! Values that no two puts share.

use std::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};
use protocol::Rng;

/// Values are cut from chunks of this size.
const CHUNK: usize = 8 << 10;
/// Of so many values, one has any of the lengths allowed; the others are of the shortest.
const LONG: u64 = 8;

/// Makes values: the writer's number, a running number, and dots up to the length.
#[derive(Debug)]
pub(crate) struct Values {
    chunk: BytesMut,
    counter: u64,
    bytes: RangeInclusive<usize>,
}

impl Values {
    pub(crate) fn new(bytes: RangeInclusive<usize>) -> Self {
        Self { chunk: BytesMut::new(), counter: 0, bytes }
    }

    /// A value never made before.
    pub(crate) fn fresh(&mut self, client: u32, rng: &mut Rng) -> Bytes {
        let (shortest, longest) = (*self.bytes.start(), *self.bytes.end());
        let spread = longest.saturating_sub(shortest) as u64;
        let more = if rng.below(LONG) == 0 { rng.below(spread + 1) } else { 0 };
        let length = shortest + usize::try_from(more).unwrap_or(0);
        if self.chunk.capacity() < length + 48 {
            self.chunk = BytesMut::with_capacity(CHUNK.max(length + 48));
        }
        self.counter += 1;
        number(&mut self.chunk, u64::from(client));
        self.chunk.put_u8(b'-');
        number(&mut self.chunk, self.counter);
        self.chunk.put_u8(b'.');
        let missing = length.saturating_sub(self.chunk.len());
        self.chunk.put_bytes(b'.', missing);
        self.chunk.split().freeze()
    }
}

/// Writes a number in decimal.
fn number(to: &mut BytesMut, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + u8::try_from(number % 10).expect("invariant: a digit");
        number /= 10;
        if number == 0 {
            break;
        }
    }
    to.put_slice(&digits[first..]);
}
