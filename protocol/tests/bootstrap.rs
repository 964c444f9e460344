//! What one server does with what it sees of others.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use protocol::bootstrap::{
    Config, Founding, Input, Output, Pledge, Restored, Seat, Shown, Sighting, Status, Warning,
    WriteId,
};
use protocol::{ClusterId, NodeId};

fn seat(id: u64) -> Seat {
    Seat { id: NodeId(id), name: format!("s{id}"), peer: format!("h{id}:2380") }
}

fn pledge(ids: &[u64]) -> Pledge {
    Pledge::new(ids.iter().copied().map(NodeId)).unwrap()
}

fn server(id: u64, expect: usize, held: Option<&[u64]>) -> Founding {
    let restored = Restored { pledge: held.map(pledge), cluster: None };
    let mut founding = Founding::new(Config { own: seat(id), expect }, restored);
    founding.poll_output().unwrap();
    founding
}

fn shows(id: u64, held: Option<&[u64]>, cluster: Option<u64>) -> Sighting {
    let shown = Shown { pledge: held.map(pledge), cluster: cluster.map(ClusterId) };
    Sighting { seat: seat(id), expect: Some(3), shown }
}

/// What comes of seeing this of somebody alive.
fn see(founding: &mut Founding, sighting: Sighting) -> Vec<Output> {
    founding.handle(Input::Saw { sighting, alive: true });
    std::iter::from_fn(|| founding.poll_output()).collect()
}

fn persist(id: u64, ids: &[u64]) -> Output {
    Output::Persist { id: WriteId(id), pledge: pledge(ids) }
}

#[test]
fn the_lowest_three_pledge_and_a_fourth_waits_for_them() {
    let mut one = server(1, 3, None);
    assert_eq!(see(&mut one, shows(4, None, None)), []);
    assert_eq!(one.status(), Status::Meeting { met: 2, expect: 3 });
    assert_eq!(see(&mut one, shows(2, None, None)), [persist(1, &[1, 2, 4])]);
    // What it is writing is not shown, and nothing else is decided meanwhile.
    assert_eq!(see(&mut one, shows(3, None, None)), []);
    one.handle(Input::Persisted(WriteId(1)));
    let shown = Shown { pledge: Some(pledge(&[1, 2, 4])), cluster: None };
    assert_eq!(one.poll_output(), Some(Output::Show(shown)));

    let mut five = server(5, 3, None);
    assert_eq!(see(&mut five, shows(1, Some(&[1, 2, 3]), None)), []);
    for id in [2, 3, 4] {
        assert_eq!(see(&mut five, shows(id, None, None)), []);
    }
    assert_eq!(five.status(), Status::Watching);
}

#[test]
fn a_pledge_is_left_only_when_it_can_never_come_to_be() {
    let mut three = server(3, 3, Some(&[2, 3, 4]));
    // A lower one that names this server is no reason.
    assert_eq!(see(&mut three, shows(1, Some(&[1, 3, 5]), None)), []);
    assert_eq!(see(&mut three, shows(5, Some(&[1, 3, 5]), None)), []);
    // Nor is a higher one of somebody in it.
    assert_eq!(see(&mut three, shows(4, Some(&[4, 5, 6]), None)), []);
    let left = see(&mut three, shows(2, Some(&[1, 2, 5]), None));
    assert_eq!(left, [persist(1, &[1, 3, 5])]);
}

#[test]
fn all_have_to_have_pledged_and_may_be_gone_by_then() {
    let mut one = server(1, 3, Some(&[1, 2, 3]));
    assert_eq!(see(&mut one, shows(2, Some(&[1, 2, 3]), None)), []);
    assert_eq!(see(&mut one, shows(3, None, None)), []);
    let missing = vec!["s3".to_owned()];
    assert_eq!(one.status(), Status::Pledged { pledge: pledge(&[1, 2, 3]), missing });
    let sighting = shows(3, Some(&[1, 2, 3]), None);
    one.handle(Input::Saw { sighting, alive: false });
    assert_eq!(one.poll_output(), Some(Output::Form(vec![seat(1), seat(2), seat(3)])));
    one.handle(Input::Settled(ClusterId(7)));
    let shown = Shown { pledge: Some(pledge(&[1, 2, 3])), cluster: Some(ClusterId(7)) };
    assert_eq!(one.poll_output(), Some(Output::Show(shown)));
}

#[test]
fn a_founders_word_is_enough_and_that_of_a_follower_is_none() {
    let mut one = server(1, 3, Some(&[1, 2, 3]));
    see(&mut one, shows(2, Some(&[1, 2, 3]), None));
    see(&mut one, shows(3, None, None));
    assert!(matches!(see(&mut one, shows(2, Some(&[1, 2, 3]), Some(7)))[..], [Output::Form(_)]));

    let mut one = server(1, 3, Some(&[1, 2, 3]));
    see(&mut one, shows(2, Some(&[1, 2, 3]), None));
    assert_eq!(see(&mut one, shows(2, None, Some(7))), [Output::Follow(ClusterId(7))]);
    one.handle(Input::Settled(ClusterId(7)));
    let shown = Shown { pledge: None, cluster: Some(ClusterId(7)) };
    assert_eq!(one.poll_output(), Some(Output::Show(shown)));
}

/// The word of a founder is enough for those who hold its pledge: a follower that showed one beside
/// its cluster would make them found a second one.
#[test]
fn a_pledge_that_was_being_written_when_a_cluster_was_followed_is_never_shown() {
    let mut four = server(4, 3, None);
    assert_eq!(see(&mut four, shows(1, Some(&[1, 2, 4]), None)), []);
    assert_eq!(see(&mut four, shows(2, None, None)), [persist(1, &[1, 2, 4])]);
    four.handle(Input::Settled(ClusterId(7)));
    four.handle(Input::Persisted(WriteId(1)));
    let shown: Vec<Output> = std::iter::from_fn(|| four.poll_output()).collect();
    assert_eq!(shown, [Output::Show(Shown { pledge: None, cluster: Some(ClusterId(7)) })]);
    assert_eq!(four.pledge(), None);
}

#[test]
fn beside_a_cluster_that_is_away_or_two_of_them_none_is_founded() {
    let mut one = server(1, 1, Some(&[1]));
    // With one, it is alone enough.
    assert!(matches!(one.poll_output(), Some(Output::Form(_))));

    let mut one = server(1, 3, None);
    one.handle(Input::Saw { sighting: shows(9, None, Some(7)), alive: false });
    for id in [2, 3] {
        assert_eq!(see(&mut one, shows(id, None, None)), []);
    }
    assert_eq!(one.status(), Status::Barred);
    let told = see(&mut one, shows(8, None, Some(6)));
    let two = |one: (u64, &str), other: (u64, &str)| Warning::TwoClusters {
        one: (ClusterId(one.0), one.1.to_owned()),
        other: (ClusterId(other.0), other.1.to_owned()),
    };
    assert_eq!(told, [Output::Warn(two((6, "s8"), (7, "s9")))]);
    // Once the pool has forgotten one of them, the other is followed.
    one.handle(Input::Forgotten(NodeId(9)));
    assert_eq!(one.poll_output(), Some(Output::Follow(ClusterId(6))));
}

#[test]
fn whoever_expects_another_number_or_shares_a_name_is_told_of_and_left_out() {
    let mut one = server(1, 2, None);
    let told = see(&mut one, shows(2, None, None));
    let other = Warning::OtherNumber { name: "s2".to_owned(), theirs: 3, ours: 2 };
    assert_eq!(told, [Output::Warn(other)]);
    // Once is enough.
    assert_eq!(see(&mut one, shows(2, None, None)), []);

    let mut one = server(1, 3, None);
    see(&mut one, shows(2, None, None));
    let mut twin = shows(3, None, None);
    twin.seat.name = "s1".to_owned();
    let told = see(&mut one, twin);
    assert!(matches!(told[..], [Output::Warn(Warning::Same { .. })]), "{told:?}");
    assert_eq!(see(&mut one, shows(4, None, None)), [], "not while its name is another's, too");
    one.handle(Input::Forgotten(NodeId(3)));
    assert_eq!(one.poll_output(), Some(persist(1, &[1, 2, 4])));
}

#[test]
fn what_cannot_be_is_not_believed() {
    let mut one = server(1, 3, Some(&[1, 2, 3]));
    let told = see(&mut one, shows(2, Some(&[3, 4, 5]), None));
    assert_eq!(told, [Output::Warn(Warning::Absurd { name: "s2".to_owned() })]);
    see(&mut one, shows(2, Some(&[1, 2, 3]), None));
    let told = see(&mut one, shows(2, Some(&[2, 3, 4]), None));
    assert_eq!(told, [Output::Warn(Warning::Forgot { name: "s2".to_owned() })]);
    let formed = see(&mut one, shows(3, Some(&[1, 2, 3]), None));
    assert!(matches!(formed[..], [Output::Form(_)]), "{formed:?}");
}

#[test]
fn a_dead_server_that_has_pledged_nothing_holds_nobody_else_up() {
    let mut two = server(2, 3, None);
    two.handle(Input::Saw { sighting: shows(9, None, None), alive: false });
    see(&mut two, shows(1, Some(&[1, 2, 9]), None));
    assert_eq!(two.status(), Status::Meeting { met: 1, expect: 3 });
    see(&mut two, shows(3, None, None));
    assert_eq!(see(&mut two, shows(4, None, None)), [persist(1, &[2, 3, 4])]);
}

/// Texts of warnings are others' to choose, and so is their number.
#[test]
fn a_flood_of_one_warning_is_bounded_and_hides_no_other() {
    let mut one = server(1, 3, Some(&[1, 2, 3]));
    let mut told = Vec::new();
    for id in 1_000..3_000 {
        // Names no pledge could name: nothing is kept of them.
        told.extend(see(&mut one, shows(id, Some(&[7, 8, 9]), None)));
    }
    let absurd = |output: &Output| matches!(output, Output::Warn(Warning::Absurd { .. }));
    assert!(told.iter().all(absurd));
    assert_eq!(told.len(), 64);
    see(&mut one, shows(2, Some(&[1, 2, 3]), None));
    let told = see(&mut one, shows(2, Some(&[2, 3, 4]), None));
    assert_eq!(told, [Output::Warn(Warning::Forgot { name: "s2".to_owned() })]);
}
