//! What makes no sense is refused in a sentence, before any work is done.

use crate::said::say;

#[test]
fn what_is_neither_seed_nor_story_is_refused() {
    let sentence = say(&["sim", "run", "s9_99"]).fails(2);
    assert!(sentence.contains("`s9_99`") && sentence.contains("conclave sim gallery"));
    let sentence = say(&["sim", "run", "4711:colour=red"]).fails(2);
    assert!(sentence.contains("`colour=red` is not one of busy, zab, length=12s"), "{sentence}");
    assert!(say(&["sim", "shrink", "x"]).misused().contains("`x` is no case"));
}

#[test]
fn numbers_without_meaning_are_refused() {
    for (arguments, part) in [
        (&["sweep", "--seeds", "0"][..], "'--seeds"),
        (&["sweep", "--minutes", "-0.5"], "-0"),
        (&["sweep", "--minutes", "0"], "is no number of minutes"),
        (&["sweep", "--seeds", "1", "--threads", "0"], "'--threads"),
        (&["sweep"], "required arguments"),
        (&["sweep", "--seeds", "1", "--minutes", "1"], "cannot be used with"),
        (&["shrink", "1", "--budget", "0"], "'--budget"),
        (&["topologies", "--seeds", "0"], "'--seeds"),
        (&["elections", "--trials", "0"], "'--trials"),
        (&["explore", "everything", "nothing"], "'nothing'"),
        (&["bench", "--time", "0s"], "no time at all"),
        (&["run", "1", "--from", "soon"], "is not a time"),
    ] {
        let said = say(&[&["sim"], arguments].concat()).misused();
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    let last = u64::MAX.to_string();
    let sentence = say(&["sim", "sweep", "--seeds", "2", "--from", &last]).fails(2);
    assert!(sentence.contains(&last), "{sentence}");
    let sentence = say(&["sim", "run", "1", "--trace", "-o", "json"]).fails(2);
    assert!(sentence.contains("--json FILE"), "{sentence}");
}

#[test]
fn files_that_cannot_be_written_are_told_of_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    let below = file.join("x.svg");
    let below = below.to_str().unwrap();
    // Far too long for a test, were it begun.
    let cases = [
        vec!["run", "4711", "--svg", below],
        vec!["run", "s1_13", "--json", below],
        vec!["gallery", "--svg", below],
        vec!["elections", "--trials", "100000000", "--svg", below],
        vec!["bench", "--corpus", below],
    ];
    for arguments in cases {
        let said = say(&[&["sim"], &arguments[..]].concat());
        assert_eq!(said.out, "", "{arguments:?}");
        // 1 is for laws that are broken.
        let sentence = said.fails(2);
        assert!(sentence.starts_with("cannot ") && sentence.contains(below), "{sentence}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}
