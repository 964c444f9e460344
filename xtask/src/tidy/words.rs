//! Words that must not be merged.

use super::Complaint;
use super::lexer::Line;
use super::tree::{self, Tree};

/// Pieced together, so that this file passes its own rule.
const UNFINISHED: [&str; 3] = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];

/// Places that exist on one machine only.
const MACHINE: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// How many lines above a sleep its reason may stand.
const REASON_ABOVE: usize = 3;

/// A note to oneself is finished, or becomes an issue, before the merge.
pub(crate) fn unfinished(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.files().filter(|(path, _)| !path.ends_with(".md")) {
        for (number, line) in file.raw() {
            for word in UNFINISHED.iter().filter(|word| contains_word(line, word)) {
                let what = format!("`{word}` marks unfinished work: finish it or file it");
                complaints.push(Complaint::new(path, number, what));
            }
        }
        for (number, Line { code, .. }) in file.rust() {
            if code.contains("unimplemented!") {
                let what = "`unimplemented!` panics in somebody's hands: build it or refuse it";
                complaints.push(Complaint::new(path, number, what));
            }
        }
    }
    complaints
}

/// A test that does not run proves nothing and looks as though it did.
pub(crate) fn ignored_tests(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.ending(".rs") {
        for (number, Line { code, .. }) in file.rust() {
            if code.contains("#[ignore") {
                let what = "an ignored test: mend it, or delete it and say why in the commit";
                complaints.push(Complaint::new(path, number, what));
            }
        }
    }
    complaints
}

/// A path of one desk is wrong at every other.
pub(crate) fn machine_paths(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.files() {
        for (number, line) in file.raw() {
            let temporary = path.ends_with(".md").then_some("/tmp");
            for place in MACHINE.into_iter().chain(temporary) {
                if starts_a_path(line, place) {
                    let what = format!("`{place}` is a path of one machine: use a relative one");
                    complaints.push(Complaint::new(path, number, what));
                }
            }
        }
    }
    complaints
}

/// A sleep guesses how long something takes, and guesses wrong on a loaded machine. The one good
/// use is the pause between two looks at a condition; a comment with the word `deadline` tells
/// which deadline ends the looking.
pub(crate) fn sleeping_tests(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.ending(".rs") {
        let lines: Vec<&Line> = file.rust().map(|(_, line)| line).collect();
        let inline = file.inline_tests();
        for (at, line) in lines.iter().enumerate() {
            let in_test = inline[at] || tree::is_test(path);
            if !in_test || !line.code.contains("sleep(") {
                continue;
            }
            let reasons = &lines[at.saturating_sub(REASON_ABOVE)..=at];
            if !reasons.iter().any(|line| line.comment.contains("deadline")) {
                let what = "a sleep in a test: wait for a condition instead; a pause inside such \
                            a wait carries a comment that names its deadline";
                complaints.push(Complaint::new(path, at + 1, what));
            }
        }
    }
    complaints
}

/// Whether `text` has `word` with no letter, digit or underscore at either end.
pub(crate) fn contains_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

fn starts_a_path(text: &str, place: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || "._-/*}".contains(c);
    text.match_indices(place).any(|(at, _)| {
        let after = &text[at + place.len()..];
        !text[..at].ends_with(part)
            && (place.ends_with('/') || !after.starts_with(char::is_alphanumeric))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(complaints: &[Complaint]) -> Vec<usize> {
        complaints.iter().map(|complaint| complaint.line).collect()
    }

    #[test]
    fn unfinished_fires_on_each_word_and_not_inside_others() {
        for word in UNFINISHED {
            let text = format!("// a\n// {word}: later\n// a{word}b\n");
            assert_eq!(lines(&unfinished(&Tree::sample(&[("a.rs", &text)]))), [2], "{word}");
        }
        let text = "fn a() { unimplemented!() }\n// unimplemented!\n";
        assert_eq!(lines(&unfinished(&Tree::sample(&[("a.rs", text)]))), [1]);
    }

    #[test]
    fn ignored_tests_fires_on_attributes_and_not_on_talk_of_them() {
        let text = "#[ignore]\n#[ignore = \"slow\"]\n// #[ignore]\nlet a = \"#[ignore]\";\n";
        assert_eq!(lines(&ignored_tests(&Tree::sample(&[("a.rs", text)]))), [1, 2]);
    }

    #[test]
    fn machine_paths_fires_on_paths_and_not_on_parts_of_others() {
        for place in MACHINE {
            let text = format!("see {place}a\nsee a{place}b\n");
            assert_eq!(lines(&machine_paths(&Tree::sample(&[("a.rs", &text)]))), [1], "{place}");
        }
        let text = "`/tmp/a`\n/tmpfile\na/tmp/b\n";
        assert_eq!(lines(&machine_paths(&Tree::sample(&[("a.md", text)]))), [1]);
        assert!(machine_paths(&Tree::sample(&[("a.rs", text)])).is_empty());
    }

    #[test]
    fn sleeping_tests_fires_unless_a_deadline_is_named() {
        let text = "a();\nthread::sleep(b);\n\n\n\n// Until the deadline above.\nsleep(c).await;\n";
        let tree = Tree::sample(&[("a/tests/b.rs", text), ("a/src/b.rs", text)]);
        assert_eq!(lines(&sleeping_tests(&tree)), [2]);
        let text = "sleep(a);\n#[cfg(test)]\nmod tests {\nfn b() { sleep(c) }\n}\n";
        assert_eq!(lines(&sleeping_tests(&Tree::sample(&[("a/src/b.rs", text)]))), [4]);
    }
}
