//! Bodies for fuzzers: any bytes are an answer, never a panic.

use bytes::Bytes;
use protocol::{ClusterId, Index, NodeId, Position, Term};
use sha2::{Digest, Sha256};
use store::snapshot::PieceWriter;
use store::{KeyValue, LeaseId, Record, Revision};

use super::header::{HEADER_BYTES, Header, Origin};
use super::{DIGEST_BYTES, PIECE_BYTES, UNIT, survey, verify};
use crate::Identity;

/// Reads any bytes as a backup, as they are and as the content of one whose checksums all hold, so
/// that what lies behind them is reached as well. Gives whether that one made sense.
pub fn fuzz_backup(data: &[u8]) -> bool {
    let [_, forged] = [data, &forge(data)].map(|bytes| {
        let told = survey(bytes);
        assert!(told.is_err() || verify(bytes).is_ok(), "what has a content is whole");
        told.is_ok()
    });
    forged
}

/// A backup whose every checksum is right, with content that the bytes say.
fn forge(data: &[u8]) -> Vec<u8> {
    let mut source = Source { data };
    let applied = Position::new(Term(source.number() % 4), Index(source.number() % 64));
    let mut revision = i64::from(source.byte());
    if source.byte() == 5 {
        revision = i64::MAX - revision;
    }
    let meta = metadata(&mut source, applied, revision);
    let records = records(&mut source);
    let mut writer = PieceWriter::default();
    let mut pieces = writer.meta(&meta, PIECE_BYTES);
    pieces.extend(writer.records(&records, 64));
    pieces.push(writer.end(applied));
    let mut content = Vec::new();
    for piece in &pieces {
        let length = u32::try_from(piece.len()).expect("invariant: what is forged is small");
        content.extend_from_slice(&length.to_le_bytes());
        content.extend_from_slice(piece);
    }
    content.resize(content.len().next_multiple_of(UNIT.try_into().unwrap_or(512)), 0);
    let identity = Identity { cluster: ClusterId(1), node: NodeId(2) };
    let header = Header {
        origin: Origin { identity, taken_at_ms: source.number() },
        length: (HEADER_BYTES + content.len() + DIGEST_BYTES) as u64,
        applied,
        revision,
    };
    let mut bytes = header.encode().to_vec();
    bytes.extend_from_slice(&content);
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

/// The numbers of a store, and names that mean something or nothing.
fn metadata(source: &mut Source<'_>, applied: Position, revision: i64) -> Vec<(Bytes, Bytes)> {
    let mut meta = std::collections::BTreeMap::new();
    let numbers = [
        revision,
        i64::from(source.byte()) - 1,
        i64::from(source.byte()),
        applied.term.0.cast_signed(),
        applied.index.0.cast_signed(),
    ];
    let mut state = vec![1];
    numbers.iter().for_each(|number| state.extend_from_slice(&number.to_le_bytes()));
    meta.insert(Bytes::from_static(b"state"), Bytes::from(state));
    for _ in 0..source.byte() % 4 {
        let name = match source.byte() % 5 {
            0 => b"bumped".to_vec(),
            1 => b"installed".to_vec(),
            tag => {
                let mut name = vec![b"lam"[usize::from(tag - 2)]];
                name.extend_from_slice(&u64::from(source.byte()).to_be_bytes());
                name
            }
        };
        let length = usize::from(source.byte() % 24);
        meta.insert(name.into(), (0..length).map(|_| source.byte()).collect());
    }
    meta.into_iter().collect()
}

/// Records under ascending revisions that need not fit together.
fn records(source: &mut Source<'_>) -> Vec<(Revision, Record)> {
    let mut records = Vec::new();
    let mut at = Revision::new(1, 0);
    while !source.data.is_empty() {
        let kind = source.byte();
        at = match kind % 3 {
            0 => Revision::new(at.main, at.sub + 1),
            _ => Revision::new(at.main + i64::from(source.byte() % 3) + 1, 0),
        };
        let key = Bytes::from(vec![source.byte() % 4]);
        let record = match kind / 3 % 4 {
            0 => Record::Tombstone { key },
            _ => Record::Put(KeyValue {
                key,
                value: Bytes::new(),
                create_revision: i64::from(source.byte()) + 1,
                mod_revision: if kind > 250 { 1 } else { at.main },
                version: i64::from(source.byte()) + 1,
                lease: (kind > 200).then_some(LeaseId(i64::from(source.byte()))),
            }),
        };
        records.push((at, record));
    }
    records
}

/// Bytes, one after the other, and zeros at the end.
struct Source<'a> {
    data: &'a [u8],
}

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.data.split_first() else { return 0 };
        self.data = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        u64::from_le_bytes([(); 8].map(|()| self.byte()))
    }
}
