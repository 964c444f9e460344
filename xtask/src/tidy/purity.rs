//! Below the sans-IO line.
//!
//! `no_std` makes clocks, sockets, files, threads and random-order maps impossible to name. These
//! rules close the ways around it.

use super::Complaint;
use super::manifest;
use super::tree::Tree;

/// The pure crates, each with everything it may depend on.
const PURE: [(&str, &[&str]); 3] = [
    // The filters of a Serf query hold regular expressions: no clock, no file, no thread in them.
    ("protocol", &["bytes", "crc32fast", "regex"]),
    ("store", &["protocol", "bytes", "crc32fast"]),
    ("node", &["protocol", "store", "bytes", "crc32fast"]),
];

/// What the root of a pure crate declares. The last is how clippy comes to refuse a `_ =>` over the
/// enums of a protocol: a new variant must be met by a decision and not by a default.
const ATTRIBUTES: [&str; 3] =
    ["#![no_std]", "#![forbid(unsafe_code)]", "#![deny(clippy::wildcard_enum_match_arm)]"];

/// Each pure crate declares itself pure.
pub(crate) fn attributes(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (name, _) in PURE {
        let path = format!("{name}/src/lib.rs");
        let Some(file) = tree.get(&path) else { continue };
        for attribute in ATTRIBUTES {
            if !file.rust().any(|(_, line)| line.code.trim() == attribute) {
                let what = format!("a pure crate declares `{attribute}`");
                complaints.push(Complaint::new(&path, 1, what));
            }
        }
    }
    complaints
}

/// A dependency could read a clock in a pure crate's place.
pub(crate) fn dependencies(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (name, allowed) in PURE {
        let path = format!("{name}/Cargo.toml");
        let Some(file) = tree.get(&path) else { continue };
        for dependency in manifest::dependencies(file) {
            if dependency.section == "dev-dependencies" {
                continue;
            }
            if !allowed.contains(&dependency.name) {
                let what = format!("`{name}` is pure: it may use {allowed:?} only");
                complaints.push(Complaint::new(&path, dependency.line, what));
            }
            if dependency.value.contains("\"std\"") {
                let what = "a pure crate asks no dependency for `std`";
                complaints.push(Complaint::new(&path, dependency.line, what));
            }
        }
    }
    complaints
}

/// No line of a pure crate brings `std` back or silences the lint on wildcards.
pub(crate) fn no_way_out(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (name, _) in PURE {
        let folder = format!("{name}/src/");
        for (path, file) in tree.ending(".rs").filter(|(path, _)| path.starts_with(&folder)) {
            for (number, line) in file.rust() {
                let silenced = ["allow", "expect", "warn"]
                    .iter()
                    .any(|way| line.code.contains(&format!("{way}(clippy::wildcard_enum")));
                if line.code.contains("extern crate std") {
                    let what = "a pure crate has no `std`: move what needs it out, tests to tests/";
                    complaints.push(Complaint::new(path, number, what));
                } else if silenced {
                    let what = "list the variants: a wildcard hides the next one";
                    complaints.push(Complaint::new(path, number, what));
                }
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_fires_on_each_that_is_missing() {
        let all = ATTRIBUTES.join("\n");
        assert!(attributes(&Tree::sample(&[("store/src/lib.rs", &all)])).is_empty());
        for missing in ATTRIBUTES {
            let text = all.replace(missing, &format!("// {missing}"));
            let found = attributes(&Tree::sample(&[("store/src/lib.rs", &text)]));
            assert_eq!(found.len(), 1, "{missing}");
            assert!(found[0].what.contains(missing));
        }
    }

    #[test]
    fn dependencies_fires_on_strangers_and_on_std() {
        let text = "[dependencies]\nbytes = { workspace = true, features = [\"std\"] }\n\
                    rand.workspace = true\n[dev-dependencies]\nproptest.workspace = true\n";
        let tree = Tree::sample(&[("protocol/Cargo.toml", text), ("server/Cargo.toml", text)]);
        let lines: Vec<_> = dependencies(&tree).iter().map(|complaint| complaint.line).collect();
        assert_eq!(lines, [2, 3]);
    }

    #[test]
    fn no_way_out_fires_on_std_and_on_silence() {
        let text = "extern crate alloc;\n#[cfg(test)]\nextern crate std;\n\
                    #[allow(clippy::wildcard_enum_match_arm)]\n";
        let tree = Tree::sample(&[("node/src/a.rs", text), ("server/src/a.rs", text)]);
        let lines: Vec<_> = no_way_out(&tree).iter().map(|complaint| complaint.line).collect();
        assert_eq!(lines, [3, 4]);
    }
}
