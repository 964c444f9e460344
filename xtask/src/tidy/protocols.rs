//! The protocols do not know each other.

use super::Complaint;
use super::tree::Tree;
use super::words;

const PROTOCOLS: [&str; 4] = ["raft", "zab", "bully", "swim"];

/// A protocol that names another has begun to lean on it; what two of them share stands above both,
/// in `protocol/src`, under a name of its own.
pub(crate) fn apart(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for own in PROTOCOLS {
        let folder = format!("protocol/src/{own}/");
        let single = format!("protocol/src/{own}.rs");
        let inside = |path: &str| path.starts_with(&folder) || path == single;
        for (path, file) in tree.ending(".rs").filter(|(path, _)| inside(path)) {
            for (number, line) in file.raw() {
                let words = line.to_lowercase().replace('_', " ");
                for other in PROTOCOLS.iter().filter(|other| **other != own) {
                    if words::contains_word(&words, other) {
                        let what = format!("`{own}` mentions `{other}`: protocols stand alone");
                        complaints.push(Complaint::new(path, number, what));
                    }
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
    fn apart_fires_on_the_other_protocols_and_not_on_the_own() {
        let tree = Tree::sample(&[
            ("protocol/src/raft/log.rs", "use crate::raft;\nuse crate::zab::History;\n"),
            ("protocol/src/zab/mod.rs", "fn zab() {}\n// as Raft does\nfn from_swim() {}\n"),
            ("protocol/src/lib.rs", "mod raft;\nmod zab;\n"),
        ]);
        let places: Vec<_> = apart(&tree).into_iter().map(|c| (c.path, c.line)).collect();
        let expected = [
            ("protocol/src/raft/log.rs".to_owned(), 2),
            ("protocol/src/zab/mod.rs".to_owned(), 2),
            ("protocol/src/zab/mod.rs".to_owned(), 3),
        ];
        assert_eq!(places, expected);
    }
}
