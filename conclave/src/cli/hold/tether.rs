//! A command that dies with whoever has started it, however that dies.
//!
//! The system has this for a process that asks for itself. So this binary is started once more
//! under another name, asks, and becomes the command. What the command starts is not asked for.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// The name under which this binary becomes a command.
const NAME: &str = "conclave: tether";
/// This binary, also after it was replaced.
const SELF: &str = "/proc/self/exe";
/// What shells answer for a command that there is not.
const NOT_FOUND: u8 = 127;
/// What shells answer for a command that cannot be run.
const NOT_RUN: u8 = 126;

/// How `words` is started such that it dies with this process.
pub(super) fn command(words: &[OsString]) -> Command {
    let mut command = Command::new(SELF);
    command.arg0(NAME).arg(std::process::id().to_string()).args(words);
    command
}

/// Becomes a command if this process was started for that. Comes back otherwise, or when the
/// command cannot be run.
pub(crate) fn become_command() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    if words.next()? != NAME {
        return None;
    }
    let (parent, program) = (words.next()?, words.next()?);
    let asked = set_parent_process_death_signal(Some(Signal::KILL));
    // Whoever died before the question is not told of.
    let is_there = Pid::as_raw(getppid()).to_string() == parent.to_string_lossy();
    if asked.is_err() || !is_there {
        return Some(ExitCode::from(NOT_RUN));
    }
    let error = Command::new(&program).args(words).exec();
    eprintln!("conclave: cannot run {}: {error}", program.display());
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    Some(ExitCode::from(if is_missing { NOT_FOUND } else { NOT_RUN }))
}
