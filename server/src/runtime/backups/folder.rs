//! The folder that one member's backups are kept in, beside those of others.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use storage::backup::Stamp;

const SUFFIX: &str = ".snapshot";

/// A folder of backups, as one member sees it: only files that carry its name are its own.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// What its files begin with.
    prefix: String,
}

/// One of the member's backups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept {
    /// When it was taken.
    pub(super) stamp: Stamp,
    /// The revision (main) in it.
    pub(super) revision: i64,
    /// The file.
    pub(super) path: PathBuf,
}

impl Folder {
    pub(super) fn new(path: &Path, member: &str) -> Self {
        let prefix = member.bytes().fold(String::new(), |mut prefix, byte| {
            // What a path gives a meaning to, or a terminal, stands as a number.
            if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
                prefix.push(char::from(byte));
            } else {
                prefix.push_str(&format!("%{byte:02X}"));
            }
            prefix
        });
        Self { path: path.to_owned(), prefix: prefix + "-" }
    }

    /// The folder is made if it is not there.
    pub(super) fn create(&self) -> io::Result<()> {
        fs::create_dir_all(&self.path)
    }

    /// Where a backup goes.
    pub(super) fn place(&self, revision: i64, stamp: Stamp) -> PathBuf {
        let Self { path, prefix } = self;
        path.join(format!("{prefix}{revision}-{}{SUFFIX}", stamp.compact()))
    }

    /// The member's backups, from the oldest on.
    pub(super) fn list(&self) -> io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some((revision, stamp)) = name.and_then(|name| self.parse(name)) else { continue };
            kept.push(Kept { stamp, revision, path });
        }
        kept.sort();
        Ok(kept)
    }

    /// Removes the oldest of them, so that `count` are left; gives how many it removed.
    pub(super) fn prune(&self, count: usize) -> io::Result<usize> {
        let kept = self.list()?;
        let old = kept.len().saturating_sub(count);
        kept[..old].iter().try_for_each(|kept| fs::remove_file(&kept.path))?;
        Ok(old)
    }

    fn parse(&self, name: &str) -> Option<(i64, Stamp)> {
        let rest = name.strip_prefix(&self.prefix)?.strip_suffix(SUFFIX)?;
        let (revision, stamp) = rest.split_once('-')?;
        Some((revision.parse().ok()?, Stamp::parse_compact(stamp)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_the_oldest_of_the_members_own_backups_go() {
        let dir = tempfile::tempdir().unwrap();
        let (mine, other) = (Folder::new(dir.path(), "a"), Folder::new(dir.path(), "a-5"));
        for (revision, second) in [(9, 30), (7, 10), (8, 20)] {
            let stamp = Stamp::of_ms(second * 1000);
            fs::write(mine.place(revision, stamp), b"").unwrap();
            fs::write(other.place(revision, stamp), b"").unwrap();
        }
        for foreign in ["a-notes.snapshot", "a-9-19700101T000030Z.snapshot.part", "b-1-x.snapshot"]
        {
            fs::write(dir.path().join(foreign), b"").unwrap();
        }
        let revisions: Vec<i64> = mine.list().unwrap().iter().map(|kept| kept.revision).collect();
        assert_eq!(revisions, [7, 8, 9]);
        assert_eq!(mine.prune(2).unwrap(), 1);
        assert_eq!(mine.prune(2).unwrap(), 0);
        assert_eq!(mine.list().unwrap().len(), 2);
        assert_eq!(other.list().unwrap().len(), 3);
        assert_eq!(names(dir.path()).len(), 8);
    }

    #[test]
    fn a_name_stays_within_the_folder() {
        let folder = Folder::new(Path::new("/backups"), "../n 1ä");
        let place = folder.place(3, Stamp::of_ms(0));
        let text = "/backups/..%2Fn%201%C3%A4-3-19700101T000000Z.snapshot";
        assert_eq!(place, Path::new(text));
        assert_eq!(folder.parse(&text[9..]), Some((3, Stamp::of_ms(0))));
    }
}
