//! The explorer of the real Raft core: what it counts, what it finds, and that it can be believed.
//!
//! A planted bug is planted for the whole process, so a build with the feature `mutants` runs only
//! the test that plants.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use sim::explore::{BOXES, Bounds, Explorer, Report};

fn named(name: &str) -> Bounds {
    BOXES.iter().find(|named| named.name == name).unwrap().bounds
}

fn explore(bounds: Bounds) -> Report {
    Explorer::new(bounds).run(u64::MAX, &mut |_| true)
}

#[cfg(not(feature = "mutants"))]
mod sound {
    use protocol::raft::Role;
    use sim::explore::{Bounds, Explorer, Law, NODES};

    use super::{explore, named};

    /// The numbers say that nothing has changed, not that nothing may: a change of what the core
    /// keeps, sends or writes moves them.
    #[test]
    fn a_box_has_as_many_states_as_ever_and_none_breaks_a_law() {
        let report = explore(named("tiny"));
        assert!(report.finished, "{report}");
        assert!(report.violation.is_none(), "{report}");
        let counts = (report.states, report.transitions, report.depth);
        assert_eq!(counts, (49_366, 133_270, 27), "{report}");
        assert_eq!((report.local_states, report.messages), (978, 126), "{report}");
    }

    #[test]
    fn telling_names_apart_finds_more_states_and_says_the_same() {
        let one = explore(named("tiny"));
        let all = explore(Bounds { symmetry: false, ..named("tiny") });
        assert!(one.finished && all.finished);
        assert_eq!(one.depth, all.depth);
        assert_eq!((one.local_states, one.messages), (all.local_states, all.messages));
        assert!(all.states > 5 * one.states && all.states <= 6 * one.states);
    }

    #[test]
    fn a_false_claim_is_refuted_by_the_shortest_way_which_can_be_played_again() {
        let mut explorer = Explorer::refuting(named("small"), |nodes| {
            nodes.iter().filter(|node| node.role == Role::Leader).count() < 2
        });
        let report = explorer.run(u64::MAX, &mut |_| true);
        assert!(!report.finished);
        let found = report.violation.unwrap();
        assert_eq!(found.broken.law, Law::Claim);
        // Two campaigns of five steps: timer, write, the vote's way, its write, its way back.
        assert_eq!(found.events.len(), 10, "{found}");
        let nodes = found.replay().unwrap();
        let leaders = nodes.iter().filter(|node| node.role == Role::Leader);
        assert_eq!(leaders.count(), 2, "{found}");
        let told = found.to_string();
        assert!(told.contains("timer fires") && told.contains("lost from"), "{told}");
    }

    /// Everybody can come to know everything, even here: the box is not empty of progress.
    #[test]
    fn all_that_is_proposed_can_be_committed_everywhere() {
        let mut explorer = Explorer::refuting(named("tiny"), |nodes| {
            nodes.iter().filter(|node| node.applied.0 == 2).count() < NODES
        });
        let found = explorer.run(u64::MAX, &mut |_| true).violation.unwrap();
        assert!(found.replay().unwrap().iter().all(|node| node.applied.0 == 2), "{found}");
    }

    /// The numbers say what those of `tiny` do, where the members change as well.
    #[test]
    fn a_learner_joins_and_votes_and_no_law_is_broken() {
        let report = explore(named("join"));
        assert!(report.finished && report.violation.is_none(), "{report}");
        let counts = (report.states, report.transitions, report.depth);
        assert_eq!(counts, (1_040, 1_745, 24), "{report}");
    }

    #[test]
    fn a_change_of_members_can_be_completed_by_one_that_joined() {
        let mut explorer = Explorer::refuting(named("join"), |nodes| {
            let [_, joined, _] = nodes;
            let voters = joined.membership.voters.len();
            voters < 2 || joined.role != Role::Leader || joined.applied.0 < 4
        });
        let found = explorer.run(u64::MAX, &mut |_| true).violation.unwrap();
        let nodes = found.replay().unwrap();
        assert_eq!(nodes[1].role, Role::Leader, "{found}");
    }

    #[test]
    fn an_exploration_can_pause() {
        let whole = explore(named("tiny"));
        let mut explorer = Explorer::new(named("tiny"));
        let part = explorer.run(10_000, &mut |_| true);
        assert!(!part.finished && part.states >= 10_000 && part.states < whole.states);
        let part = explorer.run(u64::MAX, &mut |_| false);
        assert!(!part.finished);
        let rest = explorer.run(u64::MAX, &mut |_| true);
        assert!(rest.finished);
        assert_eq!((rest.states, rest.transitions), (whole.states, whole.transitions));
    }
}

#[cfg(feature = "mutants")]
mod planted {
    use protocol::mutant::{Mutant, plant};
    use sim::explore::Law;

    use super::{explore, named};

    /// The bug, a box that is large enough to show it, and the law that it breaks first.
    const FOUND: &[(Mutant, &str, Law)] = &[
        (Mutant::R1, "tiny", Law::VoteDurable),
        (Mutant::R2, "tiny", Law::VoteDurable),
        (Mutant::R3, "small", Law::LeaderCompleteness),
        (Mutant::R4, "terms", Law::LeaderCompleteness),
        (Mutant::R5, "disk", Law::CommitOwnTerm),
        (Mutant::R6, "small", Law::CommitDurable),
        (Mutant::R7, "stream", Law::CommitDurable),
        (Mutant::R8, "tiny", Law::AckDurable),
        (Mutant::R9, "disk", Law::CommitDurable),
        (Mutant::R10, "tiny", Law::CommitDurable),
        (Mutant::R11, "late", Law::CommitDurable),
        (Mutant::R12, "heartbeat", Law::StateMachineSafety),
        (Mutant::R19, "shrink", Law::LeaderCompleteness),
        (Mutant::R21, "promote", Law::CommitDurable),
        (Mutant::R22, "remove", Law::CommitDurable),
        (Mutant::W8, "disk", Law::VoteDurable),
    ];

    #[test]
    fn planted_bugs_are_found_and_their_stories_can_be_played_again() {
        for &(mutant, name, law) in FOUND {
            plant(Some(mutant));
            let report = explore(named(name));
            let found = report.violation.unwrap_or_else(|| panic!("{mutant:?} survives {name}"));
            assert_eq!(found.broken.law, law, "{mutant:?}: {found}");
            assert!(found.events.len() <= 25, "{mutant:?}: {found}");
            // A law that one node breaks alone is broken again; the others need to see all three.
            let alone = found.replay().err().map(|broken| broken.law);
            assert!(alone.is_none_or(|again| again == law), "{mutant:?}: {found}");
            println!("{mutant:?} in box {name}, {} states: {found}", report.states);
        }
        plant(None);
        let report = explore(named("tiny"));
        assert!(report.finished && report.violation.is_none(), "without a bug: {report}");
    }
}
