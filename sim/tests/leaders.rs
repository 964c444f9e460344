//! Every line of the seeds about electing a leader has a story, and every story holds.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use sim::compare::gallery::{all, find};

/// Plays a story twice: it holds, is the same each time, and can be drawn and told.
fn holds(tag: &str) {
    let story = find(tag).unwrap();
    let (outcome, again) = (story.run(), story.run());
    assert_eq!(
        outcome.verdict,
        Ok(()),
        "{tag}, seed {}:\n{}",
        outcome.seed,
        outcome.timeline(false)
    );
    assert_eq!(outcome.record, again.record);
    let drawn = outcome.to_svg(&story);
    assert_eq!(drawn, again.to_svg(&story));
    assert!(!drawn.contains("NaN") && drawn.trim_end().ends_with("</svg>"));
    assert!(drawn.contains("<line ") && drawn.contains("<circle "), "{tag} draws nothing");
    let told = outcome.timeline(false);
    assert!(told.lines().count() > 5, "{tag} tells nothing:\n{told}");
    assert!(outcome.timeline(true).len() >= told.len());
}

macro_rules! stories {
    ($($name:ident $tag:literal)*) => {
        $(#[test]
        fn $name() {
            holds($tag);
        })*

        #[test]
        fn every_story_is_played() {
            let played = [$($tag),*];
            for story in all() {
                assert!(played.contains(&story.tag), "{} is not played", story.tag);
            }
        }
    };
}

stories! {
    s2_01_the_highest_live_id_wins "s2_01"
    s2_02_the_freshest_wins "s2_02"
    s2_03_a_flapping_highest_node "s2_03"
    s2_04_raft_votes_and_terms "s2_04"
    s2_05_roles_and_states_of_zab "s2_05"
    s2_06_the_walk_through_of_three_servers "s2_06"
    s2_07_messages_of_the_first_round "s2_07"
    s2_08_one_crash_three_algorithms "s2_08"
    s2_09_two_halves "s2_09"
    s2_10_a_deposed_leader_is_refused "s2_10"
}

#[test]
fn stories_have_tags_of_their_own() {
    let all = all();
    for pair in all.windows(2) {
        assert!(pair[0].tag < pair[1].tag, "{} stands twice", pair[1].tag);
    }
    for story in all {
        assert!(
            sim::gallery::find(story.tag).is_none()
                && sim::pool::gallery::find(story.tag).is_none()
        );
    }
}
