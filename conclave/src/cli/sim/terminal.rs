//! What kind of terminal there is.

use std::env;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// The width of what is no terminal.
const WIDTH: usize = 100;

/// The columns of a terminal; 100 for what is none.
pub(super) fn width(of: &impl AsFd) -> usize {
    let columns = tcgetwinsize(of).ok().map(|size| usize::from(size.ws_col));
    columns.filter(|columns| *columns > 0).unwrap_or(WIDTH)
}

/// Whether standard output is a terminal that shows colours, and nobody minds them
/// (`NO_COLOR`, `TERM=dumb`).
pub(super) fn colour() -> bool {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdout().is_terminal() && !unwanted && !dumb
}
