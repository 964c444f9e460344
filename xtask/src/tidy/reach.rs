//! Every Rust file is part of a build.

use std::collections::BTreeSet;

use super::Complaint;
use super::tree::Tree;

/// A file that no `mod` leads to is not compiled, not tested and not true.
pub(crate) fn dead_files(tree: &Tree) -> Vec<Complaint> {
    let mut reached = BTreeSet::new();
    let mut pending = roots(tree);
    while let Some(path) = pending.pop() {
        if tree.get(&path).is_some() && reached.insert(path.clone()) {
            pending.extend(named_in(tree, &path));
        }
    }
    tree.ending(".rs")
        .filter(|(path, _)| !reached.contains(*path))
        .map(|(path, _)| {
            Complaint::new(path, 1, "no `mod` leads here: name it in its parent, or delete it")
        })
        .collect()
}

/// The files that cargo compiles by itself: those of its layout, and those that a manifest names.
fn roots(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (manifest, file) in tree.ending("Cargo.toml") {
        let folder = manifest.trim_end_matches("Cargo.toml");
        for name in ["src/lib.rs", "src/main.rs", "build.rs"] {
            found.push(format!("{folder}{name}"));
        }
        for group in ["src/bin/", "tests/", "benches/", "examples/"] {
            let group = format!("{folder}{group}");
            let inside = tree.ending(".rs").filter_map(|(path, _)| path.strip_prefix(&group));
            let alone = inside.filter(|rest| !rest.contains('/') || is_main(rest));
            found.extend(alone.map(|rest| format!("{group}{rest}")));
        }
        for (_, line) in file.raw().filter(|(_, line)| line.trim_start().starts_with("path")) {
            found.extend(quoted(line).map(|path| format!("{folder}{path}")));
        }
    }
    found
}

fn is_main(rest: &str) -> bool {
    rest.ends_with("/main.rs") && rest.matches('/').count() == 1
}

/// The files that the modules declared in `path` may stand in, and those that it includes.
fn named_in(tree: &Tree, path: &str) -> Vec<String> {
    let Some(file) = tree.get(path) else { return Vec::new() };
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_root = ["mod.rs", "lib.rs", "main.rs"].contains(&name) || is_root_of_group(folder);
    let stem = name.trim_end_matches(".rs");
    let inner = if is_root { folder.to_owned() } else { format!("{folder}/{stem}") };

    let mut found = Vec::new();
    for ((_, raw), (_, line)) in file.raw().zip(file.rust()) {
        if line.code.contains("#[path") || line.code.contains("include!(") {
            found.extend(quoted(raw).map(|path| resolve(&format!("{folder}/{path}"))));
        }
        if let Some(module) = declared(&line.code) {
            found.push(format!("{inner}/{module}.rs"));
            found.push(format!("{inner}/{module}/mod.rs"));
        }
    }
    found
}

fn is_root_of_group(folder: &str) -> bool {
    ["tests", "benches", "examples", "bin"].iter().any(|group| {
        folder.rsplit('/').next() == Some(group) && !folder.contains("src/")
            || folder.ends_with("src/bin")
    })
}

/// The name in `mod name;`, with or without a visibility.
fn declared(code: &str) -> Option<&str> {
    let declaration = code.trim().strip_suffix(';')?;
    let (before, name) = declaration.rsplit_once("mod ")?;
    let visibility = before.trim();
    (visibility.is_empty() || visibility.starts_with("pub") || visibility.ends_with(']'))
        .then_some(name.trim())
}

/// What stands between the first two quotes.
fn quoted(line: &str) -> Option<&str> {
    line.split('"').nth(1)
}

/// The path without `..` in it.
fn resolve(path: &str) -> String {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join("/")
}

/// A file at the root is one that people or tools look for there; whatever else was left there by
/// accident.
pub(crate) fn strays(tree: &Tree) -> Vec<Complaint> {
    let belongs = |name: &&str| {
        let kinds = [".md", ".toml", ".lock"];
        name.starts_with('.') || *name == "LICENSE" || kinds.iter().any(|it| name.ends_with(it))
    };
    let stray = |name| Complaint::new(name, 1, "it does not belong at the root; remove or move it");
    tree.at_the_root().filter(|name| !belongs(name)).map(stray).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(files: &[(&str, &str)]) -> Vec<String> {
        dead_files(&Tree::sample(files)).into_iter().map(|complaint| complaint.path).collect()
    }

    #[test]
    fn a_file_without_a_mod_is_dead() {
        let files = [
            ("a/Cargo.toml", ""),
            ("a/src/lib.rs", "mod b;\n// mod f;\nlet x = \"mod g;\";\n"),
            ("a/src/b.rs", "pub(crate) mod c;\n"),
            ("a/src/b/c.rs", ""),
            ("a/src/b/d.rs", ""),
            ("a/src/f.rs", ""),
            ("a/src/g.rs", ""),
        ];
        assert_eq!(dead(&files), ["a/src/b/d.rs", "a/src/f.rs", "a/src/g.rs"]);
    }

    #[test]
    fn cargo_finds_roots_and_paths_are_followed() {
        let files = [
            ("a/Cargo.toml", "[[bin]]\npath = \"odd/place.rs\"\n"),
            ("a/odd/place.rs", "#[path = \"../src/far.rs\"]\nmod near;\n"),
            ("a/src/far.rs", ""),
            ("a/tests/one.rs", "mod common;\n"),
            ("a/tests/common/mod.rs", "pub mod more;\n"),
            ("a/tests/common/more.rs", ""),
            ("a/tests/two/main.rs", "mod part;\n"),
            ("a/tests/two/part.rs", ""),
            ("a/tests/two/lost.rs", ""),
        ];
        assert_eq!(dead(&files), ["a/tests/two/lost.rs"]);
    }

    #[test]
    fn strays_fires_on_what_was_left_at_the_root() {
        let tree = Tree::sample(&[
            ("README.md", ""),
            ("LICENSE", ""),
            (".ci/run", ""),
            ("wheel.whl", ""),
            ("docs/picture.svg", ""),
        ]);
        let found: Vec<String> = strays(&tree).iter().map(Complaint::to_string).collect();
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("wheel.whl:1: it does not belong"), "{found:?}");
    }
}
