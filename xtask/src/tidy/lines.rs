//! How wide and how long.

use super::Complaint;
use super::tree::{self, Tree};

const COLUMNS: usize = 100;
const LINES: usize = 900;

/// Two files side by side fit a screen. In markdown a row of a table and a line with an address in
/// it cannot be broken, and are let through; in Rust rustfmt leaves only what a person must break.
pub(crate) fn columns(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.files() {
        let markdown = path.ends_with(".md");
        if !markdown && !path.ends_with(".rs") && !path.ends_with(".proto") {
            continue;
        }
        for (number, line) in file.raw() {
            let unbreakable =
                markdown && (line.trim_start().starts_with('|') || line.contains("://"));
            let width = line.chars().count();
            if width > COLUMNS && !unbreakable {
                let what = format!("{width} columns; break the line before column {COLUMNS}");
                complaints.push(Complaint::new(path, number, what));
            }
        }
    }
    complaints
}

/// A file is one noun, and a noun of more than 900 lines is several.
pub(crate) fn length(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.ending(".rs").filter(|(path, _)| !tree::is_test(path)) {
        let lines = file.inline_tests().iter().filter(|in_test| !**in_test).count();
        if lines > LINES {
            let what = format!("{lines} lines without tests; split it by noun, at most {LINES}");
            complaints.push(Complaint::new(path, 1, what));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fires_on_the_line_that_is_too_wide() {
        let (fits, wide) = ("é".repeat(100), "é".repeat(101));
        let text = format!("{fits}\n{wide}\n");
        let found = columns(&Tree::sample(&[("a/src/lib.rs", &text), ("a.md", &text)]));
        let places: Vec<_> = found.iter().map(|c| (c.path.as_str(), c.line)).collect();
        assert_eq!(places, [("a.md", 2), ("a/src/lib.rs", 2)]);
    }

    #[test]
    fn columns_lets_tables_and_addresses_of_markdown_through() {
        let text = format!("| {} |\nhttps://example.org/{}\n", "a".repeat(120), "b".repeat(120));
        assert!(columns(&Tree::sample(&[("a.md", &text)])).is_empty());
    }

    #[test]
    fn length_counts_what_is_not_a_test() {
        let tested = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "fn a() {}\n".repeat(900),
            "fn b() {}\n".repeat(500)
        );
        let long = "fn a() {}\n".repeat(901);
        let found = length(&Tree::sample(&[
            ("a/src/fits.rs", &tested),
            ("a/src/long.rs", &long),
            ("a/tests/long.rs", &long),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "a/src/long.rs");
    }
}
