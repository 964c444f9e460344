//! Worlds from seeds: one, and many.

use std::fs;

use serde_json::Value;

use crate::said::say;
use crate::stories::assert_well_formed;

/// A world that is over soon in a build that is not optimised.
const SMALL: &str = "0:length=5s,operations=100";

#[test]
fn a_seed_is_run_and_judged() {
    let said = say(&["sim", "run", SMALL, "--twice"]).ok();
    let facts: Vec<(&str, &str)> = said
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split_at(12))
        .map(|(name, value)| (name.trim(), value))
        .collect();
    let names: Vec<&str> = facts.iter().map(|(name, _)| *name).collect();
    let expected = [
        "case",
        "nodes",
        "timing",
        "clients",
        "time",
        "operations",
        "judged",
        "faults",
        "marks",
        "hash",
        "twice",
        "verdict",
    ];
    assert_eq!(names, expected, "{said}");
    let fact = |name| facts.iter().find(|(other, _)| *other == name).unwrap().1;
    assert_eq!(fact("case"), "0:length=5000ms,operations=100");
    assert!(fact("operations").starts_with("100 called, "), "{said}");
    assert_eq!((fact("twice"), fact("verdict")), ("the same", "no law broken"));
    assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
}

#[test]
fn what_happened_is_told_drawn_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let [svg, json] = ["a.svg", "a.json"].map(|name| folder.path().join(name));
    let (svg, json) = (svg.to_str().unwrap(), json.to_str().unwrap());
    let plain = say(&["sim", "run", SMALL]).ok();
    let files = ["--svg", svg, "--json", json];
    let told = say(&[&["sim", "run", SMALL, "--trace"][..], &files].concat()).ok();
    // Being watched changes nothing: the same summary stands behind the timeline.
    let (timeline, summary) = told.split_once("\n\n").unwrap();
    assert_eq!(summary, plain);
    assert!(timeline.starts_with("  seconds ") && timeline.contains("becomes leader"));
    assert_well_formed(&fs::read_to_string(svg).unwrap());
    let record: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let lines = record["lines"].as_array().unwrap().len();
    assert!(lines > timeline.lines().count(), "{lines}");

    let late = say(&["sim", "run", SMALL, "--trace", "--from", "6s"]).ok();
    let (late, _) = late.split_once("\n\n").unwrap();
    assert!(late.lines().count() < timeline.lines().count());
    let routine = say(&["sim", "run", SMALL, "--trace", "--routine"]).ok();
    assert!(routine.lines().count() > told.lines().count());
}

#[test]
fn a_summary_is_a_document_too() {
    let said = say(&["sim", "run", SMALL, "-o", "json"]).ok();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["case"], "0:length=5000ms,operations=100");
    assert_eq!((&said["violation"], &said["same"]), (&Value::Null, &Value::Null));
    assert_eq!(said["operations"]["called"], 100);
    assert!(!said["faults"].as_object().unwrap().is_empty(), "{said}");
}

#[test]
fn a_sweep_prints_the_same_whenever_and_on_however_many_cores() {
    let sweep = |threads: &str| {
        let plan = ["sim", "sweep", "--seeds", "3", "--from", FEW, "--twice-every", "2"];
        say(&[&plan[..], &["--threads", threads]].concat()).ok()
    };
    let (alone, together) = (sweep("1"), sweep("3"));
    assert_eq!(alone, together);
    let lines: Vec<&str> = alone.lines().collect();
    assert!(lines[0].starts_with("seeds       3 ("), "{alone}");
    assert!(lines.last().unwrap().starts_with("violations  0"), "{alone}");
}

/// The first of three seeds whose worlds are small.
const FEW: &str = "5";

#[test]
fn a_sweep_is_a_document_too() {
    let said = say(&["sim", "sweep", "--seeds", "1", "--from", FEW, "-o", "json"]).ok();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["seeds"], &said["failures"]), (&1.into(), &Value::Array(Vec::new())));
    assert!(said["faults"]["kill"]["strikes"].is_u64(), "{said}");
    assert_eq!(said["hash"].as_str().unwrap().len(), 16);
}

#[test]
fn a_sweep_by_the_clock_ends() {
    let said = say(&["sim", "sweep", "--minutes", "0.001", "--threads", "1"]).ok();
    let seeds = said.strip_prefix("seeds ").unwrap().split_whitespace().next().unwrap();
    // One more may have begun before the first was over.
    assert!(["1", "2"].contains(&seeds), "{said}");
}

#[test]
fn what_breaks_no_law_cannot_be_shrunk() {
    let sentence = say(&["sim", "shrink", SMALL]).fails(1);
    assert_eq!(sentence, "0:length=5000ms,operations=100 breaks no law");
}

#[cfg(not(feature = "mutants"))]
#[test]
fn without_planted_bugs_there_is_nothing_to_hunt() {
    let sentence = say(&["sim", "mutants"]).fails(2);
    assert!(sentence.contains("--features mutants"), "{sentence}");
}

#[cfg(feature = "mutants")]
#[test]
fn a_planted_bug_is_killed_and_shrunk() {
    let hunt = ["sim", "mutants", "--only", "r10", "--seeds", "200", "--shrink", "40"];
    let said = say(&[&hunt[..], &["-o", "json"]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let report = &report[0];
    assert_eq!((&report["mutant"], &report["core"]), (&"R10".into(), &true.into()));
    let [kill, least] = ["kill", "least"].map(|what| &report[what]["violation"]["law"]);
    assert!(kill.is_string() && kill == least, "{report}");
    let sentence = say(&["sim", "mutants", "--only", "R5,Q7"]).fails(2);
    assert!(sentence.starts_with("no bug is called Q7"), "{sentence}");
}
