//! Every operation of a script as the last one: before it, in the middle of it, after it.

#![allow(clippy::unwrap_used)]

mod log_common;

use log_common::{Kept, Step, Twin, all, entries, kept, script, small, write};
use protocol::Index;
use storage::disk::{CrashPoint, FaultPlan, FaultyDisk, Moment};
use storage::log::{Damage, Log, LogError, Recovered};

const TORN_SEEDS: u64 = 6;

/// A log in the middle of a script, with what it must and what it may hold.
#[derive(Clone)]
struct World {
    log: Log<FaultyDisk>,
    queued: Twin,
    durable: Twin,
}

#[derive(Default, Debug)]
struct Tally {
    points: usize,
    kept_all: usize,
    kept_more: usize,
    /// Of a sync with a reset, and where it had happened.
    resets: usize,
    reset: usize,
    doubts: usize,
    torn: usize,
}

impl World {
    fn new() -> Self {
        let (log, _) = Log::open(FaultyDisk::default(), small()).unwrap();
        Self { log, queued: Twin::default(), durable: Twin::default() }
    }

    /// Does one step; `Err` when the disk crashed meanwhile, with what is left of it.
    fn step(mut self, step: &Step, plan: FaultPlan) -> Result<(Self, u64), Box<FaultyDisk>> {
        let reopen = matches!(step, Step::Reopen);
        if reopen {
            let mut disk = self.log.into_disk();
            disk.set_plan(plan);
            let mut survivor = disk.clone();
            return match Log::open(disk, small()) {
                Ok((log, _)) => {
                    let mut world = Self { log, queued: self.durable.clone(), ..self };
                    let operations = world.log.disk_mut().operations();
                    Ok((world, operations))
                }
                Err(_) => {
                    assert!(Log::open(&mut survivor, small()).is_err());
                    Err(Box::new(survivor))
                }
            };
        }
        self.log.disk_mut().set_plan(plan);
        let done: Result<(), LogError> = match step {
            Step::Append(write) => {
                self.queued.append(write);
                self.log.append(write)
            }
            Step::Sync => self.log.sync(),
            Step::Trim(through) => {
                let durable = self.durable.hard_state.commit.min(self.durable.last().index);
                self.log.trim((*through).min(durable)).map(drop)
            }
            Step::Reopen => Ok(()),
        };
        let operations = self.log.disk_mut().operations();
        match done {
            Ok(()) => {
                if matches!(step, Step::Sync) {
                    self.durable = self.queued.clone();
                }
                Ok((self, operations))
            }
            Err(error) => {
                let poisoned = matches!(error, LogError::Poisoned { .. });
                assert!(poisoned && self.log.disk_mut().has_crashed(), "{error}");
                Err(Box::new(self.log.into_disk()))
            }
        }
    }
}

/// What survived a crash is what was acknowledged, or that and a beginning of what was on its way.
fn check(
    log: &Log<impl storage::disk::Disk>,
    recovered: &Recovered,
    durable: &Twin,
    queued: &Twin,
    tally: &mut Tally,
) {
    let (hard, was, next) = (recovered.hard_state, durable.hard_state, queued.hard_state);
    let same =
        |other: protocol::raft::HardState| (hard.term, hard.vote) == (other.term, other.vote);
    let raised = hard.vote.is_none() && hard.term == recovered.last.term;
    assert!(recovered.last.term <= hard.term, "the log is ahead of the term");
    assert!(
        same(was) || same(next) || (raised && hard.term > was.term),
        "the hard state is {hard:?}, was {was:?}, next {next:?}"
    );
    assert!(hard.commit >= was.commit.min(recovered.last.index), "the commit index went back");

    let found = all(log);
    let base = recovered.base;
    let trimmed = base.index <= durable.hard_state.commit || base == queued.origin;
    assert!(trimmed, "more was trimmed than was committed");
    match kept(&found, base, durable, queued) {
        Kept::Acknowledged => tally.kept_all += 1,
        Kept::More => tally.kept_more += 1,
    }
    let resetting = queued.origin != durable.origin;
    tally.resets += usize::from(resetting);
    tally.reset += usize::from(resetting && base == queued.origin);
    if let Some(doubt) = recovered.doubt {
        assert!(doubt > recovered.last.index);
        assert!(doubt <= queued.last().index.max(durable.last().index));
        tally.doubts += 1;
    }
    tally.torn += usize::from(!recovered.damage.is_empty());
}

fn moments() -> impl Iterator<Item = (Moment, u64)> {
    let torn = (0..TORN_SEEDS).map(|seed| (Moment::Torn, seed));
    [(Moment::Before, 0), (Moment::After, 0)].into_iter().chain(torn)
}

/// Opens what a crash left, checks it, and checks that it can be lived with.
fn survive(mut disk: FaultyDisk, durable: &Twin, queued: &Twin, tally: &mut Tally) {
    tally.points += 1;
    disk.restart();
    let (mut log, recovered) = Log::open(disk, small()).unwrap();
    check(&log, &recovered, durable, queued, tally);
    let kept = all(&log);

    let last = log.last();
    let term = queued.hard_state.term.0.max(last.term.0) + 1;
    let next = last.index.0 + 1;
    write(&mut log, &entries(next..=next + 2, term, 100));
    let expected: Vec<_> =
        kept.into_iter().chain(entries(next..=next + 2, term, 100).entries).collect();
    let mut disk = log.into_disk();
    disk.crash(Moment::Before);
    let (log, again) = Log::open(disk, small()).unwrap();
    assert_eq!(all(&log), expected, "what was written after a recovery is lost");
    let lasting = |damage: &Damage| matches!(damage, Damage::Identifiers { .. });
    assert!(again.damage.iter().all(lasting), "{:?}", again.damage);
    assert_eq!(again.doubt, recovered.doubt.filter(|doubt| *doubt > Index(next + 2)));
}

#[test]
fn s1_21_acknowledged_entries_survive_a_crash_at_every_operation() {
    let mut tally = Tally::default();
    let mut world = World::new();
    for step in script(5, 200) {
        let (next, operations) = world.clone().step(&step, FaultPlan::default()).ok().unwrap();
        let queued = if matches!(step, Step::Reopen) { &world.durable } else { &next.queued };
        for operation in 0..operations {
            for (moment, seed) in moments() {
                let crash = Some(CrashPoint { operation, moment });
                let plan = FaultPlan { seed, crash, ..FaultPlan::default() };
                let Err(disk) = world.clone().step(&step, plan) else {
                    panic!("operation {operation} did not crash");
                };
                survive(*disk, &world.durable, queued, &mut tally);
            }
        }
        world = next;
    }
    println!("{tally:?}");
    assert!(tally.points > 1000 && tally.kept_more > 100 && tally.torn > 20, "{tally:?}");
    assert!(tally.reset > 20 && tally.resets - tally.reset > 20, "{tally:?}");
    assert!(tally.doubts > 0, "{tally:?}");
}

#[test]
fn recovery_that_crashes_at_every_operation_is_repeated_safely() {
    let mut tally = Tally::default();
    let mut world = World::new();
    for (number, step) in script(9, 60).into_iter().enumerate() {
        let (next, operations) = world.clone().step(&step, FaultPlan::default()).ok().unwrap();
        let queued = if matches!(step, Step::Reopen) { &world.durable } else { &next.queued };
        for operation in 0..operations {
            let seed = number as u64 * 100 + operation;
            let crash = Some(CrashPoint { operation, moment: Moment::Torn });
            let plan = FaultPlan { seed, crash, ..FaultPlan::default() };
            let Err(disk) = world.clone().step(&step, plan) else { panic!("no crash") };
            let mut left = *disk;
            left.restart();
            let mut counted = left.clone();
            drop(Log::open(&mut counted, small()).unwrap());
            for second in 0..counted.operations() {
                for (moment, seed) in moments().take(4) {
                    let mut disk = left.clone();
                    let crash = Some(CrashPoint { operation: second, moment });
                    disk.set_plan(FaultPlan { seed, crash, ..FaultPlan::default() });
                    assert!(Log::open(&mut disk, small()).is_err());
                    survive(disk, &world.durable, queued, &mut tally);
                }
            }
        }
        world = next;
    }
    println!("{tally:?}");
    assert!(tally.points > 500, "{tally:?}");
}

/// Two crashes while a segment begins, with a write between them that still fitted into the one
/// before: what the first left of a head is never taken for a part of the second.
#[test]
fn a_head_that_a_crash_left_half_written_is_not_believed_after_a_later_crash() {
    let mut runs = 0;
    for (first, second) in (0..60).flat_map(|a| (0..12).map(move |b| (a, b))) {
        let (mut log, _) = Log::open(FaultyDisk::default(), small()).unwrap();
        (1..=2).for_each(|index| write(&mut log, &entries(index..=index, 1, 1700)));
        let disk = torn_beginning(log, 3, first).unwrap();
        let (mut log, _) = Log::open(disk, small()).unwrap();
        // It fits where the one that was torn did not.
        write(&mut log, &entries(3..=3, 1, 20));
        // `None`: the second segment had begun, and has room.
        let Some(disk) = torn_beginning(log, 4, second) else { continue };
        let (log, recovered) = Log::open(disk, small())
            .unwrap_or_else(|error| panic!("refused after {first} and {second}: {error}"));
        assert!(recovered.last.index >= Index(3), "{recovered:?}");
        assert_eq!(all(&log)[2], entries(3..=3, 1, 20).entries[0]);
        runs += 1;
    }
    println!("{runs} runs");
    assert!(runs > 300, "{runs}");
}

/// The next segment begins for this entry, and the power fails during its first sync.
fn torn_beginning(mut log: Log<FaultyDisk>, index: u64, seed: u64) -> Option<FaultyDisk> {
    log.prepare().unwrap();
    // The name, two headers, two hard states, and the sync.
    let crash = Some(CrashPoint { operation: 5, moment: Moment::Torn });
    log.disk_mut().set_plan(FaultPlan { seed, crash, ..FaultPlan::default() });
    log.append(&entries(index..=index, 1, 3000)).unwrap();
    log.sync().err()?;
    let mut disk = log.into_disk();
    disk.restart();
    Some(disk)
}
