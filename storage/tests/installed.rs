//! A follower that gets the state: state first, log second, and a crash at every operation of both.
//! Whatever is left, the node starts, at the old state with the old log or at the new one.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod log_common;

use bytes::Bytes;
use log_common::{IDENTITY, all, at, entries, entry, hard, open, reset, small, vote, write};
use protocol::raft::Write;
use protocol::{Index, Position, Term};
use storage::disk::{CrashPoint, FaultPlan, FaultyDisk, Moment};
use storage::log::Log;
use storage::state::{DiskBackend, FaultyFiles, StateOptions};
use store::{Backend, BackendRead, Flush, Record, Revision};

const OPTIONS: StateOptions =
    StateOptions { block_bytes: 200, table_bytes: 2000, step_bytes: 400, manifest_bytes: 1 };
const INSTALLED: Bytes = Bytes::from_static(b"installed");

/// A node's two directories, and what it had promised.
#[derive(Clone)]
struct Node {
    state: FaultyDisk,
    log: FaultyDisk,
}

fn tombstones(range: std::ops::Range<i64>) -> Vec<(Revision, Record)> {
    let key = |main: i64| Bytes::from(format!("key {main}"));
    range.map(|main| (Revision::new(main, 0), Record::Tombstone { key: key(main) })).collect()
}

/// The log holds the entries 1 to 9 of term 1, the state stands at the fifth.
fn before() -> Node {
    let files = FaultyFiles::new(FaultyDisk::default(), 8192);
    let mut state = DiskBackend::open(files.clone(), IDENTITY, OPTIONS).unwrap();
    let flush = Flush { records: tombstones(2..9), applied: at(5, 1), ..Flush::default() };
    state.flush(&flush).unwrap();
    drop(state);
    let mut log = FaultyDisk::default();
    let (mut open, _) = open(&mut log);
    write(&mut open, &vote(1, 7, 5));
    write(&mut open, &entries(1..=9, 1, 30));
    drop(open);
    let state = files.disk().clone();
    Node { state, log }
}

/// Installs the state at `to`, then resets the log and appends what the leader sent since.
fn install(node: &mut Node, to: Position) -> Option<()> {
    let files = FaultyFiles::new(node.state.clone(), 8192);
    let done = install_state(&files, to);
    node.state = files.disk().clone();
    // The removal of an old file may be what the power took; nobody waits for it.
    done.filter(|()| !node.state.has_crashed())?;
    let mut log = Log::open(&mut node.log, small()).ok()?.0;
    let next = to.index.0 + 1;
    let reset = reset(to, hard(4, 0, to.index.0));
    log.append(&Write { entries: vec![entry(next, 4, 50)], ..reset }).ok()?;
    log.sync().ok()
}

fn install_state(files: &FaultyFiles, to: Position) -> Option<()> {
    let mut state = DiskBackend::open(files.clone(), IDENTITY, OPTIONS).ok()?;
    state.stage_begin().ok()?;
    for chunk in tombstones(5..60).chunks(9) {
        state.stage(chunk).ok()?;
    }
    let mut position = Vec::from(to.term.0.to_le_bytes());
    position.extend_from_slice(&to.index.0.to_le_bytes());
    state.install(&[(INSTALLED, position.into())], to).ok()
}

/// The node starts. Gives what its state is at and where its log begins and ends.
fn start(node: &mut Node) -> (Index, Position, Position) {
    let files = FaultyFiles::new(node.state.clone(), 8192);
    let state = DiskBackend::open(files, IDENTITY, OPTIONS).unwrap();
    let applied = state.applied().index;
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let meta = state.meta().unwrap();
    let installed = meta.iter().find(|(name, _)| *name == INSTALLED);
    let installed = installed
        .map(|(_, value)| Position::new(Term(number(&value[..8])), Index(number(&value[8..]))));
    let (mut log, _) = open(&mut node.log);
    log.adopt(applied, installed).unwrap();
    let restored = log.restored(applied).unwrap();
    assert_eq!(restored.entries.len() as u64, log.last().index.0 - applied.0);
    assert!(restored.hard_state.term >= log.last().term);
    assert_eq!(all(&log).len() as u64, log.last().index.0 - log.base().index.0);
    (applied, log.base(), log.last())
}

/// The node as it is left when the power fails at an operation: first those of the state's disk
/// count, then those of the log's.
fn ended_at(operation: u64, of_state: u64, moment: Moment, seed: u64, to: Position) -> Node {
    let mut node = before();
    let in_state = operation < of_state;
    let operation = if in_state { operation } else { operation - of_state };
    let crash = Some(CrashPoint { operation, moment });
    let disk = if in_state { &mut node.state } else { &mut node.log };
    disk.set_plan(FaultPlan { seed, crash, ..FaultPlan::default() });
    assert_eq!(install(&mut node, to), None, "operation {operation}");
    for disk in [&mut node.state, &mut node.log] {
        if disk.has_crashed() { disk.restart() } else { disk.crash(Moment::Torn) }
    }
    node
}

#[test]
fn a_crash_at_every_operation_of_an_installation_leaves_a_node_that_starts() {
    // Beyond the end of the log, and where it has an entry of another term.
    for to in [at(40, 3), at(7, 3)] {
        let mut counted = before();
        for disk in [&mut counted.state, &mut counted.log] {
            disk.set_plan(FaultPlan::default());
        }
        install(&mut counted, to).unwrap();
        let (of_state, of_log) = (counted.state.operations(), counted.log.operations());
        let (mut old, mut adopted, mut new, mut runs) = (0, 0, 0, 0);
        for operation in 0..of_state + of_log {
            let torn = (0..6).map(|seed| (Moment::Torn, seed));
            for (moment, seed) in torn.chain([(Moment::Before, 0), (Moment::After, 0)]) {
                let mut node = ended_at(operation, of_state, moment, seed, to);
                let found = start(&mut node);
                match found {
                    _ if found == (Index(5), Position::ORIGIN, at(9, 1)) => old += 1,
                    _ if found == (to.index, to, to) => adopted += 1,
                    _ if found == (to.index, to, at(to.index.0 + 1, 4)) => new += 1,
                    _ => panic!("operation {operation}, {moment:?}: {found:?}"),
                }
                // What the start made of it outlives another loss of power, at any time.
                node.log.crash(Moment::Before);
                assert_eq!(start(&mut node), found);
                runs += 1;
            }
        }
        println!("{of_state} + {of_log} operations: {old} old, {adopted} adopted, {new} new");
        assert!(old > 50 && adopted > 30 && new > 5 && runs > 250, "{old} {adopted} {new}");
    }
}

/// The start that makes up for the reset is broken off as well.
#[test]
fn a_start_that_is_broken_off_while_it_adopts_the_state_is_repeated_safely() {
    let to = at(40, 3);
    let mut node = before();
    let files = FaultyFiles::new(node.state.clone(), 8192);
    install_state(&files, to).unwrap();
    node.state = files.disk().clone();
    let mut counted = node.clone();
    counted.log.set_plan(FaultPlan::default());
    start(&mut counted);
    let operations = counted.log.operations();
    let mut repeated = 0;
    for operation in 0..operations {
        for (moment, seed) in (0..8).map(|seed| (Moment::Torn, seed)) {
            let mut broken = node.clone();
            let crash = Some(CrashPoint { operation, moment });
            broken.log.set_plan(FaultPlan { seed, crash, ..FaultPlan::default() });
            let adopted = Log::open(&mut broken.log, small())
                .is_ok_and(|(mut log, _)| log.adopt(to.index, Some(to)).is_ok());
            assert!(!adopted && broken.log.has_crashed());
            broken.log.restart();
            assert_eq!(start(&mut broken), (to.index, to, to));
            repeated += 1;
        }
    }
    println!("{operations} operations, {repeated} starts repeated");
    assert!(repeated > 80, "{repeated}");
}
