//! Ctrl-C: the first asks for the sum so far, the second ends the process.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::block_on;
use crate::failure::Result;

/// What shells expect of a process that an interrupt ended: 128 and the number of the signal.
const ENDED_BY_INTERRUPT: i32 = 130;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on an interrupt is noted instead of ending the process.
pub(super) fn watch() {
    thread::spawn(|| -> Result {
        block_on(async {
            let mut interrupts = signal(SignalKind::interrupt())?;
            while interrupts.recv().await.is_some() {
                if INTERRUPTED.swap(true, Ordering::Relaxed) {
                    process::exit(ENDED_BY_INTERRUPT);
                }
            }
            Ok(())
        })
    });
}

/// Whether there was one.
pub(super) fn came() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
