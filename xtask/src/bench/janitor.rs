//! A second process that outlives a killed run and clears up after it.
//!
//! Drop guards end what was started when a run fails, but not when it is interrupted: Ctrl-C and
//! `kill` give no destructor a chance. The janitor is this same program, in a process group of its
//! own so that a terminal's Ctrl-C passes it by. It reads from a pipe which processes live and
//! which folder is in use. When the pipe ends, for whatever reason, it ends those processes by
//! their ids and removes the folder, and the networks that a run of partitions has made.
//!
//! - An id is taken off the list before its process is reaped, so no stranger can have it.
//! - Only a folder whose name begins with [`PREFIX`] is ever removed.
//! - Left out: a process started in the instant before a `kill -9`, whose id was not yet written.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// The word that makes this program a janitor.
pub(crate) const WORD: &str = "bench-janitor";
/// What the name of a run's folder begins with.
pub(crate) const PREFIX: &str = "conclave-bench-";

/// How long files may go on appearing while killed processes come to their end.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(10);
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);

/// Our end of the pipe. Dropped, the janitor clears up and is waited for.
#[derive(Debug)]
pub(crate) struct Janitor(Child);

impl Janitor {
    /// Starts one for a folder.
    pub(crate) fn start(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let janitor = Self::hire(Command::new(std::env::current_exe()?).arg(WORD))?;
        janitor.tell(&format!("folder {}", folder.display()))?;
        Ok(janitor)
    }

    /// Anything that reads its standard input.
    pub(super) fn hire(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0).spawn();
        Ok(Self(child.map_err(|error| format!("cannot start the janitor: {error}"))?))
    }

    /// This process ends with us.
    pub(crate) fn watch(&self, id: u32) -> io::Result<()> {
        self.tell(&format!("start {id}"))
    }

    /// This network is removed when we end.
    pub(crate) fn net(&self, name: &str) -> io::Result<()> {
        self.tell(&format!("net {name}"))
    }

    /// A file system stands here. It is thawed before anything else is done, and unmounted in the
    /// end.
    pub(crate) fn mounted(&self, place: &Path) -> io::Result<()> {
        self.tell(&format!("mount {}", place.display()))
    }

    /// This process is about to be reaped by ourselves.
    pub(crate) fn forget(&self, id: u32) -> io::Result<()> {
        self.tell(&format!("end {id}"))
    }

    fn tell(&self, line: &str) -> io::Result<()> {
        let mut pipe = self.0.stdin.as_ref().expect("it was started with a pipe");
        pipe.write_all(format!("{line}\n").as_bytes())
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// What the second process does, until its input ends and all is clean.
pub(crate) fn serve(input: impl BufRead) -> Result<(), Box<dyn Error>> {
    let mut processes = BTreeSet::new();
    let (mut folder, mut nets, mut mounts) = (None, Vec::new(), Vec::new());
    // An input that fails has ended, too.
    for line in input.lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("folder", path)) => folder = Some(PathBuf::from(path)),
            Some(("net", name)) => nets.push(name.to_owned()),
            Some(("mount", path)) => mounts.push(PathBuf::from(path)),
            Some(("start", id)) => drop(processes.insert(process(id)?)),
            Some(("end", id)) => drop(processes.remove(&process(id)?)),
            _ => return Err(format!("the janitor does not understand `{line}`").into()),
        }
    }
    // Failures say that a run has done it itself.
    let each = |program: &str, option: &str| {
        for place in &mounts {
            let _ = Command::new(program).arg(option).arg(place).output();
        }
    };
    each("fsfreeze", "--unfreeze");
    for id in processes.into_iter().filter_map(Pid::from_raw) {
        // One that has ended by itself needs nothing more.
        let _ = rustix::process::kill_process(id, Signal::KILL);
    }
    each("umount", "--lazy");
    for net in nets {
        // One that was removed already is no loss.
        let _ = Command::new("ip").args(["netns", "del", &net]).stderr(Stdio::null()).status();
    }
    folder.map_or(Ok(()), |folder| remove(&folder))
}

/// A process, never a group of them, which is what zero and negative numbers would name.
fn process(id: &str) -> Result<i32, Box<dyn Error>> {
    let parsed = id.parse().ok().filter(|id| *id > 0);
    parsed.ok_or_else(|| format!("`{id}` is no process id").into())
}

fn remove(folder: &Path) -> Result<(), Box<dyn Error>> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    if !name.is_some_and(|name| name.starts_with(PREFIX)) {
        return Err(format!("{} is no folder of a run", folder.display()).into());
    }
    let deadline = Instant::now() + REMOVAL_PATIENCE;
    loop {
        match fs::remove_dir_all(folder) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error.into()),
            Err(_) => thread::sleep(REMOVAL_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("1000").spawn().unwrap()
    }

    #[test]
    fn the_end_of_the_input_ends_what_lives_and_removes_the_folder() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join(format!("{PREFIX}x"));
        fs::create_dir_all(folder.join("member")).unwrap();
        let (mut lives, mut reaped) = (sleeper(), sleeper());
        let (watched, forgotten) = (lives.id(), reaped.id());
        let lines = format!(
            "folder {}\nstart {watched}\nstart {forgotten}\nend {forgotten}\n",
            folder.display()
        );
        serve(lines.as_bytes()).unwrap();
        assert_eq!(lives.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
        assert!(reaped.try_wait().unwrap().is_none(), "what was forgotten is left alone");
        reaped.kill().unwrap();
        reaped.wait().unwrap();
        assert!(!folder.exists());
        assert!(parent.path().exists());
    }

    #[test]
    fn folders_of_others_and_groups_of_processes_are_refused() {
        let other = tempfile::tempdir().unwrap();
        let line = format!("folder {}\n", other.path().display());
        assert!(serve(line.as_bytes()).is_err());
        assert!(other.path().exists());
        for line in ["start 0\n", "start -1\n", "start x\n", "dance 1\n"] {
            assert!(serve(line.as_bytes()).is_err(), "{line}");
        }
    }
}
