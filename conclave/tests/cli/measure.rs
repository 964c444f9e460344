//! The bench: small runs, and the proof that nothing is lost.

use std::fs;

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
