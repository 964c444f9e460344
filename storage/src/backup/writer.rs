//! From a pinned view to the bytes of a backup, a block at a time.

use bytes::{BufMut, Bytes, BytesMut};
use sha2::{Digest, Sha256};
use store::snapshot::PieceWriter;
use store::{BackendError, BackendRead, Revision};

use super::header::{HEADER_BYTES, Header, Origin};
use super::{BATCH, BATCH_BYTES, BLOCK_BYTES, DIGEST_BYTES, PIECE_BYTES, UNIT};
use crate::state::{Files, RealFiles, View, Weight};

/// The bytes of a piece beside its content: kind, two checksums, their number; and before it the
/// length.
const FRAME: u64 = 4 + 1 + 4 + 4 + 4;
/// The last piece with its length.
const END: u64 = 4 + 1 + 4 + 4 * 8 + 4;

/// Writes a backup of a view. It holds the view, so dropping it lets go of that.
#[derive(Debug)]
pub struct BackupWriter<F = RealFiles> {
    view: View<F>,
    header: Header,
    pieces: PieceWriter,
    /// Where to read on; `None` when all has been read.
    from: Option<Revision>,
    /// Made and not yet handed out.
    ready: BytesMut,
    /// The bytes made so far, those in `ready` included.
    made: u64,
    digest: Sha256,
    stage: Stage,
}

/// What comes after what is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Records,
    Zeros,
    Digest,
    Done,
}

impl<F: Files> BackupWriter<F> {
    /// Begins a backup of what is pinned.
    ///
    /// # Errors
    /// [`BackendError::Corrupt`] when the metadata makes no sense, and whatever the disk says.
    pub fn new(view: View<F>, origin: Origin) -> Result<Self, BackendError> {
        let meta = view.meta()?;
        let (revision, _) = store::revisions(&meta)
            .map_err(|error| BackendError::Corrupt(format!("the metadata: {error}")))?;
        let mut pieces = PieceWriter::default();
        let meta = pieces.meta(&meta, PIECE_BYTES);
        let of_meta: u64 = meta.iter().map(|piece| 4 + piece.len() as u64).sum();
        let most = HEADER_BYTES as u64 + of_meta + most_of_records(view.weight()) + END;
        let length = most.next_multiple_of(UNIT) + DIGEST_BYTES as u64;
        let header = Header { origin, length, applied: view.applied(), revision };
        let mut writer = Self {
            view,
            header,
            pieces,
            from: Some(Revision::default()),
            ready: BytesMut::new(),
            made: 0,
            digest: Sha256::new(),
            stage: Stage::Records,
        };
        writer.put(&header.encode());
        meta.iter().for_each(|piece| writer.put_piece(piece));
        Ok(writer)
    }

    /// What the file says of itself; its length is known from the beginning.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next block: [`BLOCK_BYTES`] of them, then what is left before the digest, then the
    /// digest alone, then `None`.
    ///
    /// # Errors
    /// [`BackendError::Corrupt`] when a record does not verify, and whatever the disk says: there
    /// is no backup then, and the blocks so far must be given up.
    pub fn block(&mut self) -> Result<Option<Bytes>, BackendError> {
        loop {
            if self.ready.len() >= BLOCK_BYTES {
                return Ok(Some(self.ready.split_to(BLOCK_BYTES).freeze()));
            }
            match self.stage {
                Stage::Records => self.read_on()?,
                Stage::Zeros => self.fill(),
                Stage::Digest if !self.ready.is_empty() => {
                    return Ok(Some(self.ready.split().freeze()));
                }
                Stage::Digest => {
                    self.stage = Stage::Done;
                    let digest = std::mem::take(&mut self.digest).finalize();
                    return Ok(Some(Bytes::copy_from_slice(&digest)));
                }
                Stage::Done => return Ok(None),
            }
        }
    }

    fn read_on(&mut self) -> Result<(), BackendError> {
        let from = self.from.unwrap_or(Revision::new(i64::MAX, 0));
        let records = self.view.part(from, BATCH, BATCH_BYTES)?;
        if let Some((last, _)) = records.last() {
            self.from = Some(Revision::new(last.main, last.sub + 1));
            let pieces = self.pieces.records(&records, PIECE_BYTES);
            pieces.iter().for_each(|piece| self.put_piece(piece));
        } else {
            let end = self.pieces.end(self.header.applied);
            self.put_piece(&end);
            self.stage = Stage::Zeros;
        }
        if self.made > self.data_bytes() {
            // The view holds more than it weighed.
            return Err(BackendError::Corrupt("a view holds more than its tables say".into()));
        }
        Ok(())
    }

    /// Adds zeros, a block at most.
    fn fill(&mut self) {
        let left = self.data_bytes() - self.made;
        let some = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK_BYTES);
        self.put(&[0; BLOCK_BYTES][..some]);
        if some as u64 == left {
            self.stage = Stage::Digest;
        }
    }

    /// All but the digest.
    fn data_bytes(&self) -> u64 {
        self.header.length - DIGEST_BYTES as u64
    }

    fn put_piece(&mut self, piece: &Bytes) {
        let length = u32::try_from(piece.len()).expect("invariant: no record has 4 GiB");
        self.put(&length.to_le_bytes());
        self.put(piece);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.made += bytes.len() as u64;
        self.ready.put_slice(bytes);
    }
}

/// The most bytes that the pieces of these records take. Of two pieces of one batch that follow
/// each other, the second began because it did not fit into the first. A batch has all the records
/// that may be read at once, or the bytes of a batch at least, or it is the last one.
fn most_of_records(weight: Weight) -> u64 {
    let batches = weight.records / BATCH as u64 + weight.bytes / BATCH_BYTES as u64 + 1;
    weight.bytes + FRAME * (2 * weight.bytes / PIECE_BYTES as u64 + 2 * batches)
}
