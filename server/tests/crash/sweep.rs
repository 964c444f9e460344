//! Every operation of both disks as the last one: before it, in the middle of it, after it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use storage::disk::{CrashPoint, Disk, FaultPlan, Moment};

use crate::check::{Back, goes_on, shows, start};
use crate::full;
use crate::history::History;
use crate::machine::{Disks, Fail, Machine, Operation, Side};
use crate::replica::Progress;
use crate::script::{Life, OPERATIONS, live};

/// Threads that bring replicas back.
const CHECKERS: usize = 2;
/// How often each operation is torn, each time in another way.
const TORN: u64 = 3;
const TORN_FULL: u64 = 12;

/// What a crash left, and how far the life had come.
pub(crate) struct Left {
    pub(crate) disks: Disks,
    pub(crate) at: (Side, u64, Moment, u64),
    pub(crate) acknowledged: u64,
    pub(crate) handed: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) points: u64,
    /// The state was behind the log.
    replayed: u64,
    /// More survived than had been acknowledged.
    more: u64,
    /// The last write of the log was damaged such that nobody could tell.
    doubts: u64,
    /// Something of the log was cut or mended.
    mended: u64,
}

/// Says where, should anything go wrong.
struct Where((Side, u64, Moment, u64));

impl Drop for Where {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("crashed at {:?}", self.0);
        }
    }
}

/// A life without faults, and the history that follows from it.
pub(crate) fn peaceful() -> (Disks, Life, History) {
    let machine = Machine::default();
    let life = live(&machine, &Arc::new(Progress::default())).unwrap();
    let history = History::of(&life);
    let disks = machine.disks().clone();
    (disks, life, history)
}

/// The script on a machine whose every operation is shown to `see`, with what to call it and how
/// far the life has come.
pub(crate) fn shown(mut see: impl FnMut(&Disks, &Operation<'_>, u64, &Progress) + Send + 'static) {
    let machine = Machine::default();
    let progress = Arc::new(Progress::default());
    let seen = Arc::clone(&progress);
    let mut numbers = BTreeMap::new();
    machine.witness(move |disks, operation| {
        let number = numbers.entry(operation.side).or_insert(0);
        see(disks, operation, *number, &seen);
        *number += 1;
    });
    live(&machine, &progress).unwrap();
    machine.dismiss();
}

/// Brings a replica back after a crash. An operator may be needed: where the log is in doubt, a
/// lone member has nobody who knows better, and keeps quiet until told that nothing is lost.
fn back(left: &Left, tally: &mut Tally) -> Back {
    let back = start(left.disks.clone(), 1000).unwrap_or_else(|error| panic!("{error}"));
    let recovered = &back.replica.recovered;
    tally.mended += u64::from(!recovered.damage.is_empty());
    let Some(doubt) = recovered.doubt else { return back };
    tally.doubts += 1;
    assert!(doubt.0 <= left.handed && doubt > recovered.last.index);
    let mut back = back;
    back.replica.log.dismiss_doubt().unwrap();
    start(back.kill(), 1001).unwrap_or_else(|error| panic!("{error}"))
}

/// Nothing that was acknowledged is lost, nothing is there by half, and life goes on.
pub(crate) fn survive(left: &Left, history: &History, tally: &mut Tally) {
    let _where = Where(left.at);
    tally.points += 1;
    let acknowledged = history.place(left.acknowledged);
    let mut back = back(left, tally);
    assert_eq!(back.replica.recovered.doubt, None);
    let last = back.replica.log.last().index.0;
    assert!(last >= acknowledged, "entries {last} to {acknowledged} are lost");
    assert!(last <= left.handed, "entry {last} comes from nowhere");
    tally.more += u64::from(last > acknowledged);
    tally.replayed += u64::from(back.replica.node.store().applied().index.0 < last);
    back.replica.lead().unwrap();
    shows(&mut back.replica, history, last);
    goes_on(back, 1002);
}

fn checker(
    queue: Arc<Mutex<Receiver<Left>>>,
    history: Arc<History>,
    failed: Arc<AtomicBool>,
) -> JoinHandle<Tally> {
    std::thread::spawn(move || {
        let mut tally = Tally::default();
        loop {
            let next = queue.lock().unwrap().recv();
            let Ok(left) = next else { return tally };
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                survive(&left, &history, &mut tally);
            }));
            if let Err(panic) = checked {
                failed.store(true, Ordering::SeqCst);
                std::panic::resume_unwind(panic);
            }
        }
    })
}

fn moments() -> impl Iterator<Item = (Moment, u64)> {
    let torn = if full() { TORN_FULL } else { TORN };
    let torn = (0..torn).map(|seed| (Moment::Torn, seed));
    [(Moment::Before, 0), (Moment::After, 0)].into_iter().chain(torn)
}

#[test]
fn s1_21_acknowledged_writes_survive_a_crash_at_every_operation_of_log_and_state() {
    let (_, life, history) = peaceful();
    assert_eq!(life.asked.len(), OPERATIONS);
    let history = Arc::new(history);
    let (send, queue) = sync_channel::<Left>(4);
    let queue = Arc::new(Mutex::new(queue));
    let failed = Arc::new(AtomicBool::new(false));
    let checkers: Vec<_> = (0..CHECKERS)
        .map(|_| checker(Arc::clone(&queue), Arc::clone(&history), Arc::clone(&failed)))
        .collect();
    drop(queue);

    let operations = Arc::new(Mutex::new(BTreeMap::<Side, u64>::new()));
    let counted = Arc::clone(&operations);
    shown(move |disks, operation, number, progress| {
        counted.lock().unwrap().insert(operation.side, number + 1);
        if failed.load(Ordering::SeqCst) {
            return;
        }
        for (moment, seed) in moments() {
            let left = Left {
                disks: disks.cut_off(operation, moment, seed),
                at: (operation.side, number, moment, seed),
                acknowledged: progress.acknowledged(),
                handed: progress.handed(),
            };
            // Without a checker left, the test has failed, and its panic tells.
            drop(send.send(left));
        }
    });

    let mut sum = Tally::default();
    for checker in checkers {
        let tally = checker.join().unwrap();
        sum.points += tally.points;
        sum.replayed += tally.replayed;
        sum.more += tally.more;
        sum.doubts += tally.doubts;
        sum.mended += tally.mended;
    }
    let operations = operations.lock().unwrap();
    let (log, state) = (operations[&Side::Log], operations[&Side::State]);
    println!(
        "{OPERATIONS} requests, {} entries, {} flushes, trimmed to {}: {log} operations of the log \
         and {state} of the state: {sum:?}",
        history.last(),
        life.flushes,
        life.trimmed
    );
    let expected = (log + state) * moments().count() as u64;
    assert_eq!(sum.points, expected);
    assert!(log > 400 && state > 100 && life.flushes > 10 && life.trimmed > 100);
    assert!(sum.more > 10 && sum.replayed > 10 && sum.mended > 10, "{sum:?}");
}

fn contents(disks: &Disks) -> Vec<(String, Vec<u8>)> {
    let of = |disk: &storage::disk::FaultyDisk| {
        let files = disk.list().unwrap().into_iter();
        files
            .map(|f| (f.name.clone(), disk.contents(&f.name).unwrap().to_vec()))
            .collect::<Vec<_>>()
    };
    [of(&disks.log), of(&disks.state)].concat()
}

/// The sweep cuts one life off at every operation, instead of living once for each: it must come
/// to the same as a machine whose disk fails at that operation.
#[test]
fn a_life_cut_off_leaves_what_a_crash_leaves() {
    const EVERY: u64 = 97;
    let cut = Arc::new(Mutex::new(Vec::new()));
    let cuts = Arc::clone(&cut);
    shown(move |disks, operation, number, progress| {
        if number % EVERY == EVERY / 2 {
            let moment =
                [Moment::Before, Moment::Torn, Moment::After][usize::try_from(number % 3).unwrap()];
            let left = disks.cut_off(operation, moment, number);
            cuts.lock().unwrap().push(Left {
                disks: left,
                at: (operation.side, number, moment, number),
                acknowledged: progress.acknowledged(),
                handed: progress.handed(),
            });
        }
    });
    let cut = cut.lock().unwrap();
    for left in cut.iter() {
        let (side, operation, moment, seed) = left.at;
        let machine = Machine::default();
        let crash = Some(CrashPoint { operation, moment });
        let plan = FaultPlan { seed, crash, ..FaultPlan::default() };
        machine.disks().side(side).set_plan(plan);
        let progress = Arc::new(Progress::default());
        assert!(live(&machine, &progress).is_err());
        let mut disks = machine.disks().clone();
        assert!(disks.side(side).has_crashed());
        disks.side(side).restart();
        disks.side(side.other()).fail(moment, seed);
        assert_eq!(contents(&disks), contents(&left.disks), "{:?}", left.at);
        assert_eq!(progress.acknowledged(), left.acknowledged);
        // Nobody hears of a failure to give back space, and a write may still be on its way then.
        assert!(progress.handed() >= left.handed);
    }
    assert!(cut.len() > 6, "{} were compared", cut.len());
}
