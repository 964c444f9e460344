//! The laws about logs, leaders and votes: what breaks each, and the nearest thing that does not.

use protocol::Index;
use protocol::raft::{Body, Role};

use super::stage::{Stage, append, breaks, empty, found, hard, position, put};

#[test]
fn ri1_two_leaders_in_a_term() {
    let mut stage = Stage::led();
    breaks("RI1 election safety", stage.turn(1, Role::Leader, 1, 0, 0));
    let beat = || Body::Heartbeat { round: 1, commit: Index(0), trim: Index(0) };
    breaks("RI1 election safety", stage.say(2, 0, 1, beat()));
    stage.say(0, 2, 1, beat()).unwrap();
    // The next term may have another leader, and the first one still thinks it leads.
    stage.write(1, hard(2, Some(1), 0), &[]).unwrap();
    stage.turn(1, Role::Leader, 2, 0, 0).unwrap();
    stage.say(0, 2, 1, beat()).unwrap();
    stage.say(1, 2, 2, beat()).unwrap();
    breaks("RI1 election safety", stage.say(0, 2, 2, beat()));
}

#[test]
fn ri2_a_leader_replaces_an_entry() {
    let mut stage = Stage::led();
    stage.write(0, hard(1, Some(0), 0), &[put((2, 1), "a")]).unwrap();
    let law = "RI2 leader append-only";
    breaks(law, stage.would_hand(0, 1, &[put((2, 1), "a")]));
    breaks(law, stage.would_hand(0, 1, &[empty((1, 1))]));
    // Appending is its office, and in the next term it may have to follow.
    stage.would_hand(0, 1, &[put((3, 1), "a")]).unwrap();
    stage.would_hand(0, 2, &[empty((2, 2))]).unwrap();
}

#[test]
fn ri3_two_entries_with_one_position() {
    let law = "RI3 log matching";
    let mut stage = Stage::led();
    stage.write(0, hard(1, Some(0), 0), &[put((2, 1), "a"), put((3, 1), "b")]).unwrap();
    breaks(law, stage.would_hand(1, 1, &[put((2, 1), "b")]));
    breaks(law, stage.would_hand(1, 1, &[empty((2, 1))]));
    breaks(law, stage.would_hand(1, 1, &[put((3, 1), "b")]));
    stage.would_hand(1, 1, &[put((2, 1), "a"), put((3, 1), "b")]).unwrap();
    // The same entry after another one: what was in conflict has not been cut off.
    stage.write(1, hard(2, Some(1), 0), &[empty((2, 2))]).unwrap();
    stage.write(0, hard(3, Some(0), 0), &[put((4, 3), "c")]).unwrap();
    breaks(law, stage.would_hand(1, 3, &[put((3, 1), "b"), put((4, 3), "c")]));
    let whole = [put((2, 1), "a"), put((3, 1), "b"), put((4, 3), "c")];
    stage.would_hand(1, 3, &whole).unwrap();
}

#[test]
fn ri4_a_leader_without_a_committed_entry() {
    let law = "RI4 leader completeness";
    let mut stage = Stage::new(3);
    for at in [0, 1] {
        stage.write(at, hard(1, Some(0), 0), &[empty((1, 1))]).unwrap();
    }
    stage.write(2, hard(2, Some(2), 0), &[empty((1, 2))]).unwrap();
    let mut before = stage.clone();
    stage.turn(0, Role::Leader, 1, 1, 0).unwrap();
    breaks(law, stage.turn(2, Role::Leader, 2, 0, 0));
    // Found the other way round, it is the same.
    before.turn(2, Role::Leader, 2, 0, 0).unwrap();
    breaks(law, before.turn(0, Role::Leader, 1, 1, 0));
}

#[test]
fn ri4_a_leader_of_the_past_may_lack_what_is_committed_later() {
    let mut stage = Stage::new(3);
    stage.write(2, hard(2, Some(2), 0), &[]).unwrap();
    stage.hand(2, hard(2, Some(2), 0), &[empty((1, 2))]).unwrap();
    for at in [0, 1] {
        stage.write(at, hard(3, Some(0), 0), &[empty((1, 3))]).unwrap();
    }
    stage.turn(0, Role::Leader, 3, 1, 1).unwrap();
    stage.turn(2, Role::Leader, 2, 0, 0).unwrap();
}

#[test]
fn ri5_another_entry_at_a_committed_index() {
    let law = "RI5 state machine safety";
    let mut stage = Stage::new(3);
    for at in [0, 2] {
        stage.write(at, hard(1, Some(0), 0), &[empty((1, 1))]).unwrap();
    }
    stage.turn(0, Role::Leader, 1, 1, 1).unwrap();
    // No correct leader sends it; what the log holds is all that this law looks at.
    stage.write(1, hard(2, Some(1), 0), &[empty((1, 2))]).unwrap();
    stage.hear(2, 1, 2, append((0, 0), &[empty((1, 2))], 1));
    breaks(law, stage.clone().turn(1, Role::Follower, 2, 1, 1));
    breaks(law, stage.clone().turn(1, Role::Follower, 2, 1, 0));
    stage.turn(1, Role::Follower, 2, 0, 0).unwrap();
    stage.follow(2, 1, (1, 1), 1);
    let mut view = stage.view(2, Role::Follower, 1, 1, 1);
    stage.clone().look(2, &view).unwrap();
    view.applied = position((1, 7));
    breaks(law, stage.look(2, &view));
}

#[test]
fn ri5_a_committed_entry_is_replaced() {
    let law = "RI5 state machine safety";
    let stage = Stage::committed();
    breaks(law, stage.would_hand(1, 1, &[empty((1, 1))]));
    breaks(law, stage.would_hand(1, 2, &[empty((1, 2))]));
    Stage::led().would_hand(1, 2, &[empty((1, 2))]).unwrap();
    stage.would_hand(1, 2, &[empty((2, 2))]).unwrap();
}

#[test]
fn ri6_two_votes_in_a_term() {
    let law = "RI6 vote durability";
    let yes = || Body::VoteReply { granted: true };
    let mut stage = Stage::led();
    stage.say(1, 0, 1, yes()).unwrap();
    breaks(law, stage.clone().say(1, 2, 1, yes()));
    breaks(law, stage.clone().say(1, 2, 1, Body::Vote { last: position((1, 1)), transfer: false }));
    stage.say(1, 2, 1, Body::VoteReply { granted: false }).unwrap();
    // Within a life not even an untold vote changes; a crash may forget it.
    stage.hand(1, hard(2, Some(0), 0), &[]).unwrap();
    breaks(law, stage.clone().hand(1, hard(2, Some(2), 0), &[]));
    breaks(law, stage.clone().hand(1, hard(2, None, 0), &[]));
    stage.crash(1);
    stage.start(1, &found(hard(1, Some(0), 0), &[empty((1, 1))])).unwrap();
    stage.write(1, hard(2, Some(2), 0), &[]).unwrap();
    stage.say(1, 2, 2, yes()).unwrap();
}

#[test]
fn ri6_a_told_vote_outlives_a_declared_loss() {
    let law = "RI6 vote durability";
    let yes = || Body::VoteReply { granted: true };
    let blank = || found(hard(0, None, 0), &[]);
    let mut stage = Stage::led();
    // While the disk is there, it is not even written.
    breaks(law, stage.clone().hand(1, hard(1, Some(2), 0), &[]));
    stage.lose(1);
    stage.crash(1);
    stage.start(1, &blank()).unwrap();
    // On its new disk it may vote for another one, in one life or the next, and may tell nobody.
    stage.write(1, hard(1, Some(2), 0), &[]).unwrap();
    breaks(law, stage.clone().say(1, 2, 1, yes()));
    stage.crash(1);
    stage.start(1, &found(hard(1, Some(2), 0), &[])).unwrap();
    breaks(law, stage.clone().say(1, 2, 1, yes()));
    stage.write(1, hard(2, Some(2), 0), &[]).unwrap();
    stage.say(1, 2, 2, yes()).unwrap();
    // What it tells then binds it again, whatever becomes of that disk.
    stage.lose(1);
    stage.crash(1);
    stage.start(1, &blank()).unwrap();
    stage.write(1, hard(2, Some(0), 0), &[]).unwrap();
    breaks(law, stage.clone().say(1, 0, 2, yes()));
    stage.write(1, hard(3, Some(1), 0), &[]).unwrap();
    let last = position((1, 1));
    stage.say(1, 2, 3, Body::Vote { last, transfer: false }).unwrap();
    // The disk of 2 is what it was.
    stage.crash(2);
    stage.start(2, &found(hard(1, Some(0), 0), &[empty((1, 1))])).unwrap();
    breaks(law, stage.hand(2, hard(1, Some(1), 0), &[]));
}

#[test]
fn ri7_something_falls() {
    let law = "RI7 monotony";
    let mut stage = Stage::committed();
    breaks(law, stage.clone().turn(0, Role::Leader, 1, 0, 0));
    breaks(law, stage.clone().turn(0, Role::Leader, 1, 1, 0));
    breaks(law, stage.clone().hand(0, hard(0, None, 0), &[]));
    stage.write(0, hard(1, Some(0), 1), &[]).unwrap();
    breaks(law, stage.clone().hand(0, hard(2, None, 0), &[]));
    stage.write(0, hard(2, None, 1), &[]).unwrap();
    stage.turn(0, Role::Follower, 2, 1, 1).unwrap();
    // What was applied is applied again after a crash; what was committed is still known.
    stage.crash(0);
    stage.start(0, &found(hard(2, None, 1), &[empty((1, 1))])).unwrap();
    breaks(law, stage.clone().turn(0, Role::Follower, 2, 0, 0));
    stage.turn(0, Role::Follower, 2, 1, 0).unwrap();
}

#[test]
fn ri8_a_promise_before_it_is_durable() {
    let law = "RI8 acknowledgement implies durable";
    let yes = || Body::VoteReply { granted: true };
    let accepted = |matched| Body::AppendAccepted { matched: Index(matched) };
    let mut stage = Stage::led();
    stage.write(0, hard(1, Some(0), 0), &[put((2, 1), "a")]).unwrap();
    stage.hand(1, hard(1, Some(0), 0), &[put((2, 1), "a")]).unwrap();
    breaks(law, stage.clone().say(1, 0, 1, accepted(2)));
    stage.say(1, 0, 1, accepted(1)).unwrap();
    stage.sync(1).unwrap();
    stage.say(1, 0, 1, accepted(2)).unwrap();

    stage.hand(1, hard(2, Some(2), 0), &[]).unwrap();
    breaks(law, stage.clone().say(1, 2, 2, yes()));
    breaks(law, stage.clone().say(1, 2, 2, accepted(1)));
    stage.sync(1).unwrap();
    stage.clone().say(1, 2, 2, yes()).unwrap();
    // A later term that is durable closes this one as well as a vote in it.
    stage.write(1, hard(4, None, 0), &[]).unwrap();
    stage.say(1, 2, 3, yes()).unwrap();
}

#[test]
fn ri8_a_candidacy_before_it_is_durable() {
    let law = "RI8 acknowledgement implies durable";
    let last = position((1, 1));
    let mut stage = Stage::led();
    stage.hand(1, hard(2, Some(1), 0), &[]).unwrap();
    let ask = Body::Vote { last, transfer: false };
    breaks(law, stage.clone().say(1, 0, 2, ask.clone()));
    stage.sync(1).unwrap();
    stage.say(1, 0, 2, ask).unwrap();
}

#[test]
fn ri8_what_was_acknowledged_is_cut() {
    let accepted = |matched| Body::AppendAccepted { matched: Index(matched) };
    let mut stage = Stage::led();
    let more = [put((2, 1), "a"), put((3, 1), "b")];
    stage.write(0, hard(1, Some(0), 0), &more).unwrap();
    stage.write(1, hard(1, Some(0), 0), &more).unwrap();
    stage.say(1, 0, 1, accepted(2)).unwrap();
    breaks("RI8 acknowledgement implies durable", stage.would_hand(1, 1, &more));
    stage.would_hand(1, 1, &more[1..]).unwrap();
    stage.would_hand(1, 2, &[empty((2, 2))]).unwrap();
}

#[test]
fn ri8_what_is_accepted_is_the_leaders_log() {
    let law = "RI8 acknowledgement implies durable";
    let accepted = |matched| Body::AppendAccepted { matched: Index(matched) };
    let mut stage = Stage::led();
    stage.write(1, hard(1, Some(0), 0), &[]).unwrap();
    stage.write(0, hard(1, Some(0), 0), &[put((2, 1), "a")]).unwrap();
    stage.write(2, hard(2, Some(2), 0), &[empty((2, 2))]).unwrap();
    stage.write(0, hard(2, None, 0), &[]).unwrap();
    // 2@1 is durable here, and not what the leader of term 2 has there.
    breaks(law, stage.clone().say(0, 2, 2, accepted(2)));
    stage.say(0, 2, 2, accepted(1)).unwrap();
    stage.write(0, hard(2, None, 0), &[empty((2, 2))]).unwrap();
    stage.say(0, 2, 2, accepted(2)).unwrap();
}

#[test]
fn ri9_committed_on_too_few_disks() {
    let law = "RI9 commit implies a durable quorum";
    let mut stage = Stage::led();
    let more = [put((2, 1), "a")];
    stage.write(0, hard(1, Some(0), 0), &more).unwrap();
    stage.hand(1, hard(1, Some(0), 0), &more).unwrap();
    breaks(law, stage.clone().turn(0, Role::Leader, 1, 2, 0));
    stage.sync(1).unwrap();
    stage.turn(0, Role::Leader, 1, 2, 0).unwrap();

    // Half of four is no majority, and a leader whose own disk is slow needs two others.
    let mut even = Stage::new(4);
    for at in 0..2 {
        even.write(at, hard(1, Some(0), 0), &[empty((1, 1))]).unwrap();
    }
    breaks(law, even.clone().turn(0, Role::Leader, 1, 1, 0));
    let mut slow = Stage::new(3);
    slow.hand(0, hard(1, Some(0), 0), &[empty((1, 1))]).unwrap();
    for at in 1..3 {
        slow.write(at, hard(1, Some(0), 0), &[empty((1, 1))]).unwrap();
    }
    slow.turn(0, Role::Leader, 1, 1, 0).unwrap();
}

#[test]
fn ri10_a_leader_counts_an_old_entry() {
    let mut stage = Stage::led();
    stage.write(1, hard(2, Some(1), 0), &[]).unwrap();
    stage.turn(1, Role::Candidate, 2, 0, 0).unwrap();
    stage.write(1, hard(2, Some(1), 0), &[empty((2, 2))]).unwrap();
    stage.turn(1, Role::Leader, 2, 0, 0).unwrap();
    // Raft figure 8: 1@1 is on all disks, and does not count.
    breaks("RI10 own-term commit", stage.clone().turn(1, Role::Leader, 2, 1, 0));
    stage.write(2, hard(2, Some(1), 0), &[empty((2, 2))]).unwrap();
    stage.turn(1, Role::Leader, 2, 2, 0).unwrap();
}

#[test]
fn ri11_a_follower_commits_what_it_has_not_compared() {
    let law = "RI11 verified commit";
    let beat = || Body::Heartbeat { round: 1, commit: Index(1), trim: Index(0) };
    let mut stage = Stage::committed();
    breaks(law, stage.clone().turn(1, Role::Follower, 1, 1, 0));
    stage.hear(0, 1, 1, beat());
    breaks(law, stage.clone().turn(1, Role::Follower, 1, 1, 0));
    stage.hear(0, 1, 1, append((1, 9), &[], 1));
    breaks(law, stage.clone().turn(1, Role::Follower, 1, 1, 0));
    let mut compared = stage.clone();
    compared.hear(0, 1, 1, append((1, 1), &[], 0));
    breaks(law, compared.clone().turn(1, Role::Follower, 1, 1, 0));
    compared.hear(0, 1, 1, beat());
    compared.turn(1, Role::Follower, 1, 1, 0).unwrap();
    stage.hear(0, 1, 1, append((0, 0), &[empty((1, 1))], 9));
    stage.turn(1, Role::Follower, 1, 1, 0).unwrap();
}
