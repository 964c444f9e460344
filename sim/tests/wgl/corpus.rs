//! The public corpus: every verdict right.

use sim::check::corpus::judge;
use std::fs;
use std::path::PathBuf;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/jepsen-etcd")
}

#[test]
fn corpus_every_verdict_is_right() {
    let verdicts = fs::read_to_string(corpus().join("verdicts.tsv")).unwrap();
    let mut judged = 0;
    let mut wrong = Vec::new();
    for line in verdicts.lines() {
        let (file, expected) = line.split_once('\t').unwrap();
        let text = fs::read_to_string(corpus().join(file)).unwrap();
        let verdict = judge(&text).map_err(|error| error.in_file(file)).unwrap();
        if verdict.word() != expected {
            wrong.push(format!("{file}: {} instead of {expected}", verdict.word()));
        }
        judged += 1;
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(judged, 69);
}
