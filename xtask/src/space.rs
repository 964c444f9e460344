//! Whether the disks have room for what a run of all tests leaves on them.
//!
//! Without this a full disk shows as servers that refuse every write, half an hour later.

use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::repo::Repo;

const GIB: u64 = 1 << 30;
/// What the builds of all steps take together, measured with a margin.
const BUILDS: u64 = 11 * GIB;
/// What the data directories of the tests that run at one time take, with a margin.
const DATA: u64 = 2 * GIB;

/// Compares what is free with what a run takes beyond what an earlier one has left.
///
/// # Errors
/// Too little: where, how much, and what to do.
pub(crate) fn check(repo: &Repo) -> Result<(), Box<dyn Error>> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| repo.root().join("target"));
    let temp = std::env::temp_dir();
    fs::create_dir_all(&target)?;
    let builds = BUILDS.saturating_sub(size(&target)).max(GIB);
    if fs::metadata(&target)?.dev() == fs::metadata(&temp)?.dev() {
        return require(&target, "the builds and the tests' directories", builds + DATA);
    }
    require(&target, "the builds (CARGO_TARGET_DIR)", builds)?;
    require(&temp, "the tests' directories (TMPDIR)", DATA)
}

fn require(path: &Path, whose: &str, needed: u64) -> Result<(), Box<dyn Error>> {
    let stat = rustix::fs::statvfs(path)?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let place = path.display();
    println!("    {whose} at {place}: {} free, {} needed", gib(free), gib(needed));
    verdict(free, needed).map_err(|text| format!("{place}: {text}").into())
}

fn verdict(free: u64, needed: u64) -> Result<(), String> {
    if free >= needed {
        return Ok(());
    }
    Err(format!(
        "{} free, and the builds and tests to come need {}: free some space, or set \
         CARGO_TARGET_DIR and TMPDIR to where there is more",
        gib(free),
        gib(needed)
    ))
}

fn gib(bytes: u64) -> String {
    format!("{}.{} GiB", bytes / GIB, bytes % GIB * 10 / GIB)
}

/// The bytes of a directory's files, each once whatever its names; what cannot be read counts
/// nothing.
fn size(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path()),
        Ok(data) if data.is_file() => data.len() / data.nlink().max(1),
        _ => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_is_refused_with_what_to_do() {
        assert_eq!(verdict(GIB, GIB), Ok(()));
        let text = verdict(GIB - 1, GIB).unwrap_err();
        assert!(text.contains("0.9 GiB free") && text.contains("TMPDIR"), "{text}");
    }

    #[test]
    fn the_bytes_of_a_directory_are_those_of_all_below_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("below")).unwrap();
        fs::write(dir.path().join("below/one"), [0; 300]).unwrap();
        fs::write(dir.path().join("two"), [0; 40]).unwrap();
        assert_eq!(size(dir.path()), 340);
        assert_eq!(size(&dir.path().join("nowhere")), 0);
    }
}
