//! A whole state as a row of pieces: what a member is sent whose log can no longer be continued.
//!
//! ```text
//! piece     kind u8 | checksum of the piece before u32 | body | checksum u32 of all before it
//! 1 meta     list of  name bytes | value bytes               ascending names, before all records
//! 2 records  list of  main i64 | sub u32 | record bytes      ascending revisions
//! 3 end      applied term u64 | index u64 | names u64 | records u64
//! ```
//!
//! Laws:
//!
//! - a piece that was damaged on the way, or on the disk it was read from, is noticed when it
//!   comes, before anything of it is used;
//! - each checksum covers the one before and so all that came before. A piece that is missing, came
//!   twice or belongs to another row is noticed at once, and the end's checksum is the whole row's;
//! - the end says how much there was, and which position it stands for: what comes without an end
//!   is no state;
//! - a piece that is refused leaves the reader as it was: the right one may follow;
//! - a piece is bounded, and neither side holds more than one: a writer is a small value, and a
//!   copy of it is the place from which a transfer goes on.
//!
//! Two members at the same position may hold different records that are dead, and cut their pieces
//! elsewhere. So a transfer that goes on with another sender begins anew; the chain of checksums
//! sees to it.
//!
//! What is left out: what the pieces mean. [`Store::restore`](crate::Store::restore) finds out
//! whether they make a state. There is no compression. The checksum is CRC-32 (IEEE), as in the
//! frames of the links; it finds accidents, not forgery. Parts of a state are not sent: a member
//! that lags a little reads the log.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use protocol::mutant::{Mutant, planted};
use protocol::{Index, Position, Term};

use crate::codec::{DecodeError, Reader, put_bytes, put_i64, put_u64};
use crate::{Record, Revision};

const META: u8 = 1;
const RECORDS: u8 = 2;
const END: u8 = 3;

/// The checksum at the end of every piece, in bytes.
const SUM: usize = 4;
/// What a piece has beside the elements of its list: kind, two checksums, their number.
const FRAME: usize = 1 + SUM + 4 + SUM;

/// What a piece says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Metadata, by ascending name.
    Meta(Vec<(Bytes, Bytes)>),
    /// Records, by ascending revision.
    Records(Vec<(Revision, Record)>),
    /// That was all, and this is the position it stands for.
    End(Position),
}

/// Why a piece was refused. The reader is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceError {
    /// The checksum does not match: the piece was damaged, and may be sent again.
    Damaged,
    /// The piece verifies and has no meaning here: another version wrote it.
    Unknown(DecodeError),
    /// Pieces are missing, came twice or in another order, or belong to different snapshots.
    Incomplete,
}

impl fmt::Display for PieceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("a piece of the snapshot is damaged"),
            Self::Unknown(error) => write!(f, "a piece of the snapshot has no meaning: {error}"),
            Self::Incomplete => f.write_str("the snapshot is incomplete"),
        }
    }
}

impl core::error::Error for PieceError {}

impl From<DecodeError> for PieceError {
    fn from(error: DecodeError) -> Self {
        Self::Unknown(error)
    }
}

/// What both sides count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    names: u64,
    records: u64,
    /// The checksum of the last piece.
    chain: u32,
}

/// Makes pieces. A copy goes on where the original stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PieceWriter {
    tally: Tally,
}

impl PieceWriter {
    /// Metadata as pieces of at most `most` bytes; an entry larger than that has a piece of its
    /// own. All of it comes before the records, by ascending name.
    pub fn meta(&mut self, meta: &[(Bytes, Bytes)], most: usize) -> Vec<Bytes> {
        self.tally.names += meta.len() as u64;
        self.pieces(META, meta, most, |(name, value), out| {
            put_bytes(out, name);
            put_bytes(out, value);
        })
    }

    /// Records as pieces of at most `most` bytes; one larger than that has a piece of its own. They
    /// ascend from call to call.
    pub fn records(&mut self, records: &[(Revision, Record)], most: usize) -> Vec<Bytes> {
        self.tally.records += records.len() as u64;
        let mut bytes = Vec::new();
        self.pieces(RECORDS, records, most, |(revision, record), out| {
            put_i64(out, revision.main);
            out.extend_from_slice(&revision.sub.to_le_bytes());
            bytes.clear();
            record.encode(&mut bytes);
            put_bytes(out, &bytes);
        })
    }

    /// The last piece.
    pub fn end(&mut self, applied: Position) -> Bytes {
        let mut out = self.begin(END);
        put_u64(&mut out, applied.term.0);
        put_u64(&mut out, applied.index.0);
        put_u64(&mut out, self.tally.names);
        put_u64(&mut out, self.tally.records);
        self.seal(out)
    }

    fn pieces<T>(
        &mut self,
        kind: u8,
        items: &[T],
        most: usize,
        mut encode: impl FnMut(&T, &mut Vec<u8>),
    ) -> Vec<Bytes> {
        let (mut pieces, mut rest) = (Vec::new(), items);
        let mut list = Vec::new();
        while !rest.is_empty() {
            list.clear();
            let mut count = 0_u32;
            let fit = rest.iter().take_while(|item| {
                let before = list.len();
                encode(item, &mut list);
                let fits = before == 0 || FRAME + list.len() <= most;
                list.truncate(if fits { list.len() } else { before });
                count += u32::from(fits);
                fits
            });
            rest = &rest[fit.count()..];
            let mut out = self.begin(kind);
            out.reserve(FRAME + list.len());
            out.extend_from_slice(&count.to_le_bytes());
            out.extend_from_slice(&list);
            pieces.push(self.seal(out));
        }
        pieces
    }

    fn begin(&self, kind: u8) -> Vec<u8> {
        let mut out = Vec::from([kind]);
        out.extend_from_slice(&self.tally.chain.to_le_bytes());
        out
    }

    fn seal(&mut self, mut out: Vec<u8>) -> Bytes {
        self.tally.chain = crc32fast::hash(&out);
        out.extend_from_slice(&self.tally.chain.to_le_bytes());
        out.into()
    }
}

/// Takes pieces, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceReader {
    tally: Tally,
    name: Option<Bytes>,
    revision: Option<Revision>,
    ended: bool,
}

impl PieceReader {
    /// Takes the next piece apart, without copying what is in it. After an error nothing has
    /// happened: the right piece may still come.
    ///
    /// # Errors
    /// [`PieceError`].
    pub fn piece(&mut self, bytes: &Bytes) -> Result<Piece, PieceError> {
        let end = bytes.len().checked_sub(SUM).ok_or(PieceError::Damaged)?;
        let chain = Reader::new(bytes.slice(end..)).u32()?;
        let content = bytes.slice(..end);
        if crc32fast::hash(&content) != chain && !planted(Mutant::W10) {
            return Err(PieceError::Damaged);
        }
        let mut reader = Reader::new(content);
        let kind = reader.u8()?;
        if reader.u32()? != self.tally.chain || self.ended {
            return Err(PieceError::Incomplete);
        }
        let mut after = self.clone();
        after.tally.chain = chain;
        let piece = match kind {
            META => Piece::Meta(after.meta(reader)?),
            RECORDS => Piece::Records(after.records(reader)?),
            END => Piece::End(after.end(reader)?),
            _ => return Err(DecodeError::Tag("piece of a snapshot").into()),
        };
        *self = after;
        Ok(piece)
    }

    fn meta(&mut self, mut reader: Reader) -> Result<Vec<(Bytes, Bytes)>, PieceError> {
        let meta = reader.list(|item| Ok((item.bytes()?, item.bytes()?)))?;
        let meta = reader.end(meta)?;
        if self.revision.is_some() || !ascend(&mut self.name, meta.iter().map(|item| &item.0)) {
            return Err(PieceError::Incomplete);
        }
        self.tally.names += meta.len() as u64;
        Ok(meta)
    }

    fn records(&mut self, mut reader: Reader) -> Result<Vec<(Revision, Record)>, PieceError> {
        let records = reader.list(|item| {
            let revision = Revision::new(item.i64()?, item.u32()?);
            if revision.main <= 0 {
                return Err(DecodeError::Number("revision"));
            }
            Ok((revision, Record::decode(item.bytes()?)?))
        })?;
        let records = reader.end(records)?;
        if !ascend(&mut self.revision, records.iter().map(|item| &item.0)) {
            return Err(PieceError::Incomplete);
        }
        self.tally.records += records.len() as u64;
        Ok(records)
    }

    fn end(&mut self, mut reader: Reader) -> Result<Position, PieceError> {
        let applied = Position::new(Term(reader.u64()?), Index(reader.u64()?));
        let told = (reader.u64()?, reader.u64()?);
        if reader.end(told)? != (self.tally.names, self.tally.records) {
            return Err(PieceError::Incomplete);
        }
        self.ended = true;
        Ok(applied)
    }
}

/// Whether `items` ascend, from `last` on; `last` becomes the last of them.
fn ascend<'a, T: Ord + Clone + 'a>(
    last: &mut Option<T>,
    items: impl Iterator<Item = &'a T>,
) -> bool {
    for item in items {
        if last.as_ref().is_some_and(|last| last >= item) {
            return false;
        }
        *last = Some(item.clone());
    }
    true
}
