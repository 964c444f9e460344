//! The gallery: every line of the seeds about Raft has a story, and every story holds.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use sim::gallery::{all, find};
use sim::trace::{svg, timeline};

/// The lines of the seed documents that the gallery tells.
fn tags() -> Vec<String> {
    let lines = |seed: u32, lines: std::ops::RangeInclusive<u32>| {
        lines.map(move |line| format!("s{seed}_{line:02}"))
    };
    lines(0, 1..=6).chain(lines(1, 1..=22)).collect()
}

#[test]
fn every_line_of_the_seeds_has_a_story() {
    for tag in tags() {
        assert!(find(&tag).is_some(), "{tag} has no story");
    }
    let all = all();
    for pair in all.windows(2) {
        assert!(pair[0].tag < pair[1].tag, "{} stands twice", pair[1].tag);
    }
}

/// Plays a story twice: it holds, is the same each time, and can be drawn and told.
fn holds(tag: &str) {
    let scenario = find(tag).unwrap();
    let (outcome, again) = (scenario.run(), scenario.run());
    assert_eq!(outcome.verdict, Ok(()), "{tag}, seed {}", outcome.seed);
    assert_eq!(outcome.trace.hash(), again.trace.hash());
    let record = outcome.trace.record().unwrap();
    let drawn = svg(record, &scenario.picture(&outcome));
    assert_eq!(drawn, svg(again.trace.record().unwrap(), &scenario.picture(&again)));
    assert_eq!(drawn.matches("<g class=\"lane\">").count(), record.nodes.len());
    assert_eq!(drawn.matches("<g ").count(), drawn.matches("</g>").count());
    assert!(!drawn.contains("NaN") && drawn.trim_end().ends_with("</svg>"));
    let told = timeline(record, &scenario.timeline(&outcome, 100, false));
    assert!(told.lines().count() > 5, "{tag} tells nothing:\n{told}");
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
            for scenario in all() {
                assert!(played.contains(&scenario.tag), "{} is not played", scenario.tag);
            }
        }
    };
}

stories! {
    s0_01_three_roles "s0_01"
    s0_02_a_silent_leader_is_replaced "s0_02"
    s0_03_the_leader_alone_takes_writes "s0_03"
    s0_04_a_follower_catches_up "s0_04"
    s0_05_an_old_leader_steps_down "s0_05"
    s0_06_diverging_entries_are_replaced "s0_06"
    s1_01_safe_in_any_network "s1_01"
    s1_02_serves_while_a_majority_works "s1_02"
    s1_03_no_synchronised_clocks "s1_03"
    s1_04_a_slow_minority_slows_nobody "s1_04"
    s1_05_no_split_brain "s1_05"
    s1_06_reading_the_newest "s1_06"
    s1_07_two_requests "s1_07"
    s1_08_terms_are_a_clock "s1_08"
    s1_09_random_timeouts "s1_09"
    s1_10_one_vote_a_term "s1_10"
    s1_11_a_vote_needs_an_up_to_date_log "s1_11"
    s1_12_split_votes_end "s1_12"
    s1_13_the_partition_story "s1_13"
    s1_14_crashes_and_repeated_appends "s1_14"
    s1_15_log_matching "s1_15"
    s1_16_committed_in_the_current_term "s1_16"
    s1_16_an_old_entry_may_be_overwritten "s1_16d"
    s1_17_six_deaths_of_a_leader "s1_17"
    s1_17_before_the_write_arrives "s1_17a"
    s1_17_before_it_is_replicated "s1_17b"
    s1_17_replicated_to_all "s1_17c"
    s1_17_replicated_to_some "s1_17d"
    s1_17_committed_unknown_to_others "s1_17e"
    s1_17_applied_and_not_told "s1_17f"
    s1_18_a_repeated_write_is_done_once "s1_18"
    s1_19_figure_7 "s1_19"
    s1_20_backing_off "s1_20"
    s1_22_disk_reserve "s1_22"
    s1_21_a_damaged_disk_gets_its_entries_back "s1_21"
    s1_21_all_disks_damaged_in_other_places "s1_21h"
    s2_11_programs_elect_by_the_store "s2_11"
}
