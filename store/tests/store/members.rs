//! Wishes for other members: what is refused, in which order they are settled, and that nothing
//! of it is lost by a restart.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::raft::Membership;
use protocol::{NodeId, Position, Term};
use store::{
    Alarm, AlarmAction, Command, Error, MAX_WISHES, Member, MemberChange, MemberRefusal,
    MemberTable, Outcome, Part, Seat,
};

use crate::random::Draw;
use crate::rig::Rig;

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);
const NEW: NodeId = NodeId(9);

fn url(id: NodeId) -> String {
    format!("http://h:{}", id.0)
}

fn add(id: NodeId) -> MemberChange {
    MemberChange::Add { id, peer_urls: vec![url(id)], voter: true }
}

fn add_learner(id: NodeId) -> MemberChange {
    MemberChange::Add { id, peer_urls: vec![url(id)], voter: false }
}

/// Voters with seats.
fn voters(ids: &[NodeId]) -> Membership {
    let seat = |id| Seat { part: Part::Voter, replaces: None, peer_urls: vec![url(id)] };
    let table = MemberTable { seats: ids.iter().map(|id| (*id, seat(*id))).collect() };
    Membership {
        voters: ids.iter().copied().collect(),
        context: table.encode(),
        ..Default::default()
    }
}

/// A cluster of started members.
fn cluster(ids: &[NodeId]) -> Rig {
    let mut rig = Rig::cold();
    configure(&mut rig, &voters(ids));
    ids.iter().for_each(|id| start(&mut rig, *id));
    rig
}

fn start(rig: &mut Rig, id: NodeId) {
    let (peer_urls, client_urls) = (vec![url(id)], vec![]);
    let name = format!("n{}", id.0);
    rig.ok(&Command::Publish(Member { id, name, peer_urls, client_urls }));
}

fn configure(rig: &mut Rig, membership: &Membership) {
    let position = Position::new(Term(1), rig.store.applied().index.next());
    rig.store.apply_membership(position, membership).unwrap();
}

fn wish(rig: &mut Rig, change: MemberChange) -> u64 {
    match rig.ok(&Command::Member(change)) {
        Outcome::Queued(ticket) => ticket,
        other => panic!("a wish is put in line: {other:?}"),
    }
}

/// What becomes of a wish at once.
fn verdict(rig: &mut Rig, change: MemberChange) -> Option<Result<(), Error>> {
    let ticket = wish(rig, change);
    rig.store.take_settled().into_iter().find(|(it, _)| *it == ticket).map(|(_, result)| result)
}

fn refusal(rig: &mut Rig, change: MemberChange) -> Error {
    verdict(rig, change).expect("it is settled at once").expect_err("it is refused")
}

/// Does what a leader does with the wish at the front.
fn fulfil(rig: &mut Rig) -> Vec<(u64, Result<(), Error>)> {
    let change = rig.store.wish().expect("a wish stands").change.clone();
    let now = rig.store.membership().unwrap().clone();
    reach(rig, &change.on(&now).unwrap());
    rig.store.take_settled()
}

/// By way of a joint configuration where the voters are others.
fn reach(rig: &mut Rig, next: &Membership) {
    let now = rig.store.membership().unwrap().clone();
    if next.voters != now.voters {
        configure(rig, &Membership { outgoing: now.voters, ..next.clone() });
        assert!(rig.store.wish().is_none(), "no wish stands while the members are on their way");
        assert_eq!(rig.store.take_settled(), []);
    }
    configure(rig, next);
}

#[test]
fn what_the_state_knows_is_refused_at_once() {
    let mut rig = cluster(&[A, B, C]);
    let at = |id| vec![url(id)];
    assert_eq!(refusal(&mut rig, add(A)), Error::MemberIdExists);
    let twice = MemberChange::Add { id: NEW, peer_urls: at(B), voter: true };
    assert_eq!(refusal(&mut rig, twice), Error::PeerUrlExists);
    let nowhere = MemberChange::Add { id: NEW, peer_urls: vec![], voter: true };
    assert_eq!(refusal(&mut rig, nowhere), Error::BadPeerUrls);
    for unknown in [
        MemberChange::Remove { id: NEW },
        MemberChange::Update { id: NEW, peer_urls: at(NEW) },
        MemberChange::Promote { id: NEW },
        MemberChange::Demote { id: NEW },
        MemberChange::Replace { old: NEW, id: NodeId(10), peer_urls: at(NEW) },
    ] {
        assert_eq!(refusal(&mut rig, unknown), Error::MemberNotFound);
    }
    assert_eq!(refusal(&mut rig, MemberChange::Promote { id: A }), Error::MemberNotLearner);
    let moved = MemberChange::Update { id: A, peer_urls: at(B) };
    assert_eq!(refusal(&mut rig, moved), Error::PeerUrlExists);
    let same = MemberChange::Update { id: A, peer_urls: at(A) };
    assert_eq!(verdict(&mut rig, same), Some(Ok(())), "nothing to do is done");
    assert_eq!(verdict(&mut rig, add_learner(NEW)), None);
    assert!(matches!(fulfil(&mut rig)[..], [(_, Ok(()))]));
    assert_eq!(refusal(&mut rig, add_learner(NodeId(10))), Error::TooManyLearners);
}

#[test]
fn a_removal_that_leaves_too_few_started_voters_is_refused() {
    let mut rig = Rig::cold();
    configure(&mut rig, &voters(&[A, B, C]));
    start(&mut rig, A);
    start(&mut rig, B);
    // Of B and C only B has started.
    assert_eq!(refusal(&mut rig, MemberChange::Remove { id: A }), Error::NotEnoughStarted);
    assert_eq!(refusal(&mut rig, MemberChange::Demote { id: A }), Error::NotEnoughStarted);
    assert_eq!(verdict(&mut rig, MemberChange::Remove { id: C }), None, "it never started");
    let mut rig = cluster(&[A]);
    assert_eq!(refusal(&mut rig, MemberChange::Remove { id: A }), Error::NotEnoughStarted);
}

#[test]
fn a_newcomer_is_a_learner_first_and_its_vote_comes_with_a_promotion() {
    let mut rig = cluster(&[A]);
    let ticket = wish(&mut rig, add(NEW));
    assert_eq!(fulfil(&mut rig), [(ticket, Ok(()))]);
    let membership = rig.store.membership().unwrap();
    assert_eq!((membership.voters.len(), membership.learners.len()), (1, 1));
    assert_eq!(MemberTable::of(membership).unwrap().seats[&NEW].part, Part::Voter);
    let ticket = wish(&mut rig, MemberChange::Promote { id: NEW });
    assert_eq!(fulfil(&mut rig), [(ticket, Ok(()))]);
    assert_eq!(rig.store.membership().unwrap().voters, BTreeSet::from([A, NEW]));
}

#[test]
fn wishes_are_judged_one_after_the_other() {
    let mut rig = cluster(&[A, B, C]);
    let first = wish(&mut rig, add(NEW));
    let second = wish(&mut rig, add(NEW));
    let third = wish(&mut rig, MemberChange::Remove { id: NEW });
    assert_eq!(rig.store.take_settled(), []);
    assert_eq!(fulfil(&mut rig), [(first, Ok(())), (second, Err(Error::MemberIdExists))]);
    assert_eq!(rig.store.wish().unwrap().ticket, third);
    assert_eq!(fulfil(&mut rig), [(third, Ok(()))]);
    assert_eq!(refusal(&mut rig, add(NEW)), Error::MemberIdExists, "an id never comes back");
    assert_eq!(refusal(&mut rig, MemberChange::Remove { id: NEW }), Error::MemberNotFound);
}

#[test]
fn wishes_and_who_was_removed_are_in_the_number_of_the_state() {
    let mut rig = cluster(&[A, B, C]);
    let mut numbers = vec![rig.store.state_hash()];
    wish(&mut rig, MemberChange::Remove { id: C });
    numbers.push(rig.store.state_hash());
    wish(&mut rig, add(NEW));
    numbers.push(rig.store.state_hash());
    fulfil(&mut rig);
    numbers.push(rig.store.state_hash());
    rig.flush();
    assert_eq!(rig.restarted().store.state_hash(), numbers[3], "a restart changes nothing");
    numbers.dedup();
    assert_eq!(numbers.len(), 4);
}

#[test]
fn a_leader_refuses_the_first_in_line_and_no_other() {
    let mut rig = cluster(&[A, B, C]);
    let first = wish(&mut rig, MemberChange::Remove { id: A });
    let second = wish(&mut rig, MemberChange::Remove { id: B });
    let refusal = MemberRefusal::Unhealthy;
    rig.ok(&Command::Settle { ticket: second, refusal });
    assert_eq!(rig.store.take_settled(), []);
    rig.ok(&Command::Settle { ticket: first, refusal });
    assert_eq!(rig.store.take_settled(), [(first, Err(Error::Unhealthy))]);
    rig.ok(&Command::Settle { ticket: first, refusal });
    assert_eq!(rig.store.wish().unwrap().ticket, second);
}

#[test]
fn wishes_wait_for_a_first_configuration_and_their_line_is_bounded() {
    let mut rig = Rig::cold();
    let tickets: Vec<u64> = (0..MAX_WISHES).map(|_| wish(&mut rig, add(NEW))).collect();
    assert_eq!(rig.refused(&Command::Member(add(NEW))), Error::TooManyWishes);
    assert!(rig.store.wants_membership() && rig.store.wish().is_none());
    configure(&mut rig, &voters(&[A]));
    assert_eq!(rig.store.wish().unwrap().ticket, tickets[0]);
    let settled = fulfil(&mut rig);
    assert_eq!(settled[0], (tickets[0], Ok(())));
    assert!(settled[1..].iter().all(|(_, result)| *result == Err(Error::MemberIdExists)));
    assert_eq!(settled.len(), MAX_WISHES);
}

#[test]
fn a_replaced_voter_goes_when_its_heir_gets_the_vote() {
    let mut rig = cluster(&[A, B, C]);
    let replace = MemberChange::Replace { old: C, id: NEW, peer_urls: vec![url(C)] };
    let ticket = wish(&mut rig, replace);
    assert_eq!(fulfil(&mut rig), [(ticket, Ok(()))]);
    let membership = rig.store.membership().unwrap();
    assert_eq!(membership.voters, BTreeSet::from([A, B, C]));
    assert_eq!(MemberTable::of(membership).unwrap().seats[&NEW].replaces, Some(C));
    wish(&mut rig, MemberChange::Promote { id: NEW });
    fulfil(&mut rig);
    let membership = rig.store.membership().unwrap();
    assert_eq!(membership.voters, BTreeSet::from([A, B, NEW]));
    assert!(rig.store.was_removed(C) && !membership.contains(C));
}

#[test]
fn whoever_replaces_a_newcomer_takes_the_place_that_it_was_to_take() {
    let mut rig = cluster(&[A, B, C]);
    let newer = NodeId(10);
    wish(&mut rig, MemberChange::Replace { old: C, id: NEW, peer_urls: vec![url(C)] });
    fulfil(&mut rig);
    let replace = MemberChange::Replace { old: NEW, id: newer, peer_urls: vec![url(C)] };
    let ticket = wish(&mut rig, replace);
    assert_eq!(fulfil(&mut rig), [(ticket, Ok(()))]);
    let seats = MemberTable::of(rig.store.membership().unwrap()).unwrap().seats;
    assert!(!seats.contains_key(&NEW) && seats[&newer].replaces == Some(C));
    wish(&mut rig, MemberChange::Promote { id: newer });
    fulfil(&mut rig);
    assert_eq!(rig.store.membership().unwrap().voters, BTreeSet::from([A, B, newer]));
}

#[test]
fn what_a_removed_member_said_goes_with_it() {
    let mut rig = cluster(&[A, B, C]);
    let raise = |id| Command::Alarm {
        action: AlarmAction::Activate,
        member: Some(id),
        alarm: Some(Alarm::NoSpace),
    };
    let short = Command::SpaceReport { member: C, short: true };
    rig.ok(&raise(C));
    rig.ok(&short);
    wish(&mut rig, MemberChange::Remove { id: C });
    fulfil(&mut rig);
    assert!(!rig.store.has_alarm(Alarm::NoSpace) && rig.store.members().all(|it| it.id != C));
    // Told before it went, applied afterwards.
    start(&mut rig, C);
    rig.ok(&short);
    assert!(!rig.store.has_alarm(Alarm::NoSpace) && rig.store.members().all(|it| it.id != C));
}

#[test]
fn a_learner_that_goes_with_the_first_half_of_a_change_is_forgotten_too() {
    let mut rig = cluster(&[A, B, C]);
    rig.ok(&Command::SpaceReport { member: C, short: true });
    wish(&mut rig, MemberChange::Replace { old: C, id: NEW, peer_urls: vec![url(C)] });
    fulfil(&mut rig);
    wish(&mut rig, MemberChange::Demote { id: C });
    fulfil(&mut rig);
    // The joint configuration has no place for it already, so the one behind it does not lose it.
    wish(&mut rig, MemberChange::Promote { id: NEW });
    fulfil(&mut rig);
    let membership = rig.store.membership().unwrap();
    assert_eq!(membership.members(), BTreeSet::from([A, B, NEW]));
    assert!(rig.store.was_removed(C) && rig.store.members().all(|it| it.id != C));
    assert!(!rig.store.has_alarm(Alarm::NoSpace), "who is gone keeps nobody from writing");
    let back = MemberChange::Add { id: C, peer_urls: vec![url(C)], voter: true };
    assert_eq!(refusal(&mut rig, back), Error::MemberIdExists);
}

/// Ids, wishes in line, the removed: all of it by the book, without tables or flags.
#[derive(Default)]
struct Twin {
    voters: BTreeSet<NodeId>,
    learners: BTreeSet<NodeId>,
    urls: BTreeMap<NodeId, Vec<String>>,
    removed: BTreeSet<NodeId>,
    line: VecDeque<u64>,
}

impl Twin {
    fn see(&mut self, membership: &Membership) {
        let before: BTreeSet<_> = self.voters.union(&self.learners).copied().collect();
        self.voters.clone_from(&membership.voters);
        self.learners.clone_from(&membership.learners);
        let seats = MemberTable::of(membership).unwrap().seats;
        self.urls = seats.into_iter().map(|(id, seat)| (id, seat.peer_urls)).collect();
        self.removed.extend(before.iter().filter(|id| !membership.contains(**id)));
    }
}

#[test]
fn whatever_is_wished_the_laws_hold_and_a_restart_changes_nothing() {
    let mut settled_well = 0;
    for seed in 0..300 {
        let mut draw = Draw::new(seed);
        let mut rig = cluster(&[A, B, C]);
        let mut twin = Twin::default();
        twin.see(rig.store.membership().unwrap());
        for _ in 0..60 {
            match draw.below(5) {
                0..=1 => {
                    let command = draw.wish();
                    if let Ok(Outcome::Queued(ticket)) = rig.apply(&command).outcome {
                        twin.line.push_back(ticket);
                    }
                }
                2 if rig.store.wish().is_some() => {
                    let before = rig.store.membership().unwrap().clone();
                    let change = rig.store.wish().unwrap().change.clone();
                    let next = change.on(&before).unwrap();
                    assert!(next.is_sane() && next != before, "seed {seed}: {change:?}");
                    // A leader that brings several learners in at once goes the long way.
                    if draw.below(2) == 0 {
                        reach(&mut rig, &next);
                    } else {
                        configure(&mut rig, &next);
                    }
                    twin.see(&next);
                }
                3 => start(&mut rig, NodeId(1 + draw.below(7) as u64)),
                _ => {
                    rig.flush();
                    let settled = rig.store.take_settled();
                    rig = rig.restarted();
                    note(&mut twin, settled, &mut settled_well);
                }
            }
            let settled = rig.store.take_settled();
            note(&mut twin, settled, &mut settled_well);
            check(&rig, &twin, seed);
        }
    }
    assert!(settled_well > 1_000, "only {settled_well} wishes came true");
}

/// Wishes are settled in the order in which they came, each once.
fn note(twin: &mut Twin, settled: Vec<(u64, Result<(), Error>)>, well: &mut usize) {
    for (ticket, result) in settled {
        assert_eq!(twin.line.pop_front(), Some(ticket));
        *well += usize::from(result.is_ok());
    }
}

fn check(rig: &Rig, twin: &Twin, seed: u64) {
    let membership = rig.store.membership().unwrap();
    assert_eq!((&membership.voters, &membership.learners), (&twin.voters, &twin.learners));
    let table = MemberTable::of(membership).unwrap();
    assert!(table.seats.keys().copied().eq(membership.members()), "seed {seed}");
    assert!((1..=7).map(NodeId).all(|id| rig.store.was_removed(id) == twin.removed.contains(&id)));
    assert!(twin.removed.iter().all(|id| !membership.contains(*id)), "seed {seed}: one came back");
    assert!(rig.store.members().all(|it| !twin.removed.contains(&it.id)), "seed {seed}");
    // No two members share an address, but for one that takes the other's place.
    for (id, seat) in &table.seats {
        for (other, theirs) in table.seats.range(..id) {
            let heir = seat.replaces == Some(*other) || theirs.replaces == Some(*id);
            let shared = seat.peer_urls.iter().any(|url| theirs.peer_urls.contains(url));
            assert!(heir || !shared, "seed {seed}: {id} and {other} share an address");
        }
    }
    assert_eq!(rig.store.wish().map(|wish| wish.ticket), twin.line.front().copied());
}
