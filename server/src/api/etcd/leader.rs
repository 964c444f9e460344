//! Whether the cluster has a leader, for clients that insist on one (`hasleader: true`).
//!
//! One task of each runtime looks at the node once in an election timeout. Streams that insist end
//! after three looks in a row without a leader; single calls that insist are refused at once.

use std::time::Duration;

use node::{Body, Request};
use tokio::sync::watch;

use super::Api;

/// Looks without a leader after which streams end.
const PATIENCE: u32 = 3;

/// Waits for the loss of the leader.
#[derive(Debug)]
pub(super) struct Leaderless(watch::Receiver<bool>);

impl Leaderless {
    /// Resolves when there has been no leader for too long.
    pub(super) async fn wait(&mut self) {
        if self.0.wait_for(|lost| *lost).await.is_err() {
            // The server is ending: that is told in another way.
            std::future::pending::<()>().await;
        }
    }
}

/// What the looks have shown.
#[derive(Debug)]
pub(super) struct Monitor {
    lost: watch::Sender<bool>,
}

impl Monitor {
    pub(super) fn new() -> Self {
        Self { lost: watch::Sender::new(false) }
    }

    pub(super) fn subscribe(&self) -> Leaderless {
        Leaderless(self.lost.subscribe())
    }

    /// Looks for ever.
    pub(super) async fn run(api: &Api, period: Duration) {
        let mut missed = 0_u32;
        loop {
            tokio::time::sleep(period).await;
            missed = if has_leader(api).await { 0 } else { missed.saturating_add(1) };
            let lost = missed >= PATIENCE;
            api.monitor.lost.send_if_modified(|known| std::mem::replace(known, lost) != lost);
        }
    }
}

/// Whether this member knows a leader now.
pub(super) async fn has_leader(api: &Api) -> bool {
    match api.ask(Request::Status).await {
        Ok((header, Body::Status(status))) => {
            api.headers.observe(header.term);
            status.core.leader.is_some()
        }
        Ok(_) | Err(_) => false,
    }
}
