//! Panics in worlds are findings, and are told as such: nobody needs the runtime's page about them.

use std::panic;
use std::thread;

/// From now on a panic on a thread of worlds prints nothing, and one on the main thread a line.
pub(super) fn quieten() {
    let main = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() != main {
            return;
        }
        let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
        let text = info.payload_as_str().unwrap_or("a panic without words");
        eprintln!("conclave: panicked{place}: {text}");
    }));
}
