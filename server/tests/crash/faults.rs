//! Disks that are full, and disks that fail.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use node::Request;
use protocol::raft::Write;
use storage::disk::{FaultPlan, Moment, OperationFault};
use storage::log::LogError;
use store::BackendError;

use crate::check::{goes_on, shows, start};
use crate::history::History;
use crate::machine::{Machine, Side};
use crate::replica::{Ended, Progress};
use crate::script::{Death, Life, Local, live, put, start_on};
use crate::stride;
use crate::sweep::{Left, Tally, peaceful, survive};

/// Without `FULL`, one operation of so many is made to fail.
const STRIDE: usize = 41;

fn plan(operation: u64, fault: OperationFault) -> FaultPlan {
    FaultPlan { operations: BTreeMap::from([(operation, fault)]), ..FaultPlan::default() }
}

/// So many puts, each acknowledged.
fn write(replica: &mut Local, life: &mut Life, puts: usize) {
    for _ in 0..puts {
        let number = life.asked.len();
        let command = put(&format!("key-{}", number % 17), &format!("value {number}"));
        let reply = replica.call(Request::Write(command.clone())).unwrap();
        assert!(reply.body.is_ok(), "{reply:?}");
        life.asked.push(command);
        life.replies.push(reply);
    }
}

/// After the loss of all that was not synced, everything that was acknowledged is there.
fn is_all_there(machine: &Machine, replica: Local, mut life: Life) {
    life.entries.extend(replica.handed.iter().cloned());
    drop(replica);
    let history = History::of(&life);
    let mut disks = machine.disks().clone();
    disks.power_off(Moment::Before, 0);
    let mut back = start(disks, 1000).unwrap();
    assert_eq!(back.replica.log.last().index.0, history.last());
    back.replica.lead().unwrap();
    shows(&mut back.replica, &history, history.last());
    goes_on(back, 1001);
}

#[test]
fn a_full_disk_under_the_state_holds_up_no_write_and_the_flush_is_made_up_for() {
    let machine = Machine::default();
    let mut life = Life::default();
    let mut replica = start_on(&machine, 1).unwrap();
    replica.lead().unwrap();
    write(&mut replica, &mut life, 30);
    replica.settle().unwrap();
    let (flushes, base) = (replica.flushes, replica.log.base());
    assert!(flushes > 0);

    // Every create finds the disk full.
    let full = FaultPlan { capacity: Some(0), ..FaultPlan::default() };
    machine.disks().state.set_plan(full);
    for round in 1..=5 {
        write(&mut replica, &mut life, 8);
        replica.pass(Duration::from_secs(2)).unwrap();
        replica.settle().unwrap();
        assert!(replica.full >= round, "the flush is tried again");
    }
    assert_eq!((replica.flushes, replica.log.base()), (flushes, base), "the log holds it all");
    assert!(replica.node.store().unflushed_bytes() > 40 * 128);

    machine.disks().state.set_plan(FaultPlan::default());
    replica.pass(Duration::from_secs(2)).unwrap();
    replica.settle().unwrap();
    assert!(replica.flushes > flushes && replica.log.base() > base);
    assert_eq!(replica.node.store().unflushed_bytes(), 0);
    write(&mut replica, &mut life, 3);
    is_all_there(&machine, replica, life);
}

/// Restarts in the middle of a shortage find everything, too.
#[test]
fn a_full_disk_under_the_state_loses_nothing_over_a_crash() {
    let machine = Machine::default();
    let mut life = Life::default();
    let mut replica = start_on(&machine, 1).unwrap();
    replica.lead().unwrap();
    write(&mut replica, &mut life, 30);
    replica.settle().unwrap();
    machine.disks().state.set_plan(FaultPlan { capacity: Some(0), ..FaultPlan::default() });
    write(&mut replica, &mut life, 60);
    replica.pass(Duration::from_secs(2)).unwrap();
    replica.settle().unwrap();
    assert!(replica.full > 0);
    is_all_there(&machine, replica, life);
}

/// A flush with one operation that finds no space: whether it was tried again, and `None` when
/// the flush has no such operation.
fn cramped(operation: u64, fault: OperationFault) -> Option<bool> {
    let machine = Machine::default();
    let mut life = Life::default();
    let mut replica = start_on(&machine, 1).unwrap();
    replica.lead().unwrap();
    write(&mut replica, &mut life, 40);
    replica.settle().unwrap();
    write(&mut replica, &mut life, 10);
    replica.pass(Duration::from_secs(2)).unwrap();
    machine.disks().state.set_plan(plan(operation, fault));
    let told = replica.chore();
    if machine.disks().state.operations() <= operation {
        assert!(matches!(told, Ok(true)) && replica.full == 0);
        return None;
    }
    match told {
        Ok(_) => {
            assert_eq!(replica.full, 1, "{fault:?} at {operation} is told");
            write(&mut replica, &mut life, 10);
            replica.pass(Duration::from_secs(2)).unwrap();
            replica.settle().unwrap();
            assert_eq!(replica.node.store().unflushed_bytes(), 0, "{fault:?} at {operation}");
        }
        // Whatever its reason, a failed sync of a manifest is never tried again.
        Err(Ended::State(BackendError::Io(text))) => {
            assert!(text.starts_with("sync manifest-"), "{text}");
        }
        Err(ended) => panic!("{fault:?} at {operation}: {ended:?}"),
    }
    let retried = replica.full > 0;
    is_all_there(&machine, replica, life);
    Some(retried)
}

#[test]
fn no_space_at_any_operation_of_a_flush_is_made_up_for() {
    let (mut retried, mut halted) = (0, 0);
    for fault in [OperationFault::NoSpace, OperationFault::Short(100)] {
        for again in (0..).map_while(|operation| cramped(operation, fault)) {
            *(if again { &mut retried } else { &mut halted }) += 1;
        }
    }
    println!("{retried} were tried again, {halted} were syncs of a manifest");
    assert!(retried >= 8 && halted == 4, "{retried}, {halted}");
}

#[test]
fn a_failed_sync_of_the_log_ends_all_acknowledging_for_good() {
    for (ahead, fault) in [
        (0, OperationFault::Eio),
        (0, OperationFault::NoSpace),
        (0, OperationFault::Short(600)),
        (1, OperationFault::Eio),
        (1, OperationFault::NoSpace),
    ] {
        let machine = Machine::default();
        let mut life = Life::default();
        let mut replica = start_on(&machine, 1).unwrap();
        replica.lead().unwrap();
        write(&mut replica, &mut life, 10);
        // A write, then its sync.
        machine.disks().log.set_plan(plan(ahead, fault));
        let ended = replica.call(Request::Write(put("lost", "?"))).unwrap_err();
        assert!(matches!(ended, Ended::Log(LogError::Poisoned { .. })), "{ended:?}");
        // The disk works again. Nobody asks it.
        let operations = machine.disks().log.operations();
        for number in 0..3 {
            let again = replica.ask(vec![Request::Write(put("lost", &number.to_string()))]);
            assert!(matches!(again, Err(Ended::Log(LogError::Poisoned { .. }))), "{again:?}");
        }
        let nothing = Write::default();
        assert!(matches!(replica.log.append(&nothing), Err(LogError::Poisoned { .. })));
        assert!(matches!(replica.log.sync(), Err(LogError::Poisoned { .. })));
        assert_eq!(machine.disks().log.operations(), operations);
        assert!(replica.replies.is_empty(), "an answer without a log");
        drop(replica);

        let mut disks = machine.disks().clone();
        disks.power_off(Moment::Before, 0);
        let mut back = start(disks, 1000).unwrap();
        back.replica.lead().unwrap();
        let store = back.replica.node.store();
        assert_eq!(store.revision(), life.replies.last().unwrap().header.revision);
    }
}

/// A life on a machine of which one disk fails once, at this operation.
fn fail(side: Side, operation: u64, fault: OperationFault) -> Option<(Left, Death)> {
    let machine = Machine::default();
    machine.disks().side(side).set_plan(plan(operation, fault));
    let progress = Arc::new(Progress::default());
    let death = live(&machine, &progress).err()?;
    let mut disks = machine.disks().clone();
    let moment = [Moment::Before, Moment::Torn, Moment::After];
    let moment = moment[usize::try_from(operation % 3).unwrap()];
    disks.power_off(moment, operation);
    let left = Left {
        disks,
        at: (side, operation, moment, operation),
        acknowledged: progress.acknowledged(),
        handed: progress.handed(),
    };
    Some((left, death))
}

fn operations(side: Side) -> u64 {
    let machine = Machine::default();
    live(&machine, &Arc::new(Progress::default())).unwrap();
    machine.disks().side(side).operations()
}

#[test]
fn a_log_that_fails_at_any_operation_loses_nothing_acknowledged() {
    let (_, _, history) = peaceful();
    let mut tally = Tally::default();
    for operation in (0..operations(Side::Log)).step_by(stride(STRIDE)) {
        for fault in [OperationFault::Eio, OperationFault::NoSpace, OperationFault::Short(700)] {
            let (left, death) = fail(Side::Log, operation, fault).unwrap();
            let told = match &death {
                Death::Ended(Ended::Log(LogError::Poisoned { .. })) => true,
                Death::Refused(refusal) => refusal.to_string().starts_with("log: "),
                Death::Ended(_) => false,
            };
            assert!(told, "{fault:?} at {operation}: {death:?}");
            survive(&left, &history, &mut tally);
        }
    }
    println!("{tally:?}");
    assert!(tally.points > 30, "{tally:?}");
}

#[test]
fn a_state_that_fails_at_any_operation_loses_nothing_acknowledged() {
    let (_, _, history) = peaceful();
    let (mut tally, mut halted) = (Tally::default(), 0);
    for operation in (0..operations(Side::State)).step_by(stride(STRIDE / 3)) {
        // An error while space is given back stops that; the next flush tells of it, if one comes.
        let Some((left, death)) = fail(Side::State, operation, OperationFault::Eio) else {
            continue;
        };
        let told = match &death {
            Death::Ended(Ended::State(_)) => true,
            Death::Refused(refusal) => refusal.to_string().starts_with("state: "),
            Death::Ended(Ended::Log(_)) => false,
        };
        assert!(told, "at {operation}: {death:?}");
        halted += 1;
        survive(&left, &history, &mut tally);
    }
    println!("{halted} halted: {tally:?}");
    assert!(halted > 5, "{halted}");
}
