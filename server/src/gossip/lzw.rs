//! LZW with 8-bit literals, least significant bits first: the one compression of the pool.

use weezl::{BitOrder, LzwStatus, decode, encode};

/// How much room decompression begins with, and grows by at least.
const STEP: usize = 4 << 10;

/// Why bytes were not decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LzwError {
    /// They are not what a compressor wrote, or not all of it.
    Corrupt,
    /// They become more than they may.
    Long,
}

/// Compresses.
pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = encode::Encoder::new(BitOrder::Lsb, 8);
    encoder.encode(bytes).expect("invariant: every byte is a literal of eight bits")
}

/// Decompresses into `most` bytes: a few bytes can become gigabytes. Never takes more memory than
/// twice what comes out.
pub(super) fn decompress(bytes: &[u8], most: usize) -> Result<Vec<u8>, LzwError> {
    let mut decoder = decode::Decoder::new(BitOrder::Lsb, 8);
    let (mut read, mut out, mut written) = (0, Vec::new(), 0);
    loop {
        // One byte more than may be tells whether there would be more.
        let room = (out.len() * 2).max(STEP).min(most.saturating_add(1));
        if written == out.len() {
            out.resize(room, 0);
        }
        let step = decoder.decode_bytes(&bytes[read..], &mut out[written..]);
        read += step.consumed_in;
        written += step.consumed_out;
        if written > most {
            return Err(LzwError::Long);
        }
        match step.status {
            Ok(LzwStatus::Done) => break,
            Ok(LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            Ok(LzwStatus::Ok | LzwStatus::NoProgress) | Err(_) => return Err(LzwError::Corrupt),
        }
    }
    out.truncate(written);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back_and_what_upstream_wrote_does_too() {
        let text = "hello ".repeat(1000).into_bytes();
        for bytes in [&b""[..], b"a", &text] {
            assert_eq!(decompress(&compress(bytes), bytes.len()).unwrap(), bytes);
        }
        // The sample of upstream's compressor: "a", and "hello hello …".
        assert_eq!(decompress(&[0x00, 0xc3, 0x04, 0x04], 100).unwrap(), b"a");
        let hello = [
            0x00, 0xd1, 0x94, 0x61, 0xc3, 0xe6, 0x0d, 0x08, 0x81, 0x04, 0x0d, 0x22, 0x2c, 0x78,
            0x70, 0x20, 0xc3, 0x85, 0x6f, 0x02, 0x02,
        ];
        assert_eq!(decompress(&hello, 100).unwrap(), b"hello hello hello hello hello");
        assert_eq!(decompress(&[0x00, 0x03, 0x02], 100).unwrap(), b"");
    }

    #[test]
    fn a_bomb_is_refused_at_its_bound() {
        let bomb = compress(&vec![0; 1 << 20]);
        assert!(bomb.len() < 8 << 10, "{}", bomb.len());
        assert_eq!(decompress(&bomb, (1 << 20) - 1), Err(LzwError::Long));
        assert_eq!(decompress(&bomb, 1 << 20).unwrap().len(), 1 << 20);
        assert_eq!(decompress(&bomb, 0), Err(LzwError::Long));
    }

    #[test]
    fn half_of_it_is_refused() {
        let bytes = compress(b"hello hello hello");
        for length in 0..bytes.len() {
            assert_eq!(decompress(&bytes[..length], 100), Err(LzwError::Corrupt), "{length}");
        }
    }
}
