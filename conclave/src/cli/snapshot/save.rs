//! `conclave snapshot save`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use storage::backup::{BackupFile, Header, PlaceError, Stamp};

use super::progress::Progress;
use crate::cli::output::{self, Format, Output};
use crate::cli::table::size;
use crate::cli::target::{Target, block_on};
use crate::failure::{Failure, Result};

/// Save a backup of the cluster's data: every write that the asked member had answered before.
///
/// It is written to FILE.part, synced, read back and verified, and only then named FILE. Of several
/// endpoints, the first one that answers is asked. A member that lags saves an older state: where
/// that matters, ask the leader, and look at the revision.
///
/// Examples:
///
///   conclave snapshot save backup.snapshot
///   conclave snapshot save /backups/today --endpoints 10.0.0.1:2379 --force
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Save {
    /// The file to make.
    file: PathBuf,
    /// Replace the file if there is one.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Save {
    pub(crate) fn run(&self) -> Result {
        // Before the member is asked: it may be in vain.
        let file = BackupFile::create(&self.file, self.force).map_err(failure)?;
        let client = self.target.client()?;
        let (header, endpoint) = block_on(self.receive(&client, file))?;
        self.print(&header, &endpoint)
    }

    async fn receive(
        &self,
        client: &client::Client,
        mut file: BackupFile,
    ) -> Result<(Header, String)> {
        let mut snapshot = client.snapshot().await?;
        let mut progress = Progress::new("saving");
        let mut total = 0;
        while let Some((block, remaining)) = snapshot.block().await? {
            file.write(&block).map_err(failure)?;
            total = file.written() + remaining;
            progress.at(file.written(), total);
        }
        drop(progress);
        let mut progress = Progress::new("verifying");
        let header = file.place(|done| progress.at(done, total)).map_err(failure)?;
        Ok((header, snapshot.endpoint().to_owned()))
    }

    fn print(&self, header: &Header, endpoint: &str) -> Result {
        let file = self.file.display();
        match self.output.format {
            Format::Json => output::json(&json!({
                "file": file.to_string(),
                "bytes": header.length,
                "revision": header.revision,
                "endpoint": endpoint,
                "taken_at": Stamp::of_ms(header.origin.taken_at_ms).to_string(),
            })),
            Format::Plain => output::line(format!(
                "saved revision {} of {endpoint} to {file}: {}, verified",
                header.revision,
                size(header.length)
            )),
        }
    }
}

fn failure(error: PlaceError) -> Failure {
    let hint = match &error {
        PlaceError::Exists(_) => "; --force replaces it",
        PlaceError::Unsound { .. } => "; what came is not whole, so nothing was saved: try again",
        PlaceError::Busy(_) => "",
        PlaceError::Io { .. } => {
            return Failure::new(format!("cannot write the backup: {error}; choose another place"));
        }
    };
    Failure::new(format!("{error}{hint}"))
}
