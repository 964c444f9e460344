//! Every byte of a state flipped in turn, and larger damage.

use protocol::Rng;
use storage::disk::{Disk, FaultPlan, FaultyDisk};
use storage::state::{FaultyFiles, OpenError, RealFiles, inspect_files};
use store::{Backend, BackendError, BackendRead, Flush, Record, Revision};

use crate::support::{OWNER, ROOM, Truth, open, settle};

/// What a manifest and each table of the small state fit into.
const PAGE: u64 = 4096;

/// A state of several tables and edits, its files cut to what is in use.
fn small_state() -> (FaultyDisk, Truth) {
    let files = FaultyFiles::new(FaultyDisk::default(), PAGE);
    let mut rng = Rng::new(11);
    let mut truth = Truth::new();
    let mut backend = open(&files).unwrap();
    for _ in 0..9 {
        backend.flush(&truth.next_flush(&mut rng, 4)).unwrap();
    }
    backend.discard(&truth.choose_dead(&mut rng, 3)).unwrap();
    settle(&mut backend).unwrap();
    for _ in 0..3 {
        backend.flush(&truth.next_flush(&mut rng, 3)).unwrap();
    }
    drop(backend);
    let mut disk = files.disk().clone();
    for table in inspect_files(&files, OWNER, false).unwrap().tables {
        disk.cut(&table.file, usize::try_from(table.bytes).unwrap());
    }
    (disk, truth)
}

#[derive(Default)]
struct Count {
    flips: usize,
    refused: usize,
    error_on_read: usize,
    harmless: usize,
}

#[test]
fn every_byte_flipped_is_detected_or_harmless() {
    let (disk, truth) = small_state();
    let mut total = std::collections::BTreeMap::<&str, Count>::new();
    for file in disk.list().unwrap() {
        let kind = if file.name.starts_with("table") { "tables" } else { "manifest" };
        let count = total.entry(kind).or_default();
        for offset in 0..usize::try_from(file.bytes).unwrap() {
            let mut damaged = disk.clone();
            assert!(damaged.flip(&file.name, offset, 1 << (offset % 8)));
            flipped(damaged, &truth, count);
        }
    }
    for (kind, count) in &total {
        println!(
            "{kind}: {} flips, {} refused at open, {} errors on read, {} harmless",
            count.flips, count.refused, count.error_on_read, count.harmless
        );
    }
    assert_eq!(total["tables"].harmless, 0, "every byte of a table is under a checksum");
    assert_eq!(total["manifest"].refused, 0, "a single damage of the manifest is mended");
}

/// Opens and reads a damaged state: it is never older, and never says anything wrong.
fn flipped(disk: FaultyDisk, truth: &Truth, count: &mut Count) {
    count.flips += 1;
    let files = FaultyFiles::new(disk, PAGE);
    let last = truth.points.len() - 1;
    let mut backend = match open(&files) {
        Ok(backend) => backend,
        Err(OpenError::Corrupt(_)) => return count.refused += 1,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(truth.point_of(&backend), last, "never an older flush");
    if truth.check(&backend, last, true) > 0 {
        assert!(!backend.reader().verify().damage.is_empty(), "a scrub finds it");
        // Maintenance meets it as an error or not at all.
        assert!(matches!(settle(&mut backend), Ok(_) | Err(BackendError::Corrupt(_))));
        truth.check(&backend, last, true);
        return count.error_on_read += 1;
    }
    count.harmless += 1;
    if !count.flips.is_multiple_of(5) {
        return;
    }
    let mut truth = truth.clone();
    backend.flush(&truth.next_flush(&mut Rng::new(3), 2)).unwrap();
    drop(backend);
    let copies = inspect_files(&files, OWNER, true).unwrap().copies;
    assert!(copies.iter().all(|copy| copy.clean), "mended: {copies:?}");
    truth.check(&open(&files).unwrap(), truth.points.len() - 1, false);
}

#[test]
fn both_copies_of_the_manifest_damaged_is_refused() {
    let (disk, _) = small_state();
    for offset in [0, 16, 50, 64, 70, 90] {
        let mut damaged = disk.clone();
        let manifests = disk.list().unwrap().into_iter().filter(|f| f.name.starts_with("manifest"));
        for file in manifests {
            // Byte 50 is a zero of the header: it is compared, not only summed.
            assert!(damaged.flip(&file.name, offset, 0x10));
        }
        let opened = open(&FaultyFiles::new(damaged, PAGE)).map(drop);
        assert!(matches!(opened, Err(OpenError::Corrupt(_))), "{offset}: {opened:?}");
    }
}

#[test]
fn a_missing_table_is_refused_and_a_missing_manifest_too() {
    let (disk, _) = small_state();
    for file in disk.list().unwrap().into_iter().filter(|f| f.name.starts_with("table")) {
        let mut damaged = disk.clone();
        damaged.remove(&file.name).unwrap();
        let opened = open(&FaultyFiles::new(damaged, PAGE)).map(drop);
        assert!(matches!(opened, Err(OpenError::Corrupt(_))), "{opened:?}");
    }
    let mut damaged = disk.clone();
    for file in disk.list().unwrap().into_iter().filter(|f| f.name.starts_with("manifest")) {
        damaged.remove(&file.name).unwrap();
    }
    let opened = open(&FaultyFiles::new(damaged, PAGE)).map(drop);
    assert!(matches!(opened, Err(OpenError::Corrupt(_))), "{opened:?}");
}

/// The first two blocks of a table of equal records, as ranges of its bytes.
fn two_blocks(table: &[u8]) -> [std::ops::Range<usize>; 2] {
    let number = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap());
    let end = |start: usize| {
        let records = 0..number(start + 4);
        records.fold(start + 8, |at, _| at + 16 + usize::try_from(number(at + 12)).unwrap())
    };
    let first = end(0);
    [0..first, first..end(first)]
}

/// Two tables whose blocks are all of one length.
fn even_state() -> (FaultyFiles, [String; 2]) {
    let files = FaultyFiles::new(FaultyDisk::default(), PAGE);
    let mut backend = open(&files).unwrap();
    for first in [2, 40] {
        let records = (first..first + 38).map(|main| {
            let key = bytes::Bytes::from(format!("key-{main:04}"));
            (Revision::new(main, 0), Record::Tombstone { key })
        });
        backend.flush(&Flush { records: records.collect(), ..Flush::default() }).unwrap();
    }
    let mut tables = inspect_files(&files, OWNER, false).unwrap().tables.into_iter();
    let names = std::array::from_fn(|_| tables.next().unwrap().file);
    (files, names)
}

/// A block of equal length from elsewhere has a sound checksum of its own.
#[test]
fn a_block_in_the_place_of_another_is_not_believed() {
    let (files, [one, two]) = even_state();
    let sound = files.disk().contents(&one).unwrap().to_vec();
    let other = files.disk().contents(&two).unwrap().to_vec();
    let [first, second] = two_blocks(&sound);
    assert_eq!((first.clone(), second.len()), (two_blocks(&other)[0].clone(), first.len()));
    let backend = open(&files).unwrap();
    for wrong in [&sound[second], &other[first.clone()]] {
        assert!(backend.get(Revision::new(2, 0)).unwrap().is_some());
        let mut bytes = sound.clone();
        bytes[first.clone()].copy_from_slice(wrong);
        files.disk().insert(&one, &bytes);
        let found = backend.get(Revision::new(2, 0));
        assert!(matches!(found, Err(BackendError::Corrupt(_))), "{found:?}");
        assert_eq!(backend.reader().verify().damage.len(), 1);
        files.disk().insert(&one, &sound);
    }
}

#[test]
fn a_table_in_the_place_of_another_is_refused() {
    let (disk, truth) = small_state();
    let tables: Vec<_> =
        disk.list().unwrap().into_iter().filter(|f| f.name.starts_with("table")).collect();
    let mut tried = 0;
    for (from, to) in tables.iter().zip(tables.iter().skip(1)) {
        let mut damaged = disk.clone();
        let bytes = disk.contents(&from.name).unwrap().to_vec();
        damaged.insert(&to.name, &bytes);
        let mut count = Count::default();
        flipped(damaged, &truth, &mut count);
        assert_eq!(count.harmless, 0);
        tried += 1;
    }
    assert!(tried > 1);
}

#[test]
fn a_write_gone_astray_is_detected() {
    let mut detected = 0;
    for operation in 0..40 {
        let mut plan = FaultPlan::default();
        plan.operations.insert(operation, storage::disk::OperationFault::Astray(512));
        let files = FaultyFiles::new(FaultyDisk::new(plan), ROOM);
        let mut truth = Truth::new();
        let mut rng = Rng::new(2);
        let Ok(mut backend) = open(&files) else { continue };
        for _ in 0..5 {
            backend.flush(&truth.next_flush(&mut rng, 6)).unwrap();
        }
        drop(backend);
        match open(&files) {
            Ok(backend) => {
                let last = truth.points.len() - 1;
                assert_eq!(truth.point_of(&backend), last);
                detected += truth.check(&backend, last, true).min(1);
            }
            Err(OpenError::Corrupt(_)) => detected += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(detected > 0);
}

#[test]
fn a_state_of_another_node_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let open = |owner| {
        let files = RealFiles::open(directory.path()).unwrap();
        storage::state::DiskBackend::open(files, owner, crate::support::SMALL).map(drop)
    };
    open(OWNER).unwrap();
    let other = storage::Identity { node: protocol::NodeId(9), ..OWNER };
    let refused = OpenError::Foreign { cluster: OWNER.cluster, node: OWNER.node };
    assert_eq!(open(other), Err(refused));
    assert!(open(OWNER).is_ok());
}
