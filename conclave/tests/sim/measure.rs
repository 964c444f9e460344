//! Explorations, topologies, elections and the catalogue.

use std::fs;

use serde_json::Value;

use crate::said::{Said, say};
use crate::stories::assert_well_formed;

#[test]
fn a_box_is_explored_to_its_end() {
    let list = say(&["sim", "explore"]).ok();
    assert!(list.starts_with("BOX ") && list.contains("half-hour"), "{list}");
    let Said { code, out, errors } = say(&["sim", "explore", "tiny"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(out.ends_with("exhausted, no law broken\n"), "{out}");
    assert!(errors.starts_with("tiny: ") && errors.ends_with(" states/s\n"), "{errors}");
    let cut = say(&["sim", "explore", "two", "--states", "1000", "-o", "json"]);
    let cut: Value = serde_json::from_str(&cut.out).unwrap();
    assert_eq!((&cut["box"], &cut["finished"]), (&"two".into(), &false.into()));
    assert!(cut["states"].as_u64().unwrap() >= 1_000, "{cut}");
}

#[test]
fn every_topology_has_its_row() {
    let few = ["sim", "topologies", "--nodes", "3", "--seeds", "1"];
    let said = say(&[&few[..], &["-o", "json"]].concat()).ok();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["findings"], Value::Array(Vec::new()));
    let sets: u64 =
        said["rows"].as_array().unwrap().iter().map(|row| row["sets"].as_u64().unwrap()).sum();
    assert_eq!(sets, 4 * 64);
    let table = say(&few).ok();
    assert_eq!(table.lines().filter(|line| line.starts_with("3 nodes")).count(), 8, "{table}");
    let without = say(&[&few[..], &["--without"]].concat()).ok();
    assert!(without.contains("terms grow") && without.contains("pre-vote"), "{without}");
}

#[test]
fn elections_stand_beside_the_published_ones() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().to_str().unwrap();
    let said = say(&["sim", "elections", "--trials", "10", "--svg", pictures]).ok();
    for part in ["Raft figure 16", "Elections across a continent", "published", "ours"] {
        assert!(said.contains(part), "{said}");
    }
    for name in ["figure16a.svg", "figure16b.svg", "wan.svg"] {
        assert_well_formed(&fs::read_to_string(folder.path().join(name)).unwrap());
    }
    let json = say(&["sim", "elections", "--trials", "10", "-o", "json"]).ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["figure16"]["lines"].as_array().unwrap().len(), 10);
    assert_eq!(json["wan"]["curves"].as_array().unwrap().len(), 6);
    assert_eq!(json["votes"]["points"].as_array().unwrap().len(), 30);
}

#[test]
fn a_gossip_pool_is_measured_beside_theory() {
    let small = ["sim", "swim", "--members", "60", "--seconds", "30", "--kills", "3"];
    let said = say(&[&small[..], &["--messages", "2", "--loss", "0.5"]].concat()).ok();
    for part in ["60 members", "in theory", "3 deaths", "99.99 %", "Serf's convergence simulator"] {
        assert!(said.contains(part), "{said}");
    }
    let json = say(&[&small[..], &["--hours", "1", "--packets-only", "-o", "json"]].concat()).ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["load"]["members"], &json["detection"]["kills"]), (&60.into(), &3.into()));
    assert_eq!(json["deaths"]["false_deaths"], 0);
    let refused = say(&["sim", "swim", "--loss", "101"]);
    assert!(refused.code == Some(2) && refused.errors.contains("0 to 100"), "{}", refused.errors);
}

#[test]
fn the_catalogue_names_every_fault_and_mark() {
    let text = say(&["sim", "faults"]).ok();
    let json: Value = serde_json::from_str(&say(&["sim", "faults", "-o", "json"]).ok()).unwrap();
    let faults = json["faults"].as_array().unwrap();
    assert!(faults.len() >= 40 && json["marks"].as_array().unwrap().len() > 10);
    for fault in faults {
        let name = fault["name"].as_str().unwrap();
        assert!(text.lines().any(|line| line.split_whitespace().nth(1) == Some(name)), "{name}");
    }
}

#[test]
fn a_measurement_has_its_target_beside_it() {
    let small = ["--time", "1ms", "--repeat", "1", "--runs", "1", "--operations", "500"];
    let said = say(&[&["sim", "bench"][..], &small, &["-o", "json"]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    let rows: Value = serde_json::from_str(&said.out).unwrap();
    let row = |name: &str| {
        let mut rows = rows.as_array().unwrap().iter();
        rows.find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {rows:?}"))
    };
    assert_eq!(row("busy cluster: speed")["at_least"], 10.0);
    assert_eq!(row("mixed swarm: speed")["at_least"], 60.0);
    assert_eq!(row("mixed swarm: largest run")["at_most"], 100.0);
    assert_eq!(row("explorer")["at_least"], 200_000.0);
    assert!(row("checker: 500 operations")["ok"].is_null());
    assert!(row("busy cluster: operations")["ok"].as_bool().unwrap(), "{rows}");
}
