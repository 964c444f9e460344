//! A report of made-up figures.

use std::path::Path;
use std::time::Duration;

use super::super::options::{Kind, Load};
use super::super::slices::sample;
use super::super::system::Programs;
use super::*;
use crate::repo::Repo;

fn report() -> Report {
    let programs = Programs { conclave: "no-such-program".into(), etcd: "nor-this".into() };
    let pair = |ours: f64, theirs: f64| Pair {
        conclave: sample(ours, [100.0, 300.0, 100.0], Some(1)),
        etcd: sample(theirs, [400.0, 400.0, 1_200.0], Some(2)),
    };
    let member = |resident_kib| Memory { resident_kib, peak_kib: 2 * resident_kib };
    let rss = |kib| Rss { members: [member(kib); MEMBERS], leader: Some(0) };
    let measured = Measured {
        load: Load { kind: Kind::Put, clients: 64 },
        pairs: vec![pair(300.0, 100.0), pair(100.0, 50.0), pair(400.0, 100.0)],
        failures: vec!["put:64 pair 4: etcd: it went away".to_owned()],
    };
    let second = Duration::from_secs(1);
    let rounds = vec![(second, 2 * second), (second, 4 * second), (second, 8 * second)];
    Report {
        machine: Machine::look(&Repo::here(), &programs, Path::new("/")),
        loads: vec![measured],
        memory: Some([rss(1024), rss(4096)]),
        startup: Some(Startup { keys: 999_500, rounds }),
        failures: Vec::new(),
    }
}

/// The words of the first line that begins with `start`.
fn line<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.starts_with(start));
    line.unwrap_or_else(|| panic!("no line begins with {start}: {text}")).split("  ").collect()
}

#[test]
fn ratios_come_first_and_absolute_figures_step_back() {
    let text = report().text(&Options::default(), |text| format!("<{text}>"));
    let (loud, small) = text.split_once("<\nabsolute").unwrap();
    let cells: Vec<&str> = line(loud, "put:64").into_iter().filter(|c| !c.is_empty()).collect();
    let cells: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
    let expected = [
        "put:64",
        "3.00 [2.00–4.00]",
        "1.00 [1.00–1.00]",
        "1.00 [1.00–1.00]",
        "0.25 [0.25–0.25]",
        "0.25 [0.25–0.25]",
        "0.25 [0.25–0.25]",
    ];
    assert_eq!(cells, expected);
    assert!(loud.contains("memory of all members after the loads 0.25, at its peak 0.25"));
    assert!(loud.contains("start of a member with 999500 keys 0.25 [0.12–0.50] of 3 rounds"));
    assert!(small.contains("300 [100–400]") && small.contains("100 [50–100]"), "{small}");
    assert!(small.contains("4.000 [2.000–8.000]"), "{small}");
    assert!(small.contains("1.0") && small.contains("8.0"), "{small}");
    assert!(text.ends_with("missing: put:64 pair 4: etcd: it went away\n"), "{text}");
}

#[test]
fn a_load_without_a_whole_pair_has_dashes_instead_of_figures() {
    let mut report = report();
    report.loads[0].pairs.clear();
    let text = report.text(&Options::default(), str::to_owned);
    assert_eq!(line(&text, "put:64").concat().matches(NONE).count(), FIGURES.len());
}

#[test]
fn what_failed_at_the_end_leaves_the_rest_of_the_report() {
    let reason = "start-up: etcd: it went away".to_owned();
    let report = Report { memory: None, startup: None, failures: vec![reason], ..report() };
    assert_eq!(report.missing().count(), 2);
    let text = report.text(&Options::default(), str::to_owned);
    assert!(text.contains("3.00 [2.00–4.00]") && !text.contains("memory"), "{text}");
    assert!(text.ends_with("missing: start-up: etcd: it went away\n"), "{text}");
    assert!(report.json(&Options::default())["memory"].is_null());
}

#[test]
fn roles_count_only_pairs_in_which_both_leaders_stayed() {
    let mut report = report();
    report.loads[0].pairs[1].etcd.leader = None;
    let pairs = &report.loads[0].pairs;
    let spread = ratio(pairs, Slice::cpu_leader).unwrap();
    assert_eq!(spread, Spread { median: 0.25, min: 0.25, max: 0.25 });
    let ours = absolute(pairs, System::Conclave, Slice::cpu_leader).unwrap();
    assert_eq!(ours.median, 3.0);
    for pair in &mut report.loads[0].pairs {
        pair.etcd.leader = None;
    }
    assert_eq!(ratio(&report.loads[0].pairs, Slice::cpu_leader), None);
}

#[test]
fn programs_get_every_slice_and_the_ratios_made_of_them() {
    let json = report().json(&Options::default());
    let load = &json["loads"][0];
    assert_eq!(load["load"], "put:64");
    assert_eq!(load["ratios"]["per_second"], json!({"median": 3.0, "min": 2.0, "max": 4.0}));
    assert_eq!(load["pairs"].as_array().unwrap().len(), 3);
    assert_eq!(load["pairs"][1]["etcd"]["per_second"], 50.0);
    assert_eq!(load["pairs"][1]["etcd"]["cpu_us"], json!([400.0, 400.0, 1_200.0]));
    assert_eq!(json["memory"]["etcd"]["peak_kib"], json!([8192, 8192, 8192]));
    assert_eq!(json["startup"]["ratio"]["median"], 0.25);
    assert_eq!(json["failures"].as_array().unwrap().len(), 1);
}
