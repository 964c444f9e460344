//! Golden traces: what one agent says and believes, step by step.
//!
//! Every file under `tests/serf/scripts` is a script: its name is the claim, its first comment says
//! why, and `Serf:` names the tests there that ask the same. Lines that start at the margin are
//! commands, the indented ones what followed within a fifth of a second. `UPDATE_GOLDEN=1` writes
//! them anew. Of what goes around, each message is shown when it is said for the first time.
//!
//! ```text
//! member [small] [patient] [+k=v]…   `a` starts; small: two of everything that is bounded;
//!                                    patient: it looks for nobody
//! pool b c …                 these are there and answer pings; silent N…: they do no more
//! alive N I [at=N] [+k=v]…   dead N I by M
//! heard-join N L   heard-leave N L [prune]   event L NAME [PAYLOAD]
//! `last` is the L#ID of the own query that was said last.
//! query L#ID NAME [PAYLOAD] [from=N] [ack] [alone] [key] [relay=] [timeout=] [filter=b,c|t~EXP]…
//! answer L#ID N TEXT   ack L#ID N   vote L#ID N [at=N]   relay N MESSAGE…   bytes HEX…
//! stream MESSAGE…            the same over a stream
//! asked STATE…   exchanged STATE…|failed
//!     STATE: [join] alive:b:1 left:c:1 clocks=S,E,Q status=b:3 left=c events=1:deploy
//! join N [ignore-old]   tags +k=v   fire NAME [PAYLOAD] [coalesce]   force-leave N [prune]   go
//! ask NAME|ping|keys … [ack] [relay=] [timeout=] [filter=]   respond L#ID TEXT
//! keyring L#ID [ok] [message=] [count=]
//! crowd N                            so many intents of nobody known are to be passed on
//! wait MS|Ns   show N…   stats COUNTER…
//! ```

use std::fs;
use std::path::Path;

use crate::stage::Stage;

/// Runs the commands of a script and gives it back with what follows from them now.
fn run(script: &str) -> String {
    let mut stage = Stage::new();
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serf/scripts");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut scripts: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    scripts.sort();
    assert!(scripts.len() >= 20, "scripts are missing");
    let mut different = Vec::new();
    for path in scripts {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
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

/// The table of what covers what names scripts and tests that there are.
#[test]
fn the_table_of_tests_is_true() {
    let sources = [
        include_str!("hostile.rs"),
        include_str!("pools.rs"),
        include_str!("scenes.rs"),
        include_str!("../../src/swim/serf/clock.rs"),
        include_str!("../../src/swim/serf/ring.rs"),
    ];
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serf/scripts");
    let text = include_str!("../../../docs/gossip-tests.md");
    let (_, text) = text.split_once("## The state machine of Serf").unwrap();
    let (chapter, _) = text.split_once("\n## ").unwrap();
    let words = chapter.split('`').skip(1).step_by(2).filter(|word| !word.contains('/'));
    let named: Vec<&str> = words.collect();
    assert!(named.len() > 50, "the table is there");
    for name in named {
        let function = format!("fn {name}(");
        let exists =
            scripts.join(name).exists() || sources.iter().any(|source| source.contains(&function));
        assert!(exists, "neither a script nor a test: {name}");
    }
}
