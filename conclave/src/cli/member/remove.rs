//! `conclave member remove`.

use clap::Args;

use super::{find, rows};
use crate::cli::output::Output;
use crate::cli::target::{Target, block_on};
use crate::failure::Result;

/// Remove a member for ever: its process ends, and its data directory is of no use any more.
///
/// Refused when too few of the others would be left that have started and that answer.
///
/// Example:
///
///   conclave member remove n3
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Remove {
    /// Whom: a name, an id in hexadecimal, or a peer address.
    member: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Remove {
    pub(super) fn run(&self) -> Result {
        let client = self.target.client()?;
        let (id, response) = block_on(async {
            let id = find(&client.member_list(true).await?.members, &self.member)?;
            Ok((id, client.member_remove(id).await?))
        })?;
        let done = format!("member {:016x} removed", id);
        rows::print(self.output.format, response.header.as_ref(), &response.members, &done)
    }
}
