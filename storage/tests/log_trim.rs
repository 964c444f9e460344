//! Trimming where later leaders replaced what an older segment holds.

#![allow(clippy::unwrap_used)]

mod log_common;

use log_common::{Twin, all, entries, open, small, write};
use protocol::Index;
use storage::disk::{Disk, FaultyDisk};
use storage::log::{Log, LogOptions};

fn segments(disk: &impl Disk) -> usize {
    let files = disk.list().unwrap();
    files.iter().filter(|file| file.name.ends_with(".seg")).count()
}

/// A log whose second segment begins right before its last `back` entries are replaced in term 2;
/// with `again`, the leader of term 3 brings the replaced ones back. Two more segments follow.
fn replaced_across_segments(back: u64, again: bool) -> (FaultyDisk, Twin) {
    let mut disk = FaultyDisk::default();
    let (mut log, _) = open(&mut disk);
    let mut twin = Twin::default();
    let mut append = |step| {
        write(&mut log, &step);
        twin.append(&step);
        segments(log.disk_mut())
    };
    let mut last = 0;
    while append(entries(last + 1..=last + 2, 1, 200)) < 2 {
        last += 2;
    }
    last += 2;
    append(entries(last + 1 - back..=last + 1 - back, 2, 200));
    let mut term = 2;
    if again {
        append(entries(last + 1 - back..=last, 1, 200));
        term = 3;
    }
    let mut next = twin_last(again, last, back) + 1;
    while append(entries(next..=next + 1, term, 200)) < 4 {
        next += 2;
    }
    drop(log);
    (disk, twin)
}

fn twin_last(again: bool, last: u64, back: u64) -> u64 {
    if again { last } else { last + 1 - back }
}

#[test]
fn replaced_entries_neither_stop_a_trim_nor_look_lost_after_it() {
    for back in 1..=8 {
        for again in [false, true] {
            let (disk, twin) = replaced_across_segments(back, again);
            let case = format!("back {back}, again {again}");
            let last = twin.last().index;
            for through in (0..=last.0).map(Index) {
                let mut disk = disk.clone();
                let (mut log, _) = open(&mut disk);
                let base = log.trim(through).unwrap();
                assert!(base.index <= through, "{case}: trimmed too far");
                assert_eq!(all(&log), twin.after(base), "{case}, through {through}");
                assert!(through < last || segments(log.disk_mut()) == 1, "{case}: stuck");
                drop(log);
                let (log, recovered) = open(&mut disk);
                assert_eq!((recovered.base, recovered.damage), (base, vec![]), "{case}");
                assert_eq!(all(&log), twin.after(base), "{case}, through {through}");
            }
        }
    }
}

/// A spare made in advance carries the number of the next segment; when that one is trimmed while
/// the spare is still there, it must not take its place.
#[test]
fn a_trimmed_segment_keeps_clear_of_a_spare_made_in_advance() {
    let mut disk = FaultyDisk::default();
    let options = LogOptions { spares: 2, ..small() };
    let (mut log, _) = Log::open(&mut disk, options).unwrap();
    for index in 1..=200 {
        write(&mut log, &entries(index..=index, 1, 200));
        log.prepare().unwrap();
        if index % 3 == 0 {
            log.trim(Index(index - 2)).unwrap();
        }
    }
    let base = log.base();
    assert!(base.index > Index(150), "{base}: nothing was trimmed");
    drop(log);
    let (log, recovered) = open(&mut disk);
    assert_eq!((recovered.base, recovered.damage), (base, vec![]));
    assert_eq!(all(&log).len() as u64, 200 - base.index.0);
}
