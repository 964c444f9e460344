//! The arithmetic of majorities beside a twin too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use protocol::NodeId;
use protocol::quorum::{Outcome, Voters};

type Set = BTreeSet<NodeId>;

/// Whether those who satisfy `is` are more than half of `set`; nobody's majority is everybody.
fn is_majority(set: &Set, is: impl Fn(NodeId) -> bool) -> bool {
    set.is_empty() || 2 * set.iter().filter(|&&id| is(id)).count() > set.len()
}

/// Tries every value from the greatest down.
fn reached(incoming: &Set, outgoing: &Set, values: &BTreeMap<NodeId, u8>) -> Option<u8> {
    if incoming.is_empty() && outgoing.is_empty() {
        return None;
    }
    let at_least = |least: u8| move |id: NodeId| values.get(&id).copied().unwrap_or(0) >= least;
    (0..=u8::MAX).rev().find(|&least| {
        is_majority(incoming, at_least(least)) && is_majority(outgoing, at_least(least))
    })
}

/// Counts yes and no.
fn outcome(incoming: &Set, outgoing: &Set, votes: &BTreeMap<NodeId, bool>) -> Outcome {
    let said = |what| move |id: NodeId| votes.get(&id) == Some(&what);
    let open = |what| move |id: NodeId| votes.get(&id).is_none_or(|&vote| vote == what);
    if incoming.is_empty() && outgoing.is_empty() {
        Outcome::Lost
    } else if is_majority(incoming, said(true)) && is_majority(outgoing, said(true)) {
        Outcome::Won
    } else if is_majority(incoming, open(true)) && is_majority(outgoing, open(true)) {
        Outcome::Open
    } else {
        Outcome::Lost
    }
}

fn set() -> impl Strategy<Value = Set> {
    prop::collection::btree_set((1..9u64).prop_map(NodeId), 0..8)
}

fn said<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = BTreeMap<NodeId, T>> {
    prop::collection::btree_map((1..9u64).prop_map(NodeId), value, 0..9)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_a_majority_reached(a in set(), b in set(), values in said(0..6u8)) {
        let value = |id: NodeId| values.get(&id).copied().unwrap_or(0);
        let (simple, joint) = (Voters::simple(a.clone()), Voters::joint(a.clone(), b.clone()));
        prop_assert_eq!(simple.reached(value), reached(&a, &Set::new(), &values));
        prop_assert_eq!(joint.reached(value), reached(&a, &b, &values));
    }

    #[test]
    fn how_a_vote_stands(a in set(), b in set(), votes in said(any::<bool>())) {
        let vote = |id: NodeId| votes.get(&id).copied();
        prop_assert_eq!(Voters::simple(a.clone()).outcome(vote), outcome(&a, &Set::new(), &votes));
        prop_assert_eq!(Voters::joint(a.clone(), b.clone()).outcome(vote), outcome(&a, &b, &votes));
    }

    #[test]
    fn two_majorities_share_a_member(a in set(), x in set(), y in set()) {
        let wins = |side: &Set| {
            Voters::simple(a.clone()).outcome(|id| Some(side.contains(&id))) == Outcome::Won
        };
        if wins(&x) && wins(&y) {
            prop_assert!(a.iter().any(|id| x.contains(id) && y.contains(id)));
        }
    }
}

#[test]
fn one_voter_decides_alone() {
    let voters = |ids: &[u64]| ids.iter().map(|&id| NodeId(id)).collect::<Set>();
    assert!(Voters::simple(voters(&[3])).is_only(NodeId(3)));
    assert!(!Voters::simple(voters(&[3])).is_only(NodeId(4)));
    assert!(!Voters::simple(voters(&[3, 4])).is_only(NodeId(3)));
    assert!(!Voters::joint(voters(&[3]), voters(&[4])).is_only(NodeId(3)));
    assert!(!Voters::simple(Set::new()).is_only(NodeId(3)));
}
