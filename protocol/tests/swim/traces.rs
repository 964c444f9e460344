//! Golden traces: what one member says and believes, step by step.
//!
//! Every file under `tests/swim/scripts` is a script: its name is the claim, its first comment says
//! why, and `memberlist:` names the tests there that ask the same. Lines that start at the margin
//! are commands, the indented ones what followed. `UPDATE_GOLDEN=1` writes them anew.
//!
//! ```text
//! member [local] [exchange] [nostream] [noreclaim] [incarnation=N]   `a` starts
//! pool b c …       these are known and answer pings, and all has been said
//! silent N…        they answer no more            answering N…   they do
//! alive N I [addr= port= meta= vsn=]   suspect N I by M   dead N I by M   user TEXT
//! ping S [to=N] [as=N]   ask S N [nack]   ack S|last|#n   nack …   all with [from=N]
//! unsent S   streamacked S   asked ROW…   exchanged ROW…|failed   join N
//! update TEXT   payload TEXT   tell N TEXT   leave MS   lane L TEXT [name=] [tag=]
//! wait MS [gossip]   time passes; packets that carry gossip alone are shown on demand,
//!                    and pings that are answered and carry nothing never
//! stall MS           time passes and nobody calls
//! show N…   status
//! ~ COMMAND          only events are shown
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/swim/scripts");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut scripts: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    scripts.sort();
    assert!(scripts.len() >= 25, "scripts are missing");
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
        include_str!("chaos.rs"),
        include_str!("pools.rs"),
        include_str!("scenes.rs"),
        include_str!("../../src/swim/awareness.rs"),
        include_str!("../../src/swim/queue.rs"),
        include_str!("../../src/swim/relay.rs"),
        include_str!("../../src/swim/scale.rs"),
        include_str!("../../src/swim/suspicion.rs"),
        include_str!("../../src/swim/table.rs"),
        include_str!("../../src/swim/version.rs"),
    ];
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/swim/scripts");
    let text = include_str!("../../../docs/gossip-tests.md");
    let (_, text) = text.split_once("## The state machine of memberlist").unwrap();
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
