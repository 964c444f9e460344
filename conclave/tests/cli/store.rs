//! Commands that talk to the store.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::json;

use crate::said::Store;

#[test]
fn keys_are_put_read_and_deleted() {
    let store = Store::start();
    assert_eq!(store.ok(&["kv", "put", "a/1", "one"]), "OK\n");
    assert_eq!(store.ok_with(&["kv", "put", "a/2", "-"], "two\nlines"), "OK\n");
    assert_eq!(store.ok(&["kv", "put", "a/1", "uno", "--prev-kv"]), "OK\na/1\none\n");
    assert_eq!(store.ok(&["kv", "get", "a/1"]), "a/1\nuno\n");
    assert_eq!(store.ok(&["kv", "get", "nothing"]), "");
    let both = "a/1\nuno\na/2\ntwo\nlines\n";
    assert_eq!(store.ok(&["kv", "get", "a/", "--prefix"]), both);
    assert_eq!(store.ok(&["kv", "get", "a/1", "a/3"]), both);
    assert_eq!(store.ok(&["kv", "get", "", "--from-key", "--limit", "1"]), "a/1\nuno\n");
    let down = ["kv", "get", "a/", "--prefix", "--keys-only", "--order", "descend"];
    assert_eq!(store.ok(&down), "a/2\na/1\n");
    assert_eq!(store.ok(&["kv", "get", "a/", "--prefix", "--count-only"]), "2\n");
    assert_eq!(store.ok(&["kv", "get", "a/1", "--print-value-only", "--rev", "2"]), "one\n");
    assert_eq!(
        store.json(&["kv", "get", "a/1"])["kvs"],
        json!([{
            "key": "YS8x", "create_revision": 2, "mod_revision": 4, "version": 2, "value": "dW5v",
        }])
    );
    assert_eq!(store.ok(&["kv", "del", "a/1", "--prev-kv"]), "1\na/1\nuno\n");
    assert_eq!(store.ok(&["kv", "del", "a/", "--prefix"]), "1\n");
    assert_eq!(store.ok(&["kv", "del", "a/", "--prefix"]), "0\n");

    let future = "etcdserver: mvcc: required revision is a future revision";
    assert_eq!(store.say(&["kv", "get", "a", "--rev", "999"]).fails(1), future);
    assert_eq!(store.say(&["kv", "put", "", "v"]).fails(1), "etcdserver: key is not provided");
    let unknown = "etcdserver: requested lease not found";
    assert_eq!(store.say(&["kv", "put", "k", "v", "--lease", "7"]).fails(1), unknown);
}

#[test]
fn transactions_are_read_from_standard_input() {
    let store = Store::start();
    store.ok(&["kv", "put", "k", "old"]);
    let text = "value(\"k\") = \"old\"\nversion(\"none\") = 0\n\n\
                put k 'new value'\nget k\n\ndel k\n";
    assert_eq!(store.ok_with(&["kv", "txn"], text), "SUCCESS\n\nOK\n\nk\nnew value\n");
    assert_eq!(store.ok_with(&["kv", "txn"], text), "FAILURE\n\n1\n");
    assert_eq!(store.ok(&["kv", "get", "k"]), "");
    let wrong = crate::said::run(&mut store.command(&["kv", "txn"]), b"size(\"k\") = 1\n");
    let sentence = wrong.fails(2);
    assert!(sentence.starts_with("line 1 of the transaction: \"size\" is none of"), "{sentence}");
}

/// A watch under way.
struct Watch {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(store: &Store, arguments: &[&str]) -> Self {
        let mut command = store.command(&[&["kv", "watch"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn take(&mut self, count: usize) -> Vec<String> {
        self.lines.by_ref().take(count).map(Result::unwrap).collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_watch_prints_history_and_then_what_happens() {
    let store = Store::start();
    store.ok(&["kv", "put", "w/1", "one"]);
    let mut watch = Watch::start(&store, &["w/", "--prefix", "--rev", "2", "--prev-kv"]);
    assert_eq!(watch.take(3), ["PUT", "w/1", "one"]);
    store.ok(&["kv", "put", "w/1", "two"]);
    assert_eq!(watch.take(5), ["PUT", "w/1", "one", "w/1", "two"]);
    store.ok(&["kv", "del", "w/1"]);
    assert_eq!(watch.take(5), ["DELETE", "w/1", "two", "w/1", ""]);

    let mut json = Watch::start(&store, &["w/1", "--rev", "4", "-o", "json"]);
    let line: serde_json::Value = serde_json::from_str(&json.take(1)[0]).unwrap();
    assert_eq!(
        line["events"],
        json!([{ "type": "DELETE", "kv": { "key": "dy8x", "mod_revision": 4 } }])
    );
}

#[test]
fn leases_are_granted_renewed_and_revoked() {
    let store = Store::start();
    let granted = store.ok(&["lease", "grant", "600", "--id", "cafe"]);
    assert_eq!(granted, "lease 000000000000cafe granted with TTL(600s)\n");
    store.ok(&["kv", "put", "leased", "v", "--lease", "cafe"]);
    let left = store.ok(&["lease", "timetolive", "cafe", "--keys"]);
    assert!(
        left.starts_with("lease 000000000000cafe granted with TTL(600s), remaining("),
        "{left}"
    );
    assert!(left.ends_with("s), attached keys([leased])\n"), "{left}");
    let kept = store.ok(&["lease", "keep-alive", "--once", "cafe"]);
    assert_eq!(kept, "lease 000000000000cafe keepalived with TTL(600)\n");
    assert_eq!(store.ok(&["lease", "list"]), "found 1 leases\n000000000000cafe\n");
    assert_eq!(store.ok(&["lease", "revoke", "cafe"]), "lease 000000000000cafe revoked\n");
    assert_eq!(store.ok(&["kv", "get", "leased"]), "");
    let gone = store.ok(&["lease", "timetolive", "cafe"]);
    assert_eq!(gone, "lease 000000000000cafe already expired\n");
    let unknown = "etcdserver: requested lease not found";
    assert_eq!(store.say(&["lease", "revoke", "cafe"]).fails(1), unknown);
    assert!(
        store.say(&["lease", "revoke", "tea"]).misused().contains("\"tea\" is not a lease's id")
    );
    let id = store.json(&["lease", "grant", "60"])["id"].as_i64().unwrap();
    assert!(id > 0);
}
