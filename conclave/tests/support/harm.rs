//! Bytes of a member's files changed behind its back.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::Value;

use super::cluster::conclave;

/// Flips a bit of a file.
pub(crate) fn flip(file: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

/// What `conclave inspect` says of the log or the state of a member that does not run.
pub(crate) fn inspected(what: &str, dir: &Path, more: &[&str]) -> Value {
    let mut command = conclave();
    let output =
        command.args(["inspect", what]).arg(dir).args(more).args(["-o", "json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The entries of a member's log: index, file, and a place within the record.
pub(crate) fn entries(dir: &Path) -> Vec<(u64, String, u64)> {
    let log = inspected("log", dir, &["--entries"]);
    let entry = |entry: &Value| {
        let position = entry["position"].as_str().unwrap();
        let index = position.split('@').next().unwrap().parse().unwrap();
        (index, entry["file"].as_str().unwrap().to_owned(), entry["offset"].as_u64().unwrap() + 40)
    };
    log["entries"].as_array().unwrap().iter().map(entry).collect()
}
