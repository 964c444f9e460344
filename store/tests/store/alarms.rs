//! Alarms, and what they forbid.

use protocol::NodeId;
use store::{Alarm, AlarmAction, Command, Error, LeaseId, Outcome};

use crate::rig::{Rig, delete, grant, op_delete, op_get, op_put, put, range, txn};

fn alarm(action: AlarmAction, member: Option<u64>, alarm: Option<Alarm>) -> Command {
    Command::Alarm { action, member: member.map(NodeId), alarm }
}

fn raise(member: u64, what: Alarm) -> Command {
    alarm(AlarmAction::Activate, Some(member), Some(what))
}

#[test]
fn no_space_refuses_what_grows_and_nothing_else() {
    let mut rig = Rig::cold();
    rig.ok(&grant(1, 60));
    rig.put("a", "1");
    rig.ok(&raise(1, Alarm::NoSpace));
    let nested = store::Operation::Txn(txn(vec![], vec![], vec![op_put("a", "")]));
    for command in [
        put("a", "2"),
        grant(2, 60),
        Command::Txn(txn(vec![], vec![], vec![op_put("a", "")])),
        Command::Txn(txn(vec![], vec![nested], vec![])),
    ] {
        assert_eq!(rig.refused(&command), Error::NoSpace);
    }
    rig.ok(&Command::Txn(txn(vec![], vec![op_get("a", ""), op_delete("a", "")], vec![])));
    rig.ok(&delete("a", ""));
    rig.ok(&Command::Compact { revision: 2 });
    rig.ok(&Command::LeaseRenew { ids: vec![LeaseId(1)] });
    rig.ok(&Command::LeaseRevoke { id: LeaseId(1) });
    assert!(rig.read(&range("a", "")).is_ok());
    rig.ok(&alarm(AlarmAction::Deactivate, Some(1), Some(Alarm::NoSpace)));
    rig.ok(&put("a", "2"));
}

#[test]
fn corrupt_refuses_reads_and_writes_and_outranks_no_space() {
    let mut rig = Rig::cold();
    rig.ok(&grant(1, 2));
    rig.put("a", "1");
    rig.ok(&raise(1, Alarm::NoSpace));
    rig.ok(&raise(2, Alarm::Corrupt));
    for command in [
        put("a", "2"),
        delete("a", ""),
        Command::Txn(txn(vec![], vec![], vec![])),
        Command::Compact { revision: 2 },
        grant(2, 60),
        Command::LeaseRevoke { id: LeaseId(1) },
    ] {
        assert_eq!(rig.refused(&command), Error::Corrupt);
    }
    assert_eq!(rig.read(&range("a", "")), Err(Error::Corrupt));
    let read = txn(vec![], vec![op_get("a", "")], vec![]);
    assert_eq!(rig.store.plan_txn(&read).expect_err("refused"), Error::Corrupt);
    // Nothing expires either, though the clock goes on.
    for _ in 0..4 {
        rig.ok(&Command::Tick { elapsed_ms: 1000 });
    }
    assert!(rig.store.lease(LeaseId(1)).is_some() && !rig.store.lease_due());
    let cleared = rig.ok(&alarm(AlarmAction::Deactivate, Some(2), None));
    assert_eq!(cleared, Outcome::Alarm(vec![(NodeId(2), Alarm::Corrupt)]));
    assert!(rig.store.lease_due());
    rig.ok(&Command::Tick { elapsed_ms: 0 });
    assert!(rig.store.lease(LeaseId(1)).is_none());
}

#[test]
fn raising_answers_again_and_clearing_answers_with_what_was_raised() {
    let mut rig = Rig::cold();
    let raised = Outcome::Alarm(vec![(NodeId(3), Alarm::NoSpace)]);
    assert_eq!(rig.ok(&raise(3, Alarm::NoSpace)), raised);
    assert_eq!(rig.ok(&raise(3, Alarm::NoSpace)), raised);
    rig.ok(&raise(1, Alarm::NoSpace));
    rig.ok(&raise(1, Alarm::Corrupt));
    let one = alarm(AlarmAction::Deactivate, Some(2), Some(Alarm::NoSpace));
    assert_eq!(rig.ok(&one), Outcome::Alarm(vec![]));
    let kind = alarm(AlarmAction::Deactivate, None, Some(Alarm::NoSpace));
    let both = vec![(NodeId(1), Alarm::NoSpace), (NodeId(3), Alarm::NoSpace)];
    assert_eq!(rig.ok(&kind), Outcome::Alarm(both));
    assert_eq!(rig.store.alarms().collect::<Vec<_>>(), [(NodeId(1), Alarm::Corrupt)]);
    assert_eq!(rig.store.revision(), 1, "alarms take no revision");
}

fn report(member: u64, short: bool) -> Command {
    Command::SpaceReport { member: NodeId(member), short }
}

#[test]
fn a_report_of_no_space_goes_as_it_came_and_leaves_what_operators_raised() {
    let mut rig = Rig::cold();
    rig.ok(&report(1, true));
    rig.ok(&report(2, true));
    rig.ok(&raise(2, Alarm::NoSpace));
    let both = [(NodeId(1), Alarm::NoSpace), (NodeId(2), Alarm::NoSpace)];
    assert_eq!(rig.store.alarms().collect::<Vec<_>>(), both, "an alarm a member, however raised");
    assert_eq!(rig.refused(&put("a", "1")), Error::NoSpace);
    rig.ok(&report(1, false));
    rig.ok(&report(2, false));
    assert_eq!(rig.store.alarms().collect::<Vec<_>>(), both[1..], "an operator has raised it");
    assert_eq!(rig.refused(&put("a", "1")), Error::NoSpace);
    assert!(!rig.store.is_short(NodeId(2)));
    rig.ok(&report(2, true));
    // By hand both go at once, and are told as one.
    let cleared = rig.ok(&alarm(AlarmAction::Deactivate, Some(2), Some(Alarm::NoSpace)));
    assert_eq!(cleared, Outcome::Alarm(vec![both[1]]));
    assert!(!rig.store.has_alarm(Alarm::NoSpace) && !rig.store.is_short(NodeId(2)));
    rig.ok(&put("a", "1"));
}
