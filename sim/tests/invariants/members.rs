//! The laws where members change: what breaks each, and the nearest thing that does not.

use node::{Body as Answer, Header, Reply, Request, RequestId};
use protocol::Term;
use protocol::raft::{Body, Entry, Membership, Payload, Role};
use sim::seen::{Place, Seen, id};
use store::MemberChange;

use super::stage::{At, Stage, Told, breaks, hard, position, put};

const LAW: &str = "RI12 membership";

fn members(voters: &[Place], outgoing: &[Place], learners: &[Place]) -> Membership {
    let ids = |places: &[Place]| places.iter().copied().map(id).collect();
    let context = bytes::Bytes::new();
    let (voters, outgoing, learners) = (ids(voters), ids(outgoing), ids(learners));
    Membership { voters, outgoing, learners, context }
}

fn change(at: At, membership: &Membership) -> Entry {
    Entry { position: position(at), payload: Payload::Membership(membership.encode()) }
}

fn votes(at: At, voters: &[Place]) -> Entry {
    change(at, &members(voters, &[], &[]))
}

/// Node 0 leads in term 1 and has committed its no-op; node 2 is removed by what follows, which is
/// on the disks of these.
fn removed(holders: &[Place]) -> Stage {
    let mut stage = Stage::committed();
    for at in holders {
        stage.write(*at, hard(1, Some(0), 0), &[votes((2, 1), &[0, 1])]).unwrap();
    }
    stage
}

#[test]
fn ri12_configurations_form_a_chain() {
    let stage = Stage::committed();
    stage.would_hand(0, 1, &[votes((2, 1), &[0, 1])]).unwrap();
    breaks(LAW, stage.would_hand(0, 1, &[votes((2, 1), &[0])]));
    let joint = |outgoing: &[Place]| change((2, 1), &members(&[0], outgoing, &[]));
    stage.would_hand(0, 1, &[joint(&[0, 1, 2])]).unwrap();
    breaks(LAW, stage.would_hand(0, 1, &[joint(&[0, 1])]));
    stage.would_hand(0, 1, &[joint(&[0, 1, 2]), votes((3, 1), &[0])]).unwrap();
    breaks(LAW, stage.would_hand(0, 1, &[joint(&[0, 1, 2]), votes((3, 1), &[0, 1])]));
}

#[test]
fn ri12_who_was_removed_does_not_come_back() {
    let gone = votes((2, 1), &[0, 1]);
    let again = votes((3, 1), &[0, 1, 2]);
    let other = votes((3, 1), &[0, 1, 3]);
    let learns = change((2, 1), &members(&[0, 1], &[], &[2]));
    breaks(LAW, Stage::committed().would_hand(0, 1, &[gone.clone(), again.clone()]));
    Stage::committed().would_hand(0, 1, &[gone, other]).unwrap();
    Stage::committed().would_hand(0, 1, &[learns, again]).unwrap();
}

#[test]
fn ri12_a_leader_changes_the_members_once_at_a_time() {
    let mut stage = removed(&[0]);
    stage.turn(0, Role::Leader, 1, 1, 1).unwrap();
    let mut later = stage.clone();
    stage.write(0, hard(1, Some(0), 0), &[votes((3, 1), &[0, 1, 3])]).unwrap();
    breaks(LAW, stage.turn(0, Role::Leader, 1, 1, 1));
    later.write(1, hard(1, Some(0), 0), &[votes((2, 1), &[0, 1])]).unwrap();
    later.write(0, hard(1, Some(0), 0), &[votes((3, 1), &[0, 1, 3])]).unwrap();
    later.turn(0, Role::Leader, 1, 2, 2).unwrap();
}

#[test]
fn ri12_a_leader_changes_nothing_before_its_own_entry_is_committed() {
    let mut stage = Stage::led();
    stage.write(0, hard(1, Some(0), 0), &[votes((2, 1), &[0, 1])]).unwrap();
    breaks(LAW, stage.turn(0, Role::Leader, 1, 0, 0));
    removed(&[0]).turn(0, Role::Leader, 1, 1, 1).unwrap();
}

/// Node 0 is elected in term 2 with the vote of another node.
fn elect_with(stage: &mut Stage, voter: Place) -> Told {
    stage.write(0, hard(2, Some(0), 0), &[]).unwrap();
    stage.write(voter, hard(2, Some(0), 0), &[]).unwrap();
    stage.say(voter, 0, 2, Body::VoteReply { granted: true }).unwrap();
    stage.turn(0, Role::Leader, 2, 1, 1)
}

#[test]
fn ri12_the_vote_of_a_removed_member_elects_nobody() {
    breaks(LAW, elect_with(&mut removed(&[0]), 2));
    elect_with(&mut removed(&[0]), 1).unwrap();
}

#[test]
fn ri12_who_knows_of_its_removal_does_not_campaign() {
    let asks = || Body::PreVote { last: position((2, 1)) };
    let mut stage = removed(&[0, 1, 2]);
    stage.turn(0, Role::Leader, 1, 2, 2).unwrap();
    // It may be needed as long as that is not certain (thesis §4.2.2).
    stage.say(2, 0, 2, asks()).unwrap();
    stage.follow(2, 1, (2, 1), 2);
    stage.turn(2, Role::Follower, 1, 2, 1).unwrap();
    breaks(LAW, stage.say(2, 0, 2, asks()));
    stage.say(1, 0, 2, asks()).unwrap();
}

#[test]
fn ri9_learners_and_the_removed_hold_nothing_that_counts() {
    for learners in [&[][..], &[2]] {
        let next = change((2, 1), &members(&[0, 1], &[], learners));
        for (holder, enough) in [(1, true), (2, false)] {
            let mut stage = Stage::committed();
            for at in 0..3 {
                stage.write(at, hard(1, Some(0), 0), std::slice::from_ref(&next)).unwrap();
            }
            stage.turn(0, Role::Leader, 1, 2, 2).unwrap();
            for at in [0, holder] {
                stage.write(at, hard(1, Some(0), 0), &[put((3, 1), "a")]).unwrap();
            }
            let told = stage.turn(0, Role::Leader, 1, 3, 2);
            if enough {
                told.unwrap();
            } else {
                breaks("RI9 commit implies a durable quorum", told);
            }
        }
    }
}

#[test]
fn ri9_a_joint_configuration_asks_for_both_majorities() {
    let law = "RI9 commit implies a durable quorum";
    let joint = change((2, 1), &members(&[0], &[0, 1, 2], &[]));
    let mut stage = Stage::committed();
    stage.write(0, hard(1, Some(0), 0), std::slice::from_ref(&joint)).unwrap();
    breaks(law, stage.clone().turn(0, Role::Leader, 1, 2, 1));
    stage.write(2, hard(1, Some(0), 0), &[joint]).unwrap();
    stage.turn(0, Role::Leader, 1, 2, 1).unwrap();
}

#[test]
fn ri12_an_operator_is_told_what_is_so() {
    let told = |stage: &mut Stage, commit| {
        let body = Ok(Answer::Members(Vec::new()));
        let reply = Reply { header: Header { revision: 1, term: Term(1) }, body };
        stage.see(&Seen::Replied { at: 0, id: RequestId(7), reply: &reply })?;
        stage.turn(0, Role::Leader, 1, commit, commit)
    };
    let request = Request::MemberChange(MemberChange::Remove { id: id(2) });
    let mut stage = Stage::committed();
    stage.see(&Seen::Asked { at: 0, id: RequestId(7), request: &request }).unwrap();
    breaks(LAW, told(&mut stage.clone(), 1));
    for at in [0, 1] {
        stage.write(at, hard(1, Some(0), 0), &[votes((2, 1), &[0, 1])]).unwrap();
    }
    breaks(LAW, told(&mut stage.clone(), 1));
    told(&mut stage, 2).unwrap();
}
