//! A real file system that is small: a tmpfs of its own, unmounted when it is dropped.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system of its own.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    dir: TempDir,
    /// Mounting takes this program.
    with: &'static [&'static str],
}

fn run(with: &[&str], arguments: &[&str]) -> bool {
    let words: Vec<&str> = with.iter().chain(arguments).copied().collect();
    Command::new(words[0]).args(&words[1..]).output().is_ok_and(|output| output.status.success())
}

impl SmallDisk {
    /// One of so many mebibytes; `None` where nothing may be mounted, and the test is to be
    /// skipped.
    ///
    /// # Panics
    /// Where nothing may be mounted and `CI=true`: there nothing is skipped.
    pub(crate) fn mount(mebibytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={mebibytes}m,mode=1777");
        let path = dir.path().to_str().unwrap();
        for with in [&[][..], &["sudo", "-n"]] {
            if run(with, &["mount", "-t", "tmpfs", "-o", &options, "tmpfs", path]) {
                return Some(Self { dir, with });
            }
        }
        let strict = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!strict, "no file system may be mounted here, as root or by sudo");
        eprintln!("skipped: no file system may be mounted here");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Fills it to the last byte with something foreign, and names that.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.dir.path().join("foreign");
        let mut file = File::options().create(true).append(true).open(&path).unwrap();
        for piece in [1 << 20, 4096, 1] {
            while file.write_all(&vec![7; piece]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path = self.dir.path().to_str().unwrap_or_default();
        if !run(self.with, &["umount", path]) {
            run(self.with, &["umount", "-l", path]);
        }
    }
}
