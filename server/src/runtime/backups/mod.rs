//! Backups by the clock: each member that is told to writes its own state to a folder.
//!
//! Laws:
//!
//! - a file in the folder is whole and was read back: it gets its name after that;
//! - an old backup goes only after a new one stands;
//! - service comes first: a backup reads a pinned view on a thread of its own, with a breath after
//!   each MiB, and whatever goes wrong with it is logged, counted, and tried again when the next
//!   one is due;
//! - a restart does not put it off: the next one is due an interval after the newest that is there.
//!
//! What is left out: members do not agree who makes a backup. Three members with the same flags
//! make three files, of three states that may differ by how far each has come.

mod folder;

use std::path::{Path, PathBuf};
use std::time::Duration;

use node::Failure;
use storage::backup::{BackupFile, BackupWriter, Header, Origin, Stamp};
use tokio::sync::watch;

use self::folder::Folder;
use super::clock::Clock;
use super::handle::{NodeHandle, Pinned};
use crate::api::etcd::EtcdError;
use crate::api::metrics::BackupMetrics;
use crate::config::BackupSchedule;

/// Bytes written between two breaths.
const STRIDE: u64 = 1 << 20;
/// A breath, for whoever else wants the disk and the processor.
const BREATH: Duration = Duration::from_millis(2);

/// What makes backups by the clock.
#[derive(Debug)]
pub(super) struct Backups {
    pub(super) handle: NodeHandle,
    pub(super) schedule: BackupSchedule,
    pub(super) metrics: BackupMetrics,
    /// Turns true when the server ends.
    pub(super) stopping: watch::Receiver<bool>,
}

impl Backups {
    /// Makes backups of the member of this name until the server ends.
    pub(super) async fn run(mut self, member: String) {
        let folder = Folder::new(&self.schedule.dir, &member);
        let mut wait = first(&folder, self.schedule.interval);
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // A sender that is gone means the same.
                _ = self.stopping.wait_for(|stop| *stop) => return,
            }
            wait = self.schedule.interval;
            match self.make(&folder).await {
                Ok((header, path)) => {
                    let path = path.display();
                    tracing::info!(%path, revision = header.revision, "a backup was made");
                    self.metrics.made(Clock::utc_ms(), header.length);
                }
                Err(_) if *self.stopping.borrow() => return,
                Err(why) => {
                    let dir = self.schedule.dir.display();
                    tracing::error!(%dir, %why, "no backup was made; the next is due as ever");
                    self.metrics.failed();
                    continue;
                }
            }
            if let Err(error) = folder.prune(self.schedule.keep) {
                let dir = self.schedule.dir.display();
                tracing::error!(%dir, %error, "an old backup could not be removed");
                self.metrics.failed();
            }
        }
    }

    async fn make(&self, folder: &Folder) -> Result<(Header, PathBuf), String> {
        let pinned = self.handle.pin().await.map_err(|failure| text(failure).to_owned())?;
        let taken_at_ms = Clock::utc_ms();
        let origin = Origin { identity: self.handle.identity(), taken_at_ms };
        let (folder, stopping) = (folder.clone(), self.stopping.clone());
        let work = move || write(&folder, pinned, origin, &stopping);
        tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
    }
}

/// How long until the first backup.
fn first(folder: &Folder, interval: Duration) -> Duration {
    let newest = folder.list().ok().and_then(|kept| Some(kept.last()?.stamp));
    let Some(newest) = newest else { return Duration::ZERO };
    let since = Duration::from_millis(Clock::utc_ms().saturating_sub(newest.ms()));
    interval.saturating_sub(since)
}

/// Writes one backup and reads it back.
fn write(
    folder: &Folder,
    pinned: Pinned,
    origin: Origin,
    stopping: &watch::Receiver<bool>,
) -> Result<(Header, PathBuf), String> {
    let Pinned { view, permit: _permit } = pinned;
    let mut writer = BackupWriter::new(view, origin).map_err(|error| error.to_string())?;
    let path = folder.place(writer.header().revision, Stamp::of_ms(origin.taken_at_ms));
    let create = || {
        folder.create().map_err(|error| format!("cannot make {}: {error}", shown(&path)))?;
        BackupFile::create(&path, false).map_err(|error| error.to_string())
    };
    let mut file = create()?;
    let mut breath = STRIDE;
    while let Some(block) = writer.block().map_err(|error| error.to_string())? {
        file.write(&block).map_err(|error| error.to_string())?;
        if file.written() >= breath {
            breath += STRIDE;
            std::thread::sleep(BREATH);
            if *stopping.borrow() {
                return Err("the server ends".into());
            }
        }
    }
    // The view is of no use any more, and reading back takes a while.
    drop(writer);
    let header = file.place(|_| {}).map_err(|error| error.to_string())?;
    Ok((header, path))
}

fn shown(path: &Path) -> std::path::Display<'_> {
    path.parent().unwrap_or(path).display()
}

fn text(failure: Failure) -> &'static str {
    match failure {
        Failure::DiskFull => "the disk of the data directory is full: the state cannot be flushed",
        Failure::TooManyRequests => "too many snapshots are being sent already",
        other => EtcdError::from(other).text(),
    }
}
