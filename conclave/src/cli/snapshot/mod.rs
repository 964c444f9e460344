//! `conclave snapshot`: backups of a whole cluster's data.

mod inspect;
mod progress;
mod restore;
mod save;

use clap::Subcommand;

use crate::failure::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum Snapshot {
    Save(save::Save),
    Inspect(inspect::Inspect),
    Restore(restore::Restore),
}

impl Snapshot {
    pub(crate) fn run(self) -> Result {
        match self {
            Snapshot::Save(save) => save.run(),
            Snapshot::Inspect(inspect) => inspect.run(),
            Snapshot::Restore(restore) => restore.run(),
        }
    }
}
