//! A state that was found wrong is had anew without an operator, in the same process.
//!
//! The replica ends, with all its threads and connections; its state is put aside, and the replica
//! begins again as one whose state is damaged: what the log still holds is replayed, else a leader
//! sends the state. The data directory and the ports stay this process's. `node::rebuild` keeps the
//! new state from being served before it agrees with another member's.
//!
//! Once may be an accident. A state that is found wrong again comes from something that is still
//! there, a disk, a memory or a bug, so each further time begins after a longer pause: a member
//! that is wrong again and again must not take the others' time. Clients are turned away meanwhile.

use std::net::TcpListener as StdListener;
use std::time::Duration;

use protocol::Index;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::StartError;
use super::rejoin::turn_away;

/// The pause before the second rebuild of a process; it doubles with each.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest.
const LONGEST: Duration = Duration::from_secs(300);

/// What is known of a state that was found wrong.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    /// In words.
    pub(super) why: String,
    /// The last entry that was applied to it.
    pub(super) applied: Index,
}

/// What this process has rebuilt.
#[derive(Debug, Default)]
pub(super) struct Rebuilding {
    /// The state that is to be put aside.
    pub(super) wrong: Option<Wrong>,
    times: u32,
}

impl Rebuilding {
    /// The replica has ended for this.
    pub(super) fn begin(&mut self, wrong: Wrong) {
        self.wrong = Some(wrong);
        self.times = self.times.saturating_add(1);
        let pause = self.due();
        if pause.is_zero() {
            tracing::warn!(
                "the state of this member was wrong: it is put aside and had anew from the log or \
                 from the other members. Nothing needs to be done; until then this member refuses \
                 clients (corrupt cluster)"
            );
        } else {
            tracing::error!(
                times = self.times,
                "the state of this member was wrong AGAIN: it is had anew in {pause:?}. Something \
                 spoils it: check its memory and its disk, and that all members run the same \
                 version; to keep the cluster whole meanwhile, replace this member"
            );
        }
    }

    fn due(&self) -> Duration {
        match self.times {
            0 | 1 => Duration::ZERO,
            times => PAUSE.saturating_mul(1 << (times - 2).min(10)).min(LONGEST),
        }
    }

    /// Waits until it is time. False when the process is to end.
    pub(super) async fn pause(
        &self,
        clients: StdListener,
        mut stop: watch::Receiver<bool>,
    ) -> Result<bool, StartError> {
        let clients = TcpListener::from_std(clients).map_err(StartError::Thread)?;
        tokio::select! {
            () = tokio::time::sleep(self.due()) => {}
            refused = turn_away(clients) => refused.map_err(StartError::Thread)?,
            _ = stop.wait_for(|stop| *stop) => {}
        }
        Ok(!*stop.borrow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_begins_at_once_and_further_ones_later_and_later() {
        let mut rebuilding = Rebuilding::default();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            rebuilding.begin(Wrong { why: String::new(), applied: Index(1) });
            pauses.push(rebuilding.due());
        }
        assert_eq!(pauses[..4], [0, 5, 10, 20].map(Duration::from_secs));
        assert!(pauses.is_sorted() && pauses[39] == LONGEST);
    }
}
