//! The bench: small runs, and the proof that nothing is lost.

use std::fs;

use serde_json::Value;

use crate::said::{Store, say};

#[test]
fn a_bench_is_measured_and_its_ledger_verified() {
    let store = Store::start();
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("writes.txt");
    let ledger = ledger.to_str().unwrap();
    let load = ["--total", "500", "--clients", "8", "--key-space", "50", "--value-size", "64"];
    let put = [&["bench", "put", "--ledger", ledger], &load[..]].concat();
    let report = store.json(&put);
    assert_eq!((&report["acknowledged"], &report["failed"]), (&500.into(), &0.into()));
    assert!(report["per_second"].as_f64().unwrap() > 0.0);
    let verified = store.ok(&["bench", "verify", "--ledger", ledger]);
    let words = "500 acknowledged writes to 50 keys: 50 kept, 0 overwritten by a write of unknown \
                 outcome, 0 lost, 0 wrong\n";
    assert_eq!(verified, words);

    // A second run adds to the ledger, and prints for people.
    let text = store.ok(&put);
    assert!(text.starts_with("500 puts in ") && text.contains("p99.9"), "{text}");
    let verified = store.json(&["bench", "verify", "--ledger", ledger]);
    assert_eq!((&verified["acknowledged"], &verified["lost"]), (&1000.into(), &0.into()));

    let range = ["bench", "range", "--total", "100", "--key-space", "50"];
    assert_eq!(store.json(&range)["acknowledged"], 100);

    // What is taken away is missed, and what is changed is noticed.
    let keys = store.ok(&["kv", "get", "bench/", "--prefix", "--keys-only"]);
    let keys: Vec<&str> = keys.lines().collect();
    store.ok(&["kv", "del", keys[0]]);
    store.ok(&["kv", "put", keys[1], "somebody else's"]);
    let said = store.say(&["bench", "verify", "--ledger", ledger]);
    assert!(said.out.contains("48 kept") && said.out.contains("1 lost, 1 wrong"), "{said:?}");
    assert!(said.out.contains(&format!("Lost: {}\n", keys[0])), "{said:?}");
    said.fails(1);

    let other = dir.path().join("other.txt");
    fs::write(&other, "no ledger\n").unwrap();
    let sentence = store.say(&["bench", "verify", "--ledger", other.to_str().unwrap()]);
    let sentence = sentence.fails(1);
    assert!(sentence.contains(other.to_str().unwrap()), "{sentence}");
    assert!(say(&["bench", "put", "--clients", "0"]).misused().contains("'--clients"));
}

#[test]
fn a_pool_is_played_around_an_agent_that_is_measured() {
    let small = ["--others", "20", "--time", "2s", "--slices", "2", "--rounds", "1", "-o", "json"];
    let said = say(&[&["bench", "gossip"], &small[..]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    let rows: Value = serde_json::from_str(&said.out).unwrap();
    let median = |name: &str| {
        let mut rows = rows.as_array().unwrap().iter();
        let row =
            rows.find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {said:?}"));
        row["median"].as_f64().unwrap()
    };
    assert!(median("agent: processor") > 0.0 && median("agent: resident") > 1.0);
    // A probe each second, and its answer; as much from the others.
    assert!(median("agent: packets out") > 0.0 && median("agent: packets in") > 0.0);
    assert!(median("agent: in packets, in") > median("agent: packets in"));
    assert!(rows.as_array().unwrap().iter().any(|row| row["unit"] == "ns"), "{said:?}");
    let wrong = say(&["bench", "gossip", "--others", "1", "--serf", "no-such-program"]);
    assert!(wrong.errors.contains("cannot start no-such-program"), "{wrong:?}");
    assert_eq!(wrong.code, Some(1));
}
