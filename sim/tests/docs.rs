//! What the documents list is what the code has: faults, marks, planted bugs, laws.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::BTreeSet;

use protocol::mutant::Mutant;
use sim::Kind;
use sim::invariants::LAWS;
use sim::marks::Mark;

fn read(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of the tables under a heading, up to the next heading of its rank; without a heading,
/// of the whole file. Each line without its prefix; head and rule of a table are left out.
fn rows(text: &str, heading: Option<&str>, prefix: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| heading.is_some_and(|heading| *line != heading));
    let lines = lines
        .enumerate()
        .take_while(|(number, line)| *number == 0 || heading.is_none() || !line.starts_with("## "));
    let lines: Vec<&str> = lines.filter_map(|(_, line)| line.strip_prefix(prefix)).collect();
    let is_row = |line: &&str| line.starts_with('|');
    let cells = |line: &str| {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    };
    let rules = lines.iter().enumerate().filter(|(_, line)| line.starts_with("|---"));
    let heads: BTreeSet<usize> = rules.flat_map(|(at, _)| [at, at.saturating_sub(1)]).collect();
    let rows = lines.iter().enumerate().filter(|(at, line)| is_row(line) && !heads.contains(at));
    rows.map(|(_, line)| cells(line)).collect()
}

/// Fails unless the document has exactly the rows that the code demands, each once.
fn compare(document: &str, found: &[String], wanted: &[String]) {
    let (have, want) = (found.iter().collect::<BTreeSet<_>>(), wanted.iter().collect());
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(BTreeSet::difference(&want, &have).map(|row| format!("  write   {row}")));
    wrong.extend(have.difference(&want).map(|row| format!("  remove  {row}")));
    assert!(wrong.is_empty(), "{document} and the code differ:\n{}", wrong.join("\n"));
    assert_eq!(found.len(), wanted.len(), "{document} has a row twice");
    assert!(!wanted.is_empty(), "the code lists nothing for {document}");
}

fn lines(rows: &[Vec<String>], cells: usize) -> Vec<String> {
    rows.iter().map(|row| format!("| {} |", row[..cells.min(row.len())].join(" | "))).collect()
}

#[test]
fn the_simulators_document_lists_every_fault() {
    let text = read("docs/simulator.md");
    let all = rows(&text, Some("## The faults"), "");
    // The second table of the chapter, of what is elsewhere, has no name in code letters.
    let (found, elsewhere): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|row| row[1].starts_with('`'));
    assert!(elsewhere.len() > 5 && elsewhere.iter().all(|row| row.len() == 3), "{elsewhere:?}");
    let wanted: Vec<String> = Kind::ALL
        .iter()
        .map(|kind| {
            let mark = if kind.damages() { " ◆" } else { "" };
            let what = kind.what().trim_end_matches('.');
            format!("| {} | `{}` | {what}{mark} |", kind.class(), kind.name())
        })
        .collect();
    compare("docs/simulator.md, “The faults”,", &lines(&found, 3), &wanted);
    let count = format!("{} kinds", Kind::COUNT);
    assert!(text.contains(&count), "docs/simulator.md does not say that there are {count}");
}

#[test]
fn the_simulators_document_lists_every_mark() {
    let found = rows(&read("docs/simulator.md"), Some("## Marks"), "");
    let row = |mark: &Mark| format!("| `{mark:?}` | {} |", mark.what().trim_end_matches('.'));
    let wanted: Vec<String> = Mark::ALL.iter().map(row).collect();
    compare("docs/simulator.md, “Marks”,", &lines(&found, 2), &wanted);
}

#[test]
fn the_document_of_planted_bugs_lists_each() {
    let document = read("docs/mutants.md");
    // What follows tells where some of them are hunted, and what came of it.
    let (tables, _) = document.split_once("\n## The ground").expect("a chapter on the ground");
    let rows = rows(tables, None, "");
    let name = |cell: &str| {
        let name = cell.trim_end_matches('★').trim();
        let mut letters = name.chars();
        let first = letters.next().is_some_and(|letter| letter.is_ascii_uppercase());
        let rest = letters.as_str();
        let is_name = first && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
        is_name.then(|| cell.to_owned())
    };
    let mut found: Vec<String> = rows.iter().filter_map(|row| name(&row[0])).collect();
    found.sort();
    found.dedup();
    let star = |mutant: &Mutant| if mutant.core() { " ★" } else { "" };
    let row = |mutant: &Mutant| format!("{}{}", mutant.name(), star(mutant));
    let wanted: Vec<String> = Mutant::ALL.iter().map(row).collect();
    compare("docs/mutants.md", &found, &wanted);
}

#[test]
fn the_document_of_invariants_lists_every_law() {
    let found = rows(&read("docs/invariants.md"), None, "");
    let row = |(file, law): &(&str, &str)| format!("| {law} | `{file}` |");
    let wanted: Vec<String> = LAWS.iter().map(row).collect();
    compare("docs/invariants.md", &lines(&found, 2), &wanted);
    for row in found {
        assert!(row.len() == 4 && row[2..].iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn the_module_of_invariants_lists_every_law_and_its_source() {
    let found = rows(&read("sim/src/invariants/mod.rs"), None, "//! ");
    let row = |(file, _): &(&str, &str)| format!("| `{file}` |");
    let wanted: Vec<String> = LAWS.iter().map(row).collect();
    compare("the table in sim/src/invariants/mod.rs", &lines(&found, 1), &wanted);
    for (row, (_, law)) in found.iter().zip(LAWS) {
        let (name, _) = law.split_once(' ').unwrap_or((law, ""));
        let numbered = name.starts_with("RI") || name.starts_with("MI");
        assert!(!numbered || row[1].starts_with(&format!("{name}:")), "{row:?} is not of {law}");
    }
}

/// A file that names a law is in the list; so none is asked for nothing, or forgotten.
#[test]
fn every_file_with_a_law_is_listed() {
    let folder = format!("{}/src/invariants", env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if std::fs::read_to_string(&path).unwrap().contains("const LAW: &str") {
            found.push(name);
        }
    }
    let wanted: Vec<String> = LAWS.iter().map(|(file, _)| (*file).to_owned()).collect();
    compare("sim/src/invariants", &found, &wanted);
}

/// Tests, traces and planted bugs that the pack of etcd's bugs names.
#[test]
fn what_answers_etcds_bugs_exists() {
    let rows = rows(&read("docs/etcd-bugs.md"), None, "");
    assert_eq!(rows.len(), 16);
    for row in &rows {
        let mut source = String::new();
        let mut named = 0;
        for word in row[2].split_whitespace() {
            let word = word.trim_matches([';', ',']);
            if let Some(path) = word.strip_prefix('`') {
                let path = path.trim_end_matches('`');
                let trace = !path.ends_with(".rs");
                let place =
                    if trace { format!("protocol/tests/scripts/{path}") } else { path.into() };
                source = read(&place);
                named += usize::from(trace);
            } else if word.contains('_') {
                assert!(source.contains(&format!("fn {word}(")), "{}: no test {word}", row[0]);
                named += 1;
            }
        }
        assert!(named > 0, "{} is answered by nothing", row[0]);
        let planted = Mutant::named(&row[3]).is_some();
        assert!(planted || row[3] == "–", "{}: no planted bug {}", row[0], row[3]);
    }
}
