//! Signals, which are the command's.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};

/// What is passed on, and whether it ends who waits.
const ALL: [(Signal, bool); 6] = [
    (Signal::INT, true),
    (Signal::TERM, true),
    (Signal::HUP, true),
    (Signal::QUIT, true),
    (Signal::USR1, false),
    (Signal::USR2, false),
];

/// Where the system tells what a process ignores.
const STATUS: &str = "/proc/self/status";

/// The signals that come to this process, from the first moment on. One that it was started to
/// ignore (by `nohup`, or in the background of a script) stays ignored, here and by the command.
pub(super) struct Signals {
    streams: Vec<(Signal, bool, unix::Signal)>,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Signals> {
        let ignored = ignored(&std::fs::read_to_string(STATUS).unwrap_or_default());
        let listen = |(signal, ends): (Signal, bool)| {
            let stream = unix::signal(SignalKind::from_raw(signal.as_raw()))?;
            Ok((signal, ends, stream))
        };
        let heard = ALL.into_iter().filter(|(signal, _)| ignored >> (signal.as_raw() - 1) & 1 == 0);
        Ok(Signals { streams: heard.map(listen).collect::<io::Result<_>>()? })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        self.come().await.0
    }

    /// The number of the next one that ends who waits.
    pub(super) async fn end(&mut self) -> i32 {
        loop {
            if let (signal, true) = self.come().await {
                return signal.as_raw();
            }
        }
    }

    async fn come(&mut self) -> (Signal, bool) {
        poll_fn(|cx| {
            let come = self.streams.iter_mut().find_map(|(signal, ends, stream)| {
                stream.poll_recv(cx).is_ready().then_some((*signal, *ends))
            });
            come.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// The set of ignored signals in a process's status, the lowest bit for signal 1; none when it does
/// not say.
fn ignored(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_status() {
        assert_eq!(ignored("Name:\tx\nSigBlk:\t0f\nSigIgn:\t0000000000001001\n"), 0x1001);
        assert_eq!(ignored("Name:\tx\n"), 0);
    }
}
