//! The leader is killed again and again.
//!
//! `KILLS=50 cargo test -p conclave --test groups kills -- --nocapture` does it fifty times; the
//! command that it runs is there for everybody.

use std::process::Stdio;

use serde_json::Value;

use crate::support::cluster::conclave;

/// Kills, unless `KILLS` says how many.
const FEW: u64 = 3;

#[test]
fn ten_agents_never_hold_two_leases_at_once_however_often_the_leader_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let kills = std::env::var("KILLS").map_or(FEW, |text| text.parse().unwrap());
    let mut command = conclave();
    command.args(["bench", "election", "--agents", "10", "-o", "json", "--kills"]);
    command.arg(kills.to_string()).arg("--dir").arg(dir.path().join("run"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{report}");
    assert_eq!((report["kills"].as_u64(), report["overlaps"].as_u64()), (Some(kills), Some(0)));
    // What the command has checked is checked once more, from what the programs have written.
    let ledger = std::fs::read_to_string(dir.path().join("run/ledger")).unwrap();
    let words = ledger.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let number = |word: &str| word.parse::<u64>().unwrap();
    let (mut fence, mut free, mut starts) = (0, 0, 0);
    for line in words {
        let (now, at) = (number(line[1]), number(line[3]));
        if line[0] == "start" {
            assert!(now > fence && at >= free, "{line:?}");
            (fence, free, starts) = (now, u64::MAX, starts + 1);
        } else {
            assert_eq!(now, fence, "{line:?}");
            free = at;
        }
    }
    assert!(starts > kills, "{ledger}");
}
