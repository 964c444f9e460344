//! `conclave sim check`: a verdict a file, in order, whatever becomes of the others.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::said::{Said, run, say};
use crate::support::cluster::conclave;

/// The histories of the public corpus, and what is known about each.
fn corpus() -> (PathBuf, Vec<(String, String)>) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../sim/tests/data/jepsen-etcd");
    let verdicts = fs::read_to_string(folder.join("verdicts.tsv")).unwrap();
    let lines = verdicts.lines().filter(|line| !line.starts_with('#'));
    let columns = lines.map(|line| {
        let (file, verdict) = line.split_once('\t').unwrap();
        (file.to_owned(), verdict.split('\t').next().unwrap().to_owned())
    });
    let known: Vec<_> = columns.collect();
    assert!(known.len() > 50);
    (folder, known)
}

/// Judges files of a folder by their names in it.
fn judge(folder: &PathBuf, files: &[&str], input: &[u8]) -> Said {
    let mut command: Command = conclave();
    command.current_dir(folder).args(["sim", "check"]).args(files);
    run(&mut command, input)
}

#[test]
fn every_history_of_the_corpus_gets_its_line() {
    let (folder, known) = corpus();
    let files: Vec<&str> = known.iter().map(|(file, _)| file.as_str()).collect();
    let expected: String =
        known.iter().map(|(file, verdict)| format!("{file}\t{verdict}\n")).collect();
    assert_eq!(judge(&folder, &files, b"").ok(), expected);
}

#[test]
fn what_cannot_be_judged_is_told_and_the_others_are_judged() {
    let (folder, known) = corpus();
    let own = tempfile::tempdir().unwrap();
    let bad = own.path().join("bad.log");
    let first = &known[0];
    let text = fs::read_to_string(folder.join(&first.0)).unwrap();
    fs::write(&bad, format!("{text}INFO  jepsen.util - 0 :ok :red 7\n")).unwrap();
    let binary = own.path().join("binary.log");
    fs::write(&binary, b"INFO  jepsen.util - 0 :invoke :read nil\n\xff\xfe\n").unwrap();
    let [bad, binary] = [&bad, &binary].map(|path| path.to_str().unwrap());
    let line = text.lines().count() + 1;

    let said = judge(&folder, &[&first.0, bad, "missing.log", binary, "-"], text.as_bytes());
    assert_eq!(said.code, Some(2), "{said:?}");
    assert_eq!(said.out, format!("{0}\t{1}\n-\t{1}\n", first.0, first.1));
    let errors: Vec<&str> = said.errors.lines().collect();
    assert_eq!(errors.len(), 4, "{said:?}");
    assert!(errors[0].starts_with(&format!("conclave: {bad}:{line}: expected ")), "{said:?}");
    assert!(errors[0].contains(":red"), "{said:?}");
    assert!(errors[1].starts_with("conclave: cannot read missing.log: "), "{said:?}");
    assert!(errors[2].starts_with(&format!("conclave: {binary}:2: expected ")), "{said:?}");
    assert_eq!(errors[3], "conclave: 3 of 5 files were not judged");
}

#[test]
fn a_history_on_standard_input_is_judged() {
    let right = "INFO  jepsen.util - 0 :invoke :write 1\nINFO  jepsen.util - 0 :ok :write 1\n";
    let lie = "INFO  jepsen.util - 0 :invoke :read nil\nINFO  jepsen.util - 0 :ok :read 2\n";
    let check = |input: &str| run(conclave().args(["sim", "check", "-"]), input.as_bytes()).ok();
    assert_eq!(check(right), "-\tlinearizable\n");
    assert_eq!(check(&format!("{right}{lie}")), "-\tnot\n");
    assert!(say(&["sim", "check"]).misused().contains("required arguments"));
}
