//! Every byte of log and state damaged in turn: detected or harmless.

use std::collections::BTreeMap;
use std::time::Duration;

use node::{Failure, Request};
use storage::disk::{Disk, Moment};

use crate::check::{Back, keys_at, shows, start};
use crate::history::{self, History};
use crate::machine::{Disks, Machine, Side};
use crate::script::{put, start_on};
use crate::sweep::peaceful;
use crate::{full, stride};

/// Threads that the bytes are divided among.
const SHARES: usize = 2;
/// Without `FULL`, one byte of so many: a prime, so that no field of a format is always missed.
const STRIDE: usize = 61;

/// What came of a damaged byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// The replica did not start, and said what is damaged.
    Refused,
    /// The replica started, keeps quiet, and serves nothing but what is right.
    Withheld,
    /// The log found the damage and has everything.
    Mended,
    /// Everything is there.
    Harmless,
}

type Counts = BTreeMap<(&'static str, Fate), u64>;

/// What kind of file a name belongs to.
fn kind(side: Side, name: &str) -> &'static str {
    match side {
        Side::State if name.starts_with("table-") => "table",
        Side::State if name.starts_with("manifest-") => "manifest",
        Side::Log if name.ends_with(".seg") => "segment",
        Side::Log if name.ends_with(".free") => "spare segment",
        Side::Log => panic!("a log has no file {name}"),
        Side::State => panic!("a state has no file {name}"),
    }
}

/// The error names the file, or the entries that are missing.
fn names_what(text: &str) -> bool {
    ["segment ", "table-", "manifest-", "the log holds entries after"]
        .iter()
        .any(|name| text.contains(name))
}

/// A replica in doubt acknowledges nothing and shows nothing, and what it holds is right.
fn keeps_quiet(mut back: Back, history: &History) {
    let reply = back.replica.call(Request::Write(put("k", "v"))).unwrap();
    assert_eq!(reply.body.unwrap_err(), Failure::NoLeader);
    assert_eq!(back.replica.node.core().leader(), None);
    let applied = back.replica.node.store().applied().index.0;
    assert_eq!(keys_at(&mut back.replica, 0, true), Err(Failure::NoLeader));
    let held = history::Moment::of(back.replica.node.store());
    assert_eq!(&held, history.moment(applied));
}

/// Starts a replica with a damaged byte; anything wrong is a panic.
fn judge(damaged: Disks, history: &History) -> Fate {
    let mut back = match start(damaged, 1000) {
        Ok(back) => back,
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(names_what(&text), "{text}");
            return Fate::Refused;
        }
    };
    let recovered = &back.replica.recovered;
    let mended = !recovered.damage.is_empty();
    if let Some(doubt) = recovered.doubt {
        assert_eq!(doubt.0, history.last(), "a silent loss");
        keeps_quiet(back, history);
        return Fate::Withheld;
    }
    assert_eq!(recovered.last.index.0, history.last(), "a silent loss");
    back.replica.lead().unwrap();
    shows(&mut back.replica, history, history.last());
    if mended { Fate::Mended } else { Fate::Harmless }
}

/// Says where, should anything go wrong.
struct Where<'a>(&'a str, usize);

impl Drop for Where<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("byte {} of {}", self.1, self.0);
        }
    }
}

/// All files, with their lengths.
fn files(disks: &Disks) -> Vec<(Side, String, usize)> {
    let mut files = Vec::new();
    for (side, disk) in [(Side::Log, &disks.log), (Side::State, &disks.state)] {
        for file in disk.list().unwrap() {
            files.push((side, file.name, usize::try_from(file.bytes).unwrap()));
        }
    }
    files
}

/// Damages every `stride`th byte, beginning with that of number `first`.
fn damage(disks: &Disks, history: &History, first: usize, stride: usize) -> Counts {
    let mut counts = Counts::new();
    for (side, name, bytes) in files(disks) {
        for offset in (first..bytes).step_by(stride) {
            let _where = Where(&name, offset);
            let mut damaged = disks.clone();
            assert!(damaged.side(side).flip(&name, offset, 1 << (offset % 8)));
            *counts.entry((kind(side, &name), judge(damaged, history))).or_default() += 1;
        }
    }
    counts
}

fn damage_all(disks: &Disks, history: &History, stride: usize) -> Counts {
    std::thread::scope(|scope| {
        let share = |share| {
            let disks = disks.clone();
            scope.spawn(move || damage(&disks, history, share * stride, SHARES * stride))
        };
        let shares: Vec<_> = (0..SHARES).map(share).collect();
        let mut sum = Counts::new();
        for share in shares {
            for (what, count) in share.join().unwrap() {
                *sum.entry(what).or_default() += count;
            }
        }
        sum
    })
}

fn total(counts: &Counts, fate: Fate) -> u64 {
    counts.iter().filter(|((_, other), _)| *other == fate).map(|(_, count)| count).sum()
}

fn print(counts: &Counts) {
    for ((kind, fate), count) in counts {
        println!("{kind}: {count} {fate:?}");
    }
}

#[test]
fn s1_21_every_flipped_byte_of_log_and_state_is_detected_or_harmless() {
    let (mut disks, _, history) = peaceful();
    disks.power_off(Moment::After, 0);
    let stride = stride(STRIDE);
    let counts = damage_all(&disks, &history, stride);
    let bytes: usize = files(&disks).iter().map(|(_, _, bytes)| bytes.div_ceil(stride)).sum();
    println!("{bytes} bytes, one of {stride}");
    print(&counts);
    assert_eq!(counts.values().sum::<u64>(), bytes as u64, "a byte was left out");
    for fate in [Fate::Refused, Fate::Withheld, Fate::Mended, Fate::Harmless] {
        let least = if full() { 100 } else { 1 };
        assert!(total(&counts, fate) >= least, "{fate:?}: {counts:?}");
    }
    for kind in ["table", "manifest", "segment"] {
        assert!(counts.keys().any(|(other, _)| *other == kind), "there is no {kind}");
    }
}

/// Where an orderly end has said that the last write was whole, damage to it leaves no doubt.
#[test]
fn after_an_orderly_end_no_damage_leaves_a_doubt() {
    let (disks, mut life, _) = peaceful();
    let machine = Machine::of(disks);
    let mut replica = start_on(&machine, 1000).unwrap();
    replica.lead().unwrap();
    replica.pass(Duration::from_secs(3)).unwrap();
    life.entries.extend(replica.stop().unwrap());
    let history = History::of(&life);
    let counts = damage_all(&machine.disks(), &history, stride(3 * STRIDE));
    print(&counts);
    assert_eq!(total(&counts, Fate::Withheld), 0, "{counts:?}");
    assert!(total(&counts, Fate::Refused) > 0);
}
