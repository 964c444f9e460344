//! From the bytes of a backup to its pieces, each verified before anything of it is used.

use std::io::{self, Read};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use store::snapshot::{Piece, PieceError, PieceReader};

use super::header::{HEADER_BYTES, Header};
use super::{BLOCK_BYTES, BackupError, DIGEST_BYTES, PIECE_MAX};

/// Reads a backup from its beginning to its end.
#[derive(Debug)]
pub struct BackupReader<R> {
    input: R,
    header: Header,
    pieces: PieceReader,
    /// The bytes read so far.
    offset: u64,
    digest: Sha256,
    ended: bool,
}

impl<R: Read> BackupReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`BackupError`], but for its [`BackupError::State`].
    pub fn open(mut input: R) -> Result<Self, BackupError> {
        let mut bytes = [0; HEADER_BYTES];
        let found = read_up_to(&mut input, &mut bytes)?;
        if found < HEADER_BYTES {
            return Err(BackupError::Foreign);
        }
        let header = Header::decode(&bytes)?;
        let mut digest = Sha256::new();
        digest.update(bytes);
        let offset = HEADER_BYTES as u64;
        Ok(Self { input, header, pieces: PieceReader::default(), offset, digest, ended: false })
    }

    /// What the file says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes read so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next piece; `None` after the last one, when all that follows was verified as well.
    ///
    /// # Errors
    /// As [`BackupReader::open`]; the file is of no use.
    pub fn piece(&mut self) -> Result<Option<Piece>, BackupError> {
        if self.ended {
            return Ok(None);
        }
        let at = self.offset;
        let mut length = [0; 4];
        self.read(&mut length)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > PIECE_MAX || length as u64 > self.left() {
            return Err(BackupError::damaged(at, "a piece claims to be longer than can be"));
        }
        let mut bytes = vec![0; length];
        self.read(&mut bytes)?;
        let wrong = |error: PieceError| BackupError::damaged(at, error.to_string());
        let piece = self.pieces.piece(&Bytes::from(bytes)).map_err(wrong)?;
        if let Piece::End(applied) = &piece {
            if *applied != self.header.applied {
                return Err(BackupError::damaged(at, "the end is another backup's"));
            }
            self.ended = true;
            self.finish()?;
        }
        Ok(Some(piece))
    }

    /// Verifies what follows the last piece.
    fn finish(&mut self) -> Result<(), BackupError> {
        let mut zeros = vec![0; BLOCK_BYTES];
        while self.left() > 0 {
            let some = usize::try_from(self.left()).unwrap_or(usize::MAX).min(BLOCK_BYTES);
            let at = self.offset;
            self.read(&mut zeros[..some])?;
            if let Some(place) = zeros[..some].iter().position(|byte| *byte != 0) {
                let what = "what should be zero after the last piece is not";
                return Err(BackupError::damaged(at + place as u64, what));
            }
        }
        let computed = std::mem::take(&mut self.digest).finalize();
        let (at, mut told) = (self.offset, [0; DIGEST_BYTES]);
        self.read(&mut told)?;
        if computed[..] != told {
            return Err(BackupError::damaged(at, "the SHA-256 does not match"));
        }
        if read_up_to(&mut self.input, &mut [0])? != 0 {
            let expected = self.header.length;
            return Err(BackupError::Length { expected, found: expected + 1 });
        }
        Ok(())
    }

    /// The bytes before the digest that have not been read yet.
    fn left(&self) -> u64 {
        (self.header.length - DIGEST_BYTES as u64).saturating_sub(self.offset)
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), BackupError> {
        let found = read_up_to(&mut self.input, into)?;
        self.offset += found as u64;
        if found < into.len() {
            return Err(BackupError::Length { expected: self.header.length, found: self.offset });
        }
        self.digest.update(into);
        Ok(())
    }
}

/// Reads a whole backup and gives its header.
///
/// # Errors
/// As [`BackupReader::piece`].
pub fn verify(input: impl Read) -> Result<Header, BackupError> {
    let mut reader = BackupReader::open(input)?;
    while reader.piece()?.is_some() {}
    Ok(reader.header)
}

/// Fills `into` as far as the input goes.
fn read_up_to(input: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match input.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(some) => filled += some,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
