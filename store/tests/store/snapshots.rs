//! States in pieces: there and back, cut at every size, damaged at every bit, out of turn.

use bytes::Bytes;
use protocol::{Index, Position, Rng, Term};
use store::snapshot::{Piece, PieceError, PieceReader, PieceWriter};
use store::{BackendRead, DecodeError, KeyValue, Limits, MemoryBackend, Record, Revision, Store};

use crate::random::Draw;
use crate::rig::Rig;

fn at(index: u64, term: u64) -> Position {
    Position::new(Term(term), Index(index))
}

/// Everything that a view holds in pieces of at most so many bytes, read a few records at a time.
fn pieces(view: &impl BackendRead, most: usize) -> Vec<Bytes> {
    let mut writer = PieceWriter::default();
    let mut pieces = writer.meta(&view.meta().expect("memory does not fail"), most);
    let (mut from, end) = (Revision::default(), Revision::new(i64::MAX, 0));
    loop {
        let few = view.scan(from, end, 9).expect("memory does not fail");
        let Some((Revision { main, sub }, _)) = few.last() else { break };
        from = Revision::new(*main, sub + 1);
        pieces.extend(writer.records(&few, most));
    }
    pieces.push(writer.end(view.applied()));
    pieces
}

/// A store that has lived, flushed.
fn lived(seed: u64, commands: usize) -> Rig {
    let mut draw = Draw::new(seed);
    let mut rig = Rig::cold();
    for _ in 0..commands {
        let revision = rig.store.revision();
        rig.apply(&draw.command(revision));
    }
    rig.flush();
    rig
}

#[test]
fn a_state_comes_back_from_pieces_of_any_size() {
    let (mut records, mut cut) = (0, 0);
    for seed in 0..30 {
        let rig = lived(seed, 150);
        for most in [0, 100, 1000, 1 << 20] {
            let view = rig.backend.view();
            let pieces = pieces(&view, most);
            let mut reader = PieceReader::default();
            let mut backend = MemoryBackend::new();
            let mut meta = Vec::new();
            backend.stage_begin();
            for bytes in &pieces {
                let piece = reader.piece(bytes).expect("whole");
                let elements = match &piece {
                    Piece::Meta(meta) => meta.len(),
                    Piece::Records(records) => records.len(),
                    Piece::End(_) => 1,
                };
                assert!(bytes.len() <= most || elements == 1, "{} bytes", bytes.len());
                match piece {
                    Piece::Meta(more) => meta.extend(more),
                    Piece::Records(more) => {
                        records += more.len();
                        backend.stage(&more);
                    }
                    Piece::End(applied) => backend.install(&meta, applied),
                }
            }
            cut += pieces.len();
            assert_eq!(backend, view, "seed {seed}, pieces of {most}");
            let store = restored(&backend);
            assert_eq!(store.revision(), rig.store.revision());
            assert_eq!(store.applied(), rig.store.applied());
        }
    }
    assert!(records > 2000 && cut > 1500, "{records} records in {cut} pieces");
}

fn restored(backend: &MemoryBackend) -> Store {
    let meta = backend.meta().expect("memory does not fail");
    let mut restoring = Store::restore(Limits::default(), meta).expect("a flush has written it");
    let end = Revision::new(i64::MAX, 0);
    let records = backend.scan(Revision::default(), end, usize::MAX);
    for (revision, record) in records.expect("memory does not fail") {
        restoring.record(revision, &record);
    }
    restoring.finish().expect("a flush has written it").0
}

fn put(main: i64, value: &'static str) -> (Revision, Record) {
    let kv = KeyValue {
        key: Bytes::from_static(b"k"),
        value: Bytes::from_static(value.as_bytes()),
        create_revision: 2,
        mod_revision: main,
        version: 1,
        lease: None,
    };
    (Revision::new(main, 0), Record::Put(kv))
}

fn one(pieces: Vec<Bytes>) -> Bytes {
    assert_eq!(pieces.len(), 1);
    pieces.into_iter().next().expect("just seen")
}

/// Metadata, two pieces of records, the end.
fn small(value: &'static str) -> [Bytes; 4] {
    let mut writer = PieceWriter::default();
    let tombstone = Record::Tombstone { key: Bytes::from_static(b"k") };
    let meta = (Bytes::from_static(b"state"), Bytes::from_static(value.as_bytes()));
    [
        one(writer.meta(&[meta], 1000)),
        one(writer.records(&[put(2, "one"), (Revision::new(3, 1), tombstone)], 1000)),
        one(writer.records(&[put(7, "two")], 1000)),
        writer.end(at(9, 4)),
    ]
}

#[test]
fn the_layout_is_that_of_the_format() {
    let [meta, records, _, end] = small("v");
    let number = |low: u8| [low, 0, 0, 0, 0, 0, 0, 0];
    let crc = |bytes: &[u8]| crc32fast::hash(bytes).to_le_bytes();
    let content = [&[1][..], &[0; 4], &[1, 0, 0, 0, 5, 0, 0, 0], b"state", &[1, 0, 0, 0], b"v"];
    let content = content.concat();
    assert_eq!(meta, [&content[..], &crc(&content)].concat());
    assert_eq!(records[..1], [2]);
    assert_eq!(records[1..5], crc(&content), "the checksum of the piece before");
    assert_eq!(records[5..9], [2, 0, 0, 0]);
    assert_eq!(records[9..21], [&number(2)[..], &[0; 4]].concat());
    let mut record = Vec::new();
    put(2, "one").1.encode(&mut record);
    let length = u8::try_from(record.len()).unwrap();
    assert_eq!(records[21..25], [length, 0, 0, 0]);
    assert_eq!(records[25..25 + record.len()], record);
    assert_eq!(end[..1], [3]);
    assert_eq!(end[5..37], [number(4), number(9), number(1), number(3)].concat());
    assert_eq!(end.len(), 41);
}

/// A reader that has taken so many pieces.
fn reader_after(pieces: &[Bytes], count: usize) -> PieceReader {
    let mut reader = PieceReader::default();
    pieces[..count].iter().for_each(|piece| drop(reader.piece(piece).expect("whole")));
    reader
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed_and_the_whole_piece_may_follow() {
    let pieces = small("v");
    let mut flips = 0;
    for (place, piece) in pieces.iter().enumerate() {
        let mut reader = reader_after(&pieces, place);
        let before = reader.clone();
        for bit in 0..piece.len() * 8 {
            let mut damaged = piece.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(reader.piece(&damaged.into()), Err(PieceError::Damaged));
            flips += 1;
        }
        for length in 0..piece.len() {
            assert_eq!(reader.piece(&piece.slice(..length)), Err(PieceError::Damaged));
        }
        assert_eq!(reader, before);
        reader.piece(piece).expect("whole");
    }
    assert!(flips > 1500, "{flips}");
}

#[test]
fn pieces_out_of_turn_and_of_other_rows_are_refused_at_once() {
    let (pieces, others) = (small("v"), small("w"));
    for place in 0..=pieces.len() {
        let mut reader = reader_after(&pieces, place);
        let before = reader.clone();
        for (_, piece) in pieces.iter().enumerate().filter(|(number, _)| *number != place) {
            assert_eq!(reader.piece(piece), Err(PieceError::Incomplete));
        }
        // From another row every piece but its first is refused, though it is the right one in
        // number and content.
        if let Some(other) = others.get(place).filter(|_| place > 0) {
            assert_eq!(reader.piece(other), Err(PieceError::Incomplete));
        }
        assert_eq!(reader, before);
    }
}

#[test]
fn a_writer_that_was_copied_goes_on_with_the_same_bytes() {
    let mut writer = PieceWriter::default();
    let parts: [&[_]; 3] = [&[put(2, "a")], &[put(3, "b"), put(4, "c")], &[put(5, "d")]];
    let (mut places, mut first) = (vec![writer], Vec::new());
    for part in parts {
        first.extend(writer.records(part, 1000));
        places.push(writer);
    }
    let end = writer.end(at(9, 4));
    for (place, mut writer) in places.into_iter().enumerate() {
        let rest = parts[place..].iter().flat_map(|part| writer.records(part, 1000));
        assert_eq!(rest.collect::<Vec<_>>(), first[place..]);
        assert_eq!(writer.end(at(9, 4)), end);
    }
}

/// The piece with something else in it, and the right checksum.
fn forged(piece: &Bytes, change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut content = piece[..piece.len() - 4].to_vec();
    change(&mut content);
    let checksum = crc32fast::hash(&content).to_le_bytes();
    [&content[..], &checksum].concat().into()
}

#[test]
fn what_is_whole_and_wrong_is_refused_with_its_reason() {
    let pieces = small("v");
    let refusal = |place: usize, piece: &Bytes| {
        let mut reader = reader_after(&pieces, place);
        let before = reader.clone();
        let error = reader.piece(piece).expect_err("refused");
        assert_eq!(reader, before);
        error
    };
    let forge = |place: usize, at: usize, to: u8| {
        refusal(place, &forged(&pieces[place], |content| content[at] = to))
    };
    let unknown = PieceError::Unknown;
    assert_eq!(forge(0, 0, 9), unknown(DecodeError::Tag("piece of a snapshot")));
    assert_eq!(forge(0, 5, 2), unknown(DecodeError::Short), "more elements than there are");
    assert_eq!(forge(0, 5, 0), unknown(DecodeError::Trailing));
    assert_eq!(forge(1, 9, 0), unknown(DecodeError::Number("revision")));
    assert_eq!(forge(1, 9, 9), PieceError::Incomplete, "9 before 3");
    assert_eq!(forge(2, 9, 3), PieceError::Incomplete, "3.0 after 3.1");
    assert_eq!(forge(3, 21, 2), PieceError::Incomplete, "the number of names");
    assert_eq!(forge(3, 29, 2), PieceError::Incomplete, "the number of records");
    let pair = |name: &'static str| (Bytes::from(name), Bytes::new());
    let unsorted = one(PieceWriter::default().meta(&[pair("b"), pair("a")], 100));
    assert_eq!(refusal(0, &unsorted), PieceError::Incomplete);
    // In their place by the checksum before them, and by nothing else.
    let moved = |piece: &Bytes, after: &Bytes| {
        forged(piece, |content| content[1..5].copy_from_slice(&after[after.len() - 4..]))
    };
    let late = moved(&pieces[0], &pieces[1]);
    assert_eq!(refusal(2, &late), PieceError::Incomplete, "metadata after records");
    for piece in &pieces {
        let beyond = moved(piece, &pieces[3]);
        assert_eq!(refusal(4, &beyond), PieceError::Incomplete, "after the end");
    }
}

#[test]
fn the_reader_takes_any_bytes() {
    let pieces = small("v");
    let mut rng = Rng::new(3);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..20_000 {
        let place = round % pieces.len();
        let piece = forged(&pieces[place], |content| {
            for _ in 0..rng.below(3) {
                let at = usize::try_from(rng.below(content.len() as u64)).unwrap();
                content[at] = rng.next().to_le_bytes()[0];
            }
            if rng.below(8) == 0 {
                let length = usize::try_from(rng.below(content.len() as u64)).unwrap();
                content.truncate(length);
            }
        });
        match reader_after(&pieces, place).piece(&piece) {
            Ok(_) => taken += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(taken > 3000 && refused > 3000, "{taken} taken, {refused} refused");
}

#[test]
fn as_much_as_fits_and_at_least_one_goes_into_a_piece() {
    let records: Vec<_> = (2..20).map(|main| put(main, "value")).collect();
    let pairs: Vec<_> =
        (0..20).map(|n| (Bytes::from(format!("name-{n:02}")), Bytes::new())).collect();
    for most in 0..1500 {
        let alone = PieceWriter::default().records(&records[..1], 0)[0].len();
        let each = PieceWriter::default().records(&records[..2], 9999)[0].len() - alone;
        for piece in PieceWriter::default().records(&records, most).iter().rev().skip(1) {
            assert!(piece.len() <= most || piece.len() == alone);
            assert!(piece.len() + each > most, "another would have fitted");
        }
        let mut reader = PieceReader::default();
        let mut names = 0;
        for piece in PieceWriter::default().meta(&pairs, most) {
            let Ok(Piece::Meta(meta)) = reader.piece(&piece) else { panic!("metadata") };
            assert!(piece.len() <= most || meta.len() == 1);
            names += meta.len();
        }
        assert_eq!(names, pairs.len());
    }
    assert_eq!(PieceWriter::default().records(&[], 100), Vec::<Bytes>::new());
}

#[test]
fn an_empty_state_is_an_end_alone() {
    let pieces = pieces(&MemoryBackend::new().view(), 100);
    let mut reader = PieceReader::default();
    let read: Vec<_> = pieces.iter().map(|piece| reader.piece(piece)).collect();
    assert_eq!(read, [Ok(Piece::End(Position::ORIGIN))]);
}
