//! Claims lead to the paper that they come from.

use super::Complaint;
use super::tree::Tree;
use super::words;

const PAPERS: &str = "docs/papers.md";

/// `Raft §5.4.2`: the name before the sign is a bold name of the list in `docs/papers.md`, and
/// stands on the same line, so that a search for either finds both. At the head of a sentence its
/// first letter may be a capital. A standard of the internet is named by its number, as in
/// `RFC 9113 §3.4`.
pub(crate) fn name_a_paper(tree: &Tree) -> Vec<Complaint> {
    let papers = papers(tree);
    let mut complaints = Vec::new();
    for (path, file) in texts(tree) {
        for (number, line) in file.raw() {
            for (at, _) in line.match_indices('§') {
                let named = is_standard(&line[..at])
                    || papers.iter().any(|(_, paper)| names(&line[..at], paper));
                if !named {
                    let what = format!("`§` without a paper before it on the line; see {PAPERS}");
                    complaints.push(Complaint::new(path, number, what));
                }
            }
        }
    }
    complaints
}

/// The list is what the project stands on, not what its authors have read.
pub(crate) fn every_paper_is_cited(tree: &Tree) -> Vec<Complaint> {
    let cited = |paper: &str| texts(tree).any(|(_, file)| names(file.text(), paper));
    papers(tree)
        .into_iter()
        .filter(|(_, paper)| !cited(paper))
        .map(|(number, paper)| {
            Complaint::new(
                PAPERS,
                number,
                format!("`{paper}` is cited nowhere: cite it or drop it"),
            )
        })
        .collect()
}

/// Whether the text ends with `RFC` and a number.
fn is_standard(text: &str) -> bool {
    let before = text.trim_end();
    let name = before.trim_end_matches(|digit: char| digit.is_ascii_digit());
    name.len() < before.len() && name.ends_with("RFC ")
}

fn names(text: &str, paper: &str) -> bool {
    let mut letters = paper.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let capital: String = first.into_iter().chain(letters).collect();
    words::contains_word(text, paper) || words::contains_word(text, &capital)
}

fn texts(tree: &Tree) -> impl Iterator<Item = (&str, &super::tree::File)> {
    tree.files()
        .filter(|(path, _)| path.ends_with(".rs") || path.ends_with(".md"))
        .filter(|(path, _)| *path != PAPERS && !path.starts_with("xtask/"))
}

/// The bold names at the head of the numbered items, with their lines.
fn papers(tree: &Tree) -> Vec<(usize, &str)> {
    let Some(file) = tree.get(PAPERS) else { return Vec::new() };
    file.raw()
        .filter(|(_, line)| line.starts_with(|first: char| first.is_ascii_digit()))
        .filter_map(|(number, line)| Some((number, line.split("**").nth(1)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: (&str, &str) = (PAPERS, "# Papers\n\n1. **Raft** — one\n2. **thesis** — two\n");

    #[test]
    fn name_a_paper_fires_on_strangers_and_on_nobody() {
        let text = "// Raft §5: a\n// see §5\n// Paxos §2\n// thesis §6.4, §6.4.1\n// xRaft §1\n\
                    // Thesis §3\n// RFC 9113 §3.4\n// RFC §4\n";
        let found = name_a_paper(&Tree::sample(&[LIST, ("a/src/lib.rs", text)]));
        let lines: Vec<_> = found.iter().map(|complaint| complaint.line).collect();
        assert_eq!(lines, [2, 3, 5, 8]);
    }

    #[test]
    fn every_paper_is_cited_fires_on_a_paper_nobody_needs() {
        let found = every_paper_is_cited(&Tree::sample(&[LIST, ("a/src/lib.rs", "// Raft §5\n")]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), (PAPERS, 4));
    }
}
