//! A log and a state that do not belong together: one of them lost, or put back from long ago.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use node::Request;
use storage::disk::FaultyDisk;

use crate::check::{shows, start};
use crate::history::History;
use crate::machine::{Disks, Machine, Side};
use crate::replica::Refusal;
use crate::script::{Life, put, start_on};
use crate::sweep::{peaceful, shown};

/// Does not start, and says which entries the log has and which one would have been needed.
fn refused(disks: Disks, base: &str, needed: u64) {
    let Err(refusal) = start(disks, 1000) else { panic!("it started") };
    assert!(matches!(refusal, Refusal::Gap(_)), "{refusal}");
    let text = refusal.to_string();
    assert!(text.contains(&format!("the log holds entries after {base}")), "{text}");
    assert!(text.ends_with(&format!("not {needed}")), "{text}");
}

fn base(disks: &Disks) -> String {
    start(disks.clone(), 1000).unwrap().replica.log.base().to_string()
}

#[test]
fn a_lost_state_behind_a_trimmed_log_is_refused() {
    let (disks, life, _) = peaceful();
    assert!(life.trimmed > 0);
    let base = base(&disks);
    refused(Disks { state: FaultyDisk::default(), ..disks }, &base, 0);
}

#[test]
fn a_state_of_long_ago_before_a_trimmed_log_is_refused() {
    let old = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&old);
    shown(move |disks, operation, number, _| {
        if operation.side == Side::State && number == 60 {
            *keep.lock().unwrap() = Some(disks.clone());
        }
    });
    let old = old.lock().unwrap().take().unwrap();
    let applied = start(old.clone(), 1000).unwrap().replica.node.store().applied().index.0;
    let (disks, life, _) = peaceful();
    assert!(applied > 0 && applied < life.trimmed, "{applied}, {}", life.trimmed);
    let base = base(&disks);
    refused(Disks { state: old.state, ..disks }, &base, applied);
}

#[test]
fn a_lost_log_behind_a_state_is_refused() {
    let (disks, _, _) = peaceful();
    let applied = start(disks.clone(), 1000).unwrap().replica.node.store().applied().index.0;
    refused(Disks { log: FaultyDisk::default(), ..disks }, "0@0", applied);
}

/// What the log still holds as a whole needs no state.
#[test]
fn a_lost_state_behind_a_whole_log_is_made_anew() {
    let machine = Machine::default();
    let mut replica = start_on(&machine, 1).unwrap();
    replica.patient = true;
    replica.lead().unwrap();
    let mut life = Life::default();
    for number in 0..20 {
        let command = put(&format!("key-{}", number % 7), &format!("value {number}"));
        life.replies.push(replica.call(Request::Write(command.clone())).unwrap());
        life.asked.push(command);
        replica.pass(Duration::from_millis(200)).unwrap();
        replica.settle().unwrap();
    }
    assert!(replica.flushes > 2 && replica.log.base().index.0 == 0);
    life.entries.extend(replica.handed.iter().cloned());
    drop(replica);
    let history = History::of(&life);
    let disks = Disks { state: FaultyDisk::default(), log: machine.disks().log.clone() };
    let mut back = start(disks, 1000).unwrap();
    back.replica.lead().unwrap();
    shows(&mut back.replica, &history, history.last());
}

/// The trims that a node asks for by itself, a thousand entries each.
#[test]
fn a_node_trims_its_log_and_a_lost_state_is_refused() {
    let machine = Machine::default();
    let mut replica = start_on(&machine, 1).unwrap();
    replica.patient = true;
    replica.lead().unwrap();
    for number in 0..55 {
        let request = |key| Request::Write(put(&format!("key-{key}"), &number.to_string()));
        replica.ask((0..20).map(request).collect()).unwrap();
        replica.pass(Duration::from_millis(200)).unwrap();
        replica.settle().unwrap();
    }
    assert_eq!(replica.replies.len(), 55 * 20);
    assert!(replica.log.base().index.0 > 900, "{}", replica.log.base());
    drop(replica);
    let disks = machine.disks().clone();
    let mut back = start(disks.clone(), 1000).unwrap();
    back.replica.lead().unwrap();
    assert_eq!(back.replica.node.store().revision(), 1 + 55 * 20);
    let base = base(&disks);
    refused(Disks { state: FaultyDisk::default(), ..disks }, &base, 0);
}
