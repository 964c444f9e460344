//! Every byte of a log damaged in turn: detected or harmless.

#![allow(clippy::unwrap_used)]

mod log_common;

use log_common::{Twin, all, files, scripted, small};
use protocol::Index;
use storage::disk::FaultyDisk;
use storage::log::{Log, OpenError};

/// The flips are divided among as many threads.
const SHARES: usize = 4;

#[derive(Default, Debug)]
struct Counts {
    refused: usize,
    doubtful: usize,
    mended: usize,
    harmless: usize,
}

impl Counts {
    fn plus(&self, other: &Self) -> Self {
        Self {
            refused: self.refused + other.refused,
            doubtful: self.doubtful + other.doubtful,
            mended: self.mended + other.mended,
            harmless: self.harmless + other.harmless,
        }
    }
}

/// Opens a damaged log and says what came of it; anything wrong is a panic.
fn judge(mut disk: FaultyDisk, twin: &Twin, place: &str, counts: &mut Counts) {
    let (log, recovered) = match Log::open(&mut disk, small()) {
        Ok(opened) => opened,
        Err(OpenError::Corrupt(damage)) => {
            assert!(damage.iter().any(storage::log::Damage::is_corruption));
            counts.refused += 1;
            return;
        }
        Err(error) => panic!("{place}: {error}"),
    };
    let hard = recovered.hard_state;
    assert_eq!(hard.term, twin.hard_state.term, "{place}");
    assert_eq!(hard.vote, twin.hard_state.vote, "{place}");
    assert!(hard.commit <= twin.hard_state.commit, "{place}");
    let (found, expected) = (all(&log), twin.after(recovered.base));
    if found == expected {
        assert_eq!(recovered.doubt, None, "{place}");
        let noted = !recovered.damage.is_empty();
        *(if noted { &mut counts.mended } else { &mut counts.harmless }) += 1;
    } else {
        assert!(expected.starts_with(&found), "{place}: a wrong entry");
        assert_eq!(recovered.doubt, Some(twin.last().index), "{place}: a silent loss");
        counts.doubtful += 1;
    }
}

#[test]
fn s1_21_every_flipped_byte_is_detected_or_harmless() {
    let (disk, twin) = scripted();
    let (disk, twin) = (&disk, &twin);
    let counts = std::thread::scope(|scope| {
        let share = |share: usize, disk: FaultyDisk| {
            let mut counts = Counts::default();
            for (name, bytes) in files(&disk) {
                for offset in (share..bytes).step_by(SHARES) {
                    let mut damaged = disk.clone();
                    assert!(damaged.flip(&name, offset, 1 << (offset % 8)));
                    judge(damaged, twin, &format!("{name} at {offset}"), &mut counts);
                }
            }
            counts
        };
        let shares: Vec<_> = (0..SHARES)
            .map(|number| {
                let disk = disk.clone();
                scope.spawn(move || share(number, disk))
            })
            .collect();
        shares.into_iter().fold(Counts::default(), |sum, one| sum.plus(&one.join().unwrap()))
    });
    let bytes: usize = files(disk).iter().map(|(_, bytes)| bytes).sum();
    let Counts { refused, doubtful, mended, harmless } = counts;
    println!(
        "detected: {refused} refused, {doubtful} in doubt, {mended} mended; harmless: {harmless}"
    );
    assert_eq!(refused + doubtful + mended + harmless, bytes, "a byte was left out");
    assert!(refused > 1000 && doubtful > 100 && mended > 100 && harmless > 1000);
}

#[test]
fn every_flipped_byte_under_an_open_log_is_an_error_or_harmless() {
    let (mut disk, twin) = scripted();
    let files = files(&disk);
    let (mut log, recovered) = Log::open(&mut disk, small()).unwrap();
    let mut detected = 0;
    for (name, bytes) in files {
        for offset in (0..bytes).step_by(3) {
            assert!(log.disk_mut().flip(&name, offset, 0x10));
            match log.read(recovered.base.index.next(), usize::MAX) {
                Ok(entries) => assert_eq!(entries, twin.after(recovered.base)),
                Err(_) => detected += 1,
            }
            assert!(log.disk_mut().flip(&name, offset, 0x10));
        }
    }
    assert!(detected > 500, "only {detected} were detected");
}

#[test]
fn after_an_orderly_end_every_flipped_byte_of_an_entry_is_corruption() {
    let (disk, twin) = scripted();
    let (log, recovered) = Log::open(disk, small()).unwrap();
    let disk = log.close().unwrap();
    let mut counts = Counts::default();
    for (name, bytes) in files(&disk) {
        for offset in (0..bytes).step_by(5) {
            let mut damaged = disk.clone();
            damaged.flip(&name, offset, 0x80);
            judge(damaged, &twin, &format!("{name} at {offset}"), &mut counts);
        }
    }
    assert!(recovered.last.index > Index(0));
    assert_eq!(counts.doubtful, 0, "{counts:?}");
    assert!(counts.refused > 500, "{counts:?}");
}
