//! Documents that orient.

use super::Complaint;
use super::tree::{File, Tree};

/// A document is about one thing and says at its top which.
pub(crate) fn one_title(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.ending(".md") {
        let titles: Vec<usize> =
            prose(file).filter(|(_, line)| line.starts_with("# ")).map(|(at, _)| at).collect();
        match titles.as_slice() {
            [_] => {}
            [] => complaints.push(Complaint::new(path, 1, "no `# Title`: say what this is")),
            [_, others @ ..] => complaints.extend(others.iter().map(|line| {
                Complaint::new(path, *line, "a second title: make it `##`, or a file of its own")
            })),
        }
    }
    complaints
}

/// A link to a file that is gone is a promise broken on the first click.
pub(crate) fn links_lead_somewhere(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (path, file) in tree.ending(".md") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in prose(file) {
            for target in targets(line) {
                if !exists(tree, folder, target) {
                    let what = format!("the link to `{target}` leads nowhere");
                    complaints.push(Complaint::new(path, number, what));
                }
            }
        }
    }
    complaints
}

/// The lines outside of fenced code.
fn prose(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    file.raw().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// What the links of a line to other files of the repository point at, without the fragment.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        let outside = target.contains(':') || target.is_empty();
        (!outside).then_some(target)
    })
}

fn exists(tree: &Tree, folder: &str, target: &str) -> bool {
    let mut names: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    let path = names.join("/");
    tree.has(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(complaints: &[Complaint]) -> Vec<(&str, usize)> {
        complaints.iter().map(|complaint| (complaint.path.as_str(), complaint.line)).collect()
    }

    #[test]
    fn one_title_fires_on_none_and_on_two_and_not_on_code() {
        let tree = Tree::sample(&[
            ("good.md", "# A\n```sh\n# not a title\n```\n## B\n"),
            ("none.md", "## A\n"),
            ("two.md", "# A\n\n# B\n"),
        ]);
        assert_eq!(places(&one_title(&tree)), [("none.md", 1), ("two.md", 3)]);
    }

    #[test]
    fn links_fires_on_what_is_not_there() {
        let tree = Tree::sample(&[
            ("docs/a.md", "# A\n[b](b.md#x) [up](../c.rs) [web](https://a.b/c) [d](#here)\n"),
            ("docs/b.md", "# B\n[docs](../docs) [gone](gone.md)\n"),
            ("c.rs", ""),
        ]);
        assert_eq!(places(&links_lead_somewhere(&tree)), [("docs/b.md", 2)]);
    }
}
