//! Following an election.

use std::collections::VecDeque;

use bytes::Bytes;
use etcdpb::etcdserverpb::{RangeRequest, WatchCreateRequest};
use tonic::Code;

use super::Leader;
use super::candidates::Candidates;
use super::place::passes;
use crate::Result;
use crate::call::{Client, pause};
use crate::range::prefix_end;
use crate::watch::Watcher;

/// One leader after another.
///
/// Every change is handed out once and in order, whatever connections come and go: it is made from
/// the events of all candidates, and not from looks at who leads. Only when history is compacted
/// while no server can be reached is it not to be had; then the change after the hole says so.
#[derive(Debug)]
pub struct Observer {
    client: Client,
    prefix: Bytes,
    candidates: Candidates,
    /// `None`: history is to be read anew.
    watcher: Option<Watcher>,
    ready: VecDeque<Change>,
}

/// A change of the leader, or of what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Who leads from now on; nobody, when the last candidate has gone.
    pub leader: Option<Leader>,
    /// Changes before this one may be missing: their history was compacted before it was read.
    pub gap: bool,
}

impl Observer {
    pub(super) async fn begin(client: &Client, prefix: &Bytes) -> Result<Observer> {
        let (candidates, revision) = read(client, prefix).await?;
        let watcher = Some(watch(client, prefix, revision + 1).await?);
        let ready = VecDeque::from([candidates.as_they_are()]);
        let (client, prefix) = (client.clone(), prefix.clone());
        Ok(Observer { client, prefix, candidates, watcher, ready })
    }

    /// Waits for the next change. The first one is to who leads at the beginning.
    ///
    /// # Errors
    /// What the servers refuse for good. Disconnects and elections among them are not errors.
    pub async fn next(&mut self) -> Result<Change> {
        let mut failures = 0;
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(change);
            }
            let error = match self.advance().await {
                Ok(()) => {
                    failures = 0;
                    continue;
                }
                Err(error) => error,
            };
            if error.code() == Code::OutOfRange {
                self.watcher = None;
            } else if !passes(&error) {
                return Err(error);
            }
            failures += 1;
            tokio::time::sleep(pause(failures)).await;
        }
    }

    async fn advance(&mut self) -> Result<()> {
        if let Some(watcher) = &mut self.watcher {
            let events = watcher.next().await?.events;
            self.ready.extend(self.candidates.take(events));
            return Ok(());
        }
        let (read, revision) = read(&self.client, &self.prefix).await?;
        self.watcher = Some(watch(&self.client, &self.prefix, revision + 1).await?);
        self.ready.extend(self.candidates.replace(read));
        Ok(())
    }
}

/// All candidates, and the revision at which they are.
async fn read(client: &Client, prefix: &Bytes) -> Result<(Candidates, i64)> {
    let (key, range_end) = (prefix.clone(), prefix_end(prefix));
    let response = client.range(RangeRequest { key, range_end, ..RangeRequest::default() }).await?;
    let revision = response.header.map_or(0, |header| header.revision);
    Ok((Candidates::of(response.kvs), revision))
}

async fn watch(client: &Client, prefix: &Bytes, start_revision: i64) -> Result<Watcher> {
    let request = WatchCreateRequest {
        key: prefix.clone(),
        range_end: prefix_end(prefix),
        start_revision,
        // So that a quiet election does not fall behind what is compacted.
        progress_notify: true,
        ..WatchCreateRequest::default()
    };
    client.watch(request).await
}
