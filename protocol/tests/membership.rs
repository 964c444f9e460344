//! Configurations as bytes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeSet;

use bytes::Bytes;
use protocol::raft::{Membership, MembershipError};
use protocol::{NodeId, Rng};

fn drawn(rng: &mut Rng) -> Membership {
    let mut ids = |least: u64| -> BTreeSet<NodeId> {
        let count = least + rng.below(4);
        (0..count).map(|_| NodeId(rng.next() >> rng.below(64))).collect()
    };
    let (voters, outgoing, mut learners) = (ids(1), ids(0), ids(0));
    learners.retain(|id| !voters.contains(id));
    let length = usize::try_from(rng.below(20)).unwrap();
    let context = Bytes::from(vec![7; length]);
    Membership { voters, outgoing, learners, context }
}

#[test]
fn what_is_written_is_read_again() {
    let mut rng = Rng::new(1);
    for _ in 0..2_000 {
        let membership = drawn(&mut rng);
        assert_eq!(Membership::decode(&membership.encode()), Ok(membership));
    }
}

#[test]
fn shorter_longer_and_newer_bytes_are_refused() {
    let mut rng = Rng::new(2);
    for _ in 0..200 {
        let bytes = drawn(&mut rng).encode();
        for end in 0..bytes.len() {
            assert_eq!(Membership::decode(&bytes.slice(..end)), Err(MembershipError::Length));
        }
        let longer = Bytes::from([&bytes[..], &[0]].concat());
        assert_eq!(Membership::decode(&longer), Err(MembershipError::Length));
        let newer = Bytes::from([&[2], &bytes[1..]].concat());
        assert_eq!(Membership::decode(&newer), Err(MembershipError::Version(2)));
    }
}

#[test]
fn flipped_bytes_never_panic_and_never_give_the_absurd() {
    let mut rng = Rng::new(3);
    for _ in 0..20_000 {
        let mut bytes = drawn(&mut rng).encode().to_vec();
        let place = usize::try_from(rng.below(bytes.len() as u64)).unwrap();
        bytes[place] ^= 1 << rng.below(8);
        if let Ok(membership) = Membership::decode(&bytes.into()) {
            assert!(membership.is_sane());
        }
    }
}

#[test]
fn nobody_to_vote_or_a_voter_that_only_listens_is_absurd() {
    let one = || BTreeSet::from([NodeId(1)]);
    let nobody = Membership { learners: one(), ..Membership::default() };
    let both = Membership { learners: one(), ..Membership::of([NodeId(1)]) };
    for absurd in [nobody, both] {
        assert_eq!(Membership::decode(&absurd.encode()), Err(MembershipError::Absurd));
    }
    // A voter on its way to being a learner.
    let way = Membership { outgoing: one(), learners: one(), ..Membership::of([NodeId(2)]) };
    assert!(way.is_sane() && way.votes(NodeId(1)) && way.is_joint());
}
