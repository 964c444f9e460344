//! Where a run took place: figures without it cannot be read.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::system::{self, Programs};
use crate::repo::Repo;

#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cpus: usize,
    kernel: String,
    /// How many processes wanted to run before we came: 1, 5 and 15 minutes.
    load: String,
    /// The kind of file system that the data stand on.
    file_system: String,
    /// What the programs say of themselves.
    conclave: String,
    etcd: String,
    commit: String,
}

impl Machine {
    pub(crate) fn look(repo: &Repo, programs: &Programs, folder: &Path) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let load = read("/proc/loadavg");
        let mut git = Command::new("git");
        git.args(["describe", "--always", "--dirty"]).current_dir(repo.root());
        Self {
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
            file_system: file_system(&read("/proc/self/mounts"), folder),
            conclave: first_line(system::clean(&programs.conclave).arg("--version")),
            etcd: first_line(system::clean(&programs.etcd).arg("--version")),
            commit: first_line(&mut git),
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self { cpus, kernel, load, file_system, conclave, etcd, commit } = self;
        let mut text = format!(
            "{conclave} (checkout {commit}) beside {etcd}\n\
             {cpus} processors, Linux {kernel}, data on {file_system}, load before the run {load}\n"
        );
        if file_system == "tmpfs" {
            text += "the data stand in memory, where a sync costs nothing: choose --dir\n";
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpus": self.cpus,
            "kernel": self.kernel,
            "load_before": self.load,
            "file_system": self.file_system,
            "conclave": self.conclave,
            "etcd": self.etcd,
            "commit": self.commit,
        })
    }
}

/// The type of the mount that a folder is below, out of the text of `/proc/self/mounts`.
fn file_system(mounts: &str, folder: &Path) -> String {
    let found = mounts
        .lines()
        .filter_map(|line| {
            // fstab(5): device, place, type.
            let mut words = line.split(' ').skip(1);
            Some((Path::new(words.next()?), words.next()?))
        })
        .filter(|(place, _)| folder.starts_with(place))
        // Of two mounts on one place, the later one is seen.
        .max_by_key(|(place, _)| place.components().count());
    found.map_or_else(|| "an unknown file system".to_owned(), |(_, kind)| kind.to_owned())
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    said.as_deref().and_then(|said| said.lines().next()).unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_and_latest_mount_above_a_folder_counts() {
        let mounts = "d / ext4 rw 0 0\nd /a xfs rw 0 0\nd /a tmpfs rw 0 0\nd /a/b/c nfs rw 0 0\n";
        let kind = |folder: &str| file_system(mounts, Path::new(folder));
        assert_eq!(kind("/x"), "ext4");
        assert_eq!(kind("/a/b"), "tmpfs");
        assert_eq!(kind("/ab"), "ext4");
        assert_eq!(file_system("", Path::new("/x")), "an unknown file system");
    }

    #[test]
    fn a_program_that_cannot_be_asked_is_unknown() {
        assert_eq!(first_line(Command::new("echo").arg("v1\nv2")), "v1");
        assert_eq!(first_line(&mut Command::new("false")), "unknown");
        assert_eq!(first_line(&mut Command::new("no-such-program")), "unknown");
    }
}
