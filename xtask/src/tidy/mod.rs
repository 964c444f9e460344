//! Tidy: the laws of the house that neither the compiler nor clippy can see.
//!
//! Each rule is a function from the whole [`Tree`] to complaints, and each complaint says where and
//! what to do. There is no allow-list: a rule that does not fit the central file is a wrong rule
//! or a wrong file. `docs/style.md` gives the reasons.
//!
//! What is left out: anything a compiler lint can say (`Cargo.toml`, `clippy.toml`). A wildcard
//! arm over a protocol's enum, for one, is clippy's to find; tidy sees to it that clippy is asked.

mod citations;
mod lexer;
mod lines;
mod manifest;
mod markdown;
mod protocols;
mod purity;
mod reach;
mod tree;
mod words;

use std::error::Error;
use std::fmt;

use self::tree::Tree;
use crate::repo::Repo;

/// A breach of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Complaint {
    path: String,
    line: usize,
    what: String,
}

impl Complaint {
    /// About the given line, counted from 1.
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

type Rule = fn(&Tree) -> Vec<Complaint>;

const RULES: [Rule; 19] = [
    lines::columns,
    lines::length,
    words::unfinished,
    words::ignored_tests,
    words::machine_paths,
    words::sleeping_tests,
    reach::dead_files,
    reach::strays,
    protocols::apart,
    citations::name_a_paper,
    citations::every_paper_is_cited,
    markdown::one_title,
    markdown::links_lead_somewhere,
    purity::attributes,
    purity::dependencies,
    purity::no_way_out,
    manifest::layers,
    manifest::versions_in_one_place,
    manifest::lints_everywhere,
];

/// Fails with all complaints about the checkout, sorted by place.
pub(crate) fn run(repo: &Repo) -> Result<(), Box<dyn Error>> {
    let complaints = complaints(&Tree::load(repo)?);
    if complaints.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = complaints.iter().map(Complaint::to_string).collect();
    Err(format!("{} untidy places\n{}", lines.len(), lines.join("\n")).into())
}

fn complaints(tree: &Tree) -> Vec<Complaint> {
    let mut all: Vec<Complaint> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    all.sort();
    all
}
