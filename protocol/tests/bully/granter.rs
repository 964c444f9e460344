//! What a member grants, when, and what has to be durable before it says so.

use protocol::bully::message::{Body, Message, Terms};
use protocol::bully::{
    Ballot, Bully, Config, Durable, Electorate, Electors, Epoch, Input, Mode, Output, Part, Rank,
    Ranking, Version, WriteId,
};
use protocol::{NodeId, Time};

use crate::stage::{LEASE, MS, config, ids, named, safety, says};

const START: Time = Time(1_000_000_000);

fn member(config: Config, restored: Durable) -> Bully {
    let mut core = Bully::new(config, restored, 1);
    core.handle(START, Input::Timeout);
    says(&mut core);
    core
}

fn terms(epoch: u64, sent: u64) -> Terms {
    Terms { epoch: Epoch(epoch), sent: Time(sent), lease: LEASE }
}

fn hears(core: &mut Bully, at: Time, from: u64, body: Body) -> Vec<Output> {
    let rank = Rank { freshness: 0, priority: 0, id: NodeId(from) };
    let message = Message { electorate: Some(Electorate::first(ids(&[1, 2, 3]))), rank, body };
    core.handle(at, Input::Receive { from: NodeId(from), message });
    std::iter::from_fn(|| core.poll_output()).collect()
}

fn bodies(outputs: &[Output]) -> Vec<Body> {
    let body = |output: &Output| match output {
        Output::Send { message, .. } => Some(message.body),
        Output::Persist { .. }
        | Output::Show(_)
        | Output::Elected(_)
        | Output::Extended(_)
        | Output::Lost { .. }
        | Output::Leader(_)
        | Output::Electorate(_)
        | Output::Settled(_)
        | Output::ChangeRefused(_)
        | Output::Warn(_) => None,
    };
    outputs.iter().filter_map(body).collect()
}

/// Hears something, and all that it writes becomes durable.
fn durably(core: &mut Bully, at: Time, from: u64, body: Body) -> Vec<Body> {
    let mut outputs = hears(core, at, from, body);
    let last = outputs
        .iter()
        .rev()
        .find_map(|output| if let Output::Persist { id, .. } = output { Some(*id) } else { None });
    if let Some(id) = last {
        core.handle(at, Input::Persisted(id));
        outputs.extend(std::iter::from_fn(|| core.poll_output()));
    }
    // With no promise left it may stand itself, which is not what is looked at here.
    bodies(&outputs).into_iter().filter(|body| *body != Body::Ask).collect()
}

fn one() -> Bully {
    member(named(1, &[1, 2, 3]), Durable::default())
}

fn grant(epoch: u64, sent: u64) -> Body {
    Body::Grant { epoch: Epoch(epoch), sent: Time(sent) }
}

fn refuse(epoch: u64, ballot: u64) -> Body {
    Body::Refuse { epoch: Epoch(epoch), ballot: Epoch(ballot) }
}

#[test]
fn a_grant_is_told_when_it_is_durable_and_not_before() {
    let mut core = one();
    let outputs = hears(&mut core, START, 2, Body::Claim(terms(5, 77)));
    let ballot = Ballot { epoch: Epoch(5), holder: NodeId(2), lease: LEASE };
    let electorate = Some(Electorate::first(ids(&[1, 2, 3])));
    let durable = Durable { ballot: Some(ballot), electorate, pledge: None };
    assert_eq!(outputs, [Output::Persist { id: WriteId(1), durable }]);
    core.handle(START, Input::Persisted(WriteId(1)));
    assert_eq!(says(&mut core), [grant(5, 77)]);
}

#[test]
fn an_epoch_is_granted_once() {
    let mut core = one();
    assert_eq!(durably(&mut core, START, 2, Body::Claim(terms(5, 1))), [grant(5, 1)]);
    assert_eq!(durably(&mut core, START, 2, Body::Claim(terms(5, 9))), [refuse(5, 5)]);
    let later = START + LEASE * 3;
    assert_eq!(durably(&mut core, later, 3, Body::Claim(terms(5, 1))), [refuse(5, 5)]);
    assert_eq!(durably(&mut core, later, 3, Body::Claim(terms(4, 1))), [refuse(4, 5)]);
    assert_eq!(durably(&mut core, later, 3, Body::Claim(terms(6, 1))), [grant(6, 1)]);
}

#[test]
fn nobody_else_is_granted_anything_before_the_promise_ends() {
    let mut core = one();
    durably(&mut core, START, 2, Body::Claim(terms(5, 1)));
    let renewed = START + LEASE / 2;
    let acks = durably(&mut core, renewed, 2, Body::Renew(terms(5, 2)));
    assert!(matches!(acks[..], [Body::Ack { .. }]));
    let almost = Time((renewed + LEASE).0 - 1);
    assert_eq!(durably(&mut core, almost, 3, Body::Claim(terms(9, 1))), [refuse(9, 5)]);
    assert_eq!(durably(&mut core, renewed + LEASE, 3, Body::Claim(terms(9, 1))), [grant(9, 1)]);
}

#[test]
fn a_member_that_starts_again_waits_out_the_lease_that_its_ballot_tells_of() {
    let ballot = Ballot { epoch: Epoch(5), holder: NodeId(2), lease: LEASE * 4 };
    let restored = Durable { ballot: Some(ballot), ..Durable::default() };
    let mut core = member(named(1, &[1, 2, 3]), restored);
    let almost = Time((START + LEASE * 4).0 - 1);
    assert_eq!(durably(&mut core, almost, 3, Body::Claim(terms(6, 1))), [refuse(6, 5)]);
    let after = START + LEASE * 4;
    assert_eq!(durably(&mut core, after, 3, Body::Claim(terms(6, 1))), [grant(6, 1)]);
}

#[test]
fn a_leader_that_starts_again_does_not_stand_while_its_old_lease_may_last() {
    let ballot = Ballot { epoch: Epoch(5), holder: NodeId(1), lease: LEASE };
    let restored = Durable { ballot: Some(ballot), ..Durable::default() };
    let mut core = member(named(1, &[1, 2, 3]), restored);
    let asks = |core: &mut Bully, at: Time| {
        core.handle(at, Input::Timeout);
        says(core).contains(&Body::Ask)
    };
    assert!(!asks(&mut core, START + (LEASE - MS)));
    assert!(asks(&mut core, START + LEASE));
}

#[test]
fn a_released_epoch_is_free_at_once_and_an_old_release_frees_nothing() {
    let mut core = one();
    durably(&mut core, START, 2, Body::Claim(terms(5, 1)));
    let release = |epoch| Body::Release { epoch: Epoch(epoch), successor: None };
    durably(&mut core, START, 2, release(4));
    durably(&mut core, START, 3, release(5));
    assert_eq!(durably(&mut core, START, 3, Body::Claim(terms(6, 1))), [refuse(6, 5)]);
    durably(&mut core, START, 2, release(5));
    assert_eq!(durably(&mut core, START, 3, Body::Claim(terms(6, 1))), [grant(6, 1)]);
}

#[test]
fn a_winner_is_followed_whatever_was_granted_and_an_old_one_is_told() {
    let mut core = one();
    durably(&mut core, START, 2, Body::Claim(terms(5, 1)));
    // 3 has won the epoch with the others.
    let acks = durably(&mut core, START, 3, Body::Renew(terms(5, 3)));
    assert!(matches!(acks[..], [Body::Ack { .. }]));
    assert_eq!(durably(&mut core, START, 2, Body::Claim(terms(5, 4))), [refuse(5, 5)]);
    assert_eq!(durably(&mut core, START, 2, Body::Renew(terms(4, 4))), [refuse(4, 5)]);
}

fn acks(body: &[Body], epoch: u64) -> bool {
    matches!(body, [.., Body::Ack { epoch: Epoch(acked), .. }] if *acked == epoch)
}

#[test]
fn who_granted_a_later_claim_that_failed_agrees_with_the_leader_when_it_is_free_again() {
    let mut core = one();
    durably(&mut core, START, 2, Body::Claim(terms(6, 1)));
    // 3 has won epoch 5 with others. 2 may win 6 as long as this promise lasts.
    assert_eq!(durably(&mut core, START, 3, Body::Renew(terms(5, 3))), [refuse(5, 6)]);
    durably(&mut core, START, 2, Body::Release { epoch: Epoch(6), successor: None });
    assert!(acks(&durably(&mut core, START, 3, Body::Renew(terms(5, 4))), 5));
    // The ballot is no lower for it, and the promise is the leader's.
    assert_eq!(durably(&mut core, START, 2, Body::Claim(terms(7, 5))), [refuse(7, 6)]);
    let ballot = Ballot { epoch: Epoch(6), holder: NodeId(3), lease: LEASE };
    assert_eq!(core.status().ballot, Some(ballot));
    let over = START + LEASE;
    assert_eq!(durably(&mut core, over, 3, Body::Claim(terms(6, 6))), [refuse(6, 6)]);
    assert_eq!(durably(&mut core, over, 3, Body::Claim(terms(7, 7))), [grant(7, 7)]);
    // What it said as the leader of the earlier epoch counts no more.
    assert_eq!(durably(&mut core, over, 3, Body::Renew(terms(5, 8))), [refuse(5, 7)]);
    durably(&mut core, over, 3, Body::Release { epoch: Epoch(5), successor: None });
    assert_eq!(durably(&mut core, over, 2, Body::Claim(terms(8, 9))), [refuse(8, 7)]);
}

/// Ways do not keep their order, and a successor that believed it would give up its claim.
#[test]
fn what_a_leader_said_before_it_gave_up_counts_no_more_when_it_comes_in_later() {
    let mut core = one();
    assert!(acks(&durably(&mut core, START, 3, Body::Renew(terms(5, 3))), 5));
    durably(&mut core, START, 3, Body::Release { epoch: Epoch(5), successor: Some(NodeId(1)) });
    let claim = core.status().ballot.unwrap();
    assert_eq!((claim.epoch, claim.holder), (Epoch(6), NodeId(1)), "it takes over");
    assert_eq!(durably(&mut core, START, 3, Body::Renew(terms(5, 4))), []);
    assert_eq!(core.status().part, Part::Candidate);
    assert_eq!(core.status().ballot, Some(claim));
    // A leader whose claim it has not heard of it gives way to.
    let said = durably(&mut core, START, 2, Body::Renew(terms(4, 1)));
    assert!(acks(&said, 4), "{said:?}");
}

#[test]
fn whom_a_member_agreed_with_last_it_still_waits_for_when_it_starts_again() {
    let mut core = one();
    durably(&mut core, START, 2, Body::Claim(terms(6, 1)));
    durably(&mut core, START, 2, Body::Release { epoch: Epoch(6), successor: None });
    durably(&mut core, START, 3, Body::Renew(terms(5, 4)));
    let restored = Durable { ballot: core.status().ballot, ..Durable::default() };
    let mut core = member(named(1, &[1, 2, 3]), restored);
    let almost = Time((START + LEASE).0 - 1);
    assert_eq!(durably(&mut core, almost, 2, Body::Claim(terms(7, 1))), [refuse(7, 6)]);
    assert_eq!(durably(&mut core, START + LEASE, 2, Body::Claim(terms(7, 1))), [grant(7, 1)]);
}

#[test]
fn asking_changes_nothing_and_tells_whether_a_claim_would_be_granted() {
    let mut core = one();
    let free = |body: &[Body]| matches!(body, [Body::Answer { free: true, .. }]);
    let outputs = hears(&mut core, START, 2, Body::Ask);
    assert!(free(&bodies(&outputs)) && outputs.len() == 1, "nothing is written");
    durably(&mut core, START, 2, Body::Claim(terms(5, 1)));
    assert!(free(&durably(&mut core, START, 2, Body::Ask)));
    assert!(!free(&durably(&mut core, START, 3, Body::Ask)));
    assert!(free(&durably(&mut core, START + LEASE, 3, Body::Ask)));
}

#[test]
fn nobody_less_fresh_than_a_member_is_granted_anything_by_it() {
    let config = Config { ranking: Ranking::Freshness, ..named(1, &[1, 2, 3]) };
    let mut core = member(config, Durable::default());
    core.handle(START, Input::Freshness(7));
    says(&mut core);
    assert_eq!(durably(&mut core, START, 2, Body::Claim(terms(5, 1))), [refuse(5, 0)]);
    let mut core = member(named(1, &[1, 2, 3]), Durable::default());
    core.handle(START, Input::Freshness(7));
    says(&mut core);
    assert_eq!(durably(&mut core, START, 2, Body::Claim(terms(5, 1))), [grant(5, 1)]);
}

#[test]
fn who_goes_by_an_older_electorate_is_refused_and_told_the_newer_one() {
    let newer = Electorate {
        version: Version { epoch: Epoch(3), number: 2 },
        ..Electorate::first(ids(&[1, 2, 3]))
    };
    let restored = Durable { electorate: Some(newer.clone()), ..Durable::default() };
    let mut core = member(named(1, &[1, 2, 3]), restored);
    let outputs = hears(&mut core, START, 2, Body::Claim(terms(5, 1)));
    let told = |message: &Message| {
        message.body == refuse(5, 0) && message.electorate.as_ref() == Some(&newer)
    };
    assert!(matches!(&outputs[..], [Output::Send { message, .. }] if told(message)));
}

#[test]
fn what_makes_no_sense_is_dropped_and_counted() {
    let mut core = one();
    let huge = Terms { lease: std::time::Duration::MAX, ..terms(5, 1) };
    assert_eq!(durably(&mut core, START, 2, Body::Claim(huge)), [refuse(5, 0)]);
    assert_eq!(durably(&mut core, START, 2, Body::Renew(huge)), []);
    assert_eq!(durably(&mut core, START, 2, Body::Victory), []);
    // Of another group, without an electorate, and under another's name.
    let rank = Rank { freshness: 0, priority: 0, id: NodeId(2) };
    let body = Body::Claim(terms(5, 1));
    for (from, electorate) in [
        (2, Some(Electorate::first(ids(&[1, 2])))),
        (2, None),
        (3, Some(Electorate::first(ids(&[1, 2, 3])))),
    ] {
        let message = Message { electorate, rank, body };
        core.handle(START, Input::Receive { from: NodeId(from), message });
        assert_eq!(says(&mut core), []);
    }
    assert_eq!(core.status().dropped, 4);
    assert_eq!(core.status().ballot, None);
}

#[test]
fn the_two_modes_do_not_hear_each_other() {
    let mut classic = member(config(1, Mode::Classic), Durable::default());
    assert_eq!(durably(&mut classic, START, 2, Body::Victory), []);
    assert_eq!(classic.status().dropped, 1);
    let both = safety(Electors::Named(ids(&[1, 2, 3])));
    let mut safe = member(config(1, Mode::Safe(both)), Durable::default());
    assert_eq!(durably(&mut safe, START, 2, Body::Election), []);
    assert_eq!(safe.status().dropped, 1);
}
