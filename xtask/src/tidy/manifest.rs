//! What the manifests promise.

use super::Complaint;
use super::tree::{File, Tree};

/// Each crate of ours with the crates of ours that it may use. Arrows point from the world toward
/// the mathematics: `ARCHITECTURE.md` draws them.
const LAYERS: [(&str, &[&str]); 10] = [
    ("protocol", &[]),
    ("store", &["protocol"]),
    ("node", &["protocol", "store"]),
    ("storage", &["protocol", "store"]),
    ("sim", &["node", "protocol", "storage", "store"]),
    ("etcdpb", &[]),
    ("client", &["etcdpb"]),
    ("server", &["etcdpb", "node", "protocol", "storage", "store"]),
    ("conclave", &["client", "etcdpb", "node", "protocol", "server", "sim", "storage", "store"]),
    ("xtask", &[]),
];

/// A dependency as a manifest writes it.
pub(crate) struct Dependency<'a> {
    /// The line in the manifest.
    pub(crate) line: usize,
    /// The section: `dependencies`, `dev-dependencies`, …
    pub(crate) section: &'a str,
    /// The name of the crate.
    pub(crate) name: &'a str,
    /// What follows the name.
    pub(crate) value: &'a str,
}

/// A crate leans only on crates below it. Tests may lean on anything.
pub(crate) fn layers(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, crate_name, file) in members(tree) {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == crate_name) else {
            let what = format!("`{crate_name}` has no place in the table of layers: give it one");
            complaints.push(Complaint::new(path, 1, what));
            continue;
        };
        for dependency in dependencies(file) {
            let ours = LAYERS.iter().any(|(name, _)| *name == dependency.name);
            let tests = dependency.section == "dev-dependencies";
            if ours && !tests && !allowed.contains(&dependency.name) {
                let what = format!("`{crate_name}` must not use `{}`", dependency.name);
                complaints.push(Complaint::new(path, dependency.line, what));
            }
        }
    }
    complaints
}

/// A version stands once, in the root, so that no two crates of ours disagree.
pub(crate) fn versions_in_one_place(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, _, file) in members(tree) {
        for dependency in dependencies(file) {
            if !dependency.value.contains("workspace = true") {
                let what = format!(
                    "`{}`: put the version into the root's [workspace.dependencies] and write \
                     `workspace = true` here",
                    dependency.name
                );
                complaints.push(Complaint::new(path, dependency.line, what));
            }
        }
    }
    complaints
}

/// A crate without `[lints] workspace = true` is a crate without lints.
pub(crate) fn lints_everywhere(tree: &Tree) -> Vec<Complaint> {
    members(tree)
        .filter(|(_, _, file)| {
            !entries(file).any(|(_, section, key, value)| {
                section == "lints" && key == "workspace" && value == "true"
            })
        })
        .map(|(path, _, _)| Complaint::new(path, 1, "add `[lints]` with `workspace = true`"))
        .collect()
}

/// The manifests of the crates of the workspace, each with its folder.
fn members(tree: &Tree) -> impl Iterator<Item = (&str, &str, &File)> {
    tree.ending("/Cargo.toml")
        .filter(|(_, file)| !file.raw().any(|(_, line)| line.starts_with("[workspace]")))
        .filter_map(|(path, file)| Some((path, path.strip_suffix("/Cargo.toml")?, file)))
}

/// All dependencies of a manifest, whatever they are for.
pub(crate) fn dependencies(file: &File) -> impl Iterator<Item = Dependency<'_>> {
    entries(file).filter_map(|(line, section, key, value)| {
        let (section, table) = match section.split_once("dependencies.") {
            Some((before, name)) => (&section[..before.len() + "dependencies".len()], Some(name)),
            None => (section, None),
        };
        let name = table.unwrap_or_else(|| key.split('.').next().unwrap_or(key));
        let section = section.rsplit('.').next().unwrap_or(section);
        section.ends_with("dependencies").then_some(Dependency { line, section, name, value })
    })
}

/// Line, section, key and value of every `key = value`. The value of `a.b = c` is `b = c`.
fn entries(file: &File) -> impl Iterator<Item = (usize, &str, &str, &str)> {
    let mut section = "";
    file.raw().filter_map(move |(number, line)| {
        let line = line.split(" #").next().unwrap_or(line).trim();
        if let Some(inside) = line.strip_prefix('[') {
            section = inside.trim_end_matches(']');
            return None;
        }
        let (key, value) = line.split_once('=')?;
        let value = key.find('.').map_or(value, |dot| &line[dot + 1..]);
        Some((number, section, key.trim(), value.trim())).filter(|_| !line.starts_with('#'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(complaints: &[Complaint]) -> Vec<(&str, usize)> {
        complaints.iter().map(|complaint| (complaint.path.as_str(), complaint.line)).collect()
    }

    #[test]
    fn layers_fires_on_arrows_that_point_outward() {
        let tree = Tree::sample(&[
            ("Cargo.toml", "[workspace]\n"),
            (
                "store/Cargo.toml",
                "[dependencies]\nprotocol.workspace = true\nnode = { path = \"x\" }\n",
            ),
            ("node/Cargo.toml", "[dev-dependencies]\nserver.workspace = true\n"),
            ("novel/Cargo.toml", ""),
        ]);
        assert_eq!(places(&layers(&tree)), [("novel/Cargo.toml", 1), ("store/Cargo.toml", 3)]);
    }

    #[test]
    fn versions_fires_on_a_version_of_its_own_in_every_spelling() {
        let text = "[package]\nversion = \"1\"\n[dependencies]\na.workspace = true\n\
                    b = { workspace = true, features = [\"c\"] }\nd = \"1\"\n\
                    [dev-dependencies]\ne = { version = \"1\" }\n\
                    [target.x.dependencies]\nf = \"1\"\n\
                    [dependencies.g]\nversion = \"1\"\n";
        let tree = Tree::sample(&[("a/Cargo.toml", text)]);
        let lines: Vec<_> = versions_in_one_place(&tree).iter().map(|c| c.line).collect();
        assert_eq!(lines, [6, 8, 10, 12]);
    }

    #[test]
    fn lints_fires_on_a_crate_without_them() {
        let tree = Tree::sample(&[
            ("a/Cargo.toml", "[lints]\nworkspace = true\n"),
            ("b/Cargo.toml", "[lints.rust]\nunsafe_code = \"allow\"\n"),
            ("fuzz/Cargo.toml", "[workspace]\n"),
        ]);
        assert_eq!(places(&lints_everywhere(&tree)), [("b/Cargo.toml", 1)]);
    }
}
