//! Golden traces: what a cluster says, writes and commits, step by step.
//!
//! Every file under `tests/scripts/<theme>/<claim>` is a script: its name is the claim, its first
//! comment says why. A line that starts at the margin is a command, the indented lines after it are
//! what followed. `UPDATE_GOLDEN=1` writes them anew.
//!
//! ```text
//! nodes 3 [learners=1] [prevote] [checkquorum] [sticky] [lease=DRIFT] [inflight=N] [append=BYTES]
//!         [uncommitted=BYTES] [cache=BYTES] [jitter=MS]
//! node N [log=1,1,2] [term=T] [vote=N] [commit=I] [applied=I] [base=I] [doubt=I] [joins]
//!         (re)start with this disk; one that joins knows of nobody
//! timeout N        its next timer fires      wait MS         time passes
//! tick N           Timeout, whatever the time stabilize [N…]  deliver and sync until all is quiet
//! deliver [A>B…]   one message of each link  drop [A>B…]     lose what is under way
//! keep / replay    remember / repeat what is under way
//! cut N…           nothing in or out         heal            all links work
//! slow N           syncs only when told      sync N [COUNT]  its writes reach the disk
//! rot N INDEX      entries through INDEX cannot be fetched any more
//! crash N          loses what is not synced and applied     start N  continues from its disk
//! propose N WORD…  read N ID  transfer N TO  unreachable N PEER  trim N INDEX
//! chunk N TO I@T NUMBER [end]      N sends a piece of its snapshot of I@T
//! chunkreply N TO I@T NUMBER|no    N answers one
//! failed N PEER    N gives the transfer up      installed N I@T [MEMBERS]  its state stands there
//! reconfigure N 1,2,3 [learners=4,5]             N is to bring about these members
//! together N CMD / CMD …                      several inputs before the outputs are drained
//! recv A>B tT BODY…                           a message as if A had sent it
//! status [N…]      log [N…]
//! ~ COMMAND        only roles, commits, answers and losses are shown
//! ```
//!
//! Shown are `A>B` messages, `N writes`, `N commits`, role changes, refusals and `N drops` (a
//! message that no correct peer sends).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod parse;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use stage::Stage;

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(scripts(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Runs the commands of a script and gives it back with what follows from them now.
fn run(script: &str) -> String {
    let mut stage = Stage::default();
    let mut text = String::new();
    for line in script.lines().filter(|line| !line.starts_with("    ")) {
        text.push_str(line);
        text.push('\n');
        if !line.is_empty() && !line.starts_with('#') {
            for shown in stage.run(line) {
                text.push_str("    ");
                text.push_str(&shown);
                text.push('\n');
            }
        }
    }
    text
}

#[test]
fn every_script_gives_the_trace_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut different = Vec::new();
    let scripts = scripts(&folder);
    assert!(scripts.len() >= 60, "scripts are missing");
    for path in scripts {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let expected = fs::read_to_string(&path).unwrap();
        assert!(expected.starts_with("# "), "{name} does not say why");
        let actual = std::panic::catch_unwind(|| run(&expected));
        let Ok(actual) = actual else { panic!("{name} fails") };
        if update {
            fs::write(&path, actual).unwrap();
        } else if actual != expected {
            let mut pairs = expected.lines().zip(actual.lines());
            let (old, new) = pairs.find(|(old, new)| old != new).unwrap_or(("", "length"));
            different.push(format!("{name}:\n  - {old}\n  + {new}"));
        }
    }
    assert!(different.is_empty(), "UPDATE_GOLDEN=1 accepts:\n{}", different.join("\n"));
}
