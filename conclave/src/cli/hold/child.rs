//! The command that runs while a place is held.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process;
use tokio::time::timeout;

use super::tether;
use crate::failure::{Failure, Result};

/// What the exit code of a process that a signal ended is counted from, as shells do.
pub(crate) const SIGNALLED: i32 = 128;

/// How often the time that is left is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A running command.
///
/// At a terminal it belongs to the group of this process, so that it may read what is typed; it
/// then gets Ctrl-C by itself. Otherwise it has a group of its own, and what it starts gets every
/// signal with it.
#[derive(Debug)]
pub(super) struct Child {
    process: process::Child,
    pid: Pid,
    has_group: bool,
}

impl Child {
    /// Starts the command, with what it needs to know in its environment.
    pub(super) fn start(words: &[OsString], facts: &[(&str, OsString)]) -> Result<Child> {
        let has_group = !io::stdin().is_terminal();
        let mut command = tether::command(words);
        command.envs(facts.iter().map(|(name, value)| (name, value)));
        let mut command = process::Command::from(command);
        if has_group {
            command.process_group(0);
        }
        let fail = |error| Failure::new(format!("cannot start a process: {error}"));
        let process = command.kill_on_drop(true).spawn().map_err(fail)?;
        let pid = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.expect("it has not been waited for");
        Ok(Child { process, pid, has_group })
    }

    /// Waits for its end, and gives its exit code. In a group of its own, nothing that it has
    /// started is left there: whoever holds next must be alone. May be given up and begun again.
    pub(super) async fn end(&mut self) -> io::Result<u8> {
        let code = code(self.process.wait().await?);
        if self.has_group {
            self.send(Signal::KILL);
        }
        Ok(code)
    }

    /// Passes on a signal that has come to this process.
    pub(super) fn pass_on(&self, signal: Signal) {
        // The terminal has sent these to the whole group already.
        if self.has_group || ![Signal::INT, Signal::QUIT].contains(&signal) {
            self.send(signal);
        }
    }

    /// Tells it to end, and kills it when no time is left, which is looked at again and again: the
    /// timers of this process stand still while the machine is suspended. Returns when it has
    /// ended; in a group of its own, nothing that it has started is left there.
    pub(super) async fn finish(&mut self, left: impl Fn() -> Duration) -> io::Result<()> {
        self.send(Signal::TERM);
        while timeout(left().min(LOOK), self.process.wait()).await.is_err() {
            if left().is_zero() {
                break;
            }
        }
        self.send(Signal::KILL);
        self.process.wait().await?;
        Ok(())
    }

    /// Whoever has ended already needs no signal, and its number is nobody else's as long as its
    /// group has members or it has not been waited for.
    fn send(&self, signal: Signal) {
        let _gone = if self.has_group {
            kill_process_group(self.pid, signal)
        } else if self.process.id().is_some() {
            kill_process(self.pid, signal)
        } else {
            Ok(())
        };
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(SIGNALLED + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_handed_on_and_a_signal_counts_from_128() {
        assert_eq!(code(ExitStatus::from_raw(0)), 0);
        assert_eq!(code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code(ExitStatus::from_raw(15)), 143);
    }
}
