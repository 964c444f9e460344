//! A process of ours: its end, and what it costs.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::janitor::Janitor;

/// How long a process may take to end when it is asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PAUSE: Duration = Duration::from_millis(5);
/// The most of a log's end that an error shows.
const LAST_LINES: usize = 5;

/// A running process. Dropped, it is killed and reaped; should we be killed first, the janitor
/// does it.
#[derive(Debug)]
pub(crate) struct Process<'a> {
    child: Child,
    janitor: &'a Janitor,
    log: PathBuf,
}

/// What a process has in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Now, in KiB.
    pub(crate) resident_kib: u64,
    /// At most so far, in KiB.
    pub(crate) peak_kib: u64,
}

impl<'a> Process<'a> {
    /// Starts a command in a process group of its own, what it prints appended to a log.
    pub(crate) fn start(
        command: &mut Command,
        log: &Path,
        janitor: &'a Janitor,
    ) -> Result<Self, Box<dyn Error>> {
        let program = command.get_program().to_string_lossy().into_owned();
        let file = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = command.spawn().map_err(|error| format!("cannot start {program}: {error}"))?;
        let process = Self { child, janitor, log: log.to_path_buf() };
        janitor.watch(process.id())?;
        Ok(process)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself. It is not reaped by asking: until it is, its id is its own.
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match rustix::process::waitid(WaitId::Pid(self.pid()), options) {
            Ok(state) => Ok(state.is_some()),
            // It was reaped when it was found to have ended.
            Err(Errno::CHILD) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Fails, with the end of its log, when the process has ended by itself.
    pub(crate) fn assert_running(&mut self) -> Result<(), Box<dyn Error>> {
        if !self.has_ended()? {
            return Ok(());
        }
        self.janitor.forget(self.id())?;
        let status = self.child.wait()?;
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        let last = if last.is_empty() { "nothing" } else { &last };
        Err(format!("it has ended ({status}); the last words of its log: {last}").into())
    }

    /// Asks it to end, as a service manager does, and waits. One that does not is killed, and that
    /// is an error.
    pub(crate) fn stop(mut self) -> Result<(), Box<dyn Error>> {
        self.assert_running()?;
        rustix::process::kill_process(self.pid(), Signal::TERM)?;
        let deadline = Instant::now() + STOP_PATIENCE;
        while !self.has_ended()? {
            if Instant::now() >= deadline {
                let patience = STOP_PATIENCE.as_secs();
                return Err(format!("it was asked to end, and has not in {patience} s").into());
            }
            thread::sleep(STOP_PAUSE);
        }
        Ok(())
    }

    /// The processor time that it has used so far, all its threads together, in microseconds.
    pub(crate) fn cpu_us(&self) -> Result<f64, Box<dyn Error>> {
        let path = format!("/proc/{}/stat", self.id());
        let ticks = ticks(&fs::read_to_string(&path)?).ok_or_else(|| unreadable(&path))?;
        Ok(ticks as f64 * 1e6 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Forgets the peak of memory so far: from here on it is that of what comes.
    pub(crate) fn reset_peak(&self) -> io::Result<()> {
        // proc(5): 5 resets VmHWM.
        fs::write(format!("/proc/{}/clear_refs", self.id()), "5")
    }

    pub(crate) fn memory(&self) -> Result<Memory, Box<dyn Error>> {
        let path = format!("/proc/{}/status", self.id());
        Ok(memory(&fs::read_to_string(&path)?).ok_or_else(|| unreadable(&path))?)
    }
}

impl Drop for Process<'_> {
    fn drop(&mut self) {
        // Nobody is left to tell about a failure. Killing what was reaped already does nothing.
        let _ = self.child.kill();
        let _ = self.janitor.forget(self.id());
        let _ = self.child.wait();
    }
}

fn unreadable(path: &str) -> String {
    format!("{path} does not have the fields that Linux writes there")
}

/// User and system time in the text of `/proc/PID/stat`, in ticks of the clock. The name of the
/// program stands in parentheses and may itself contain any of them, and spaces.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    // proc(5): utime and stime are fields 14 and 15, and the state after the name is field 3.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    field(14)?.checked_add(field(15)?)
}

/// The memory in the text of `/proc/PID/status`.
fn memory(status: &str) -> Option<Memory> {
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.strip_prefix(':')?.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some(Memory { resident_kib: kib("VmRSS")?, peak_kib: kib("VmHWM")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let fields = "S 1 7 7 0 -1 4194560 100 0 0 0 250 31 5 6 20 0 9 0 12345 1 2 3";
        for name in ["etcd", "a b", "a) S 1 (b", ")"] {
            assert_eq!(ticks(&format!("4711 ({name}) {fields}\n")), Some(281), "{name}");
        }
        for broken in ["", "4711 (etcd) S 1 7", "4711 etcd", &format!("1 (a) {}", "x ".repeat(20))]
        {
            assert_eq!(ticks(broken), None, "{broken}");
        }
    }

    #[test]
    fn memory_is_found_by_the_names_of_its_lines() {
        let text = "Name:\tVmRSS\nVmPeak:\t  900 kB\nVmHWM:\t  300 kB\nVmRSS:\t  200 kB\n";
        assert_eq!(memory(text), Some(Memory { resident_kib: 200, peak_kib: 300 }));
        assert_eq!(memory("VmRSS:\t 200 kB\n"), None);
        assert_eq!(memory("VmHWM:\t1 kB\nVmRSS:\t200 MB\n"), None);
    }

    #[test]
    fn a_live_process_has_figures_and_a_dropped_one_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let janitor = Janitor::hire(&mut Command::new("cat")).unwrap();
        let log = dir.path().join("log");
        let mut command = Command::new("sleep");
        let mut process = Process::start(command.arg("1000"), &log, &janitor).unwrap();
        process.assert_running().unwrap();
        assert!(process.cpu_us().unwrap() >= 0.0);
        let memory = process.memory().unwrap();
        assert!(0 < memory.resident_kib && memory.resident_kib <= memory.peak_kib);
        let place = PathBuf::from(format!("/proc/{}", process.id()));
        assert!(place.exists());
        drop(process);
        assert!(!place.exists());
    }

    #[test]
    fn a_process_that_is_asked_ends_and_one_that_ended_by_itself_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let janitor = Janitor::hire(&mut Command::new("cat")).unwrap();
        let log = dir.path().join("log");
        let sleeper = Process::start(Command::new("sleep").arg("1000"), &log, &janitor).unwrap();
        sleeper.stop().unwrap();
        let mut failing = Process::start(Command::new("cat").arg("gone"), &log, &janitor).unwrap();
        let error = loop {
            if let Err(error) = failing.assert_running() {
                break error.to_string();
            }
            thread::yield_now();
        };
        assert!(error.contains("gone"), "{error}");
        assert_eq!(failing.assert_running().unwrap_err().to_string(), error, "asked again");
    }
}
