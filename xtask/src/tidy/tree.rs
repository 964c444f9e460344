//! What tidy looks at: the text of the repository, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use super::lexer::{self, Line};
use crate::repo::Repo;

/// Endings of the files that people write. Anything else is data.
const WRITTEN: [&str; 6] = [".rs", ".md", ".toml", ".proto", ".yml", ".ci/run"];

/// Folders whose text comes from a generator or from elsewhere.
const NOT_OURS: [&str; 3] = ["/generated/", "/tests/data/", "/tests/fixtures/"];

/// The written files of a repository, by path from its root with `/` between the names.
pub(crate) struct Tree {
    files: BTreeMap<String, File>,
    /// Every path, those of folders and of data included.
    names: BTreeSet<String>,
}

/// One file.
pub(crate) struct File {
    text: String,
    lines: Vec<Line>,
}

impl Tree {
    /// Reads a checkout.
    pub(crate) fn load(repo: &Repo) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let mut names = BTreeSet::new();
        for path in repo.files("")? {
            let name = path.to_string_lossy().replace('\\', "/");
            names.extend(with_folders(&name));
            let ours = !NOT_OURS.iter().any(|folder| name.contains(folder));
            if ours && WRITTEN.iter().any(|ending| name.ends_with(ending)) {
                files.insert(name.clone(), File::new(&name, fs::read_to_string(repo.path(path))?));
            }
        }
        Ok(Self { files, names })
    }

    /// A repository that exists only in a test.
    #[cfg(test)]
    pub(crate) fn sample(files: &[(&str, &str)]) -> Self {
        let named =
            |(path, text): &(&str, &str)| ((*path).to_owned(), File::new(path, (*text).to_owned()));
        let names = files.iter().flat_map(|(path, _)| with_folders(path)).collect();
        Self { files: files.iter().map(named).collect(), names }
    }

    /// All files, sorted by path.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The files with this ending.
    pub(crate) fn ending(&self, ending: &str) -> impl Iterator<Item = (&str, &File)> {
        self.files().filter(move |(path, _)| path.ends_with(ending))
    }

    /// What stands in the repository's own folder and is no folder.
    pub(crate) fn at_the_root(&self) -> impl Iterator<Item = &str> {
        let is_folder =
            |name: &str| self.names.iter().any(|it| it.starts_with(&format!("{name}/")));
        let names = self.names.iter().map(String::as_str);
        names.filter(move |name| !name.contains('/') && !is_folder(name))
    }

    /// Whether a path names anything in the repository, be it a folder or not for tidy to read.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.names.contains(path)
    }

    /// The file of this path.
    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }
}

impl File {
    fn new(path: &str, text: String) -> Self {
        let lines = if path.ends_with(".rs") { lexer::split(&text) } else { Vec::new() };
        Self { text, lines }
    }

    /// The text as it is.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The lines as they are, numbered from 1.
    pub(crate) fn raw(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The lines of a Rust file with code and comment apart, numbered from 1.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (usize, &Line)> {
        (1..).zip(&self.lines)
    }

    /// Whether each line of a Rust file stands inside an item under `#[cfg(test)]`.
    pub(crate) fn inline_tests(&self) -> Vec<bool> {
        lexer::test_items(&self.lines)
    }
}

/// The path and those of the folders it stands in.
fn with_folders(path: &str) -> impl Iterator<Item = String> + '_ {
    let folders = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
    folders.chain([path.to_owned()])
}

/// Whether the path is that of a file with nothing but tests in it.
pub(crate) fn is_test(path: &str) -> bool {
    path.split('/').any(|name| name == "tests") || path.ends_with("/tests.rs")
}
