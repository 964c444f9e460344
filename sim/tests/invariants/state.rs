//! The laws about disks, reads and the state: what breaks each, and the nearest thing that does
//! not.

use node::{Failure, Header, Reply, Request, RequestId};
use protocol::raft::{Restored, Role};
use protocol::{Index, Term};
use sim::fault::{DiskFault, Fault};
use sim::seen::Seen;

use super::stage::{Stage, Told, breaks, empty, found, hard, position, put};

#[test]
fn order_of_indexes_in_a_node() {
    let law = "order of indexes";
    let mut stage = Stage::committed();
    let view = stage.view(0, Role::Leader, 1, 1, 1);
    let mut wrong = view;
    wrong.last = position((2, 1));
    breaks(law, stage.clone().look(0, &wrong));
    let mut wrong = view;
    wrong.term = Term(2);
    breaks(law, stage.clone().look(0, &wrong));
    breaks(law, stage.clone().turn(1, Role::Follower, 1, 0, 1));
    breaks(law, stage.clone().turn(0, Role::Leader, 1, 2, 1));
    stage.look(0, &view).unwrap();

    // Committed by the others, and not yet durable here: known, not applied.
    let mut slow = Stage::new(3);
    slow.hand(0, hard(1, Some(0), 0), &[empty((1, 1))]).unwrap();
    for at in 1..3 {
        slow.write(at, hard(1, Some(0), 0), &[empty((1, 1))]).unwrap();
    }
    breaks(law, slow.clone().turn(0, Role::Leader, 1, 1, 1));
    slow.turn(0, Role::Leader, 1, 1, 0).unwrap();
}

#[test]
fn recovery_of_entries() {
    let law = "recovery";
    let log = [empty((1, 1)), put((2, 1), "a"), put((3, 1), "b")];
    let mut stage = Stage::led();
    stage.write(0, hard(1, Some(0), 0), &log[1..]).unwrap();
    stage.write(1, hard(1, Some(0), 0), &log[1..2]).unwrap();
    stage.hand(1, hard(1, Some(0), 0), &log[2..]).unwrap();
    stage.crash(1);
    let held = hard(1, Some(0), 0);
    breaks(law, stage.clone().start(1, &found(held, &log[..1])));
    breaks(law, stage.clone().start(1, &found(held, &[empty((1, 1)), put((2, 1), "z")])));
    breaks(law, stage.clone().start(1, &found(held, &[empty((1, 1)), empty((2, 9))])));
    stage.clone().start(1, &found(held, &log[..2])).unwrap();
    stage.clone().start(1, &found(held, &log)).unwrap();

    // In doubt about what is missing, or damaged by a declared fault.
    let doubt = |through| Restored { doubt: Some(Index(through)), ..found(held, &log[..1]) };
    breaks(law, stage.clone().start(1, &doubt(1)));
    stage.clone().start(1, &doubt(2)).unwrap();
    stage.lose(1);
    stage.start(1, &found(held, &log[..1])).unwrap();
}

#[test]
fn recovery_of_a_truncation() {
    let law = "recovery";
    let mut stage = Stage::led();
    let old = [put((2, 1), "a"), put((3, 1), "b")];
    stage.write(0, hard(1, Some(0), 0), &old).unwrap();
    stage.write(1, hard(2, Some(1), 0), &[empty((2, 2))]).unwrap();
    stage.hand(0, hard(2, None, 0), &[empty((2, 2))]).unwrap();
    stage.crash(0);
    let (before, after) = (hard(1, Some(0), 0), hard(2, None, 0));
    let first = empty((1, 1));
    // The write came through, or it did not; in between only what storage says it is in doubt of.
    breaks(law, stage.clone().start(0, &found(after, std::slice::from_ref(&first))));
    breaks(law, stage.clone().start(0, &found(after, &[first.clone(), old[0].clone()])));
    let doubt = |through| Restored {
        doubt: Some(Index(through)),
        ..found(after, std::slice::from_ref(&first))
    };
    breaks(law, stage.clone().start(0, &doubt(1)));
    stage.clone().start(0, &doubt(2)).unwrap();
    let whole = [first.clone(), old[0].clone(), old[1].clone()];
    stage.clone().start(0, &found(before, &whole)).unwrap();
    stage.clone().start(0, &found(after, &[first.clone(), empty((2, 2))])).unwrap();
    // Once it is confirmed, what it cut off never comes back.
    let mut confirmed = Stage::led();
    confirmed.write(0, before, &old).unwrap();
    confirmed.write(1, hard(2, Some(1), 0), &[empty((2, 2))]).unwrap();
    confirmed.write(0, after, &[empty((2, 2))]).unwrap();
    confirmed.crash(0);
    breaks(law, confirmed.start(0, &found(after, &whole)));
}

#[test]
fn recovery_of_term_vote_and_commit() {
    let law = "recovery";
    let log = [empty((1, 1))];
    let mut stage = Stage::committed();
    stage.write(0, hard(2, Some(1), 1), &[]).unwrap();
    stage.hand(0, hard(3, Some(2), 1), &[]).unwrap();
    stage.crash(0);
    for wrong in [hard(1, Some(0), 1), hard(2, None, 1), hard(2, Some(2), 1), hard(3, None, 1)] {
        breaks(law, stage.clone().start(0, &found(wrong, &log)));
    }
    breaks(law, stage.clone().start(0, &found(hard(2, Some(1), 2), &log)));
    stage.clone().start(0, &found(hard(2, Some(1), 0), &log)).unwrap();
    stage.clone().start(0, &found(hard(2, Some(1), 1), &log)).unwrap();
    stage.start(0, &found(hard(3, Some(2), 1), &log)).unwrap();

    // The entries of a torn write survive without its hard state.
    let mut torn = Stage::committed();
    torn.write(0, hard(2, Some(1), 1), &[]).unwrap();
    torn.write(1, hard(3, Some(1), 1), &[empty((2, 3))]).unwrap();
    torn.hand(0, hard(4, None, 1), &[empty((2, 3))]).unwrap();
    torn.crash(0);
    let log = [empty((1, 1)), empty((2, 3))];
    breaks(law, torn.clone().start(0, &found(hard(3, Some(1), 1), &log)));
    breaks(law, torn.clone().start(0, &found(hard(3, None, 1), &log[..1])));
    torn.start(0, &found(hard(3, None, 1), &log)).unwrap();
}

#[test]
fn a_disk_is_refused_only_when_term_and_vote_may_be_gone() {
    let mut stage = Stage::led();
    let refused = Seen::Refused { at: 1, why: "damaged" };
    breaks("recovery", stage.see(&refused));
    // What passes, and what befalls processes and links, changes nothing that is durable.
    let strike = |stage: &mut Stage, what| {
        stage.see(&Seen::Fault(&Fault::Disk { at: 1, what })).unwrap();
    };
    for what in [
        DiskFault::WriteError,
        DiskFault::SyncError,
        DiskFault::Full,
        DiskFault::Short,
        DiskFault::ReadError,
        DiskFault::Slow,
        DiskFault::Stuck,
    ] {
        strike(&mut stage, what);
    }
    stage.see(&Seen::Fault(&Fault::Other { name: "kill", at: Some(1) })).unwrap();
    breaks("recovery", stage.clone().see(&refused));
    // One bit of the log leaves a copy of term and vote, and all else comes from the others: the
    // log has something, so it is this state's.
    for what in [DiskFault::Rot, DiskFault::StateRot, DiskFault::StateRot] {
        strike(&mut stage, what);
        breaks("recovery", stage.clone().see(&refused));
    }
    for what in [DiskFault::Rot, DiskFault::HeadRot, DiskFault::Astray] {
        let mut struck = stage.clone();
        strike(&mut struck, what);
        struck.see(&refused).unwrap();
        breaks("recovery", struck.see(&Seen::Refused { at: 2, why: "damaged" }));
    }
}

#[test]
fn a_state_that_was_harmed_twice_behind_a_blank_log_may_be_refused() {
    let mut blank = Stage::new(3);
    let refused = Seen::Refused { at: 1, why: "damaged" };
    let rot = Seen::Fault(&Fault::Disk { at: 1, what: DiskFault::StateRot });
    blank.see(&rot).unwrap();
    breaks("recovery", blank.clone().see(&refused));
    blank.see(&rot).unwrap();
    blank.see(&refused).unwrap();
    breaks("recovery", blank.see(&Seen::Refused { at: 2, why: "damaged" }));
}

#[test]
fn rot_of_the_state_excuses_nothing_of_the_log() {
    let mut stage = Stage::committed();
    stage.crash(0);
    let rotten = |what| {
        let mut stage = stage.clone();
        for _ in 0..2 {
            stage.see(&Seen::Fault(&Fault::Disk { at: 0, what })).unwrap();
        }
        stage.start(0, &found(hard(1, Some(0), 0), &[]))
    };
    breaks("recovery", rotten(DiskFault::StateRot));
    rotten(DiskFault::Rot).unwrap();
}

#[test]
fn trimming_only_what_all_hold() {
    let law = "trimming";
    let mut stage = Stage::led();
    for at in 0..2 {
        stage.write(at, hard(1, Some(0), 0), &[put((2, 1), "a")]).unwrap();
    }
    let mut view = stage.view(0, Role::Leader, 1, 2, 2);
    view.revision = 2;
    stage.look(0, &view).unwrap();
    let trim = |stage: &mut Stage, at| stage.see(&Seen::Trimmed { at: 0, base: position(at) });
    stage.flush(0, (2, 1));
    breaks(law, trim(&mut stage.clone(), (2, 1)));
    breaks(law, trim(&mut stage.clone(), (1, 2)));
    trim(&mut stage.clone(), (1, 1)).unwrap();
    stage.write(2, hard(1, Some(0), 0), &[put((2, 1), "a")]).unwrap();
    trim(&mut stage, (2, 1)).unwrap();
    breaks(law, trim(&mut stage.clone(), (1, 1)));
    stage.look(0, &view).unwrap();
    // Held by all and applied nowhere: a restart could not rebuild the state.
    let mut early = Stage::led();
    early.flush(0, (1, 1));
    trim(&mut early, (1, 1)).unwrap();
    breaks(law, early.turn(0, Role::Leader, 1, 1, 0));
}

#[test]
fn trimming_only_what_the_state_holds() {
    let law = "trimming";
    let trim = |stage: &mut Stage, at| stage.see(&Seen::Trimmed { at: 0, base: position(at) });
    let told = |mut stage: Stage, flushed| {
        for at in 0..2 {
            stage.write(at, hard(1, Some(0), 0), &[put((2, 1), "a")]).unwrap();
        }
        let mut view = stage.view(0, Role::Leader, 1, 2, 2);
        view.revision = 2;
        stage.look(0, &view).unwrap();
        stage.flush(0, flushed);
        trim(&mut stage, (2, 1))
    };
    // Node 2 lags: where logs are trimmed all the same, it will get the state.
    breaks(law, told(Stage::led(), (2, 1)));
    breaks(law, told(Stage::led_and_trimmed(), (1, 1)));
    told(Stage::led_and_trimmed(), (2, 1)).unwrap();
}

fn ask(stage: &mut Stage, at: usize, id: u64, request: &Request) {
    stage.see(&Seen::Asked { at, id: RequestId(id), request }).unwrap();
}

fn answer(stage: &mut Stage, at: usize, id: u64, revision: i64) -> Told {
    let header = Header { revision, term: Term(1) };
    let reply = Reply { header, body: Ok(node::Body::Done) };
    stage.see(&Seen::Replied { at, id: RequestId(id), reply: &reply })
}

/// Node 0 has committed and applied 1@1 and a put; node 1 has applied nothing.
fn read_stage() -> Stage {
    let mut stage = Stage::led();
    for at in 0..3 {
        stage.write(at, hard(1, Some(0), 0), &[put((2, 1), "a")]).unwrap();
    }
    let mut view = stage.view(0, Role::Leader, 1, 2, 2);
    view.revision = 2;
    stage.look(0, &view).unwrap();
    stage
}

#[test]
fn ri13_an_answer_from_the_past() {
    let law = "RI13 linearizable reads";
    let mut stage = read_stage();
    ask(&mut stage, 1, 1, &Request::Barrier);
    breaks(law, answer(&mut stage.clone(), 1, 1, 1));
    // The revision is right, and the state that gave it is not.
    let mut lying = stage.clone();
    answer(&mut lying, 1, 1, 2).unwrap();
    breaks(law, lying.turn(1, Role::Follower, 1, 0, 0));
    answer(&mut stage, 1, 1, 2).unwrap();
    stage.follow(1, 1, (2, 1), 2);
    let mut view = stage.view(1, Role::Follower, 1, 2, 2);
    view.revision = 2;
    stage.look(1, &view).unwrap();
    // Whoever heard of a revision has heard of it, before any state shows it.
    ask(&mut stage, 0, 2, &Request::Barrier);
    answer(&mut stage, 0, 2, 7).unwrap();
    ask(&mut stage, 2, 3, &Request::Leases);
    breaks(law, answer(&mut stage, 2, 3, 6));
}

#[test]
fn ri13_what_may_be_old() {
    let mut stage = read_stage();
    let own = Request::ReadTxn { txn: store::Txn::default(), serializable: true };
    ask(&mut stage, 1, 1, &own);
    answer(&mut stage, 1, 1, 1).unwrap();
    ask(&mut stage, 1, 2, &Request::Status);
    answer(&mut stage, 1, 2, 1).unwrap();
    ask(&mut stage, 1, 3, &Request::Barrier);
    let header = Header { revision: 1, term: Term(1) };
    let refused = Reply { header, body: Err(Failure::Timeout) };
    stage.see(&Seen::Replied { at: 1, id: RequestId(3), reply: &refused }).unwrap();
    stage.turn(1, Role::Follower, 1, 0, 0).unwrap();
    // Asked before anybody knew.
    let mut early = Stage::led();
    ask(&mut early, 1, 1, &Request::Barrier);
    early.turn(0, Role::Leader, 1, 1, 1).unwrap();
    answer(&mut early, 1, 1, 1).unwrap();
    early.turn(1, Role::Follower, 1, 0, 0).unwrap();
}

#[test]
fn mi1_a_revision_from_nowhere() {
    let law = "MI1 revisions";
    let mut stage = Stage::committed();
    let mut other = stage.clone();
    other.follow(1, 1, (1, 1), 1);
    let mut view = other.view(1, Role::Follower, 1, 1, 1);
    view.revision = 2;
    breaks(law, other.clone().look(1, &view));
    other.turn(1, Role::Follower, 1, 1, 1).unwrap();

    for at in 0..3 {
        let more = [put((2, 1), "a"), empty((3, 1))];
        stage.write(at, hard(1, Some(0), 0), &more).unwrap();
    }
    let mut view = stage.view(0, Role::Leader, 1, 3, 3);
    view.revision = 3;
    breaks(law, stage.clone().look(0, &view));
    view.revision = 0;
    breaks(law, stage.clone().look(0, &view));
    view.revision = 2;
    stage.look(0, &view).unwrap();
}

#[test]
fn mi4_compaction_takes_back_or_runs_ahead() {
    let law = "MI4 compaction";
    let mut stage = read_stage();
    for at in 0..3 {
        stage.write(at, hard(1, Some(0), 0), &[empty((3, 1)), empty((4, 1))]).unwrap();
    }
    let mut view = stage.view(0, Role::Leader, 1, 3, 3);
    view.revision = 2;
    view.compact_revision = 3;
    breaks(law, stage.clone().look(0, &view));
    view.compact_revision = 2;
    stage.look(0, &view).unwrap();
    let mut next = stage.view(0, Role::Leader, 1, 4, 4);
    next.revision = 2;
    next.compact_revision = 1;
    breaks(law, stage.clone().look(0, &next));
    stage.follow(1, 1, (4, 1), 3);
    let mut other = stage.view(1, Role::Follower, 1, 3, 3);
    other.revision = 2;
    breaks(law, stage.clone().look(1, &other));
    other.compact_revision = 2;
    stage.look(1, &other).unwrap();
}

#[test]
fn mi6_two_states_from_one_log() {
    let mut stage = Stage::led();
    let mut view = stage.view(0, Role::Leader, 1, 1, 1);
    view.digest = Some(7);
    stage.look(0, &view).unwrap();
    stage.follow(1, 1, (1, 1), 1);
    let mut other = stage.view(1, Role::Follower, 1, 1, 1);
    other.digest = Some(8);
    breaks("MI6 state hash", stage.clone().look(1, &other));
    other.digest = Some(7);
    stage.look(1, &other).unwrap();
    // The same node, after a crash, is held to it as well.
    stage.crash(0);
    stage.start(0, &found(hard(1, Some(0), 0), &[empty((1, 1))])).unwrap();
    stage.follow(0, 1, (1, 1), 1);
    view.role = Role::Follower;
    view.digest = Some(9);
    breaks("MI6 state hash", stage.look(0, &view));
}

#[test]
fn the_truth_is_the_committed_log() {
    let stage = read_stage();
    let truth = stage.laws.truth().unwrap();
    assert_eq!(truth.len(), 2);
    assert!(truth[0].command.is_none());
    assert!(matches!(truth[1].command, Some(store::Command::Put(_))));
    assert_eq!(truth[1].position, position((2, 1)));
    assert!(truth[0].at <= truth[1].at);
}
