//! Seeds that once failed, each with its story. They pass now; and with the same bug planted again
//! they fail, or they would show nothing.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use sim::case::Case;
use sim::run;

/// A seed, the name under which its bug can be planted, and what happened.
const SEEDS: [(&str, &str, &str); 3] = [
    ("0", "F1", "the network doubled a forwarded proposal, and the write was done twice"),
    ("199", "F2", "a log went on behind what a failed sync had never stored, and became corrupt"),
    ("32", "F3", "answers took longer than beats, and a lost probe was never repeated"),
];

/// Seeds whose bugs cannot be planted: shown by tests of their own, too.
const MENDED: [(&str, &str); 14] = [
    ("298", "a number that came too late for a session's window kept its member busy for ever"),
    ("1667", "what was written during a transfer was trimmed behind it, and it began again"),
    ("4538", "a leader took in more than it could commit, and the time of leases queued behind it"),
    ("7752", "a member that was replaced after the last healing was awaited in vain"),
    (
        "8014",
        "a log was missed on a disk that had refused it, and whose node ended itself for that",
    ),
    ("8442", "the end came before a watcher had read a long history from a slow disk"),
    ("8459", "a vote into a link that was cut, of one that had forgotten, counted as told"),
    ("8668", "a value that the disk did not give was told as compacted, where a server says why"),
    ("21844", "a learner that went with the first half of a change kept all from writing for ever"),
    ("26222", "a state that was harmed twice before its log had anything could be rightly refused"),
    ("24856", "a newcomer that was taken out at once asked to be taken in under the same name"),
    ("365:zab", "a leader let logs be trimmed up to what its own disk had still to store"),
    (
        "144:zab",
        "who followed a leader in discovery told its own epoch, and late comers found no quorum",
    ),
    ("25725", "a member without a state asked only founders, and the leader had joined later"),
];

/// A planted bug is planted for the whole process: one test at a time.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[test]
fn seeds_that_once_failed_pass() {
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    let planted = SEEDS.map(|(seed, _, story)| (seed, story));
    for (seed, story) in planted.into_iter().chain(MENDED) {
        let case: Case = seed.parse().unwrap();
        let report = run::world(case.options(), case.seed);
        assert!(report.violation.is_none(), "{seed}: {:?}; once {story}", report.violation);
        assert!(report.counts(), "{seed} goes through too little");
    }
}

#[test]
#[cfg(feature = "mutants")]
fn with_the_bug_planted_again_they_fail() {
    use protocol::mutant::{Mutant, plant};
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    std::panic::set_hook(Box::new(|_| {}));
    for (seed, mutant, story) in SEEDS {
        let case: Case = seed.parse().unwrap();
        plant(Mutant::named(mutant));
        let report = run::world(case.options(), case.seed);
        plant(None);
        assert!(report.violation.is_some(), "{seed} no longer shows that {story}");
    }
    let _ = std::panic::take_hook();
}
