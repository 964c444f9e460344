//! The whole worlds, with groups that run Zab in the place of Raft: the same store, the same
//! clients and judges, and every fault that can befall a group of static members.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use sim::case::Case;
use sim::run;

/// Worlds before a merge, unless `ZAB_WORLDS` says otherwise; `sim sweep --zab` runs more.
const WORLDS: u64 = 40;

#[test]
fn groups_that_run_zab_break_no_law() {
    let first: u64 = std::env::var("ZAB_FROM").map_or(0, |it| it.parse().unwrap());
    let seeds: u64 = std::env::var("ZAB_WORLDS").map_or(WORLDS, |it| it.parse().unwrap());
    let mut counted = 0;
    for seed in first..first + seeds {
        let case = Case { zab: true, ..Case::whole(seed) };
        let report = run::world(case.options(), case.seed);
        assert!(report.violation.is_none(), "{case}: {:?}", report.violation);
        counted += u64::from(report.counts());
    }
    assert!(counted * 10 >= seeds * 9, "{counted} of {seeds} worlds go through enough");
}
